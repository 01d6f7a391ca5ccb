package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// spoof is what a client writes that wants to be somebody else, somewhere else.
const spoof = "203.0.113.9"

// proxies are those whose documented configuration is run, word for word, in the real program.
func proxies() map[string]func(*testing.T, places) *http.Client {
	return map[string]func(*testing.T, places) *http.Client{"nginx": nginx, "caddy": caddy}
}

// places is what a configuration of the documentation is changed to.
type places struct {
	curfew, application string        // host:port
	patience            time.Duration // how long Curfew may take; zero for what the documentation says
	largest             string        // body that nginx takes; empty for what the documentation says
}

// snippet returns a configuration that the documentation shows, with each text of changes, which must stand there once,
// replaced by another.
func snippet(t *testing.T, language string, changes map[string]string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "forward-auth.md"))
	if err != nil {
		t.Fatalf("read the documentation: %v", err)
	}
	_, rest, found := strings.Cut(string(page), "```"+language+"\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("docs/forward-auth.md shows no configuration of %s", language)
	}
	for documented, here := range changes {
		if n := strings.Count(text, documented); n != 1 {
			t.Fatalf("the documented configuration of %s holds %q %d times, want once", language, documented, n)
		}
		text = strings.Replace(text, documented, here, 1)
	}
	return text
}

// program returns where a program is that .ci/setup installs.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("this test runs the documented configuration in %s, which is not here. Type: make setup", name)
	return ""
}

// freeAddress returns an address of this machine on which nobody else listens. No other program takes its port in the
// meantime, because what asks for any port gets one of 127.0.0.1.
func freeAddress(t *testing.T) string {
	t.Helper()
	host := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", host)
	if err != nil {
		t.Fatalf("find a free address: %v", err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// run starts a proxy, which ends with the test, and returns a client whose every request goes to it.
func run(t *testing.T, address string, environment []string, argv ...string) *http.Client {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	said := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), environment...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // nginx's master takes its workers along
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatalf("start %s: %v", argv[0], err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() { stop(); <-ended })
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		if conn, err := dial(t.Context(), "", ""); err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s ended: %s", argv[0], said)
		case <-deadline:
			t.Fatalf("%s accepts nothing after 30 s: %s", argv[0], said)
		}
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// echoApplication tells what reaches an application, of which the proxy is to let in only the live.
func echoApplication(t *testing.T) string {
	t.Helper()
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		var other []string // spellings that CGI and WSGI take for ours
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "curfew") && strings.Contains(name, "_") {
				other = append(other, name)
			}
		}
		_, _ = fmt.Fprintf(w, "path=%s user=%q email=%q session=%q org=%q other=%q body=%d spoofed=%t", r.URL.Path, r.Header.Values("X-Curfew-User"),
			r.Header.Values("X-Curfew-Email"), r.Header.Values("X-Curfew-Session"), r.Header.Values("X-Curfew-Org"), other, n, strings.Contains(fmt.Sprint(r.Header.Values("X-Forwarded-For")), spoof))
	}))
	t.Cleanup(application.Close)
	return application.Listener.Addr().String()
}

// through sends a request with every header spoofed that could matter.
func through(t *testing.T, client *http.Client, method, token string, body io.Reader) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://app.example.edu/lessons?day=1", body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"X-Curfew-User", "X-Curfew-Email", "X-Curfew-Session", "X-Curfew-Org", "X_Curfew_User", "X-Curfew_Email", "X-Forwarded-For"} {
		r.Header.Set(name, spoof)
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: token})
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatalf("ask the proxy: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the proxy's answer: %v", err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// unknown fails unless the proxy said that it does not know, without asking the application.
func unknown(b *bundle, what string, got reply) {
	b.t.Helper()
	if b.want(what, got, 503); got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "path=") {
		b.t.Errorf("%s: %s %v", what, got.body, got.header)
	}
}

func TestProxyPassesOnLiveSessionsOnly(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			application := echoApplication(t)
			client := proxy(t, places{curfew: b.address, application: application})
			ask := func(method, token string) reply {
				return through(t, client, method, token, strings.NewReader("homework"))
			}
			session := b.register("sally@example.edu", "browser", "sallys-token")
			user := b.want("read", b.as("portal", "GET", "/v1/sessions/"+session, ""), 200).text("user")
			for _, method := range []string{"GET", "POST", "DELETE"} {
				got := b.want("live, "+method, ask(method, "sallys-token"), 200)
				want := fmt.Sprintf(`path=/lessons user=[%q] email=["sally@example.edu"] session=[%q] org=[] other=[] body=8 spoofed=false`, user, session)
				if got.body != want {
					t.Errorf("live, %s: the application got\n%s, want\n%s", method, got.body, want)
				}
			}
			b.want("no token", ask("GET", ""), 401)
			b.want("an unknown token", ask("POST", "nobodys-token"), 401)
			b.want("end it", b.as("portal", "DELETE", "/v1/sessions/"+session, ""), 200)
			b.want("the next request", ask("GET", "sallys-token"), 401)

			nameless := b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "iss_sub", "iss": "https://idp.example.edu", "sub": "s-1"}, "kind": "browser", "token": "toms-token"}`)
			b.want("register somebody without an address", nameless, 201)
			if got := b.want("live, without an address", ask("GET", "toms-token"), 200); !strings.Contains(got.body, "email=[] ") {
				t.Errorf("without an address: the application got %s, want no X-Curfew-Email", got.body)
			}
			b.service.Doubt(io.ErrUnexpectedEOF)
			unknown(b, "while Curfew does not know", ask("GET", "toms-token"))
			if err := b.service.Load(t.Context()); err != nil {
				t.Fatalf("read the view again: %v", err)
			}
			b.want("when it knows again", ask("GET", "toms-token"), 200)

			client = proxy(t, places{curfew: freeAddress(t), application: application})
			unknown(b, "without Curfew", ask("GET", "toms-token"))
			client = proxy(t, places{curfew: b.address, application: freeAddress(t)})
			b.want("without the application", ask("GET", "toms-token"), 502)

			b = start(t, branch)
			client = proxy(t, places{curfew: b.address, application: application})
			b.register("sally@example.edu", "browser", "sallys-token")
			if got := b.want("live, where there are two orgs", ask("GET", "sallys-token"), 200); !strings.Contains(got.body, `org=["main"]`) {
				t.Errorf("where there are two orgs: the application got %s, want main", got.body)
			}
		})
	}
}

// TestProxyAsksWithoutTheBody sends more than Curfew would take, and sees what Curfew is asked.
func TestProxyAsksWithoutTheBody(t *testing.T) {
	t.Parallel()
	const large = 24 << 20
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			asked := make(chan string, 2)
			relay := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.address})
			curfew := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				asked <- fmt.Sprintf("%d %v %t", n, err, strings.Contains(fmt.Sprint(r.Header["X-Forwarded-For"]), spoof))
				r.Body, r.ContentLength = http.NoBody, 0
				relay.ServeHTTP(w, r)
			}))
			t.Cleanup(curfew.Close)
			client := proxy(t, places{curfew: curfew.Listener.Addr().String(), application: echoApplication(t)})
			b.register("sally@example.edu", "browser", "sallys-token")
			for what, body := range map[string]io.Reader{
				"of known length": bytes.NewReader(make([]byte, large)), "in chunks": io.LimitReader(zeros{}, large),
			} {
				got := b.want("a large body "+what, through(t, client, "POST", "sallys-token", body), 200)
				if !strings.Contains(got.body, fmt.Sprintf("body=%d", large)) {
					t.Errorf("a large body %s: the application got %s", what, got.body)
				}
				if got, want := <-asked, "0 <nil> false"; got != want {
					t.Errorf("a large body %s: Curfew got (bytes, error, spoofed address) %s, want %s", what, got, want)
				}
			}
		})
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestNoPathLeadsOutOfVerify asks as Envoy does, with the client's own path after /verify: an answer of another page, and
// some answer 200 to everybody, would let the client in.
func TestNoPathLeadsOutOfVerify(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, path := range []string{"/../healthz", "/%2e%2e/healthz", "/x/../../healthz", "//healthz", "/..%2fhealthz", `/..\healthz`, "/;/../healthz", "?x=/../healthz"} {
		if got := b.do("GET", "/verify"+path, ""); got.status < 400 {
			t.Errorf("%s without a token: got %d %s, want a refusal", path, got.status, got.body)
		}
	}
	b.want("what they lead to", b.do("GET", "/healthz", ""), 200)
}

func TestProxyDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			t.Cleanup(silent.Close)
			client := proxy(t, places{curfew: silent.Listener.Addr().String(), application: echoApplication(t), patience: time.Second})
			unknown(b, "a Curfew that says nothing", through(t, client, "GET", "sallys-token", nil))
		})
	}
}
