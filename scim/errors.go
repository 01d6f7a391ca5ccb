package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	library "github.com/elimity-com/scim/errors"

	"curfew/revoke"
)

// The detail error keywords of RFC 7644 section 3.12, table 9.
const (
	invalidFilter = "invalidFilter"
	invalidPath   = "invalidPath"
	invalidSyntax = "invalidSyntax"
	invalidValue  = "invalidValue"
	mutability    = "mutability"
	noTarget      = "noTarget"
	tooMany       = "tooMany"
	uniqueness    = "uniqueness"
)

// refusal is an answer that says no: what the sender reads, and for us the error behind it.
type refusal struct {
	status     int
	scimType   string
	detail     string
	retryAfter int    // seconds, zero says nothing
	allow      string // for 405
	cause      error  // never shown
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s %s", r.status, r.scimType, r.detail) }

func (r refusal) Unwrap() error { return r.cause }

func badRequest(scimType, detail string) refusal {
	return refusal{status: http.StatusBadRequest, scimType: scimType, detail: detail}
}

func notImplemented(what string) refusal {
	return refusal{status: http.StatusNotImplemented, detail: what + " is not supported by this server; /scim/v2/ServiceProviderConfig says what is."}
}

func noResource() refusal {
	return refusal{status: http.StatusNotFound, detail: "There is no such user or group among those that this token made."}
}

// refusalOf says how an error is answered. What the core or the store says stays inside, but for the sentences that were
// written to be shown.
func refusalOf(err error) refusal {
	if r, ok := errors.AsType[refusal](err); ok {
		return r
	}
	if bad, ok := errors.AsType[revoke.Invalid](err); ok {
		return refusal{status: http.StatusBadRequest, scimType: invalidValue, detail: bad.Error(), cause: err}
	}
	switch {
	case errors.Is(err, revoke.ErrNotFound):
		r := noResource()
		r.cause = err
		return r
	case errors.Is(err, revoke.ErrConflict):
		return refusal{
			status: http.StatusConflict, scimType: uniqueness, cause: err,
			detail: "Another user or group that this token made has this userName, displayName or externalId. Change that one, or choose another name.",
		}
	case errors.Is(err, revoke.ErrUnavailable), errors.Is(err, revoke.ErrNotFresh), errors.Is(err, revoke.ErrUnknownCommit),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refusal{
			status: http.StatusServiceUnavailable, retryAfter: 5, cause: err,
			detail: "The database does not answer at this moment. Send the request again.",
		}
	default:
		return refusal{
			status: http.StatusInternalServerError, cause: err,
			detail: "Something went wrong here. It is in the log under this request's id.",
		}
	}
}

// fromLibrary reads the refusal that the library wrote.
func fromLibrary(status int, body []byte) refusal {
	var e library.ScimError
	if err := json.Unmarshal(body, &e); err != nil || status != http.StatusBadRequest {
		return refusalOf(fmt.Errorf("the library answered %d", status))
	}
	detail := e.Detail
	if detail == "" {
		detail = "The request does not follow RFC 7644."
	}
	return badRequest(string(e.ScimType), detail)
}

// answer is the error response of RFC 7644 section 3.12; status is a string there.
func (r refusal) answer() answer {
	a := answer{status: r.status, header: http.Header{}}
	if r.retryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	if r.allow != "" {
		a.header.Set("Allow", r.allow)
	}
	if r.status == http.StatusUnauthorized {
		a.header.Set("WWW-Authenticate", `Bearer realm="curfew"`)
	}
	a.body = encode(struct {
		Schemas  []string `json:"schemas"`
		Status   string   `json:"status"`
		ScimType string   `json:"scimType,omitempty"`
		Detail   string   `json:"detail"`
	}{[]string{"urn:ietf:params:scim:api:messages:2.0:Error"}, strconv.Itoa(r.status), r.scimType, r.detail})
	return a
}

// quote shows a piece of what was sent, short and printable.
func quote(text string) string {
	const most = 80
	runes := []rune(text)
	if len(runes) > most {
		return strconv.Quote(string(runes[:most]) + "...")
	}
	return strconv.Quote(text)
}
