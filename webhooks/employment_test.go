package webhooks_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// personnel is the API of an HR system: BambooHR's and HiBob's employees, with failures on demand.
type personnel struct {
	mu     sync.Mutex
	people map[string]map[string]any // by id, as they are answered
	ahead  map[string]map[string]any // what BambooHR shows only with onlyCurrent=false
	fail   int
	asked  int
}

func (p *personnel) set(change func(*personnel)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *personnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	user, password, _ := r.BasicAuth()
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	answer := p.people[id]
	switch bamboo := r.Method == http.MethodGet && r.URL.Path == "/api/v1/employees/"+id; {
	case bamboo && (user != apiKey || password == ""), !bamboo && (user != "SERVICE-1" || password != apiKey || r.Method != http.MethodPost || r.URL.Path != "/v1/people/"+id):
		w.WriteHeader(http.StatusUnauthorized)
		return
	case p.fail != 0:
		w.WriteHeader(p.fail)
		return
	case answer == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case bamboo && r.FormValue("onlyCurrent") == "false" && p.ahead[id] != nil:
		answer = p.ahead[id]
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// hr is an HR system before the real core, with the attendant that reads there.
type hr struct {
	*office
	api  *personnel
	url  string
	typ  string
	zone *time.Location
	sent int
}

func newHR(t *testing.T, typ, zone string) *hr {
	t.Helper()
	h := &hr{api: &personnel{people: map[string]map[string]any{}, ahead: map[string]map[string]any{}}, typ: typ}
	server := httptest.NewServer(h.api)
	t.Cleanup(server.Close)
	h.url = server.URL
	var err error
	if h.zone, err = time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	h.office = &office{core: deciding(t)}
	h.open()
	return h
}

// hrSettings are those of a type with its API at url.
func hrSettings(typ, url string) any {
	is, _ := webhooks.Lookup(typ)
	own := is.NewSettings()
	setSecrets(own, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey)})
	field := reflect.ValueOf(own).Elem().FieldByName("API")
	field.Set(reflect.New(field.Type().Elem()))
	api := field.Interface()
	setKey(api, "url", url)
	if typ == "bamboohr" {
		setKey(api, "key", revoke.NewSecret(apiKey))
	} else {
		setKey(api, "user", "SERVICE-1")
		setKey(api, "token", revoke.NewSecret(apiKey))
	}
	return own
}

// open starts the handler and the attendant anew, as a restart does.
func (h *hr) open() {
	h.Helper()
	clients := outbound.NewMaker(outbound.Config{})
	handler, err := webhooks.New(webhooks.Config{
		Sources: map[string]webhooks.Source{"hr": {
			Source: revoke.Source{Org: "main", Type: h.typ, Authority: "hr", IDs: "hr", Zone: h.zone}, Settings: hrSettings(h.typ, h.url),
		}},
		Inbox: h.service, Clock: h.store.Clock(), Log: slog.New(slog.DiscardHandler), Deps: webhooks.Deps{Clients: clients, Clock: h.store.Clock()},
	})
	if err != nil {
		h.Fatalf("webhooks.New: %v", err)
	}
	h.handler = handler
	h.attend(handler)
}

// tell sends an event about employee 1042, a second after the one before.
func (h *hr) tell(word, more string) {
	h.Helper()
	h.sent++
	h.store.Moving().Advance(time.Second)
	now := h.store.Clock().Now()
	at := now.Time().UTC().Format("2006-01-02T15:04:05")
	body := fmt.Sprintf(`{"type":%q,"timestamp":"%s+0000","triggeredAt":%q,"version":"v2","data":{"companyId":"%d","employeeId":"1042"%s}}`, word, at, at, h.sent, more)
	r := httptest.NewRequest(http.MethodPost, "/hooks/hr", strings.NewReader(body))
	signBamboo(r, body, revoketest.SampleKey, now)
	signBob(r, body, revoketest.SampleKey)
	w := httptest.NewRecorder()
	if h.handler.ServeHTTP(w, r); w.Code/100 != 2 {
		h.Fatalf("%s: got %d %s", word, w.Code, w.Body)
	}
	h.attended.Wake()
}

// read is tell, and waits until it is read.
func (h *hr) read(word string) revoke.Event {
	h.Helper()
	h.tell(word, "")
	h.until("it is read", 0, h.quiet)
	all := h.store.AllEvents()
	newest := slices.MaxFunc(all, func(a, b revoke.Event) int { return int(a.ReceivedAt - b.ReceivedAt) })
	return newest
}

func (h *hr) quiet() bool {
	return !slices.ContainsFunc(h.store.AllEvents(), func(e revoke.Event) bool { return e.State == revoke.EventReading })
}

// bamboo sets what BambooHR says of employee 1042. It shows a last day only to whoever asks for what lies ahead.
func (h *hr) bamboo(status string, last any, more ...string) {
	today := map[string]any{"id": "1042", "status": status, "terminationDate": "0000-00-00", "hireDate": "2020-01-06", "workEmail": "sally@example.edu"}
	if status == "Inactive" {
		today["terminationDate"] = last
	}
	for i := 0; i+1 < len(more); i += 2 {
		today[more[i]] = more[i+1]
	}
	ahead := map[string]any{"id": "1042", "terminationDate": last}
	h.api.set(func(p *personnel) { p.people["1042"], p.ahead["1042"] = today, ahead })
}

// bob sets what HiBob says of employee 1042, in one of its two shapes.
func (h *hr) bob(status, stage string, last any) {
	person := map[string]any{"id": "1042", "email": "sally@example.edu", "internal": map[string]any{"status": status, "lifecycleStatus": stage, "terminationDate": last}}
	if h.sent%2 == 0 {
		value := func(v any) any { return map[string]any{"value": v} }
		person = map[string]any{
			"/root/id": value("1042"), "/root/email": value("sally@example.edu"),
			"/internal/status": value(status), "/internal/lifecycleStatus": value(stage), "/internal/terminationDate": value(last),
		}
	}
	h.api.set(func(p *personnel) { p.people["1042"] = person })
}

// tick moves the clock to an instant and does what is due.
func (h *hr) tick(at string) {
	h.Helper()
	to, err := time.Parse(time.RFC3339, at)
	if err != nil {
		h.Fatal(err)
	}
	h.store.Moving().Advance(to.Sub(h.store.Clock().Now().Time()))
	if err := h.service.EndDue(h.Context()); err != nil {
		h.Fatal(err)
	}
}

func (h *hr) out(want bool, when string) {
	h.Helper()
	if got := h.blocked("sally@example.edu"); got != want {
		h.Errorf("%s: sally is out: %v, want %v; %+v", when, got, want, h.store.AllEvents())
	}
}

// Case 38: nothing now, carried out at the end of the day in the org's time zone over a change of the clocks, moved and cancelled
// in either order, restarts between.
func TestLastDaysThatLieAhead(t *testing.T) {
	t.Parallel()
	say := map[string]func(h *hr, last any){
		"bamboohr": func(h *hr, last any) { h.bamboo("Active", last) },
		"hibob":    func(h *hr, last any) { h.bob("Active", "employed", last) },
	}
	for typ, set := range say {
		none := map[string]any{"bamboohr": "0000-00-00", "hibob": nil}[typ]
		for what, c := range map[string]struct {
			zone   string
			days   []any
			before string // still in
			ends   string // out from here; empty: never
		}{
			"winter":                 {"America/New_York", []any{"2027-03-13"}, "2027-03-14T04:59:59Z", "2027-03-14T05:00:00Z"},
			"the clocks go forward":  {"America/New_York", []any{"2027-03-14"}, "2027-03-15T03:59:59Z", "2027-03-15T04:00:00Z"},
			"the clocks go back":     {"Europe/London", []any{"2027-10-31"}, "2027-10-31T23:59:59Z", "2027-11-01T00:00:00Z"},
			"east":                   {"Pacific/Auckland", []any{"2026-12-24"}, "2026-12-24T10:59:59Z", "2026-12-24T11:00:00Z"},
			"moved on":               {"UTC", []any{"2026-12-24", "2026-12-31"}, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
			"moved ahead":            {"UTC", []any{"2026-12-31", "2026-12-24"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
			"cancelled":              {"UTC", []any{"2026-12-24", none}, "2027-02-01T00:00:00Z", ""},
			"cancelled and said":     {"UTC", []any{"2026-12-24", none, "2026-12-31"}, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
			"none, then said":        {"UTC", []any{none, "2026-12-24"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
			"moved, cancelled":       {"UTC", []any{"2026-12-24", "2026-12-31", none}, "2027-02-01T00:00:00Z", ""},
			"unreadable says no no":  {"UTC", []any{"2026-12-24", "soon"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
			"a number says no no":    {"UTC", []any{"2026-12-24", 7}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
			"said twice is said":     {"UTC", []any{"2026-12-24", "2026-12-24"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
			"a day that has an hour": {"UTC", []any{"2026-12-24T00:00:00"}, "2026-12-24T23:59:59Z", "2026-12-25T00:00:00Z"},
		} {
			t.Run(typ+" "+what, func(t *testing.T) {
				t.Parallel()
				h := newHR(t, typ, c.zone)
				for _, day := range c.days {
					set(h, day)
					h.read("employee.updated")
					h.out(false, "when it was said")
					h.open()
				}
				h.tick(c.before)
				h.out(false, "just before")
				phone := h.signIn("sally", "", "")
				if !h.live(phone) {
					t.Error("a session from before ended too early")
				}
				if c.ends == "" {
					return
				}
				h.tick(c.ends)
				h.out(true, "from the end of the day")
				if h.live(phone) {
					t.Error("a session from before is live after the last day")
				}
			})
		}
	}
}

// A plan that is not shown any more is not taken back: only so many words do.
func TestSilenceTakesNoPlanBack(t *testing.T) {
	t.Parallel()
	h := newHR(t, "bamboohr", "UTC")
	h.bamboo("Active", "2026-12-24")
	h.read("employee.updated")
	h.api.set(func(p *personnel) { delete(p.ahead["1042"], "terminationDate") })
	if ev := h.read("employee.updated"); !strings.Contains(ev.Note, "does not show us a last day") {
		t.Errorf("its note is %q", ev.Note)
	}
	h.api.set(func(p *personnel) { delete(p.people, "1042") })
	if ev := h.read("employee.updated"); ev.State != revoke.EventIgnored || !strings.Contains(ev.Note, "that alone says nothing") {
		t.Errorf("404: %+v", ev)
	}
	h.tick("2026-12-25T00:00:00Z")
	h.out(true, "after the last day")
}

func TestBambooTerminatesAndBringsBack(t *testing.T) {
	t.Parallel()
	h := newHR(t, "bamboohr", "UTC")
	h.bamboo("Active", "0000-00-00")
	h.read("employee.created")
	phone := h.signIn("sally", "", "")
	h.bamboo("Inactive", "2026-11-23")
	ev := h.read("employee.updated")
	if h.out(true, "terminated"); h.live(phone) || len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != revoke.Terminated {
		t.Errorf("sally is live: %v; %+v", h.live(phone), ev)
	}
	if ev := h.read("employee.updated"); ev.State != revoke.EventIgnored {
		t.Errorf("read once more: %+v", ev)
	}
	h.bamboo("Active", "2026-11-23", "terminationDate", "2026-11-23", "hireDate", "2026-11-24")
	h.read("employee.updated")
	h.out(false, "hired again")
	if h.live(phone) {
		t.Error("a lift revived a session")
	}
	h.bamboo("Active", "2026-12-24")
	h.read("employee.updated")
	h.tick("2026-12-25T00:00:00Z")
	h.out(true, "the second employment ended")
}

// Somebody who left long ago is not whoever has the address today.
func TestAnAddressThatWasGivenOn(t *testing.T) {
	t.Parallel()
	h := newHR(t, "bamboohr", "UTC")
	h.bamboo("Inactive", "2026-11-20")
	h.read("employee.updated")
	h.out(true, "left last week")
	if err := lift(h, "sally@example.edu"); err != nil {
		t.Fatal(err)
	}
	h.bamboo("Inactive", "2026-11-20", "workPhone", "1")
	h.read("employee.updated")
	h.out(false, "the record of who left was touched")
	for typ, about := range map[string]string{"bamboohr": "employees/1042", "hibob": "employees/1042"} {
		receiver, err := hrAPIFixtures()[typ].Open(h.url, webhooks.Deps{Clients: outbound.NewMaker(outbound.Config{}), Clock: h.store.Clock()})
		if err != nil {
			t.Fatal(err)
		}
		ask := webhooks.Ask{About: about, Events: []revoke.Event{{Type: "employee.deleted"}}, Known: []byte(`{"out":"terminated","mail":"sally@example.edu"}`)}
		found, err := receiver.(webhooks.Enricher).Enrich(t.Context(), ask)
		if err != nil || len(found.Signals) != 1 || len(found.Signals[0].Subject) != 1 {
			t.Errorf("%s: the record of who left was deleted: %+v, %v; want it to name the id alone", typ, found, err)
		}
	}
}

// lift is what an admin does who knows whose address it is now.
func lift(h *hr, mail string) error {
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, mail)
	src := revoke.Source{Name: "hr", Org: "main", Authority: "hr", IDs: "elsewhere"}
	_, err := h.service.Receive(h.Context(), revoke.Actor{}, src, revoke.Event{SenderID: "lift", Signals: []revoke.Signal{{Kind: revoke.Reactivated, Subject: who, OccurredAt: h.store.Clock().Now()}}})
	return err
}

// A deletion is believed while the API is down, about the address that was read before.
func TestBambooDeletes(t *testing.T) {
	t.Parallel()
	h := newHR(t, "bamboohr", "UTC")
	h.bamboo("Active", "0000-00-00")
	h.read("employee.created")
	h.api.set(func(p *personnel) { p.fail = http.StatusInternalServerError })
	h.tell("employee.updated", "") // waits for the API
	h.until("it was tried", 0, func() bool { return h.attempts() > 0 })
	h.tell("employee.deleted", "")
	h.until("it is decided", 0, h.quiet)
	h.out(true, "deleted")
}

func TestBobSaysWhatHappened(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		status, stage string
		word          string
		signal        revoke.SignalKind
	}{
		"left":          {"Inactive", "terminated", "employee.left", revoke.Terminated},
		"lags behind":   {"Active", "employed", "employee.left", revoke.Terminated},
		"garden leave":  {"Active", "garden leave", "employee.left", revoke.Terminated},
		"cut":           {"Active", "employed", "employee.access.revoked.immediately", revoke.Terminated},
		"on leave":      {"Inactive", "parentalLeave", "employee.inactivated", revoke.Suspended},
		"updated: left": {"Inactive", "Terminated", "employee.updated", revoke.Terminated},
		"updated: away": {"Inactive", "unpaidLeave", "employee.updated", revoke.Suspended},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHR(t, "hibob", "UTC")
			h.bob(c.status, c.stage, nil)
			phone := h.signIn("sally", "", "")
			ev := h.read(c.word)
			if h.live(phone) || len(ev.Decided.Revocations) != 1 || ev.Decided.Revocations[0].Signal != c.signal {
				t.Errorf("sally is live: %v; %+v", h.live(phone), ev)
			}
			h.out(true, what)
			h.bob("Active", "employed", nil)
			h.read("employee.activated")
			h.out(what == "cut", "activated")
			h.read("employee.joined")
			h.out(false, "hired again")
			if h.live(phone) {
				t.Error("a lift revived a session")
			}
		})
	}
}

// A return that HiBob's API does not bear out lifts nothing, and no other read lifts what it did not see.
func TestBobLiftsOnlyWhatIsTrue(t *testing.T) {
	t.Parallel()
	h := newHR(t, "hibob", "UTC")
	h.bob("Inactive", "terminated", "2026-11-20")
	h.read("employee.left")
	h.read("employee.activated")
	h.out(true, "activated, while the API says that the person left")
	h.api.set(func(p *personnel) { delete(p.people, "1042") })
	h.read("employee.joined")
	h.out(true, "joined, while the API knows nobody")
}

func TestBobWhileItsAPIIsDown(t *testing.T) {
	t.Parallel()
	h := newHR(t, "hibob", "UTC")
	h.api.set(func(p *personnel) { p.fail = http.StatusBadGateway })
	h.tell("employee.left", "")
	h.until("it was tried", 0, func() bool { return h.attempts() > 0 })
	h.out(false, "whom it means is not known")
	h.bob("Active", "employed", nil)
	h.api.set(func(p *personnel) { p.fail = 0 })
	h.until("it is read", time.Second, h.quiet)
	h.out(true, "once the API answers")

	h = newHR(t, "hibob", "UTC")
	h.bob("Active", "employed", "2026-12-24")
	h.read("employee.created")
	h.api.set(func(p *personnel) { p.fail = http.StatusBadGateway })
	h.tell("employee.access.revoked.immediately", "")
	h.until("it is decided", 0, h.quiet)
	h.out(true, "about the address that was read before")
	h.api.set(func(p *personnel) { p.fail = 0 })
	h.read("employee.activated")
	h.out(true, "what was cut stays cut")
}

func TestBobDeletes(t *testing.T) {
	t.Parallel()
	h := newHR(t, "hibob", "UTC")
	h.tell("employee.deleted", `,"email":"sally@example.edu"`)
	h.until("it is decided", 0, h.quiet)
	h.out(true, "deleted, by the address in the message")
	if h.api.asked != 0 {
		t.Errorf("asked %d times for what is deleted", h.api.asked)
	}
}

func TestHRSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for typ, credential := range map[string]string{"bamboohr": "key", "hibob": "token"} {
		is, _ := webhooks.Lookup(typ)
		own := hrSettings(typ, "http://hr.example.edu")
		setSecrets(own, []revoke.Secret{revoke.NewSecret("")})
		api := reflect.ValueOf(own).Elem().FieldByName("API").Interface()
		setKey(api, credential, revoke.Secret{})
		_, err := is.Open(revoke.Source{Name: "hr"}, own, webhooks.Deps{Clients: outbound.NewMaker(outbound.Config{})})
		for _, want := range []string{"secrets[0]", "api.url", "api." + credential} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want it to name %s", typ, err, want)
			}
		}
	}
}

func hrAPIFixture(typ string, good map[string]any) apiFixture {
	return apiFixture{
		Open: func(url string, deps webhooks.Deps) (webhooks.Receiver, error) {
			is, _ := webhooks.Lookup(typ)
			return is.Open(revoke.Source{Name: "hr", IDs: "hr"}, hrSettings(typ, url), deps)
		},
		Good:  func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(good) },
		About: "employees/1042",
	}
}

func hrAPIFixtures() map[string]apiFixture {
	return map[string]apiFixture{
		"bamboohr": hrAPIFixture("bamboohr", map[string]any{"id": "1042", "status": "Inactive", "terminationDate": "2026-11-20"}),
		"hibob":    hrAPIFixture("hibob", map[string]any{"id": "1042", "internal": map[string]any{"status": "Inactive"}}),
	}
}
