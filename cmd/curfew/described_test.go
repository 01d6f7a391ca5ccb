package main

import (
	"net/http"
	"sync"
	"testing"

	"curfew/api/apitest"
)

// described is the document that a server shows, and what of its answers was not as that says. It is safe for concurrent use.
type described struct {
	doc   *apitest.Document
	mu    sync.Mutex
	wrong []error
}

// holdToDocument holds every further request and answer of the server against the document that it shows. A test that met
// something else fails at its end.
func (r *running) holdToDocument(t *testing.T) {
	t.Helper()
	shown := r.get("/openapi.json", "")
	doc, err := apitest.Parse(shown.body)
	if err != nil {
		t.Fatalf("/openapi.json answered %d %.200s: %v", shown.status, shown.body, err)
	}
	d := &described{doc: doc}
	t.Cleanup(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for i, wrong := range d.wrong {
			if t.Error(wrong); i == 10 {
				break
			}
		}
	})
	r.described = d
}

// held notes where an exchange is not as the document says.
func (d *described) held(request *http.Request, sent string, got answer) {
	if d == nil {
		return
	}
	err := d.doc.Check(apitest.Exchange{
		Method: request.Method, Path: request.URL.EscapedPath(), Query: request.URL.RawQuery, Sent: request.Header, SentBody: []byte(sent),
		Status: got.status, Header: got.header, Body: got.body,
	})
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.wrong = append(d.wrong, err)
	}
}
