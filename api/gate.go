package api

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// door is a part of the address space whose requests are judged alike.
type door byte

const (
	doorOpen door = iota // who comes here proves itself by its own means, or need not
	doorSCIM
	doorV1
	doorOAuth
	doorHooks
	doorVerify
	doorMetrics
	doorPages
)

func (d door) guarded() bool {
	return d == doorSCIM || d == doorV1 || d == doorOAuth || d == doorMetrics
}

// doorOf tells by the path's first segment, in any letter case.
func doorOf(path []byte) door {
	is := func(prefix string) bool {
		return len(path) >= len(prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/') &&
			strings.EqualFold(string(path[:len(prefix)]), prefix)
	}
	switch {
	case is("/oauth2"):
		return doorOAuth
	case is("/v1"):
		return doorV1
	case is("/scim"):
		return doorSCIM
	case is("/verify"):
		return doorVerify
	case is("/hooks"):
		return doorHooks
	case is("/metrics"):
		return doorMetrics
	case is("/console"), is("/me"), is("/login"):
		return doorPages
	default:
		return doorOpen
	}
}

// doors returns the door at which a request is judged. Fiber routes by the path as sent; whoever reads it decoded and
// without its dots may see another one. Where the two differ nothing is routed (strange), and the guarded one judges.
func doors(uri *fasthttp.URI) (d door, strange bool) {
	sent, read := doorOf(uri.PathOriginal()), doorOf(uri.Path())
	if sent == read {
		return sent, false
	}
	if read.guarded() {
		return read, true
	}
	return sent, true
}

// mark is how headerReceived tells serve what it found: a header whose name no client can send, since it holds a blank.
const (
	mark         = "curfew found"
	markFraming  = "framing"
	markTooLarge = "too large"
)

// headerReceived decides how much of a body is read, before any of it is: what a stranger sends beyond a little is not
// read at all, and the connection ends with the answer, so that nobody can take the rest for a request.
func (a *App) headerReceived(h *fasthttp.RequestHeader) (limit fasthttp.RequestConfig) {
	length := h.ContentLength()
	sound, credentials := framed(h.RawHeaders())
	if credentials > 1 {
		h.Del(fasthttp.HeaderAuthorization)
		h.Set(fasthttp.HeaderAuthorization, severalCredentials)
	}
	refuse := func(why string) {
		h.Del(fasthttp.HeaderExpect)
		h.Del(fasthttp.HeaderTransferEncoding)
		h.SetContentLength(0)
		h.SetConnectionClose()
		h.Set(mark, why)
	}
	if !sound {
		refuse(markFraming)
		return limit
	}
	if length == -2 || length >= 0 && length <= strangersBody { // none, or little
		return limit
	}
	uri := fasthttp.AcquireURI()
	defer fasthttp.ReleaseURI(uri)
	if err := uri.Parse(nil, h.RequestURI()); err != nil {
		refuse(markFraming)
		return limit
	}
	d, strange := doors(uri)
	switch {
	case d == doorHooks && !strange:
		limit.MaxRequestBodySize = a.hookBody(uri.PathOriginal())
	case d.guarded():
		limit.MaxRequestBodySize = maxBody
		if t, _ := a.authenticate(h, d); t == nil {
			limit.MaxRequestBodySize = strangersBody
		}
	case d == doorPages:
		limit.MaxRequestBodySize = maxBody // a pasted list; the page refuses strangers
	default:
		limit.MaxRequestBodySize = strangersBody
	}
	switch {
	case length > limit.MaxRequestBodySize, length == -1 && limit.MaxRequestBodySize == strangersBody:
		refuse(markTooLarge)
	case length == -1:
		a.chunked.Store(h, d) // when such a body is too long, fasthttp forgets the path before it tells
	}
	return limit
}

func (a *App) hookBody(path []byte) int {
	decoded, err := url.PathUnescape(string(path))
	if err != nil || a.cfg.HookBody == nil {
		return maxBody
	}
	return int(a.cfg.HookBody(decoded))
}

// framed reports whether a head says in one way only where its body ends. fasthttp takes the last of two lengths, any
// transfer coding for chunked, and prefers it to a length; a proxy before us may choose otherwise, and then one of the
// two sees a request that the other does not (RFC 9112 section 6.3). It counts credentials on the way.
func framed(head []byte) (sound bool, credentials int) {
	lengths, codings := 0, 0
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte{'\n'})
		if len(line) == 0 {
			continue
		}
		switch line[0] | 0x20 {
		case ' ' | 0x20, '\t' | 0x20: // a folded line
			return false, credentials
		case 'a':
			if hasName(line, "authorization") {
				credentials++
			}
		case 'c':
			if hasName(line, "content-length") {
				lengths++
			}
		case 't':
			if hasName(line, "transfer-encoding") {
				codings++
				if !strings.EqualFold(string(bytes.TrimSpace(line[len("transfer-encoding:"):])), "chunked") {
					return false, credentials
				}
			}
		}
	}
	return lengths+codings <= 1, credentials
}

func hasName(line []byte, name string) bool {
	return len(line) > len(name) && line[len(name)] == ':' && strings.EqualFold(string(line[:len(name)]), name)
}

// serve answers a request: it judges credential and scope, then routes.
func (a *App) serve(ctx *fasthttp.RequestCtx) {
	defer func() {
		if why := recover(); why != nil {
			a.cfg.Log.Error("handler panicked", "err", panicked(why), "stack", string(debug.Stack()), "request_id", a.requestID(ctx))
			ctx.Response.Reset()
			a.fail(ctx, errInternal)
			ctx.SetConnectionClose()
		}
	}()
	found := ""
	if ctx.Request.Header.ConnectionClose() {
		if found = string(ctx.Request.Header.Peek(mark)); found != "" {
			linger(ctx)
		}
	}
	if found == markFraming {
		a.fail(ctx, errFraming)
		return
	}
	d, strange := doors(ctx.URI())
	if d.guarded() && (d != doorMetrics || !a.cfg.MetricsOpen) {
		if err := a.judge(ctx, d); err != nil {
			a.fail(ctx, err)
			return
		}
	}
	switch {
	case found == markTooLarge:
		a.fail(ctx, errTooLarge)
		return
	case strange:
		a.fail(ctx, errNoPath)
		return
	case !escaped(ctx.RequestURI()):
		a.fail(ctx, errBadPath)
		return
	}
	if string(ctx.URI().PathOriginal()) == introspectPath && ctx.IsPost() { // the one path where routing would show in the time
		if err := a.introspect(ctx, callerOf(ctx)); err != nil {
			a.fail(ctx, err)
		}
		return
	}
	if !known(ctx.Method()) { // Fiber would answer in its own words
		if d == doorVerify {
			ctx.Request.Header.SetMethod(fiber.MethodGet)
		} else {
			ctx.Request.Header.SetMethod(fiber.MethodTrace) // which nothing here takes: 404 or 405, with Allow
		}
	}
	a.route(ctx)
}

// panicked says what a panic was without its text, which may come from a request, unless it is the runtime's own.
func panicked(why any) string {
	if e, ok := why.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", why)
}

// judge lets a request in by its credential and by the scopes of its path, whether or not there is such a path.
func (a *App) judge(ctx *fasthttp.RequestCtx, d door) error {
	if t := callerOf(ctx); t != nil { // somebody who signed in, by [App.Ask]: their role is judged with the route
		if d != doorV1 || len(t.signIn.Roles) == 0 {
			return errNoRole
		}
		return nil
	}
	t, offered := a.authenticate(&ctx.Request.Header, d)
	if t == nil {
		a.cfg.Observer.Refused("api", "unauthenticated")
		if offered {
			if wait := a.refusals.count(a.client(ctx)); wait > 0 {
				return throttled(wait)
			}
		}
		return errUnauthenticated
	}
	if t.scopes&a.needed(d, ctx.URI().PathOriginal()) == 0 {
		a.cfg.Observer.Refused(t.name, "scope")
		return errScope
	}
	a.cfg.Service.Hear(t.source.Org, t.name)
	ctx.SetUserValue(callerKey{}, t)
	return nil
}

// known reports whether Fiber knows the method.
func known(method []byte) bool {
	switch string(method) {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodPost, fiber.MethodPut, fiber.MethodDelete, fiber.MethodConnect,
		fiber.MethodOptions, fiber.MethodTrace, fiber.MethodPatch:
		return true
	}
	return false
}

// escaped reports whether every % starts an escape. The adaptor of mounted handlers answers 500 to any other.
func escaped(uri []byte) bool {
	for i, c := range uri {
		switch {
		case c < ' ' || c == 0x7f:
			return false
		case c == '%' && (i+2 >= len(uri) || !hexDigit(uri[i+1]) || !hexDigit(uri[i+2])):
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// unreadable answers what could not be read: its path and credential are not known, or no longer.
func (a *App) unreadable(ctx *fasthttp.RequestCtx, err error) {
	defer func() {
		if why := recover(); why != nil {
			a.cfg.Log.Error("error handler panicked", "err", panicked(why), "stack", string(debug.Stack()))
			ctx.Response.Reset()
			ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		}
	}()
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.As(err, &small):
		a.failAt(ctx, doorOpen, errHeadTooLarge)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		d, ok := a.chunked.LoadAndDelete(&ctx.Request.Header)
		if !ok {
			d, _ = doors(ctx.URI())
		}
		linger(ctx)
		a.failAt(ctx, d.(door), errTooLarge)
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, fasthttp.ErrTimeout):
		a.failAt(ctx, doorOpen, errTimeout)
	default:
		a.failAt(ctx, doorOpen, errUnreadable)
	}
}
