package api

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// mount lets an http.Handler answer. With plain set a compressed body is refused here; else the handler knows itself
// which of its sources may compress.
func (a *App) mount(h http.Handler, plain bool) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if plain && encoded(&c.Request().Header) {
			return errEncoding
		}
		sent := strings.Clone(string(c.Context().RequestURI()))
		uri, err := url.ParseRequestURI(sent)
		if err != nil {
			return errBadPath
		}
		c.Set("X-Request-Id", a.requestID(c.Context()))
		return adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, a.request(c.Context(), r, uri, sent)) //nolint:contextcheck // it has one of its own, which shutdown does not end
		})(c)
	}
}

// request makes of the adaptor's request one that a handler may keep parts of: the adaptor's strings point into buffers of
// the next request, it drops all but the last of equal headers, and it names the proxy as the peer.
func (a *App) request(ctx *fasthttp.RequestCtx, r *http.Request, uri *url.URL, sent string) *http.Request {
	// Not of the adaptor's context either: that ends the moment shutdown begins, and what was begun is to be finished.
	with := revoke.WithRequestID(context.Background(), a.requestID(ctx))
	if t := callerOf(ctx); t != nil {
		with = revoke.WithActor(revoke.WithSource(with, t.source), revoke.Actor{Kind: "source", Name: t.name})
	}
	out := r.WithContext(with)
	out.URL, out.RequestURI = uri, sent
	out.Method, out.Proto, out.Host = strings.Clone(r.Method), strings.Clone(r.Proto), strings.Clone(r.Host)
	out.RemoteAddr = net.JoinHostPort(a.client(ctx).String(), "0")
	out.Header = http.Header{}
	ctx.Request.Header.VisitAll(func(name, value []byte) {
		if key := string(name); key != fasthttp.HeaderTransferEncoding {
			out.Header.Add(key, string(value))
		}
	})
	return out
}

// pathID returns the id in the path, decoded. serve has refused what cannot be.
func pathID(c *fiber.Ctx) string { return pathText(c, "id") }

func pathText(c *fiber.Ctx, name string) string {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil {
		return c.Params(name)
	}
	return text
}
