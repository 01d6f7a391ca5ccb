package outbound_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

func get(t *testing.T, client *http.Client, url string, limit int) (outbound.Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return outbound.Do(client, r, limit)
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func TestRequestSaysWhoCallsAndFollowsNothing(t *testing.T) {
	var agent, credential string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		agent, credential = r.UserAgent(), r.Header.Get("Authorization")
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // would fail every call that asked it
	t.Setenv("NO_PROXY", "")
	client := outbound.NewMaker(outbound.Config{Version: "1.2.3"}).Configured()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("{}"))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("User-Agent", "another")
	a, err := outbound.Do(client, r, 100)
	if err != nil || a.Status != http.StatusTemporaryRedirect {
		t.Fatalf("%d, %v", a.Status, err)
	}
	if agent != "Curfew/1.2.3" || credential != "Bearer x" {
		t.Errorf("User-Agent %q, Authorization %q", agent, credential)
	}
	if got := r.Header.Get("User-Agent"); got != "another" {
		t.Errorf("the caller's own request was changed: User-Agent %q", got)
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", int(r.URL.Path[1]-'0')*1000))
	})
	client := outbound.NewMaker(outbound.Config{}).Configured()
	a, err := get(t, client, server.URL+"/3", 3000)
	if err != nil || len(a.Body) != 3000 {
		t.Errorf("a body at the limit: %d bytes, %v", len(a.Body), err)
	}
	a, err = get(t, client, server.URL+"/4", 3999)
	if !errors.Is(err, outbound.ErrTooLarge) || len(a.Body) != 3999 || a.Status != http.StatusOK {
		t.Errorf("a body beyond the limit: %d, %d bytes, %v", a.Status, len(a.Body), err)
	}
}

// TestBodyIsBoundedForWhoeverReadsIt: libraries that are handed a client read to the end.
func TestBodyIsBoundedForWhoeverReadsIt(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for range 1024 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	resp, err := outbound.NewMaker(outbound.Config{}).Configured().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	if !errors.Is(err, outbound.ErrTooLarge) || n != 1<<20 {
		t.Errorf("read %d bytes, %v, want 1 MiB and %v", n, err, outbound.ErrTooLarge)
	}
}

// TestFailuresSpeakOurWords: the library's own would show the address and what the server sent.
func TestFailuresSpeakOurWords(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	noNames := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	for name, c := range map[string]struct{ url, want string }{
		"nobody listens":  {gone.URL, "refuses connections"},
		"no such name":    {"https://secret-name.example.edu", "has a name that cannot be looked up"},
		"nobody vouches":  {secure.URL, "has a certificate that nobody we trust vouches for"},
		"no TLS at all":   {strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS as we do"},
		"TLS of the past": {old.URL, "does not speak TLS as we do"},
	} {
		client := outbound.NewMaker(outbound.Config{Resolver: noNames}).Configured()
		_, err := get(t, client, c.url+"/?key=hunter2", 100)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		u, _ := url.Parse(c.url)
		err = outbound.NewMaker(outbound.Config{Resolver: noNames}).Connect(t.Context(), u)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: connect says %v, want %q", name, err, c.want)
		}
	}
	if u, _ := url.Parse(plain.URL); outbound.NewMaker(outbound.Config{}).Connect(t.Context(), u) != nil {
		t.Error("connect to a server that is there fails")
	}
}

// TestSilentNameServerEndsByTheDeadline (F13).
func TestSilentNameServerEndsByTheDeadline(t *testing.T) {
	t.Parallel()
	silent := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://portal.example.edu", nil)
	_, err := outbound.Do(outbound.NewMaker(outbound.Config{Resolver: silent}).Configured(), r, 100)
	if err == nil || ctx.Err() == nil || !strings.HasSuffix(err.Error(), "in time") {
		t.Errorf("error %v", err)
	}
}

func TestAddressOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw      string
		insecure bool
		fine     bool
	}{
		{"https://portal.example.edu/logout", false, true},
		{"https://portal.example.edu:8443/logout?key=1", false, true},
		{"HTTPS://Portal.Example.edu", false, true},
		{"https://10.1.2.3", false, true},
		{"https://[fd00::7]:8443/", false, true},
		{"http://localhost:8080", false, true},
		{"http://127.0.0.1:8080", false, true},
		{"http://127.8.9.10", false, true},
		{"http://[::1]:8080", false, true},
		{"http://10.1.2.3", true, true},
		{"http://portal.example.edu", true, true},
		{"http://portal.example.edu", false, false},
		{"http://10.1.2.3", false, false},
		{"http://localhost.example.edu", false, false},
		{"http://127.0.0.1.example.edu", false, false},
		{"http://127.0.0.1@portal.example.edu", false, false},
		{"https://user@portal.example.edu", false, false},
		{"https://user:hunter2@portal.example.edu", true, false},
		{"https://portal.example.edu/#there", false, false},
		{"https://portal.example.edu/#", false, false},
		{"https://portal.example.edu:0/", false, false},
		{"https://portal.example.edu:65536/", false, false},
		{"https://:8443/", false, false},
		{"https:///logout", false, false},
		{"https:portal.example.edu", false, false},
		{"//portal.example.edu", false, false},
		{"portal.example.edu/logout", false, false},
		{"ftp://portal.example.edu", true, false},
		{"file:///etc/passwd", true, false},
		{"https://portal.example.edu/a b", false, false},
		{"https://portal.example.edu/\r\nX: y", false, false},
		{"https://portal.example.edu/%zz-hunter2", false, false},
		{"", false, false},
	} {
		u, err := outbound.ParseAddress("url", c.raw, c.insecure)
		if (err == nil) != c.fine || (u != nil) != c.fine {
			t.Errorf("%q (insecure %v): %v, %v, want fine %v", c.raw, c.insecure, u, err, c.fine)
		}
		if invalid, ok := errors.AsType[revoke.Invalid](err); err != nil && (!ok || invalid.Field != "url" || invalid.Fix == "") {
			t.Errorf("%q: error %#v, want one that names url and what to write instead", c.raw, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %q shows the address", err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"1", "", time.Second},
		{" 120 ", "", 2 * time.Minute},
		{"000120", "", 2 * time.Minute},
		{"86400", "", 24 * time.Hour},
		{"86401", "", outbound.MaxWait},
		{"315360000", "", outbound.MaxWait},
		{strings.Repeat("9", 100), "", outbound.MaxWait},
		{"-1", "", 0},
		{"+5", "", 0},
		{"1.5", "", 0},
		{"5s", "", 0},
		{"soon", "", 0},
		{at(time.Minute), "", time.Minute},
		{at(-time.Minute), "", 0},
		{at(24 * 365 * time.Hour), "", outbound.MaxWait},
		{at(time.Minute), at(0), time.Minute},
		{at(time.Hour + time.Minute), at(time.Hour), time.Minute},
		{at(-time.Hour + time.Minute), at(-time.Hour), time.Minute},
		{at(time.Minute), at(time.Hour), 0},
		{at(time.Minute), "yesterday", time.Minute},
		{now.Add(time.Minute).Format(time.RFC850), "", time.Minute},
		{now.Add(time.Minute).Format(time.ANSIC), "", time.Minute},
	} {
		h := http.Header{"Retry-After": {c.after}, "Date": {c.date}}
		if got := outbound.RetryAfter(h, now); got != c.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", c.after, c.date, got, c.want)
		}
	}
}
