package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"curfew/revoke"
)

// problem is an answer of the API that says no (RFC 9457), as pages show it.
type problem struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors"`
}

func (p *problem) Error() string { return p.Title + ": " + p.Said() }

// Unwrap makes of a problem what the frame has a page for.
func (p *problem) Unwrap() error {
	switch p.Status {
	case http.StatusNotFound:
		return revoke.ErrNotFound
	case http.StatusServiceUnavailable:
		return revoke.ErrUnavailable
	}
	return nil
}

// Said is the problem in sentences.
func (p *problem) Said() string {
	parts := []string{p.Detail}
	for _, e := range p.Errors {
		parts = append(parts, e.Field+" "+e.Detail+".")
	}
	return strings.Join(parts, " ")
}

// ask asks the API as whoever signed in, and reads the answer into into; nil where nobody reads it. An answer that says no is a
// *problem.
func (v *visit) ask(ctx context.Context, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write the body of %s: %w", path, err)
		}
	}
	status, answer := v.c.cfg.API(ctx, v.who, method, path, text)
	if status >= http.StatusBadRequest {
		p := &problem{Status: status, Title: http.StatusText(status)}
		if json.Unmarshal(answer, p) != nil {
			p.Detail = "The server did not say why."
		}
		return p
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, strings.SplitN(path, "?", 2)[0], err)
	}
	return nil
}

// get asks for something that a page shows.
func (v *visit) get(path string, q url.Values, into any) error {
	ctx, cancel := v.reading()
	defer cancel()
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return v.ask(ctx, http.MethodGet, path, nil, into)
}

// refusedOf returns what the API had against an order, nil where it failed otherwise or not at all: such a thing is shown beside the
// form that it came from.
func refusedOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok && p.Status < http.StatusInternalServerError && p.Status != http.StatusNotFound {
		return p
	}
	return nil
}

// listing is one page of a list.
type listing[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// more is where the list goes on, empty at its end: the same address with another cursor.
func (l *listing[T]) more(v *visit) string {
	if l.Next == nil {
		return ""
	}
	q := v.r.URL.Query()
	q.Set("cursor", *l.Next)
	return v.r.URL.Path + "?" + q.Encode()
}

// given copies those parameters of the page's address that are not empty.
func (v *visit) given(names ...string) url.Values {
	out := url.Values{}
	for _, name := range names {
		if text := strings.TrimSpace(v.r.URL.Query().Get(name)); text != "" {
			out.Set(name, text)
		}
	}
	return out
}
