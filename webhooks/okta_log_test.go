package webhooks_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

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

func TestOktaLogLeavesOthersTheirShare(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	p.log.write(time.Minute, suspension("ev-1", "sally"))
	reset := strconv.FormatInt(p.clock.Now().Time().Unix()+41, 10)
	p.log.set(func(l *systemLog) {
		l.header = http.Header{"X-Rate-Limit-Remaining": {"0"}, "X-Rate-Limit-Reset": {reset}}
	})
	page, err := p.page("")
	if err != nil || len(page.Items) != 1 || page.More || page.Wait < 40*time.Second || page.Wait > 42*time.Second {
		t.Errorf("a page that used up the limit: %+v, %v; want its event, and the next after 41 s", page, err)
	}
}

func TestOktaLogWithoutANextPage(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	p.log.set(func(l *systemLog) { l.host, l.most = "nowhere", 1000 })
	for i := range 99 {
		p.log.write(time.Minute, suspension(fmt.Sprint("ev-", i), "sally"))
	}
	if page, err := p.page(""); err != nil || len(page.Items) != 99 || page.More {
		t.Errorf("a page that is not full ends the round: %d items, more %v, %v", len(page.Items), page.More, err)
	}
	p.log.write(time.Minute, suspension("ev-99", "sally"))
	if page, err := p.page(""); err == nil {
		t.Errorf("a full page that names no next one may hide events: %d items, more %v", len(page.Items), page.More)
	}
}

func TestOktaLogGoesBackAsFarAsOktaKeepsIt(t *testing.T) {
	t.Parallel()
	p := newLogPoll(t)
	page, err := p.page("")
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(200 * 24 * time.Hour)
	if _, err := p.page(page.Next); err != nil {
		t.Fatal(err)
	}
	want := p.clock.Now().Add(-90 * 24 * time.Hour).Time().UTC().Format("2006-01-02T15:04:05.000Z")
	if got := p.log.seen[1]; got != want {
		t.Errorf("after 200 days it asks since %s, want %s", got, want)
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
