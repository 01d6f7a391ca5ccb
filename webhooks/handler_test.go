package webhooks_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// probe is a receiver whose every stage a test decides.
type probe struct {
	verify func(webhooks.Request) (webhooks.Evidence, error)
	items  func(webhooks.Request) ([]webhooks.Item, error)
}

func (p probe) Verify(r webhooks.Request) (webhooks.Evidence, error) { return p.verify(r) }

func (p probe) Items(r webhooks.Request) ([]webhooks.Item, error) { return p.items(r) }

type probeSettings struct{}

// trusting is a probe that believes everybody and reads one item of the body.
func trusting() probe {
	return probe{
		verify: func(webhooks.Request) (webhooks.Evidence, error) {
			return webhooks.Evidence{Proof: webhooks.ProvedSender, Key: "secrets[0]", Delivery: "d-1"}, nil
		},
		items: func(r webhooks.Request) ([]webhooks.Item, error) {
			return []webhooks.Item{{ID: "ev-1", Type: "x", State: revoke.EventIgnored, Body: r.Body}}, nil
		},
	}
}

type probed struct {
	handler *webhooks.Handler
	inbox   *revoketest.Inbox
	refused *revoketest.Refusals
	log     *bytes.Buffer
}

// withProbe opens a source that receives by r.
func withProbe(t *testing.T, r webhooks.Receiver, change func(*webhooks.Type, *webhooks.Source)) probed {
	t.Helper()
	p := probed{inbox: revoketest.NewInbox(), refused: &revoketest.Refusals{}, log: &bytes.Buffer{}}
	typ := webhooks.Type{Name: "probe", Docs: "x", Settings: probeSettings{}, New: func(revoke.Source, any) (webhooks.Receiver, error) { return r, nil }}
	src := webhooks.Source{Source: revoke.Source{Org: "main", Type: "probe", Authority: "probe", IDs: "probe"}, Settings: &probeSettings{}}
	if change != nil {
		change(&typ, &src)
	}
	h, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"probe": src}, Inbox: p.inbox, Clock: revoketest.NewClock(0), Observer: p.refused,
		Log: slog.New(slog.NewTextHandler(p.log, nil)), Lookup: func(name string) (webhooks.Type, bool) { return typ, name == typ.Name },
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	p.handler = h
	return p
}

func (p probed) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

func (p probed) post(body string) *httptest.ResponseRecorder {
	return p.send(httptest.NewRequest(http.MethodPost, "/hooks/probe", strings.NewReader(body)))
}

func TestASourceWhoseTypeTheBuildLacksAsksForAnotherTry(t *testing.T) {
	t.Parallel()
	p := withProbe(t, trusting(), func(_ *webhooks.Type, s *webhooks.Source) { s.Type = "entra"; s.Settings = nil })
	w := p.post(`{}`)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "/problems/unavailable") {
		t.Errorf("got %d %v %s, want 503 with Retry-After", w.Code, w.Header(), w.Body)
	}
}

// T34: no sender is believed without a proof unless the configuration says so in so many words.
func TestWithoutAProofOnlyInsecureTransportOnlyOpens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proof   webhooks.Proof
		allowed bool
		want    int
	}{
		{webhooks.ProvedSender, false, 204},
		{webhooks.ProvedSender, true, 204},
		{webhooks.ProvedTransport, false, 401},
		{webhooks.ProvedTransport, true, 204},
		{webhooks.ProvedNothing, false, 401},
		{webhooks.ProvedNothing, true, 401},
	} {
		r := trusting()
		r.verify = func(webhooks.Request) (webhooks.Evidence, error) { return webhooks.Evidence{Proof: c.proof}, nil }
		p := withProbe(t, r, func(_ *webhooks.Type, s *webhooks.Source) { s.InsecureTransportOnly = c.allowed })
		if w := p.post(`{}`); w.Code != c.want {
			t.Errorf("proof %d with insecure_transport_only %v: got %d, want %d", c.proof, c.allowed, w.Code, c.want)
		}
		if events := p.inbox.Events(); len(events) == 1 && (c.proof == webhooks.ProvedTransport) != strings.Contains(events[0].Note, "not verified") {
			t.Errorf("proof %d: the note is %q", c.proof, events[0].Note)
		}
	}
}

func TestPanicsStayInside(t *testing.T) {
	t.Parallel()
	const secret = "the body said this"
	for what, change := range map[string]func(*probe){
		"verify": func(p *probe) {
			p.verify = func(webhooks.Request) (webhooks.Evidence, error) { panic(secret) }
		},
		"items": func(p *probe) {
			p.items = func(webhooks.Request) ([]webhooks.Item, error) { panic(errors.New(secret)) }
		},
		"index": func(p *probe) {
			p.items = func(r webhooks.Request) ([]webhooks.Item, error) { return nil, errors.New(string(r.Body[99:])) }
		},
	} {
		r := trusting()
		change(&r)
		p := withProbe(t, r, nil)
		w := p.post(`{}`)
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "/problems/internal") {
			t.Errorf("%s: got %d %s, want 500", what, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String()+p.log.String(), secret) || !strings.Contains(p.log.String(), "panicked") {
			t.Errorf("%s: the log is %s", what, p.log)
		}
	}
}

func TestErrorsOfATypeHaveAnAnswer(t *testing.T) {
	t.Parallel()
	invalid := revoke.Invalid{Field: "value", Problem: "is missing", Fix: "send it"}
	for _, c := range []struct {
		verify, items error
		want          int
		whys          string
	}{
		{verify: revoke.ErrUnverified, want: 401, whys: "malformed"},
		{verify: webhooks.Unverified(webhooks.WhyMissing), want: 401, whys: "missing"},
		{verify: errors.New("no keys could be read"), want: 500},
		{items: invalid, want: 400, whys: "invalid"},
		{items: errors.New("something else"), want: 500},
	} {
		r := trusting()
		if c.verify != nil {
			r.verify = func(webhooks.Request) (webhooks.Evidence, error) { return webhooks.Evidence{}, c.verify }
		}
		r.items = func(webhooks.Request) ([]webhooks.Item, error) { return nil, c.items }
		p := withProbe(t, r, nil)
		w := p.post(`{}`)
		if got := strings.Join(p.refused.Whys("probe"), ","); w.Code != c.want || got != c.whys {
			t.Errorf("verify %v, items %v: got %d counted as %q, want %d as %q", c.verify, c.items, w.Code, got, c.want, c.whys)
		}
		if c.want == 400 && !strings.Contains(w.Body.String(), `"field":"value"`) {
			t.Errorf("the answer %s does not name the field", w.Body)
		}
	}
}

// Case 25: a person at the sender's can tell what to change.
func TestWhatIsNotJSONIsToldInASentence(t *testing.T) {
	t.Parallel()
	p := withProbe(t, trusting(), nil)
	for body, want := range map[string]string{
		"": "is empty", "\xef\xbb\xbf{}": "byte order mark", "{\"a\":\"\xff\"}": "UTF-8", "{}\x00": "NUL", strings.Repeat("[", 33) + strings.Repeat("]", 33): "32 levels",
		"{}{}": "nothing after it", `{"id":1,"b":{"id":2},"id":3}`: "id stands twice",
	} {
		if w := p.post(body); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), "/problems/invalid") {
			t.Errorf("%q: got %d %s, want 400 that says %q", body, w.Code, w.Body, want)
		}
	}
	for _, body := range []string{strings.Repeat("[", 32) + strings.Repeat("]", 32), `{"a":{"id":1},"b":[{"id":2},{"id":3}],"id":"id"}`, `{"a":"[[\"{","b":"\\"}`} {
		if w := p.post(body); w.Code != http.StatusNoContent {
			t.Errorf("%s: got %d %s, want 204", body, w.Code, w.Body)
		}
	}
}

// limited takes little, and text.
type limited struct{ probe }

func (limited) Limits() webhooks.Limits {
	return webhooks.Limits{Body: 10, Items: 2, ContentTypes: []string{"text/plain", "application/json"}}
}

func TestATypesLimits(t *testing.T) {
	t.Parallel()
	r := trusting()
	r.items = func(in webhooks.Request) ([]webhooks.Item, error) {
		return make([]webhooks.Item, len(in.Body)), nil
	}
	p := withProbe(t, limited{r}, nil)
	for body, want := range map[string]int{"ab": 204, "abc": 413, "12345678901": 413} {
		if w := p.post(body); w.Code != want {
			t.Errorf("%d bytes of text: got %d, want %d", len(body), w.Code, want)
		}
	}
	in := httptest.NewRequest(http.MethodPost, "/hooks/probe", strings.NewReader("ab"))
	in.Header.Set("Content-Type", "application/json")
	if w := p.send(in); w.Code != http.StatusBadRequest {
		t.Errorf("text that says it is JSON: got %d, want 400", w.Code)
	}
	if got := p.handler.MaxBody("/hooks/probe"); got != 10 {
		t.Errorf("MaxBody is %d, want the type's 10", got)
	}
	if got := p.handler.MaxBody("/hooks/nobody"); got != 1<<20 {
		t.Errorf("MaxBody of an unknown source is %d, want 1 MiB", got)
	}
	p = withProbe(t, limited{r}, func(_ *webhooks.Type, s *webhooks.Source) { s.MaxBody = 20 })
	if got := p.handler.MaxBody("/hooks/probe"); got != 20 {
		t.Errorf("MaxBody is %d, want the operator's 20", got)
	}
}

// greeting answers a ping.
type greeting struct{ probe }

func (greeting) Handshake(r webhooks.Request) (webhooks.Response, bool, error) {
	return webhooks.Response{Status: http.StatusOK, Body: []byte("pong")}, r.Method == http.MethodOptions || bytes.Contains(r.Body, []byte("ping")), nil
}

// Case 33: a greeting that follows authentication is not answered without it.
func TestHandshakesBeforeAndAfterAuthentication(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		for _, proved := range []bool{true, false} {
			r := trusting()
			if !proved {
				r.verify = func(webhooks.Request) (webhooks.Evidence, error) {
					return webhooks.Evidence{}, webhooks.Unverified(webhooks.WhyMismatch)
				}
			}
			p := withProbe(t, greeting{r}, func(t *webhooks.Type, _ *webhooks.Source) { t.HandshakeBeforeAuth = early })
			want := http.StatusOK
			if !early && !proved {
				want = http.StatusUnauthorized
			}
			for _, in := range []*http.Request{
				httptest.NewRequest(http.MethodPost, "/hooks/probe", strings.NewReader(`{"type":"ping"}`)), httptest.NewRequest(http.MethodOptions, "/hooks/probe", nil),
			} {
				if w := p.send(in); w.Code != want || len(p.inbox.Events()) != 0 {
					t.Errorf("early %v, proved %v, %s: got %d, want %d and no event", early, proved, in.Method, w.Code, want)
				}
			}
			want = http.StatusMethodNotAllowed
			if !early && !proved {
				want = http.StatusUnauthorized
			}
			if w := p.send(httptest.NewRequest(http.MethodGet, "/hooks/probe", nil)); w.Code != want {
				t.Errorf("early %v, proved %v, a GET that is no greeting: got %d, want %d", early, proved, w.Code, want)
			}
		}
	}
}

// polite answers in its sender's way.
type polite struct{ probe }

func (polite) Respond([]revoke.Outcome) webhooks.Response {
	return webhooks.Response{Status: http.StatusAccepted}
}

func TestATypesOwnAnswer(t *testing.T) {
	t.Parallel()
	r := trusting()
	r.items = func(in webhooks.Request) ([]webhooks.Item, error) {
		return []webhooks.Item{{ID: "ev-1", Type: "x", State: revoke.EventHeld, Body: in.Body}}, nil
	}
	p := withProbe(t, polite{r}, nil)
	w := p.post(`{}`)
	if w.Code != http.StatusAccepted || w.Header().Get("Curfew-Held") == "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v, want 202 that names what is held", w.Code, w.Header())
	}
	if note := p.inbox.Events()[0].Note; !strings.Contains(note, "delivery d-1") {
		t.Errorf("the note %q does not name the delivery", note)
	}
}

// slow is a body that does not come.
type slow struct{}

func (slow) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	p := withProbe(t, trusting(), nil)
	if w := p.send(httptest.NewRequest(http.MethodPost, "/hooks/probe", slow{})); w.Code != http.StatusRequestTimeout || !strings.Contains(w.Body.String(), "/problems/timeout") {
		t.Errorf("got %d %s, want 408", w.Code, w.Body)
	}
}

func TestNewNamesEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	okta, _ := webhooks.Lookup("okta")
	whole := revoke.Source{Org: "main", Type: "okta", Authority: "okta", IDs: "okta"}
	lacking := whole
	lacking.IDs = ""
	_, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{
			"one": {Source: whole, Settings: okta.NewSettings()}, "two": {Source: lacking, Settings: okta.NewSettings()},
			"three": {Source: whole}, "four/five": {Source: whole, Settings: okta.NewSettings()},
		},
		Inbox: revoketest.NewInbox(), Clock: revoketest.NewClock(0), Log: slog.New(slog.DiscardHandler),
	})
	for _, want := range []string{"sources.one.secrets is missing", "sources.two lacks", "sources.three", "sources.four/five is not a name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	if _, err := webhooks.New(webhooks.Config{}); err == nil {
		t.Error("a handler without an inbox was made")
	}
}

func TestRegisterPanicsOnMistakes(t *testing.T) {
	t.Parallel()
	create := func(revoke.Source, any) (webhooks.Receiver, error) { return nil, nil }
	for what, typ := range map[string]webhooks.Type{
		"no name":        {Docs: "x", Settings: probeSettings{}, New: create},
		"no constructor": {Name: "x", Docs: "x", Settings: probeSettings{}},
		"no page":        {Name: "x", Settings: probeSettings{}, New: create},
		"no settings":    {Name: "x", Docs: "x", New: create},
		"odd settings":   {Name: "x", Docs: "x", Settings: &probeSettings{}, New: create},
		"registered":     {Name: "okta", Docs: "x", Settings: probeSettings{}, New: create},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a type with %s was registered", what)
				}
			}()
			webhooks.Register(typ)
		}()
	}
	if _, built := webhooks.Lookup("x"); built || len(webhooks.Types()) != len(fixtures())+len(onlyAsked()) {
		t.Error("a refused type is known all the same")
	}
}

// Every type has its page, and the page names the type's own keys.
func TestEveryTypeHasItsPage(t *testing.T) {
	t.Parallel()
	for _, typ := range webhooks.Types() {
		page, err := os.ReadFile("../" + typ.Docs)
		if err != nil || !strings.Contains(string(page), "type: "+typ.Name) {
			t.Errorf("%s: %s does not show a configuration of the type: %v", typ.Name, typ.Docs, err)
		}
	}
}
