package api_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"curfew/api"
)

// between stands between a proxy and Curfew and tells when it was asked.
func between(t *testing.T, b *bundle, handle func(w http.ResponseWriter, r *http.Request, curfew http.Handler)) string {
	t.Helper()
	relay := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: b.address})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, relay) }))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// held is a body that comes only once something has happened.
type held struct {
	until <-chan struct{}
	io.Reader
}

func (h held) Read(p []byte) (int, error) {
	<-h.until
	return h.Reader.Read(p)
}

// TestSlowUploadWaitsForNoAnswer: whether somebody may come in is known before the body is there, so that an upload may take longer
// than Curfew waits for a request.
func TestSlowUploadWaitsForNoAnswer(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			answered := make(chan struct{})
			var first sync.Once
			curfew := between(t, b, func(w http.ResponseWriter, r *http.Request, curfew http.Handler) {
				curfew.ServeHTTP(w, r)
				first.Do(func() { close(answered) })
			})
			client := proxy(t, places{curfew: curfew, application: echoApplication(t)})
			b.register("sally@example.edu", "browser", "sallys-token")
			live := through(t, client, "POST", "sallys-token", held{answered, strings.NewReader("homework")})
			if b.want("a body that follows the answer", live, 200); !strings.Contains(live.body, "body=8") {
				t.Errorf("the application got %s", live.body)
			}
		})
	}
}

// TestSlowAnswerHoldsUpNobodyElse: a proxy that waits for one answer asks about others meanwhile, and lets nobody in before it has
// the answer.
func TestSlowAnswerHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			asked, released := make(chan struct{}), make(chan struct{})
			curfew := between(t, b, func(w http.ResponseWriter, r *http.Request, curfew http.Handler) {
				if cookie, err := r.Cookie("session"); err == nil && cookie.Value == "toms-token" {
					close(asked)
					<-released
				}
				curfew.ServeHTTP(w, r)
			})
			client := proxy(t, places{curfew: curfew, application: echoApplication(t)})
			b.register("sally@example.edu", "browser", "sallys-token")
			b.register("tom@example.edu", "browser", "toms-token")
			var early atomic.Bool
			slow := make(chan reply, 1)
			go func() {
				slow <- through(t, client, "GET", "toms-token", nil)
				select {
				case <-released:
				default:
					early.Store(true)
				}
			}()
			<-asked
			for range 20 {
				b.want("while another waits", through(t, client, "GET", "sallys-token", nil), 200)
			}
			close(released)
			if b.want("the one that waited", <-slow, 200); early.Load() {
				t.Error("somebody was let in before Curfew had answered")
			}
		})
	}
}

// TestSlowProxyHoldsUpNobody: proxies that do not get on with their question, or do not read the answer, cost nobody else theirs.
func TestSlowProxyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) { cfg.ReadTimeout = 2 * time.Second })
	b.register("sally@example.edu", "browser", "sallys-token")
	var slow []net.Conn
	for range 100 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET /verify HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sallys-token\r\nX-Original"); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
	}
	for range 100 {
		b.want("beside slow ones", b.do("GET", "/verify", "", "Authorization", "Bearer sallys-token"), 200)
	}
	for _, conn := range slow {
		said, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(said, []byte("HTTP/1.1 408 ")) {
			t.Fatalf("a question that never ends: got %q, %v, want 408 and the end", said, err)
		}
	}
}

// TestTooLargeForTheProxy: what the proxy itself does not take reaches neither Curfew's limit nor the application, and is not taken
// for a sign-out.
func TestTooLargeForTheProxy(t *testing.T) {
	t.Parallel()
	b := start(t)
	client := nginx(t, places{curfew: b.address, application: echoApplication(t), largest: "1m"})
	b.register("sally@example.edu", "browser", "sallys-token")
	got := b.want("2 MiB where 1 are taken", through(t, client, "POST", "sallys-token", bytes.NewReader(make([]byte, 2<<20))), 413)
	if strings.Contains(got.body, "path=") {
		t.Errorf("the application was asked: %s", got.body)
	}
	b.want("the next request", through(t, client, "POST", "sallys-token", strings.NewReader("homework")), 200)
}
