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
		if n := len(b.store.AllEvents()) + len(b.store.AllSessions()); n != 0 {
			t.Fatalf("%q changed the store", sent)
		}
	})
}

// FuzzBodies sends whatever body with a token that may do everything: it is carried out or refused in words, and what is
// carried out was JSON of which everybody reads the same.
func FuzzBodies(f *testing.F) {
	b := start(f)
	b.register("sally@example.edu", "browser", "laptop")
	user := "/v1/users/" + b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	paths := []string{"/v1/sessions", "/v1/signals", "/v1/revocations", "/v1/deliveries/retry", user + "/block", user + "/lift", user + "/split"}
	for i, seed := range []string{
		`{"subject": ` + sally + `, "kind": "browser", "app": "portal", "device": {"id": "x"}, "issued_at": "2026-11-23T09:00:00Z"}`,
		`{"signal": "device-lost", "subject": {"format": "aliases", "identifiers": [` + sally + `]}, "device": {"serial": "x"}, "occurred_at": "2026-11-23T09:00:00.5+01:00", "id": "n"}`,
		`{"scope": "device", "device": {"id": "x"}, "subject": {"format": "iss_sub", "iss": "https://id.example.edu", "sub": "7"}, "reason": "x"}`,
		`{"scope": "everyone", "reason": "x", "confirm": null, "subject": null}`,
		`{"scope": "kind", "kind": "mobile", "reason": "x", "dry_run": true, "confirm": 0}`,
		`{"state": "parked", "user": "019aaf3c-5b40-7000-8000-000000000000"}`,
		`{"reason": "x", "until": "2127-01-01T00:00:00Z"}`,
		`{"reason": "x"}`,
		`{"reason": "x", "with": "019aaf3c-5b40-7000-8000-000000000000"}`,
	} {
		f.Add([]uint8{0, 1, 2, 2, 2, 3, 4, 5, 6}[i], seed)
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

// FuzzWhy asks whatever question: it is answered or refused in words, changes nothing, and shows no token in the log.
func FuzzWhy(f *testing.F) {
	b := start(f)
	b.register("sally@example.edu", "browser", "laptop")
	people := len(b.store.AllUsers())
	for _, seed := range []string{
		"session=x&app=portal", "token=laptop", "subject=sally@example.edu&at=2026-11-23T10:00:00Z", "subject=%7B%22format%22:%22email%22,%22email%22:%22a@b%22%7D",
		"subject={\"format\":\"aliases\",\"identifiers\":[[[]]]}", "at=&session=%00", "subject=%FF@%FE&session",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/v1/why", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = strings.Map(func(c rune) rune {
			if c <= ' ' || c == 0x7f || c == '#' {
				return -1
			}
			return c
		}, query)
		r.Header.Set("Authorization", "Bearer "+secretOf("ops"))
		own := *b
		own.t = t
		got := own.send(r)
		if got.status >= 500 || got.status >= 400 && got.status != 431 && !strings.HasPrefix(got.text("type"), "/problems/") {
			t.Errorf("%q: %d %s", query, got.status, got.body)
		}
		if n := len(b.store.AllUsers()); n != people || len(b.store.AllEvents()) != 0 {
			t.Fatalf("%q changed the store", query)
		}
	})
}
