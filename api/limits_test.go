package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"curfew/api"
	"curfew/api/apitest"
)

// raw sends bytes on one connection and returns the answers that come back, until the server closes or want are there.
func (b *bundle) raw(want int, parts ...string) (answers []reply, closed bool) {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.address)
	if err != nil {
		b.t.Fatalf("dial: %v", err)
	}
	defer func() { _ = conn.Close() }()
	defer time.AfterFunc(20*time.Second, func() {
		b.t.Errorf("after %d answers the connection was left open", len(answers))
		_ = conn.Close()
	}).Stop()
	for _, part := range parts {
		if _, err := io.WriteString(conn, part); err != nil {
			break // the server has answered and closed
		}
	}
	in := bufio.NewReader(conn)
	for len(answers) < want {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return answers, true
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answers = append(answers, reply{resp.StatusCode, resp.Header, string(text)})
		// Which path it was about is not known here: any refusal of ours will do.
		refusal := apitest.Exchange{Method: http.MethodTrace, Path: "/", Status: resp.StatusCode, Header: resp.Header, Body: text}
		if err := b.doc.Check(refusal); resp.StatusCode >= 400 && err != nil {
			b.t.Error(err)
		}
		if resp.Close {
			rest, _ := io.ReadAll(in)
			if len(rest) > 0 {
				b.t.Errorf("after Connection: close came %q", rest)
			}
			return answers, true
		}
	}
	return answers, false
}

func post(path, token, extra, body string) string {
	auth := ""
	if token != "" {
		auth = "Authorization: Bearer " + secretOf(token) + "\r\n"
	}
	return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + auth + extra + "\r\n" + body
}

// TestNothingIsSmuggledBehindARefusal sends, behind a refused head, a body that looks like a request of its own.
func TestNothingIsSmuggledBehindARefusal(t *testing.T) {
	t.Parallel()
	b := start(t)
	inner := "DELETE /v1/sessions/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + secretOf("portal") + "\r\n\r\n"
	big := strings.Repeat(inner, 40_000/len(inner)+1)
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big)
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"a stranger's long body":      {post("/v1/sessions", "", fmt.Sprintf("Content-Length: %d\r\n", len(big)), big), 401},
		"a stranger's chunks":         {post("/v1/sessions", "", "Transfer-Encoding: chunked\r\n", chunk), 401},
		"a stranger's 100-continue":   {post("/v1/sessions", "", fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", len(big)), big), 401},
		"two lengths":                 {post("/v1/sessions", "portal", fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n", len(inner)), inner), 400},
		"length and chunks":           {post("/v1/sessions", "portal", fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(chunk)), chunk), 400},
		"an odd coding":               {post("/v1/sessions", "portal", "Transfer-Encoding: xchunked\r\n", chunk), 400},
		"two codings":                 {post("/v1/sessions", "portal", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunk), 400},
		"a blank before the colon":    {post("/v1/sessions", "portal", fmt.Sprintf("Content-Length : %d\r\n", len(inner)), inner), 400},
		"a folded length":             {post("/v1/sessions", "portal", fmt.Sprintf("Content-Length:\r\n %d\r\n", len(inner)), inner), 400},
		"a length with a sign":        {post("/v1/sessions", "portal", fmt.Sprintf("Content-Length: +%d\r\n", len(inner)), inner), 400},
		"too much for a valid token":  {post("/v1/sessions", "portal", "Content-Length: 1048577\r\n", strings.Repeat(inner, 1048577/len(inner)+1)[:1048577]), 413},
		"a body on an open path":      {post("/healthz", "", fmt.Sprintf("Content-Length: %d\r\n", len(big)), big), 413},
		"too many chunks, SCIM":       {post("/scim/v2/Users", "directory", "Transfer-Encoding: chunked\r\n", strings.Repeat("8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 40)+"0\r\n\r\n"), 413},
		"too many chunks, a stranger": {post("/scim/v2/Users", "", "Transfer-Encoding: chunked\r\n", strings.Repeat("8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 40)+"0\r\n\r\n"), 401},
	} {
		answers, closed := b.raw(3, c.request)
		if len(answers) != 1 || answers[0].status != c.status || !closed {
			t.Errorf("%s: got %d answers (%+v), closed %t; want one %d and the end", name, len(answers), answers, closed, c.status)
			continue
		}
		if strings.Contains(name, "SCIM") && answers[0].header.Get("Content-Type") != "application/scim+json" {
			t.Errorf("%s: answered as %s", name, answers[0].header.Get("Content-Type"))
		}
	}
	small := post("/v1/sessions", "", fmt.Sprintf("Content-Length: %d\r\n", len(inner)), inner)
	answers, closed := b.raw(2, small, small)
	if len(answers) != 2 || closed || answers[0].status != 401 || answers[1].status != 401 {
		t.Errorf("a stranger's short bodies: got %+v, closed %t; want two 401 and the connection kept", answers, closed)
	}
}

// TestAnswerIsNotLostToAReset goes on sending after it was refused: the server must not have closed in its face.
func TestAnswerIsNotLostToAReset(t *testing.T) {
	t.Parallel()
	b := start(t)
	const length = 4 << 20
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	head := post("/v1/sessions", "", fmt.Sprintf("Content-Length: %d\r\n", length), "")
	if _, err := io.WriteString(conn, head+strings.Repeat("x", 256<<10)); err != nil {
		t.Fatalf("send the beginning: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 401 || !resp.Close {
		t.Fatalf("answer: %+v, %v; want 401 and the end", resp, err)
	}
	for sent := 256 << 10; sent < length; sent += 256 << 10 {
		if _, err := io.WriteString(conn, strings.Repeat("x", 256<<10)); err != nil {
			t.Fatalf("after %d bytes the server had reset the connection: %v", sent, err)
		}
	}
}

func TestSizesOfHeadAndBody(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) {
		cfg.HookBody = func(path string) int64 {
			if path == "/hooks/large" {
				return 2 << 20
			}
			return 100 << 10
		}
	})
	if got := b.do("GET", "/healthz", "", "X-Long", strings.Repeat("a", 65_000)); got.status != 200 {
		t.Errorf("headers of 65,000 bytes: got %d, want 200", got.status)
	}
	long, closed := b.raw(1, "GET /v1/users HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 66_000)+"\r\n\r\n")
	if len(long) != 1 || long[0].status != 431 || long[0].text("type") != "/problems/too-large" || !closed {
		t.Errorf("headers of 66,000 bytes: got %+v, closed %t; want 431 too-large and the end", long, closed)
	}
	body := func(n int) string { return `{"subject": "` + strings.Repeat("a", n) + `"}` }
	b.want("a body of 1 MB", b.as("portal", "POST", "/v1/sessions", body(1_000_000)), 422, "invalid")
	b.want("a body over 1 MiB", b.as("portal", "POST", "/v1/sessions", body(1<<20)), 413, "too-large")
	scim := b.want("SCIM over 1 MiB", b.as("directory", "POST", "/scim/v2/Users", body(1<<20)), 413)
	if scim.text("status") != "413" {
		t.Errorf("SCIM over 1 MiB: %s", scim.body)
	}
	if got := b.want("a hook within its limit", b.do("POST", "/hooks/large", strings.Repeat("a", 2<<20)), 200); got.member("length") != float64(2<<20) {
		t.Errorf("the hook read %v bytes", got.member("length"))
	}
	b.want("a hook over its limit", b.do("POST", "/hooks/large", strings.Repeat("a", 2<<20+1)), 413, "too-large")
	b.want("another hook over its limit", b.do("POST", "/hooks/small", strings.Repeat("a", 100<<10+1)), 413, "too-large")
}

func TestSlowRequestIs408(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) { cfg.ReadTimeout = 300 * time.Millisecond })
	for name, begun := range map[string]string{
		"a head without an end": "GET /v1/users HTTP/1.1\r\nHost: x\r\n",
		"a body without an end": post("/v1/sessions", "portal", "Content-Length: 10\r\n", "{"),
	} {
		answers, closed := b.raw(1, begun)
		if len(answers) != 1 || answers[0].status != 408 || answers[0].text("type") != "/problems/timeout" || !closed {
			t.Errorf("%s: got %+v, closed %t; want 408 timeout and the end", name, answers, closed)
		}
	}
}

func TestUnreadableHeadIs400(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, head := range []string{"NONSENSE\r\n\r\n", "GET  \r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\na: b\r\n\r\n"} {
		answers, closed := b.raw(1, head)
		if len(answers) != 1 || answers[0].status != 400 || answers[0].text("type") != "/problems/invalid" || !closed || strings.Contains(answers[0].body, "colon") {
			t.Errorf("%q: got %+v, closed %t; want 400 invalid in our words and the end", head, answers, closed)
		}
	}
	got, _ := b.raw(1, "GET /v1/sessions/%zz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+secretOf("portal")+"\r\n\r\n")
	if len(got) != 1 || got[0].status != 400 || got[0].text("type") != "/problems/invalid" {
		t.Errorf("a bad escape: got %+v, want 400 invalid", got)
	}
	got, _ = b.raw(1, "GET /scim/v2/Users/%zz HTTP/1.1\r\nHost: x\r\n\r\n")
	if len(got) != 1 || got[0].status != 401 {
		t.Errorf("a stranger's bad escape: got %+v, want 401", got)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	b := start(t)
	auth := []string{"Authorization", "Bearer " + secretOf("portal")}
	sound := `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser"}`
	for _, c := range []struct {
		path, body string
		header     []string
		status     int
	}{
		{"/v1/sessions", sound, []string{"Content-Type", "application/json; charset=UTF-8"}, 201},
		{"/v1/sessions", sound, nil, 201},
		{"/v1/sessions", sound, []string{"Content-Type", "application/json", "Content-Encoding", "identity"}, 201},
		{"/v1/sessions", sound, []string{"Content-Type", "text/plain"}, 415},
		{"/v1/sessions", sound, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"/v1/sessions", sound, []string{"Content-Type", "application/json; charset=latin1"}, 415},
		{"/v1/sessions", sound, []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415},
		{"/oauth2/introspect", "token=x", []string{"Content-Type", "application/json"}, 415},
		{"/oauth2/introspect", "token=x", []string{"Content-Type", "application/x-www-form-urlencoded", "Content-Encoding", "br"}, 415},
		{"/oauth2/introspect", "token=x", []string{"Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"}, 200},
	} {
		got := b.do("POST", c.path, c.body, append(c.header, auth...)...)
		if got.status != c.status {
			t.Errorf("%s as %v: got %d %s, want %d", c.path, c.header, got.status, got.body, c.status)
		}
	}
	got := b.do("POST", "/scim/v2/Users", "x", "Authorization", "Bearer "+secretOf("directory"), "Content-Encoding", "gzip")
	if got.status != 415 || got.header.Get("Accept-Encoding") != "identity" || got.text("status") != "415" {
		t.Errorf("gzip over SCIM: got %d %s", got.status, got.body)
	}
}
