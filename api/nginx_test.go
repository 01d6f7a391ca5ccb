package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// snippet returns the nginx configuration that the documentation shows.
func snippet(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "forward-auth.md"))
	if err != nil {
		t.Fatalf("read the documentation: %v", err)
	}
	_, rest, found := strings.Cut(string(page), "```nginx\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/forward-auth.md shows no nginx configuration")
	}
	return text
}

// nginx runs the documented configuration before an application and this Curfew, and returns a client whose every request
// goes to it.
func nginx(t *testing.T, curfew, application string) *http.Client {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
		if _, err := os.Stat(program); err != nil {
			t.Fatal("this test runs the documented configuration in nginx, which is not here. Type: sudo apt-get install -y nginx-light")
		}
	}
	dir, err := os.MkdirTemp("", "nginx") //nolint:usetesting // nginx's workers are nobody, who cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- holds no secret
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "listen")
	server := snippet(t)
	for documented, here := range map[string]string{
		"listen 8000;": "listen unix:" + socket + ";", "http://127.0.0.1:8080/verify": "http://" + curfew + "/verify", "http://127.0.0.1:3000": application,
	} {
		if strings.Count(server, documented) != 1 {
			t.Fatalf("the documented configuration holds %q %d times, want once", documented, strings.Count(server, documented))
		}
		server = strings.Replace(server, documented, here, 1)
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log info;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	%[2]s
}`, dir, server)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, program, "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", path)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // the master takes its workers along
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { stop(); <-ended })
	waitFor(t, socket, ended, filepath.Join(dir, "error.log"))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// waitFor returns when something accepts connections on the socket.
func waitFor(t *testing.T, socket string, ended <-chan struct{}, log string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			said, _ := os.ReadFile(log) // #nosec G304 -- ours
			t.Fatalf("nginx ended: %s", said)
		case <-deadline:
			t.Fatal("nginx accepts nothing after 20 s")
		}
	}
}

// TestNginxPassesOnLiveSessionsOnly runs the configuration of the documentation, word for word, in a real nginx.
func TestNginxPassesOnLiveSessionsOnly(t *testing.T) {
	t.Parallel()
	b := start(t)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "path=%s user=%q email=%q session=%q odd=%q body=%q", r.URL.Path, r.Header.Values("X-Curfew-User"),
			r.Header.Values("X-Curfew-Email"), r.Header.Values("X-Curfew-Session"), r.Header.Values("X_Curfew_User"), body)
	}))
	t.Cleanup(application.Close)
	client := nginx(t, b.address, application.URL)
	ask := func(method, token string) reply {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://app.example.edu/lessons?day=1", strings.NewReader("homework"))
		if err != nil {
			t.Fatal(err)
		}
		for _, spoofed := range []string{"X-Curfew-User", "X-Curfew-Email", "X-Curfew-Session", "X_Curfew_User", "X-Forwarded-For"} {
			r.Header.Set(spoofed, "spoofed")
		}
		if token != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: token})
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("ask nginx: %v", err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("read nginx's answer: %v", err)
		}
		return reply{resp.StatusCode, resp.Header, string(text)}
	}
	session := b.register("sally@example.edu", "browser", "sallys-token")
	user := b.want("read", b.as("portal", "GET", "/v1/sessions/"+session, ""), 200).text("user")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		got := b.want("live, "+method, ask(method, "sallys-token"), 200)
		want := fmt.Sprintf(`path=/lessons user=[%q] email=["sally@example.edu"] session=[%q] odd=[] body="homework"`, user, session)
		if got.body != want {
			t.Errorf("live, %s: the application got\n%s, want\n%s", method, got.body, want)
		}
	}
	b.want("no token", ask("GET", ""), 401)
	b.want("an unknown token", ask("POST", "nobodys-token"), 401)
	b.want("end it", b.as("portal", "DELETE", "/v1/sessions/"+session, ""), 200)
	b.want("the next request", ask("GET", "sallys-token"), 401)

	b.register("tom@example.edu", "browser", "toms-token")
	b.want("another live one", ask("GET", "toms-token"), 200)
	b.service.Doubt(io.ErrUnexpectedEOF)
	if got := b.want("while Curfew does not know", ask("GET", "toms-token"), 503); got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "path=") {
		t.Errorf("while Curfew does not know: %s %v", got.body, got.header)
	}
	if err := b.service.Load(t.Context()); err != nil {
		t.Fatalf("read the view again: %v", err)
	}
	b.want("when it knows again", ask("GET", "toms-token"), 200)

	gone := nginx(t, "127.0.0.1:1", application.URL)
	client = gone
	if got := b.want("without Curfew", ask("GET", "toms-token"), 503); strings.Contains(got.body, "path=") {
		t.Errorf("without Curfew: the application was asked: %s", got.body)
	}
}
