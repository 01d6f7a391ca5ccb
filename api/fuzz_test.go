package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzStranger sends whatever bytes without a valid token: nothing is stored, and nothing that is guarded answers.
func FuzzStranger(f *testing.F) {
	b := start(f)
	for _, seed := range []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nDELETE /v1/sessions/x HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /healthz/../v1/revocations HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\r\n",
		"GET //v1/users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nAuthorization: Basic eDp5\r\n\r\n",
		"GET http://x/%76%31/users HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"PROPFIND /scim/v2/Users HTTP/1.1\r\nHost: x\r\nCookie: session=x; session=y\r\nX-Forwarded-For: ,,\r\n\r\n",
		"GET /verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		defer time.AfterFunc(15*time.Second, func() { _ = conn.Close() }).Stop()
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		in := bufio.NewReader(conn)
		for {
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				break
			}
			text, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode >= 500 || strings.Contains(string(text), `"items"`) {
				t.Errorf("%q was answered %d %s", sent, resp.StatusCode, text)
			}
		}
		if n := len(b.store.Events()) + len(b.store.AllSessions()); n != 0 {
			t.Fatalf("%q changed the store", sent)
		}
	})
}

// FuzzBodies sends whatever body with a token that may do everything: it is carried out or refused in words, and what is
// carried out was JSON of which everybody reads the same.
func FuzzBodies(f *testing.F) {
	b := start(f)
	paths := []string{"/v1/sessions", "/v1/signals", "/v1/revocations", "/v1/deliveries/retry"}
	for i, seed := range []string{
		`{"subject": ` + sally + `, "kind": "browser", "app": "portal", "device": {"id": "x"}, "issued_at": "2026-11-23T09:00:00Z"}`,
		`{"signal": "device-lost", "subject": {"format": "aliases", "identifiers": [` + sally + `]}, "device": {"serial": "x"}, "occurred_at": "2026-11-23T09:00:00.5+01:00", "id": "n"}`,
		`{"scope": "device", "device": {"id": "x"}, "subject": {"format": "iss_sub", "iss": "https://id.example.edu", "sub": "7"}, "reason": "x"}`,
		`{"scope": "everyone", "reason": "x", "confirm": null, "subject": null}`,
		`{"scope": "kind", "kind": "mobile", "reason": "x", "dry_run": true, "confirm": 0}`,
		`{"state": "parked", "user": "019aaf3c-5b40-7000-8000-000000000000"}`,
	} {
		f.Add([]uint8{0, 1, 2, 2, 2, 3}[i], seed)
	}
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		own := *b
		own.t = t
		got := own.as("ops", "POST", paths[int(path)%len(paths)], body)
		switch {
		case got.status >= 500:
			t.Errorf("POST %s %q: %d %s", paths[int(path)%len(paths)], body, got.status, got.body)
		case got.status < 300 && !json.Valid([]byte(body)):
			t.Errorf("%q was carried out", body)
		case got.status >= 400 && !strings.HasPrefix(got.text("type"), "/problems/"):
			t.Errorf("%q was refused without a problem: %s", body, got.body)
		}
	})
}
