package webhooks_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// systemLog imitates Okta's: polling requests alone, pages by the time of persistence, a next link on every page, a filter that is
// obeyed, and access by an API token or by a client that signs.
type systemLog struct {
	mu      sync.Mutex
	clock   revoke.Clock
	host    string // of the next link, where it is not ours
	kept    []persisted
	most    int // events of a page
	fail    int // status of the next answers; zero is none
	header  http.Header
	body    string      // in place of a list
	forgets bool        // no link is known
	served  int         // pages
	seen    []string    // since of each round
	limits  []string    // that were asked for
	after   func(n int) // called behind each page
	key     *rsa.PublicKey
	ids     map[string]bool // of assertions
	tokens  int
}

type persisted struct {
	at  revoke.Instant
	raw string
}

func newSystemLog(t *testing.T, clock revoke.Clock) (*systemLog, *httptest.Server) {
	t.Helper()
	l := &systemLog{clock: clock, most: 2, ids: map[string]bool{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server
}

func (l *systemLog) set(change func(*systemLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// write persists an event, a while ago or now.
func (l *systemLog) write(ago time.Duration, raw ...string) {
	l.set(func(l *systemLog) {
		for _, r := range raw {
			l.kept = append(l.kept, persisted{l.clock.Now().Add(-ago), r})
		}
		slices.SortStableFunc(l.kept, func(a, b persisted) int { return int(a.at - b.at) })
	})
}

func (l *systemLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Date", l.clock.Now().Time().UTC().Format(http.TimeFormat))
	if r.URL.Path == "/oauth2/v1/token" {
		l.token(w, r)
		return
	}
	if a := r.Header.Get("Authorization"); a != "SSWS "+apiKey && (l.tokens == 0 || a != fmt.Sprint("Bearer access-", l.tokens)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	if r.URL.Path != "/api/v1/logs" || q.Has("until") || q.Get("sortOrder") != "ASCENDING" || q.Get("filter") == "" || q.Has("since") == q.Has("after") {
		http.Error(w, `{"errorCode":"E0000001"}`, http.StatusBadRequest)
		return
	}
	if l.fail != 0 || l.body != "" || l.forgets && q.Has("after") {
		maps.Copy(w.Header(), l.header)
		if l.forgets {
			l.forgets, l.fail = false, http.StatusBadRequest
			defer func() { l.fail = 0 }()
		}
		if l.fail != 0 {
			w.WriteHeader(l.fail)
		}
		_, _ = w.Write([]byte(l.body))
		return
	}
	l.page(w, r)
}

func (l *systemLog) page(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since revoke.Instant
	if q.Has("since") {
		l.seen = append(l.seen, q.Get("since"))
		if err := since.UnmarshalText([]byte(q.Get("since"))); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
	}
	l.limits = append(l.limits, q.Get("limit"))
	most, _ := strconv.Atoi(q.Get("limit"))
	most = min(most, l.most)
	at, _ := strconv.Atoi(q.Get("after"))
	var out []string
	for ; at < len(l.kept) && len(out) < most; at++ {
		var e struct{ EventType string }
		_ = json.Unmarshal([]byte(l.kept[at].raw), &e)
		if l.kept[at].at >= since && (e.EventType == "" || strings.Contains(q.Get("filter"), `eventType eq "`+e.EventType+`"`)) {
			out = append(out, l.kept[at].raw)
		}
	}
	host := "http://" + r.Host
	w.Header().Add("Link", "<"+host+r.URL.String()+`>; rel="self"`)
	q.Del("since")
	q.Set("after", strconv.Itoa(at))
	if l.host != "" {
		host = l.host
	}
	w.Header().Add("Link", "<"+host+r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
	_, _ = w.Write([]byte("[" + strings.Join(out, ",") + "]"))
	l.served++
	if l.after != nil {
		l.after(l.served)
	}
}

// token obeys RFC 7523 section 3, as Okta does.
func (l *systemLog) token(w http.ResponseWriter, r *http.Request) {
	signed, err := jose.ParseSignedCompact(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.RS256})
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                int64
	}
	good := err == nil && l.key != nil && r.FormValue("grant_type") == "client_credentials" && r.FormValue("scope") == "okta.logs.read" &&
		r.FormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && r.FormValue("client_secret") == ""
	if good {
		payload, err := signed.Verify(l.key)
		good = err == nil && json.Unmarshal(payload, &claims) == nil
	}
	now := l.clock.Now().Time().Unix()
	if !good || claims.Iss != "0oaCURFEW" || claims.Sub != claims.Iss || claims.Aud != "http://"+r.Host+"/oauth2/v1/token" || l.ids[claims.Jti] || claims.Exp <= now || claims.Exp > now+3600 ||
		signed.Signatures[0].Header.KeyID != "kid-1" {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	l.ids[claims.Jti] = true
	l.tokens++
	_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","token_type":"Bearer","expires_in":3600,"scope":"okta.logs.read"}`, l.tokens)
}

// openOktaLog opens a source of the type; each setting is a key and its value in turn.
func openOktaLog(url string, deps webhooks.Deps, pairs ...any) (webhooks.Receiver, error) {
	typ, _ := webhooks.Lookup("okta-log")
	own := oktaLogSettings(url, pairs...)
	return typ.Make(revoke.Source{Name: "okta-log", Org: "main", Type: "okta-log", Authority: "okta", IDs: "okta", Learns: true}, own, deps)
}

func oktaLogSettings(url string, pairs ...any) any {
	typ, _ := webhooks.Lookup("okta-log")
	own := typ.NewSettings()
	setKey(own, "url", url)
	setKey(own, "token", revoke.NewSecret(apiKey))
	for i := 0; i+1 < len(pairs); i += 2 {
		setKey(own, pairs[i].(string), pairs[i+1])
	}
	return own
}

func oktaLogAPI() apiFixture {
	return apiFixture{
		Open: func(url string, deps webhooks.Deps) (webhooks.Receiver, error) { return openOktaLog(url, deps) },
		Good: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[]`)) },
	}
}

// logPoll is a log and its poller, without the core.
type logPoll struct {
	*testing.T
	log   *systemLog
	clock *revoketest.Clock
	url   string
	poll  webhooks.Poller
}

func newLogPoll(t *testing.T, pairs ...any) *logPoll {
	t.Helper()
	clock := revoketest.NewClock(0)
	log, server := newSystemLog(t, clock)
	clients := outbound.NewMaker(outbound.Config{})
	receiver, err := openOktaLog(server.URL, webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, clock), Clock: clock}, pairs...)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return &logPoll{t, log, clock, server.URL, receiver.(webhooks.Poller)}
}

func (p *logPoll) page(from string) (webhooks.Page, error) {
	p.Helper()
	return p.poll.Poll(p.Context(), webhooks.Cursor{At: from, Now: p.clock.Now()})
}

func suspension(id, person string) string {
	return oktaEvent(id, "user.lifecycle.suspend", oktaUser("admin"), oktaUser(person))
}

func TestOktaLogAsksAsOktaWants(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t, "since", 2*time.Hour)
	p.log.write(3*time.Hour, suspension("ev-old", "sally"))
	p.log.write(time.Hour, suspension("ev-1", "sally"), oktaEvent("ev-x", "user.session.start", oktaUser("sally")), suspension("ev-2", "tom"), suspension("ev-3", "tim"))
	var got []string
	at := ""
	for {
		page, err := p.page(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, item.ID)
		}
		if at = page.Next; !page.More {
			if page.Wait != time.Minute {
				t.Errorf("the next round comes after %s, want a minute", page.Wait)
			}
			break
		}
	}
	if want := []string{"ev-1", "ev-2", "ev-3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: as far back as it was set, without what nothing follows from", got, want)
	}
}

func TestOktaLogGoesNowhereElse(t *testing.T) {
	t.Parallel()
	called := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.Header.Get("Authorization") }))
	t.Cleanup(other.Close)
	for _, host := range []string{other.URL, "https://169.254.169.254", "//evil.example", "http://user@evil.example", "http://acme.okta.example.evil.example"} {
		p := newLogPoll(t)
		p.log.write(time.Minute, suspension("ev-1", "sally"))
		p.log.set(func(l *systemLog) { l.host = host })
		page, err := p.page("")
		if err == nil || page.Next != "" || strings.Contains(err.Error(), "evil") || !strings.Contains(err.Error(), "another address") {
			t.Errorf("link to %s: got %+v, %v; want it refused without a word of it", host, page, err)
		}
	}
	select {
	case credential := <-called:
		t.Errorf("a link was followed to another host, with %q", credential)
	default:
	}
}

func TestOktaLogWhenTheLimitIsUsedUp(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	reset := strconv.FormatInt(p.clock.Now().Time().Unix()+41, 10)
	p.log.set(func(l *systemLog) {
		l.fail, l.header = http.StatusTooManyRequests, http.Header{"X-Rate-Limit-Limit": {"120"}, "X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {reset}}
	})
	if _, err := p.page(""); revoke.AskedToWait(err) < 40*time.Second || revoke.AskedToWait(err) > 42*time.Second {
		t.Errorf("got %v with a wait of %s, want until the reset, 41 s", err, revoke.AskedToWait(err))
	}
}

func TestOktaLogForgetsALink(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	p.log.write(time.Minute, suspension("ev-1", "sally"), suspension("ev-2", "tom"), suspension("ev-3", "tim"))
	first, err := p.page("")
	if err != nil || !first.More {
		t.Fatalf("%+v, %v", first, err)
	}
	p.log.set(func(l *systemLog) { l.forgets = true })
	again, err := p.page(first.Next)
	if err != nil || again.More || again.Next == first.Next {
		t.Fatalf("a link that Okta no longer knows: %+v, %v; want a round that begins anew", again, err)
	}
	round, err := p.page(again.Next)
	if err != nil || len(round.Items) != 2 || round.Items[0].ID != "ev-1" {
		t.Fatalf("the round anew: %+v, %v", round, err)
	}
	p.log.set(func(l *systemLog) { l.forgets = true })
	if _, err := p.page(round.Next); err == nil {
		t.Error("Okta forgets every link, and nobody is told")
	}
}

func TestOktaLogReadsFewerOfWhatIsLong(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	p.log.set(func(l *systemLog) { l.most = 1000 })
	long := `,"debugContext":{"debugData":{"x":"` + strings.Repeat("a", 60<<10) + `"}}}`
	for i := range 20 {
		p.log.write(time.Minute, strings.TrimSuffix(suspension(fmt.Sprint("ev-", i), "sally"), "}")+long)
	}
	page, err := p.page("")
	if err != nil || len(page.Items) != 10 || !page.More {
		t.Errorf("got %d items, more %v, %v; want ten and more", len(page.Items), page.More, err)
	}
}

func TestOktaLogClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for what, ours := range map[string]time.Duration{"ours is ahead": 30 * time.Minute, "ours is behind": -30 * time.Minute} {
		p := newLogPoll(t)
		okta := revoketest.NewClock(0)
		p.log.set(func(l *systemLog) { l.clock = okta })
		at := okta.Now()
		if ours > 0 {
			p.clock.Advance(ours)
		} else {
			okta.Advance(-ours)
			at = okta.Now()
		}
		p.log.write(time.Minute, suspension("ev-1", "sally"))
		from := ""
		for range 3 {
			page, err := p.page(from)
			if err != nil {
				t.Fatal(err)
			}
			from = page.Next
		}
		var place struct{ Since revoke.Instant }
		if err := json.Unmarshal([]byte(from), &place); err != nil || place.Since > at.Add(-4*time.Minute) {
			t.Errorf("%s: the next round begins at %s, after what Okta may yet write at %s: %v", what, place.Since, at, err)
		}
	}
}

// A log event without a uuid comes again with every round.
func TestOktaLogKnowsWhatHasNoID(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	p.log.write(time.Minute, `"no object"`, strings.Replace(suspension("x", "sally"), `"uuid":"x",`, "", 1))
	one, err := p.page("")
	two, err2 := p.page("")
	if err != nil || err2 != nil || len(one.Items) != 2 || one.Items[0].ID == "" || one.Items[0].ID == one.Items[1].ID {
		t.Fatalf("%+v, %v, %v", one.Items, err, err2)
	}
	for i := range one.Items {
		if one.Items[i].ID != two.Items[i].ID {
			t.Errorf("one event has the ids %q and %q", one.Items[i].ID, two.Items[i].ID)
		}
	}
}

func rsaKey(t *testing.T, bits int) (*rsa.PrivateKey, revoke.Secret) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, revoke.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestOktaLogByClientThatSigns(t *testing.T) {
	t.Parallel()
	key, secret := rsaKey(t, 2048)
	jwk, err := jose.JSONWebKey{Key: key, KeyID: "kid-1"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for what, pairs := range map[string][]any{
		"PEM": {"token", revoke.Secret{}, "client_id", "0oaCURFEW", "key", secret, "key_id", "kid-1"},
		"JWK": {"token", revoke.Secret{}, "client_id", "0oaCURFEW", "key", revoke.NewSecret(string(jwk))},
	} {
		p := newLogPoll(t, pairs...)
		p.log.set(func(l *systemLog) { l.key = &key.PublicKey })
		for range 2 {
			if _, err := p.page(""); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if p.log.tokens != 1 {
			t.Errorf("%s: %d access tokens were fetched for two reads, want one", what, p.log.tokens)
		}
		p.log.set(func(l *systemLog) { l.tokens++ }) // Okta takes the token back
		if _, err := p.page(""); err == nil {
			t.Errorf("%s: a token that was taken back is no error", what)
		}
		if _, err := p.page(""); err != nil {
			t.Errorf("%s: another token: %v", what, err)
		}
		other, _ := rsaKey(t, 2048)
		p = newLogPoll(t, pairs...)
		p.log.set(func(l *systemLog) { l.key = &other.PublicKey })
		_, err := p.page("")
		if _, refused := errors.AsType[revoke.RefusedCredential](err); !refused {
			t.Errorf("%s: a key that Okta does not know: got %v, want that our credential is refused", what, err)
		}
	}
}

func TestOktaLogSettings(t *testing.T) {
	t.Parallel()
	clock := revoketest.NewClock(0)
	clients := outbound.NewMaker(outbound.Config{})
	deps := webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, clock), Clock: clock}
	_, short := rsaKey(t, 1024)
	none := revoke.Secret{}
	for what, c := range map[string]struct {
		field string
		pairs []any
	}{
		"nothing proves us":      {"token", []any{"token", none}},
		"two ways":               {"token", []any{"client_id", "0oa1", "key", short}},
		"a scheme in the token":  {"token", []any{"token", revoke.NewSecret("SSWS abc")}},
		"no key":                 {"key", []any{"token", none, "client_id", "0oa1"}},
		"a key of another kind":  {"key", []any{"token", none, "client_id", "0oa1", "key", revoke.NewSecret("hunter2hunter2")}},
		"a short key":            {"key", []any{"token", none, "client_id", "0oa1", "key", short}},
		"a key and no client":    {"client_id", []any{"key", short}},
		"no address":             {"url", []any{"url", "acme.okta.example"}},
		"plain http":             {"url", []any{"url", "http://acme.okta.example"}},
		"an address with a path": {"url", []any{"url", "https://acme.okta.example/api/v1/logs"}},
		"too often":              {"every", []any{"every", time.Second}},
		"too seldom":             {"every", []any{"every", 48 * time.Hour}},
		"too far back":           {"since", []any{"since", 100 * 24 * time.Hour}},
	} {
		_, err := openOktaLog("https://acme.okta.example", deps, c.pairs...)
		invalid, ok := errors.AsType[revoke.Invalid](err)
		if !ok || invalid.Field != c.field || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), apiKey) {
			t.Errorf("%s: got %v, want a mistake at %s that shows no secret", what, err, c.field)
		}
	}
}

// oktaOrg is an Okta org with a hook and its log before the real core.
type oktaOrg struct {
	*office
	log *systemLog
	url string
}

func newOktaOrg(t *testing.T) *oktaOrg {
	t.Helper()
	o := &oktaOrg{office: &office{core: newCore(t)}}
	log, server := newSystemLog(t, o.store.Clock())
	o.log, o.url = log, server.URL
	o.start()
	t.Cleanup(func() { o.end() })
	return o
}

// start starts the handler and the attendant anew.
func (o *oktaOrg) start() {
	o.Helper()
	if o.end != nil {
		o.end()
	}
	hook, _ := webhooks.Lookup("okta")
	secrets := hook.NewSettings()
	setSecrets(secrets, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	clients := outbound.NewMaker(outbound.Config{})
	quiet := slog.New(slog.DiscardHandler)
	source := func(typ string) revoke.Source {
		return revoke.Source{Org: "main", Type: typ, Authority: "okta", IDs: "okta", Learns: true}
	}
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{
			"okta":     {Source: source("okta"), Settings: secrets},
			"okta-log": {Source: source("okta-log"), Settings: oktaLogSettings(o.url)},
		},
		Inbox: o.service, Clock: o.store.Clock(), Log: quiet,
		Deps: webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, o.store.Clock()), Clock: o.store.Clock()},
	})
	if err != nil {
		o.Fatalf("webhooks.New: %v", err)
	}
	o.handler = handler
	if o.attended, err = webhooks.NewAttendant(webhooks.AttendantConfig{Handler: handler, Core: o.service, Rows: o.store, Clock: o.store.Clock(), Log: quiet}); err != nil {
		o.Fatalf("NewAttendant: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = o.attended.Run(ctx)
	}()
	o.end = func() {
		stop()
		<-done
	}
}

// known waits until the events are kept, and returns how many revocations each has.
func (o *oktaOrg) known(ids ...string) map[string]int {
	o.Helper()
	count := func() map[string]int {
		out := map[string]int{}
		for _, e := range o.store.AllEvents() {
			if _, twice := out[e.SenderID]; twice {
				o.Errorf("event %s is kept twice", e.SenderID)
			}
			out[e.SenderID] = len(e.Decided.Revocations)
		}
		return out
	}
	o.until(fmt.Sprintf("%q are kept", ids), 10*time.Second, func() bool {
		all := count()
		return !slices.ContainsFunc(ids, func(id string) bool { _, there := all[id]; return !there })
	})
	return count()
}

// round waits until another round of the log has ended.
func (o *oktaOrg) round() {
	o.Helper()
	done := func() revoke.Errand {
		all, err := o.store.Errands(o.Context(), "main", []string{"okta-log"})
		if err != nil || len(all) == 0 {
			return revoke.Errand{}
		}
		return all[0]
	}
	before := done().DoneAt
	o.until("another round ended", 10*time.Second, func() bool { e := done(); return e.DoneAt > before && e.NextAt > e.DoneAt })
}

func TestOktaHookAndLogCountOnce(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	sally, tom, tim := o.signIn("sally", "", ""), o.signIn("tom", "", ""), o.signIn("tim", "", "")
	reset := oktaEvent("ev-3", "user.account.reset_password", oktaUser("admin"), oktaUser("tim"))
	o.post(suspension("ev-1", "sally"))
	// The log has what came by the hook, what no hook carries, and what was lost while we were away.
	o.log.write(0, suspension("ev-1", "sally"), oktaEvent("ev-2", "user.lifecycle.delete.completed", oktaUser("admin"), oktaUser("tom")), reset)
	got := o.known("ev-1", "ev-2", "ev-3")
	o.round()
	o.post(reset) // the hook is late
	if len(o.store.AllEvents()) != 3 || got["ev-1"] != 1 || got["ev-2"] != 1 || got["ev-3"] != 1 {
		t.Errorf("revocations by event: %v of %d events, want one each of three", got, len(o.store.AllEvents()))
	}
	if o.live(sally) || o.live(tom) || o.live(tim) {
		t.Errorf("live: sally %v, tom %v, tim %v; want none", o.live(sally), o.live(tom), o.live(tim))
	}
	// One authority: what the log says lifts what the hook blocked.
	if !o.blocked("sally@example.edu") {
		t.Fatal("a suspended person is not blocked")
	}
	o.log.write(0, strings.Replace(oktaEvent("ev-4", "user.lifecycle.unsuspend", oktaUser("admin"), oktaUser("sally")), "09:59:58", "10:00:30", 1))
	o.known("ev-4")
	if o.blocked("sally@example.edu") {
		t.Error("what the hook blocked, the log of the same authority does not lift")
	}
}

func TestOktaLogShowsAnEventLate(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.log.write(0, suspension("ev-1", "sally"))
	o.known("ev-1")
	o.round()
	o.round()
	o.log.write(3*time.Minute, suspension("ev-late", "tom"))
	o.known("ev-late")
	o.end()
	o.store.Moving().Advance(30 * time.Minute)
	o.log.write(45*time.Minute, suspension("ev-later", "tim"))
	o.start()
	o.known("ev-later")
}

func TestOktaLogIsCutInTheMiddle(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.round()
	o.end()
	var ids []string
	for i := range 15 {
		id := fmt.Sprint("ev-", i)
		ids = append(ids, id)
		o.log.write(0, suspension(id, fmt.Sprint("person", i)))
	}
	cut := make(chan struct{})
	o.log.set(func(l *systemLog) {
		served := l.served
		l.after = func(n int) {
			if n == served+3 {
				close(cut)
			}
		}
	})
	o.start()
	o.until("three pages were read", 10*time.Second, func() bool {
		select {
		case <-cut:
			return true
		default:
			return false
		}
	})
	o.store.RefuseNext(2) // the store goes away under the third
	o.start()
	got := o.known(ids...)
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s has %d revocations, want 1", id, n)
		}
	}
	if len(got) != len(ids) {
		t.Errorf("%d events of %d", len(got), len(ids))
	}
}

func TestOktaLogThatIsAway(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.round()
	failing := func() bool { return slices.Contains(o.standing(), "upkeep okta-log poll") }
	for i, away := range []func(*systemLog){
		func(l *systemLog) { l.fail = http.StatusInternalServerError },
		func(l *systemLog) { l.body = `{"data":{"events":[]},"next":"x"}` },
		func(l *systemLog) { l.host = "https://evil.example" },
	} {
		id := fmt.Sprint("ev-", i)
		o.log.write(0, suspension(id, id))
		o.log.set(away)
		o.until("an alarm stands", 10*time.Second, failing)
		o.log.set(func(l *systemLog) { l.fail, l.body, l.host = 0, "", "" })
		if got := o.known(id); got[id] != 1 {
			t.Errorf("%s has %d revocations, want 1", id, got[id])
		}
		o.until("no alarm stands", 10*time.Second, func() bool { return !failing() })
	}
}

// What is sent to the address of a source that is only asked is refused, whatever it carries.
func TestOktaLogTakesNothing(t *testing.T) {
	t.Parallel()
	o := newOktaOrg(t)
	o.end()
	for _, credential := range []string{"", apiKey, "SSWS " + apiKey, revoketest.SampleKey} {
		r := httptest.NewRequest(http.MethodPost, "/hooks/okta-log", strings.NewReader(oktaMessage(suspension("ev-1", "sally"))))
		r.Header.Set("Authorization", credential)
		w := httptest.NewRecorder()
		if o.handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || len(o.store.AllEvents()) != 0 {
			t.Errorf("with %q: got %d and %d events, want 401 and none", credential, w.Code, len(o.store.AllEvents()))
		}
	}
}
