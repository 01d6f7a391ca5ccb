package api

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// problem is an answer that says no (RFC 9457). As an error it is what handlers return.
type problem struct {
	status int
	word   string // of the closed set of DESIGN section 6
	title  string
	detail string // what to do
	errors []fieldError
	retry  time.Duration
}

// fieldError is what is wrong with one member: a dotted path with indexes, and what to write there.
type fieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func (p *problem) Error() string { return p.title + ": " + p.detail }

// The answers that do not depend on what was sent.
var (
	errUnauthenticated = &problem{status: 401, word: "unauthenticated", title: "Not authenticated", detail: "Send a valid token of this server: Authorization: Bearer <token>."}
	errScope           = &problem{status: 403, word: "scope", title: "Not within this token's scope", detail: "Use a token whose scopes allow this; an operator finds them in the configuration under tokens."}
	errNoPath          = &problem{status: 404, word: "not-found", title: "No such path", detail: "Look the path up in the documentation of this version."}
	errNotFound        = &problem{status: 404, word: "not-found", title: "Not found", detail: "There is no such thing, or it is not for this token to see."}
	errBadPath         = &problem{status: 400, word: "invalid", title: "Unreadable path", detail: "The path or the query holds a % that escapes nothing. Write it as %25."}
	errFraming         = &problem{status: 400, word: "invalid", title: "Unclear where the body ends", detail: "Send one Content-Length, or Transfer-Encoding: chunked, and no folded header."}
	errUnreadable      = &problem{status: 400, word: "invalid", title: "Unreadable request", detail: "Send a well-formed HTTP/1.1 request."}
	errHeadTooLarge    = &problem{status: 431, word: "too-large", title: "Headers too large", detail: "Keep request line and headers below 64 KiB."}
	errTooLarge        = &problem{status: 413, word: "too-large", title: "Body too large", detail: "Send less in one request."}
	errTimeout         = &problem{status: 408, word: "timeout", title: "Request took too long", detail: "Send the whole request within ten seconds."}
	errEncoding        = &problem{status: 415, word: "media-type", title: "Compressed body", detail: "Send the body as it is, without Content-Encoding."}
	errNotJSON         = &problem{status: 415, word: "media-type", title: "Not JSON", detail: "Send the body as Content-Type: application/json."}
	errNotForm         = &problem{status: 415, word: "media-type", title: "Not a form", detail: "Send the parameters as Content-Type: application/x-www-form-urlencoded."}
	errNotFresh        = &problem{status: 503, word: "not-fresh", title: "Not known at this moment", detail: "Ask again in a second; until then treat the session as neither live nor dead.", retry: time.Second}
	errUnavailable     = &problem{status: 503, word: "unavailable", title: "Database does not answer", detail: "Nothing was promised; send the same request again in a second.", retry: time.Second}
	errInternal        = &problem{status: 500, word: "internal", title: "Internal error", detail: "An operator finds the cause in the log under this answer's X-Request-Id."}
)

func throttled(wait time.Duration) error {
	return &problem{status: 429, word: "throttled", title: "Too many refused tokens", detail: "Send a valid token, which is accepted at any time.", retry: wait}
}

// malformed is a body that cannot be read: 400.
func malformed(detail string) *problem {
	return &problem{status: 400, word: "invalid", title: "Malformed body", detail: detail}
}

// meaningless is a request that can be read but means nothing: 422.
func meaningless(wrong ...fieldError) *problem {
	return &problem{status: 422, word: "invalid", title: "Invalid request", detail: "Correct what errors names and send it again.", errors: wrong}
}

// problemOf translates whatever went wrong; nil means that it is not one of the ways in which we say no.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if bad, ok := errors.AsType[revoke.Invalid](err); ok {
		return meaningless(fieldErrorOf(bad))
	}
	if e, ok := errors.AsType[*fiber.Error](err); ok {
		switch e.Code {
		case fiber.StatusNotFound:
			return errNoPath
		case fiber.StatusMethodNotAllowed:
			return &problem{status: 405, word: "method", title: "Method not allowed", detail: "Use a method that the Allow header of this answer names."}
		}
		return nil
	}
	switch {
	case errors.Is(err, revoke.ErrNotFound):
		return errNotFound
	case errors.Is(err, revoke.ErrBlocked):
		return &problem{status: 403, word: "blocked", title: "User is blocked", detail: "Do not let this user in: a block stands. Whoever set it, or an admin, can lift it."}
	case errors.Is(err, revoke.ErrKindNotAllowed):
		return &problem{status: 403, word: "kind-not-allowed", title: "Kind of session not allowed", detail: "Do not let this user in with a session of this kind: a policy refuses it."}
	case errors.Is(err, revoke.ErrOver):
		return &problem{status: 403, word: "over", title: "Session is over", detail: "Let the user sign in again: this session began before sessions like it were ended."}
	case errors.Is(err, revoke.ErrConflict):
		return &problem{status: 409, word: "conflict", title: "Contradicts what is recorded", detail: "Look at what is recorded under this id first; a new session needs a new id and a new token."}
	case errors.Is(err, revoke.ErrNotFresh):
		return errNotFresh
	case errors.Is(err, revoke.ErrUnavailable), errors.Is(err, revoke.ErrUnknownCommit), errors.Is(err, context.DeadlineExceeded):
		return errUnavailable
	}
	return nil
}

func fieldErrorOf(bad revoke.Invalid) fieldError {
	field := bad.Field
	bad.Field = ""
	return fieldError{field, bad.Error()}
}

// fail answers with what went wrong, in the form of the path's protocol.
func (a *App) fail(ctx *fasthttp.RequestCtx, err error) {
	d, _ := doors(ctx.URI())
	a.failAt(ctx, d, err)
}

func (a *App) failAt(ctx *fasthttp.RequestCtx, d door, err error) {
	p := problemOf(err)
	switch p {
	case nil:
		a.cfg.Log.Error("request failed", "err", err, "request_id", a.requestID(ctx))
		p = errInternal
	case errUnavailable:
		a.cfg.Log.Warn("request not carried out", "err", err, "request_id", a.requestID(ctx))
	}
	h := &ctx.Response.Header
	ctx.Response.ResetBody()
	ctx.SetStatusCode(p.status)
	h.Set("X-Request-Id", a.requestID(ctx))
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if p.retry > 0 {
		h.Set(fiber.HeaderRetryAfter, strconv.Itoa(int((p.retry+time.Second-1)/time.Second)))
	}
	switch p.status {
	case 401:
		h.Add(fiber.HeaderWWWAuthenticate, `Bearer realm="curfew"`)
		if d == doorOAuth {
			h.Add(fiber.HeaderWWWAuthenticate, `Basic realm="curfew"`)
		}
	case 415:
		if p == errEncoding {
			h.Set(fiber.HeaderAcceptEncoding, "identity") // RFC 9110 section 15.5.16
		}
	}
	switch d {
	case doorSCIM:
		render(ctx, "application/scim+json", scimError(p))
	case doorOAuth:
		render(ctx, "application/json", oauthError(p))
	case doorOpen, doorV1, doorHooks, doorVerify, doorMetrics, doorPages:
		render(ctx, "application/problem+json", p.view())
	}
}

// problemView is p as RFC 9457 section 3 has it.
type problemView struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []fieldError `json:"errors,omitempty"`
}

func (p *problem) view() problemView {
	return problemView{"/problems/" + p.word, p.title, p.status, p.detail, p.errors}
}

// render writes body as JSON.
func render(ctx *fasthttp.RequestCtx, contentType string, body any) {
	ctx.SetContentType(contentType)
	ctx.SetBody(encode(body))
}

// encode returns an answer as JSON.
func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil { // only for values that have no JSON, which no answer of ours holds
		return []byte("{}")
	}
	return text
}

// scimError is p as RFC 7644 section 3.12 has it.
func scimError(p *problem) any {
	out := map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status":  strconv.Itoa(p.status), "detail": sentence(p),
	}
	if p.status == 400 {
		out["scimType"] = "invalidSyntax"
	}
	return out
}

// oauthError is p as RFC 6749 section 5.2 and RFC 6750 section 3.1 have it.
func oauthError(p *problem) any {
	word := "invalid_request"
	switch p.status {
	case 401:
		word = "invalid_client"
	case 403:
		word = "insufficient_scope"
	case 429, 503:
		word = "temporarily_unavailable"
	case 500:
		word = "server_error"
	}
	return map[string]any{"error": word, "error_description": sentence(p)}
}

func sentence(p *problem) string {
	parts := []string{p.detail}
	for _, e := range p.errors {
		parts = append(parts, e.Field+" "+e.Detail+".")
	}
	return strings.Join(parts, " ")
}
