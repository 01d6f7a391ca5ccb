package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/api"
	"curfew/api/apitest"
	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// secrets of the tokens in a bundle, by the token's name.
func secretOf(name string) string { return name + "-secret-0123456789" }

func hashesOf(name string) [][sha256.Size]byte {
	return [][sha256.Size]byte{sha256.Sum256([]byte(secretOf(name)))}
}

// bundle is a whole server over a store in memory, reached over TCP.
type bundle struct {
	t       testing.TB
	url     string
	address string
	store   *revoketest.Memory
	service *revoke.Service
	app     *api.App
	log     *syncBuffer
	client  *http.Transport
	doc     *apitest.Document // what every exchange is held against
}

func tokens() []api.Token {
	token := func(name, app string, scopes ...string) api.Token {
		return api.Token{
			Name: name, Scopes: scopes, App: app, Hashes: hashesOf(name),
			Source: revoke.Source{Name: name, Org: "main", Type: "token", Authority: name, IDs: "ids-of-" + name},
		}
	}
	return []api.Token{
		token("directory", "", "scim"), token("portal", "portal", "sessions", "changes"), token("library", "library", "sessions"),
		token("gateway", "*", "check"), token("soc", "", "revoke"), token("ops", "", "admin"), token("edge", "", "changes"),
		token("meter", "", "metrics"), token("both", "portal", "sessions", "revoke"),
	}
}

// start starts a server; change may alter what it is made of.
func start(tb testing.TB, change ...func(*api.Config)) *bundle {
	tb.Helper()
	store := revoketest.NewMemory()
	buffer := &syncBuffer{}
	log := slog.New(slog.NewTextHandler(buffer, nil))
	service, err := revoke.New(revoke.Config{Store: store, Log: log, Targets: []revoke.TargetName{{Name: "canvas", Org: "main"}}})
	if err != nil {
		tb.Fatalf("make the core: %v", err)
	}
	if err := service.Load(tb.Context()); err != nil {
		tb.Fatalf("read the view: %v", err)
	}
	cfg := api.Config{
		Service: service, Store: store, Tokens: tokens(), Clock: store.Clock(), Log: log, Version: "test",
		SCIM:  http.HandlerFunc(echo),
		Hooks: http.HandlerFunc(echo), Metrics: http.HandlerFunc(echo),
	}
	for _, f := range change {
		f(&cfg)
	}
	app, err := api.New(cfg)
	if err != nil {
		tb.Fatalf("make the application: %v", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	client := &http.Transport{MaxIdleConnsPerHost: 100}
	tb.Cleanup(func() {
		client.CloseIdleConnections() // one that was dialled and never used would be waited for
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
		defer cancel()
		if err := app.Shutdown(ctx); err != nil {
			tb.Errorf("shut down: %v", err)
		}
		if err := <-served; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	b := &bundle{t: tb, url: "http://" + ln.Addr().String(), address: ln.Addr().String(), store: store, service: service, app: app, log: buffer, client: client}
	text, err := app.Document()
	if err != nil {
		tb.Fatalf("write the document: %v", err)
	}
	if b.doc, err = apitest.Parse(text); err != nil {
		tb.Fatalf("read the document: %v", err)
	}
	return b
}

// echo shows a mounted handler's request, and who the door says is asking.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Panic") != "" {
		panic("the secret of this panic")
	}
	body, _ := io.ReadAll(r.Body)
	src, _ := revoke.SourceFrom(r.Context())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "source": src.Name, "actor": revoke.ActorFrom(r.Context()),
		"request": revoke.RequestIDFrom(r.Context()), "from": r.RemoteAddr, "length": len(body), "many": r.Header.Values("X-Many"),
	})
}

// reply is an answer, its body read.
type reply struct {
	status int
	header http.Header
	body   string
}

// member returns a member of a JSON answer by a dotted path.
func (r reply) member(path string) any {
	var value any
	_ = json.Unmarshal([]byte(r.body), &value)
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			if len(v) == 0 {
				return nil
			}
			value = v[0]
			if m, ok := value.(map[string]any); ok {
				value = m[name]
			}
		default:
			return nil
		}
	}
	return value
}

func (r reply) text(path string) string { s, _ := r.member(path).(string); return s }

// do sends a request with headers given as pairs.
func (b *bundle) do(method, path, body string, header ...string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatalf("make %s %s: %v", method, path, err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return b.send(r)
}

func (b *bundle) send(r *http.Request) reply {
	b.t.Helper()
	resp, err := b.client.RoundTrip(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("%s %s: read the answer: %v", r.Method, r.URL, err)
	}
	b.held(r, resp, text)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// held fails unless an exchange is as the document says. What a stand-in for a mounted handler answers is nobody's promise.
func (b *bundle) held(r *http.Request, resp *http.Response, text []byte) {
	b.t.Helper()
	x := apitest.Exchange{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Sent: r.Header, Status: resp.StatusCode, Header: resp.Header, Body: text}
	if opaque, ok := strings.CutPrefix(r.URL.Opaque, "//"+b.address); ok {
		x.Path, x.Query, _ = strings.Cut(opaque, "?")
	}
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			b.t.Fatalf("read the body once more: %v", err)
		}
		x.SentBody, _ = io.ReadAll(body)
	}
	mounted := slices.ContainsFunc([]string{"/scim", "/hooks", "/metrics"}, func(at string) bool { return strings.HasPrefix(x.Path, at) })
	ours := strings.HasSuffix(x.Header.Get("Content-Type"), "+json")
	if mounted && !ours {
		return
	}
	if err := b.doc.Check(x); err != nil {
		b.t.Error(err)
	}
}

// as sends JSON with a bearer token.
func (b *bundle) as(token, method, path, body string) reply {
	b.t.Helper()
	header := []string{"Authorization", "Bearer " + secretOf(token)}
	if body != "" {
		header = append(header, "Content-Type", "application/json")
	}
	return b.do(method, path, body, header...)
}

// form sends a form with a bearer token.
func (b *bundle) form(token, path, body string) reply {
	b.t.Helper()
	return b.do("POST", path, body, "Authorization", "Bearer "+secretOf(token), "Content-Type", "application/x-www-form-urlencoded")
}

// want fails unless the answer has the status, and says which kind of problem it is.
func (b *bundle) want(what string, got reply, status int, word ...string) reply {
	b.t.Helper()
	if got.status != status {
		b.t.Fatalf("%s: got %d %s, want %d", what, got.status, got.body, status)
	}
	if len(word) > 0 && got.text("type") != "/problems/"+word[0] {
		b.t.Fatalf("%s: got %s, want a problem of type /problems/%s", what, got.body, word[0])
	}
	return got
}

// register registers a session of the portal and returns its id.
func (b *bundle) register(email, kind, token string) string {
	b.t.Helper()
	got := b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "`+email+`"}, "kind": "`+kind+`", "token": "`+token+`"}`)
	return b.want("register a session of "+email, got, 201).text("id")
}

// syncBuffer is a log that many write.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// decoded is what stands in a cursor.
func decoded(cursor string) string {
	text, _ := base64.RawURLEncoding.DecodeString(cursor)
	return string(text)
}
