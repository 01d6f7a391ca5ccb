package webhooks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// reader makes the receiver of one source with a form.
func reader(tb testing.TB, typ, form string) webhooks.Receiver {
	tb.Helper()
	own, err := formOf(typ, form, revoketest.SampleKey)
	if err != nil {
		tb.Fatalf("read the form: %v", err)
	}
	kind, _ := webhooks.Lookup(typ)
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		tb.Fatalf("London: %v", err)
	}
	r, err := kind.Make(revoke.Source{Name: "edr", Org: "main", Type: typ, Authority: "edr", IDs: "edr", Zone: london}, own, webhooks.Deps{})
	if err != nil {
		tb.Fatalf("make: %v", err)
	}
	return r
}

func itemsOf(tb testing.TB, r webhooks.Receiver, body string) []webhooks.Item {
	tb.Helper()
	items, err := r.Items(webhooks.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body)})
	if err != nil {
		tb.Fatalf("%s: %v", body, err)
	}
	return items
}

const hmacForm = "verify: {hmac: {header: X-Sig}}\n"

// DESIGN, Plans: a day ends where the org is, a day of 23 hours too; only the word none takes back.
func TestCustomPlans(t *testing.T) {
	t.Parallel()
	r := reader(t, "custom", hmacForm+"map: [{signal: terminated, email: body.e, occurred_at: body.at, effective_at: body.day}]")
	for day, want := range map[string]string{
		`"2026-12-24"`: "2026-12-25T00:00:00Z", `"2027-03-28"`: "2027-03-28T23:00:00Z", `"2027-07-01"`: "2027-07-01T23:00:00Z",
		`"2026-12-24T17:00:00+01:00"`: "2026-12-24T16:00:00Z", `1798070400`: "2026-12-24T00:00:00Z", `"none"`: "never", `"None"`: "never",
		`null`: "", `""`: "", `"2026-13-01"`: "", `true`: "", `"soon"`: "", `[]`: "",
	} {
		items := itemsOf(t, r, `{"e":"pat@example.edu","at":"2026-11-23T10:00:00Z","day":`+day+`}`)
		if want == "" {
			if len(items) != 1 || items[0].State != revoke.EventMalformed || len(items[0].Signals) != 0 {
				t.Errorf("%s: got %+v, want a malformed item", day, items)
			}
			continue
		}
		if len(items) != 1 || len(items[0].Signals) != 1 {
			t.Errorf("%s: got %+v, want a plan", day, items)
			continue
		}
		s := items[0].Signals[0]
		if !s.Planned || s.EffectiveAt.String() != want || s.OccurredAt.String() != "2026-11-23T10:00:00Z" {
			t.Errorf("%s: planned %v for %s, said at %s; want %s", day, s.Planned, s.EffectiveAt, s.OccurredAt, want)
		}
	}
}

// Workday and Merge announce, move and take back.
func TestPresetsPlan(t *testing.T) {
	t.Parallel()
	merge := func(status, date string) string {
		return fmt.Sprintf(`{"hook":{"event":"Employee.changed"},"data":{"id":"1","modified_at":"2026-11-23T10:00:00Z","work_email":"pat@example.edu","employment_status":%q,"termination_date":%s}}`, status, date)
	}
	workday := func(what, rest string) string {
		return fmt.Sprintf(`{"id":"1","event":%q,"entered_at":"2026-11-23T10:00:00Z","employee_id":"7"%s}`, what, rest)
	}
	for _, c := range []struct {
		preset, body string
		planned      bool
		effective    string
	}{
		{"merge", merge("ACTIVE", `"2026-12-24T00:00:00Z"`), true, "2026-12-25T00:00:00Z"},
		{"merge", merge("ACTIVE", `"2026-12-24T12:00:00Z"`), true, "2026-12-24T12:00:00Z"},
		{"merge", merge("ACTIVE", "null"), true, "never"},
		{"merge", merge("INACTIVE", "null"), false, "never"},
		{"workday", workday("Terminate Employee", `,"termination_date":"2027-07-01"`), true, "2027-07-01T23:00:00Z"},
		{"workday", workday("Rescind Termination", ""), true, "never"},
	} {
		items := itemsOf(t, reader(t, c.preset, "{}"), c.body)
		if len(items) != 1 || len(items[0].Signals) != 1 {
			t.Errorf("%s %s: got %+v", c.preset, c.body, items)
			continue
		}
		if s := items[0].Signals[0]; s.Kind != revoke.Terminated || s.Planned != c.planned || s.EffectiveAt.String() != c.effective {
			t.Errorf("%s %s: got %+v, want planned %v for %s", c.preset, c.body, s, c.planned, c.effective)
		}
	}
}

func TestCustomSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	const entry = "map: [{signal: locked, email: body.e}]\n"
	for _, c := range [][2]string{
		{"verify", entry},
		{"verify", "verify: {hmac: {header: X-Sig}, basic: {user: curfew}}\n" + entry},
		{"verify.hmac.algorithm", "verify: {hmac: {header: X-Sig, algorithm: sha1}}\n" + entry},
		{"map", hmacForm},
		{"map[0].when", hmacForm + "map: [{when: body.e ==, signal: locked, email: body.e}]"},
		{"map[1].when", hmacForm + "map: [{signal: locked, email: body.e}, {when: '\"x\"', signal: locked, email: body.e}]"},
		{"map[0].email", hmacForm + "map: [{signal: locked, email: bdy.e}]"},
		{"map[0].email", hmacForm + "map: [{signal: locked, email: '[1]'}]"},
		{"map[0].email", hmacForm + "map: [{signal: locked, email: 'body.e.replace(\"\", body.e)'}]"},
		{"map[0].signal", hmacForm + "map: [{signal: sacked, email: body.e}]"},
		{"map[0].signal", hmacForm + "map: [{email: body.e}]"},
		{"map[0].effective_at", hmacForm + "map: [{signal: locked, email: body.e, effective_at: body.d}]"},
		{"map[0]", hmacForm + "map: [{signal: locked}]"},
		{"map[0].sub", hmacForm + "map: [{signal: locked, sub: body.e}]"},
		{"every.email", hmacForm + "every: {email: now()}\n" + entry},
		{"split", hmacForm + "split: '\"x\"'\n" + entry},
		{"ignore", hmacForm + "ignore: '1'\n" + entry},
		{"event_type", hmacForm + "event_type: 'body.matches(\"(\")'\n" + entry},
		{"answer", hmacForm + "answer: 410\n" + entry},
		{"headers[0]", hmacForm + "headers: [Cookie]\n" + entry},
		{"headers[0]", "verify: {static: {header: X-Secret}}\nheaders: [x-secret]\n" + entry},
		{"challenge", hmacForm + "challenge: {query: a, header: X-B}\n" + entry},
		{"map[0].when", hmacForm + "map: [{when: '" + strings.Repeat("true && ", 2000) + "true', signal: locked, email: body.e}]"},
	} {
		own, err := formOf("custom", c[1], revoketest.SampleKey)
		if err != nil {
			t.Errorf("%s: %v", c[1], err)
			continue
		}
		kind, _ := webhooks.Lookup("custom")
		_, err = kind.Make(revoke.Source{Name: "edr"}, own, webhooks.Deps{})
		found := false
		var walk func(error)
		walk = func(err error) {
			if many, ok := err.(interface{ Unwrap() []error }); ok {
				for _, each := range many.Unwrap() {
					walk(each)
				}
				return
			}
			bad, ok := errors.AsType[revoke.Invalid](err)
			found = found || ok && bad.Field == c[0] && bad.Problem != "" && bad.Fix != ""
		}
		walk(err)
		if !found {
			t.Errorf("%s: got %v, want an Invalid at %s", c[1], err, c[0])
		}
	}
}

// No settings but the word none believe what nobody signed, and then only where insecure_transport_only is spelled out.
func TestCustomUnsigned(t *testing.T) {
	t.Parallel()
	for _, believe := range []bool{false, true} {
		kind, _ := webhooks.Lookup("custom")
		own, err := formOf("custom", "map: [{signal: locked, email: body.e, id: body.id}]")
		if err != nil {
			t.Fatalf("form: %v", err)
		}
		word := reflect.ValueOf(own).Elem().FieldByName("Verify").Addr().Interface().(interface{ SetWord(word string) error })
		if word.SetWord("nothing") == nil || word.SetWord("") == nil {
			t.Error("another word than none is taken")
		}
		if err := word.SetWord("none"); err != nil {
			t.Fatalf("none: %v", err)
		}
		inbox := revoketest.NewInbox()
		h, err := webhooks.New(webhooks.Config{
			Sources: map[string]webhooks.Source{"edr": {Source: revoke.Source{Org: "main", Type: kind.Name, Authority: "edr", IDs: "edr"}, Settings: own, InsecureTransportOnly: believe}},
			Inbox:   inbox, Clock: revoketest.NewClock(0), Log: slog.New(slog.DiscardHandler),
		})
		if in, refused := errors.AsType[revoke.Invalid](err); !believe && refused && in.Field == "sources.edr.verify" {
			continue
		}
		if err != nil || !believe {
			t.Fatalf("insecure_transport_only %v: New says %v", believe, err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/edr", strings.NewReader(`{"id":"1","e":"pat@example.edu"}`)))
		if w.Code != http.StatusNoContent || len(inbox.Events()) != 1 {
			t.Errorf("insecure_transport_only: got %d and %d events", w.Code, len(inbox.Events()))
		}
	}
}

func TestCustomForms(t *testing.T) {
	t.Parallel()
	lines := reader(t, "custom", hmacForm+"format: json-lines\nmap: [{signal: locked, email: body.e, id: body.id}]")
	items := itemsOf(t, lines, "{\"id\":1,\"e\":\"a@example.edu\"}\r\n\n[{\"id\":2,\"e\":\"b@example.edu\"},{\"id\":3}]\n{\"id\":\n")
	var got []string
	for _, i := range items {
		got = append(got, i.ID+string(i.State))
	}
	if fmt.Sprint(got) != "[1 2 3 malformed]" {
		t.Errorf("lines: got %v", got)
	}
	form := reader(t, "custom", hmacForm+"format: form\nmap: [{signal: locked, email: 'body[\"data[email]\"]', user_id: from_json(body.payload).id}]")
	items = itemsOf(t, form, "data%5Bemail%5D=pat%40example.edu&payload=%7B%22id%22%3A7%7D&x=1&x=2")
	if len(items) != 1 || len(items[0].Signals) != 1 || len(items[0].Signals[0].Subject) != 2 || !json.Valid(items[0].Body) {
		t.Errorf("a form: got %+v", items)
	}
	if _, err := form.Items(webhooks.Request{Body: []byte("%zz")}); !isInvalid(err) {
		t.Errorf("no form: got %v, want Invalid", err)
	}
	split := reader(t, "custom", hmacForm+"split: 'body.events.map(e, {\"tenant\": body.tenant, \"e\": e})'\nmap: [{when: body.tenant == 7, signal: locked, email: body.e.mail}]")
	items = itemsOf(t, split, `{"tenant":7,"events":[{"mail":"a@example.edu"},{"mail":"b@example.edu"}]}`)
	if len(items) != 2 || len(items[1].Signals) != 1 {
		t.Errorf("parted with what they share: got %+v", items)
	}
	headers := reader(t, "custom", hmacForm+"headers: [X-Event]\nevent_type: headers['x-event']\nmap: [{when: event_type == 'gone', signal: deleted, email: body.e}]")
	items, err := headers.Items(webhooks.Request{Header: http.Header{"X-Event": {"gone"}, "Authorization": {"x"}}, Body: []byte(`{"e":"pat@example.edu"}`)})
	if err != nil || len(items) != 1 || len(items[0].Signals) != 1 || strings.Contains(string(items[0].Body), "uthorization") {
		t.Fatalf("by a header: got %+v, %v", items, err)
	}
	again := headers.(webhooks.Rereader).Item(items[0].Body)
	if len(again.Signals) != 1 || again.Type != "gone" || string(again.Body) != string(items[0].Body) {
		t.Errorf("read again from what was kept: %+v", again)
	}
}

func TestCustomChallenge(t *testing.T) {
	t.Parallel()
	const rest = "verify: {static: {header: X-Secret}}\nmap: [{signal: locked, email: body.e}]\n"
	type greeter interface {
		Handshake(webhooks.Request) (webhooks.Response, bool, error)
	}
	ask := func(form string, r webhooks.Request) (webhooks.Response, bool, error) {
		if r.Header == nil {
			r.Header = http.Header{}
		}
		return reader(t, "custom", rest+form).(greeter).Handshake(r)
	}
	for _, token := range []string{"abc", "a+b %2B", "ünï"} {
		got, is, err := ask("challenge: {query: validationToken}", webhooks.Request{Method: http.MethodPost, Query: map[string][]string{"validationToken": {token}}})
		if !is || err != nil || string(got.Body) != token || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%q: got %q, %v, %v", token, got.Body, is, err)
		}
	}
	for _, token := range []string{"<script>", "a\r\nb", strings.Repeat("x", 10_000), "\xff"} {
		if _, is, err := ask("challenge: {query: t}", webhooks.Request{Method: http.MethodGet, Query: map[string][]string{"t": {token}}}); !is || !isInvalid(err) {
			t.Errorf("%q: got %v, %v, want Invalid", token, is, err)
		}
	}
	got, is, err := ask("challenge: {header: X-Challenge, member: verification}", webhooks.Request{Method: http.MethodGet, Header: http.Header{"X-Challenge": {`a"b`}}})
	if !is || err != nil || string(got.Body) != `{"verification":"a\"b"}` {
		t.Errorf("a header: got %q, %v, %v", got.Body, is, err)
	}
	body := webhooks.Request{Method: http.MethodPost, Body: []byte(`{"type":"url_verification","challenge":"abc"}`)}
	if _, _, err := ask("challenge: {body: challenge}", body); !errors.Is(err, revoke.ErrUnverified) {
		t.Errorf("in a message that nobody proved: got %v, want ErrUnverified", err)
	}
	body.Header = http.Header{"X-Secret": {revoketest.SampleKey}}
	if got, is, err := ask("challenge: {body: challenge}", body); !is || err != nil || string(got.Body) != "abc" {
		t.Errorf("in a message: got %q, %v, %v", got.Body, is, err)
	}
	if _, is, err := ask("", webhooks.Request{Method: http.MethodGet, Query: map[string][]string{"challenge": {"x"}}}); is || err != nil {
		t.Errorf("no challenge is configured: got %v, %v", is, err)
	}
}

func TestCustomSaysWhatItsMappingMeans(t *testing.T) {
	t.Parallel()
	got := reader(t, "custom", hmacForm+"ignore: event_type == 'ping'\nmap: [{when: body.gone, signal: deleted, email: body.e}, {signal: terminated, email: body.e, effective_at: body.d}]").(webhooks.Explainer).Means()
	want := []revoke.Meaning{
		{Word: "body.gone", Signal: revoke.Deleted},
		{Word: "event_type == 'ping'", Note: "it means nothing here"},
		{Word: "everything", Signal: revoke.Terminated, Note: "on the day that it names"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What an expression could cost is bounded, whatever comes.
func TestCustomBounds(t *testing.T) {
	t.Parallel()
	many := `{"e":"pat@example.edu","xs":[` + strings.TrimSuffix(strings.Repeat("1,", 5000), ",") + `],"s":"` + strings.Repeat("a", 500_000) + `"}`
	for what, form := range map[string]string{
		"loops in loops": "map: [{when: 'body.xs.all(a, body.xs.all(b, body.xs.all(c, a == c)))', signal: locked, email: body.e}]",
		"doubled":        "map: [{when: '(" + strings.Repeat("body.s + ", 30) + "body.s).size() > 1', signal: locked, email: body.e}]",
		"signals":        "map: [{for: body.xs, signal: locked, email: body.e}]",
	} {
		items := itemsOf(t, reader(t, "custom", hmacForm+form), many)
		if len(items) != 1 || items[0].State != revoke.EventMalformed || len(items[0].Signals) > 0 {
			t.Errorf("%s: got %q with %d signals, want malformed", what, items[0].State, len(items[0].Signals))
		}
	}
}

// Whatever JSON comes, each item speaks or says why it does not.
func FuzzCustomItems(f *testing.F) {
	for _, c := range []string{customForm} {
		own := reader(f, "custom", c)
		f.Add([]byte(`{"events":[{"id":"e","type":"user.disabled","at":1,"user":{"email":"a@b"}}]}`))
		f.Add([]byte(`{"events":[{"type":"user.leaves","last_day":"2026-12-24"},{"type":"device.lost","devices":[{"serial":1e400}]}]}`))
		f.Fuzz(func(t *testing.T, body []byte) {
			if !json.Valid(body) {
				return
			}
			items, err := own.Items(webhooks.Request{Method: http.MethodPost, Body: body})
			if err != nil {
				t.Fatalf("a message was lost: %v", err)
			}
			for _, item := range items {
				if (item.State == "") != (len(item.Signals) > 0) || item.State != "" && item.Note == "" || len(item.Body) == 0 {
					t.Errorf("an item is %q with %d signals, note %q and body %q", item.State, len(item.Signals), item.Note, item.Body)
				}
				for _, s := range item.Signals {
					if s.OccurredAt < 0 || s.EffectiveAt < 0 || s.Planned != (s.Kind == revoke.Terminated) {
						t.Errorf("a signal is %+v", s)
					}
				}
			}
		})
	}
}

// What an operator writes takes the place of what the preset says, in every expression by expression.
func TestPresetsGiveWay(t *testing.T) {
	t.Parallel()
	const body = `{"event":{"id":"e-1","event_type":"incident.triggered","occurred_at":"2026-11-23T10:00:00Z","data":{"title":"x","who":"pat@example.edu"}}}`
	items := itemsOf(t, reader(t, "pagerduty", "every: {email: body.event.data.who}\nmap: [{signal: sessions-cleared}]"), body)
	if len(items) != 1 || len(items[0].Signals) != 1 || items[0].Signals[0].Kind != revoke.SessionsCleared || items[0].ID != "e-1" {
		t.Fatalf("got %+v, want the operator's map and address, and the preset's id", items)
	}
	if email, _ := items[0].Signals[0].Subject.Has(revoke.NamespaceEmail); email != "pat@example.edu" {
		t.Errorf("it is about %v", items[0].Signals[0].Subject)
	}
	kind, _ := webhooks.Lookup("jamf")
	const way = "verify: {static: {header: X-Curfew-Secret}}"
	twice, err := formOf("jamf", way, revoketest.SampleKey)
	if err != nil {
		t.Fatalf("form: %v", err)
	}
	if _, err := kind.Make(revoke.Source{Name: "jamf"}, twice, webhooks.Deps{}); !isInvalid(err) {
		t.Errorf("secrets beside a way that has its own: got %v, want Invalid", err)
	}
	settings, err := formOf("jamf", way)
	if err != nil {
		t.Fatalf("form: %v", err)
	}
	giveSecrets(reflect.ValueOf(settings).Elem().FieldByName("Verify"), []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	own, err := kind.Make(revoke.Source{Name: "jamf"}, settings, webhooks.Deps{})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	if _, err := own.Verify(webhooks.Request{Header: http.Header{"X-Curfew-Secret": {revoketest.SampleKey}}}); err != nil {
		t.Errorf("a way of the operator's: %v", err)
	}
	basic := http.Request{Header: http.Header{}}
	basic.SetBasicAuth("curfew", revoketest.SampleKey)
	if _, err := own.Verify(webhooks.Request{Header: basic.Header}); !errors.Is(err, revoke.ErrUnverified) {
		t.Errorf("the preset's way beside the operator's: got %v, want ErrUnverified", err)
	}
	none := kind.NewSettings()
	if _, err := kind.Make(revoke.Source{Name: "jamf"}, none, webhooks.Deps{}); !isInvalid(err) {
		t.Errorf("no secrets: got %v, want Invalid", err)
	}
}
