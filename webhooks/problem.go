package webhooks

import (
	"encoding/json"
	"net/http"
)

// problem is an error as a sender sees it (RFC 9457). What stands in it is written here, never taken from an error's text.
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []fault `json:"errors,omitempty"`
}

type fault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// retryAfter is how long senders that obey Retry-After wait, in seconds: when the store does not answer, and when the
// build lacks the type, which only a new program changes.
const (
	retrySoon  = "5"
	retryLater = "300"
)

func (p problem) response(header ...string) Response {
	body, _ := json.Marshal(p) // it holds only text and numbers
	r := Response{Status: p.Status, Header: http.Header{"Content-Type": {"application/problem+json"}}, Body: append(body, '\n')}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// unauthenticated is the same for every reason, so that nobody learns how close a guess was.
func unauthenticated() Response {
	return problem{Type: "/problems/unauthenticated", Title: "The request is not proved to come from this source", Status: http.StatusUnauthorized, Detail: "send the credential that this source is configured with"}.
		response("WWW-Authenticate", `Webhook realm="hooks"`)
}

func notFound() Response {
	return problem{Type: "/problems/not-found", Title: "There is no such source", Status: http.StatusNotFound, Detail: "the address is /hooks/ followed by the name of a configured source"}.response()
}

func methodNotAllowed() Response {
	return problem{Type: "/problems/method", Title: "The method is not allowed here", Status: http.StatusMethodNotAllowed, Detail: "use POST"}.response("Allow", http.MethodPost)
}

func tooLarge(detail string) Response {
	return problem{Type: "/problems/too-large", Title: "The message is too large", Status: http.StatusRequestEntityTooLarge, Detail: detail}.response()
}

func timedOut() Response {
	return problem{Type: "/problems/timeout", Title: "The message did not arrive in time", Status: http.StatusRequestTimeout, Detail: "send it again"}.response("Connection", "close")
}

func mediaType(detail string) Response {
	return problem{Type: "/problems/media-type", Title: "The message is in a form that this source does not take", Status: http.StatusUnsupportedMediaType, Detail: detail}.response()
}

func invalid(field, detail string) Response {
	p := problem{Type: "/problems/invalid", Title: "The message cannot be read", Status: http.StatusBadRequest, Detail: detail}
	if field != "" {
		p.Errors = []fault{{field, detail}}
	}
	return p.response()
}

func unavailable(detail, retry string) Response {
	return problem{Type: "/problems/unavailable", Title: "The message was not taken", Status: http.StatusServiceUnavailable, Detail: detail}.response("Retry-After", retry)
}

func internal() Response {
	return problem{Type: "/problems/internal", Title: "The message was not taken", Status: http.StatusInternalServerError, Detail: "send it again; the log of the server says more"}.response()
}
