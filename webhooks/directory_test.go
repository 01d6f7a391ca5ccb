package webhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// directory is a sender whose messages say only who changed, with an API that says what: it holds people, wants access tokens,
// throttles and fails on demand, keeps a log of what happened, and subscriptions that end.
type directory struct {
	mu      sync.Mutex
	people  map[string]member
	tokens  int            // given out
	valid   map[string]int // access tokens to their number
	fail    int            // status of the next answers to reads; zero is none
	wait    string         // Retry-After beside it
	asked   []string       // what was read
	during  func()         // called while a read is under way
	log     []string       // items of its log
	pages   []string       // cursors that were asked for
	renewed int
}

type member struct {
	Enabled  bool   `json:"enabled"`
	Mail     string `json:"mail"`
	Password string `json:"password"` // when it was set
}

func newDirectory(t *testing.T) (*directory, *httptest.Server) {
	t.Helper()
	d := &directory{people: map[string]member{}, valid: map[string]int{}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return d, server
}

func (d *directory) set(change func(*directory)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *directory) reads() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.asked...)
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.URL.Path == "/token" {
		if r.FormValue("client_secret") != "the-client-secret" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusBadRequest)
			return
		}
		d.tokens++
		token := fmt.Sprint("access-", d.tokens)
		d.valid[token] = d.tokens
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
		return
	}
	if _, ok := d.valid[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if d.fail != 0 {
		if d.wait != "" {
			w.Header().Set("Retry-After", d.wait)
		}
		w.WriteHeader(d.fail)
		return
	}
	switch id, is := strings.CutPrefix(r.URL.Path, "/users/"); {
	case is:
		d.asked = append(d.asked, id)
		m, there := d.people[id]
		if during := d.during; during != nil {
			d.during = nil
			d.mu.Unlock()
			during()
			d.mu.Lock()
		}
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(m)
	case r.URL.Path == "/log":
		d.pages = append(d.pages, r.FormValue("after"))
		after := 0
		_, _ = fmt.Sscan(r.FormValue("after"), &after)
		next := min(len(d.log), after+2)
		_, _ = fmt.Fprintf(w, `{"items":[%s],"next":"%d","more":%t}`, strings.Join(d.log[after:next], ","), next, next < len(d.log))
	case r.URL.Path == "/subscription":
		d.renewed++
		_, _ = fmt.Fprintf(w, `{"id":"sub-%d"}`, d.renewed)
	}
}

// directorySettings are those of the type that is tested here.
type directorySettings struct {
	URL    string
	Secret revoke.Secret
}

// directoryType receives {"items":[{"id","about"}]}: each names somebody who changed.
func directoryType() webhooks.Type {
	return webhooks.Type{
		Name: "directory", Docs: "none", Settings: directorySettings{}, Learns: true,
		Open: func(src revoke.Source, settings any, deps webhooks.Deps) (webhooks.Receiver, error) {
			return &directoryReceiver{source: src, set: *settings.(*directorySettings), deps: deps, client: deps.Clients.Configured()}, nil
		},
	}
}

type directoryReceiver struct {
	source revoke.Source
	set    directorySettings
	deps   webhooks.Deps
	client *http.Client
}

func (*directoryReceiver) Verify(r webhooks.Request) (webhooks.Evidence, error) {
	if r.Header.Get("X-Key") != "key" {
		return webhooks.Evidence{}, webhooks.Unverified(webhooks.WhyMismatch)
	}
	return webhooks.Evidence{Proof: webhooks.ProvedSender, Key: "key"}, nil
}

func (d *directoryReceiver) Items(r webhooks.Request) ([]webhooks.Item, error) {
	var message struct{ Items []json.RawMessage }
	_ = json.Unmarshal(r.Body, &message)
	var out []webhooks.Item
	for _, raw := range message.Items {
		out = append(out, d.Item(raw))
	}
	return out, nil
}

// Item reads what was kept of one.
func (*directoryReceiver) Item(raw json.RawMessage) webhooks.Item {
	var in struct{ ID, About, State string }
	_ = json.Unmarshal(raw, &in)
	item := webhooks.Item{ID: in.ID, Type: "updated", Body: raw, Read: in.About}
	if in.State == "foreign" {
		item.Refused = webhooks.WhyMismatch
	}
	return item
}

func (d *directoryReceiver) get(ctx context.Context, path string, into any) (gone bool, err error) {
	grant := outbound.Grant{URL: d.set.URL + "/token", ClientID: "curfew", Secret: d.set.Secret}
	token, err := d.deps.Tokens.Token(ctx, grant)
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.set.URL+path, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	a, err := outbound.Do(d.client, r, 1<<20)
	switch {
	case err != nil:
		return false, err
	case a.Status == http.StatusNotFound:
		return true, nil
	case a.Status == http.StatusUnauthorized:
		d.deps.Tokens.Forget(grant, token)
	}
	if err := outbound.Judge(a, d.deps.Clock.Now().Time()); err != nil {
		return false, err
	}
	return false, json.Unmarshal(a.Body, into)
}

func (d *directoryReceiver) Enrich(ctx context.Context, ask webhooks.Ask) (webhooks.Finding, error) {
	if ask.About == "users/panic" {
		panic("a type that falls over")
	}
	var answer *struct {
		Enabled        *bool
		Mail, Password string
	}
	gone, err := d.get(ctx, "/"+ask.About, &answer)
	switch {
	case err != nil:
		return webhooks.Finding{}, err
	case !gone && (answer == nil || answer.Enabled == nil): // what is not there says nothing
		return webhooks.Finding{}, errors.New("it does not say whether the person is enabled")
	}
	var subject revoke.Subject
	subject.Add(d.source.IDs, strings.TrimPrefix(ask.About, "users/"))
	if gone {
		return webhooks.Finding{Signals: []revoke.Signal{{Kind: revoke.Deleted, Subject: subject}}}, nil
	}
	m := member{*answer.Enabled, answer.Mail, answer.Password}
	subject.Add(revoke.NamespaceEmail, m.Mail)
	var before member
	_ = json.Unmarshal(ask.Known, &before)
	keep, _ := json.Marshal(m)
	f := webhooks.Finding{Keep: keep, Note: "enabled: " + fmt.Sprint(m.Enabled)}
	switch {
	case !m.Enabled:
		f.Signals = []revoke.Signal{{Kind: revoke.Deactivated, Subject: subject}}
	case ask.Known == nil:
		f.Teaches = subject
	default:
		f.Signals = []revoke.Signal{{Kind: revoke.Reactivated, Subject: subject}}
		if m.Password > before.Password {
			var at revoke.Instant
			_ = at.UnmarshalText([]byte(m.Password))
			f.Signals = append(f.Signals, revoke.Signal{Kind: revoke.CredentialChanged, Subject: subject, OccurredAt: at})
		}
	}
	return f, nil
}

func (d *directoryReceiver) Poll(ctx context.Context, from webhooks.Cursor) (webhooks.Page, error) {
	after := from.At
	if n := 0; from.Resumed && after != "" { // what came late stands one before
		_, _ = fmt.Sscan(after, &n)
		after = fmt.Sprint(max(n-1, 0))
	}
	var page struct {
		Items []json.RawMessage
		Next  string
		More  bool
	}
	if _, err := d.get(ctx, "/log?after="+after, &page); err != nil {
		return webhooks.Page{}, err
	}
	out := webhooks.Page{Next: page.Next, More: page.More}
	for _, raw := range page.Items {
		out.Items = append(out.Items, d.Item(raw))
	}
	return out, nil
}

func (d *directoryReceiver) Upkeep(ctx context.Context, u webhooks.Upkeep) (webhooks.Kept, error) {
	var state struct{ ID string }
	kept := webhooks.Kept{ExpiresAt: u.Now.Add(48 * time.Hour), Next: u.Now.Add(24 * time.Hour), Health: "it is renewed in time"}
	if u.State != nil && !json.Valid(u.State) {
		return kept, errors.New("the state is not what was kept")
	}
	if _, err := d.get(ctx, "/subscription", &state); err != nil {
		return webhooks.Kept{}, err
	}
	kept.State, _ = json.Marshal(state)
	return kept, nil
}

// office is a directory before the real core, with the attendant that reads there.
type office struct {
	*core
	dir      *directory
	set      directorySettings
	attended *webhooks.Attendant
	end      func()
	observer *revoketest.Refusals
	calls    *underWay // to the core, by whom attends
}

func newOffice(t *testing.T) *office {
	t.Helper()
	dir, server := newDirectory(t)
	o := &office{core: deciding(t), dir: dir, set: directorySettings{server.URL, revoke.NewSecret("the-client-secret")}, observer: &revoketest.Refusals{}}
	o.open()
	return o
}

// open starts the handler and the attendant anew, as a restart or a change of the settings does.
func (o *office) open() {
	o.Helper()
	calls := outbound.NewMaker(outbound.Config{})
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"dir": {
			Source: revoke.Source{Org: "main", Type: "directory", Authority: "dir", IDs: "dir", Learns: true}, Settings: &o.set,
		}},
		Inbox: o.service, Clock: o.store.Clock(), Log: slog.New(slog.DiscardHandler), Observer: o.observer,
		Deps:   webhooks.Deps{Clients: calls, Tokens: outbound.NewTokens(calls, o.store.Clock()), Clock: o.store.Clock()},
		Lookup: func(string) (webhooks.Type, bool) { return directoryType(), true },
	})
	if err != nil {
		o.Fatalf("webhooks.New: %v", err)
	}
	o.handler = handler
	o.attend(handler)
}

// changed posts that these changed, id and about in turn.
func (o *office) changed(pairs ...string) {
	o.Helper()
	var items []string
	for i := 0; i+1 < len(pairs); i += 2 {
		items = append(items, fmt.Sprintf(`{"id":%q,"about":%q}`, pairs[i], pairs[i+1]))
	}
	o.say(items...)
}

func (o *office) say(items ...string) {
	o.Helper()
	r := httptest.NewRequest(http.MethodPost, "/hooks/dir", strings.NewReader(`{"items":[`+strings.Join(items, ",")+`]}`))
	r.Header.Set("X-Key", "key")
	w := httptest.NewRecorder()
	if o.handler.ServeHTTP(w, r); w.Code != http.StatusNoContent {
		o.Fatalf("got %d %s, want 204", w.Code, w.Body)
	}
	o.attended.Wake()
}

// until waits for a condition, moving the clock on by a step while it is not true.
func (o *office) until(what string, step time.Duration, is func() bool) {
	o.Helper()
	for range 6000 {
		if is() {
			o.calls.over()
			return
		}
		if step > 0 {
			o.store.Moving().Advance(step)
		}
		o.attended.Wake()
		o.attended.Look()
		<-time.After(5 * time.Millisecond)
	}
	o.Fatalf("it never came about that %s: %+v", what, o.store.AllEvents())
}

func (o *office) event(id string) revoke.Event {
	o.Helper()
	for _, e := range o.store.AllEvents() {
		if e.SenderID == id {
			return e
		}
	}
	o.Fatalf("no event %s", id)
	return revoke.Event{}
}

func (o *office) settled(ids ...string) func() bool {
	return func() bool {
		for _, id := range ids {
			if o.event(id).State == revoke.EventReading {
				return false
			}
		}
		return true
	}
}

// attend starts who attends to the sources of a handler, in place of whom the office had.
func (o *office) attend(handler *webhooks.Handler) {
	o.Helper()
	if o.end != nil {
		o.end()
	}
	o.calls = &underWay{Service: o.service}
	attended, err := webhooks.NewAttendant(webhooks.AttendantConfig{Handler: handler, Core: o.calls, Rows: o.store, Clock: o.store.Clock(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		o.Fatalf("NewAttendant: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = attended.Run(ctx)
	}()
	o.attended, o.end = attended, func() {
		stop()
		<-done
	}
	o.Cleanup(o.end)
}

// underWay is the core of an attendant that tells when its calls are over: what is stored answers a moment before the core has
// heard of it itself, and is not owed to anybody until then.
type underWay struct {
	*revoke.Service
	calls sync.RWMutex
}

func (u *underWay) over() {
	u.calls.Lock()
	defer u.calls.Unlock()
}

// Receive is the core's.
func (u *underWay) Receive(ctx context.Context, actor revoke.Actor, src revoke.Source, events ...revoke.Event) ([]revoke.Outcome, error) {
	u.calls.RLock()
	defer u.calls.RUnlock()
	return u.Service.Receive(ctx, actor, src, events...)
}

// Answered is the core's.
func (u *underWay) Answered(ctx context.Context, src revoke.Source, owed revoke.OwedRead, at revoke.Instant, answer revoke.ReadAnswer) (revoke.Outcome, error) {
	u.calls.RLock()
	defer u.calls.RUnlock()
	return u.Service.Answered(ctx, src, owed, at, answer)
}
