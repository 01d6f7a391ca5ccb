package console_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"curfew/api"
	"curfew/api/console"
	"curfew/revoke"
	"curfew/revoke/revoketest"
)

const opsSecret = "ops-secret-0123456789"

// office is the console before a whole API over a store in memory, and who sits at it.
type office struct {
	t       *testing.T
	store   *revoketest.Memory
	console *console.Console
	service *revoke.Service
	app     *api.App
	client  http.Client
	url     string
	who     revoke.SignIn
}

// Who is whoever the office says.
func (o *office) Who(*http.Request) (revoke.SignIn, error) { return o.who, nil }

// FormToken is what every form carries.
func (o *office) FormToken(*http.Request) string { return "form-token" }

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, store: revoketest.NewMemory(), who: revoke.SignIn{Session: revoke.ID{1}, Org: "main", Name: "ada@example.edu", Roles: []revoke.Role{revoke.RoleAdmin}}}
	o.who.ProvedAt = o.store.Clock().Now()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	service, err := revoke.New(revoke.Config{Store: o.store, Log: log, Targets: []revoke.TargetName{{Name: "canvas", Org: "main"}}})
	if err != nil {
		t.Fatalf("make the core: %v", err)
	}
	if err := service.Load(t.Context()); err != nil {
		t.Fatalf("read the view: %v", err)
	}
	app, err := api.New(api.Config{Service: service, Store: o.store, Clock: o.store.Clock(), Log: log, Version: "test", Systems: []api.System{{Name: "canvas", Type: "canvas", Org: "main"}}, Tokens: []api.Token{{
		Name: "ops", Scopes: []string{"admin"}, Hashes: [][sha256.Size]byte{sha256.Sum256([]byte(opsSecret))}, Source: revoke.Source{Name: "ops", Org: "main", Type: "token", Authority: "ops"},
	}}})
	if err != nil {
		t.Fatalf("make the API: %v", err)
	}
	o.service, o.app = service, app
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	o.url = "http://" + ln.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- app.Serve(ln) }()
	t.Cleanup(func() {
		o.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := app.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	o.console, err = console.New(console.Config{
		SignIns: o, API: app.Ask, Service: service, Store: o.store, Clock: o.store.Clock(), PublicURL: "http://curfew.test", PasswordURL: "https://id.example.edu/password", Log: log,
	})
	if err != nil {
		t.Fatalf("make the console: %v", err)
	}
	return o
}

// api asks the API as an admin's token does.
func (o *office) api(ctx context.Context, _ revoke.SignIn, method, path string, body []byte) (int, []byte) {
	r, err := http.NewRequestWithContext(ctx, method, o.url+path, bytes.NewReader(body))
	if err != nil {
		o.t.Errorf("%s %s: %v", method, path, err)
		return http.StatusInternalServerError, nil
	}
	r.Header.Set("Authorization", "Bearer "+opsSecret)
	resp, err := o.client.Do(r)
	if err != nil {
		o.t.Errorf("%s %s: %v", method, path, err)
		return http.StatusInternalServerError, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		o.t.Errorf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, text
}

// order does something by the API and returns a member of the answer.
func (o *office) order(path, body, member string) string {
	o.t.Helper()
	status, text := o.api(o.t.Context(), revoke.SignIn{}, http.MethodPost, path, []byte(body))
	var said map[string]any
	if err := json.Unmarshal(text, &said); err != nil || status > 299 {
		o.t.Fatalf("POST %s: got %d %s", path, status, text)
	}
	value, _ := said[member].(string)
	return value
}

// page opens a page and returns its text.
func (o *office) page(status int, method, path string, form url.Values) (text, location string) {
	o.t.Helper()
	var body io.Reader
	if form != nil {
		form.Set("form", "form-token")
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(o.t.Context(), method, path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	o.console.ServeHTTP(w, r)
	if w.Code != status {
		o.t.Fatalf("%s %s: got %d, want %d", method, path, w.Code, status)
	}
	return w.Body.String(), w.Header().Get("Location")
}

func (o *office) has(what, page string, words ...string) {
	o.t.Helper()
	plain := html.UnescapeString(page)
	for _, word := range words {
		if !strings.Contains(plain, word) {
			o.t.Errorf("%s: %q is not on the page:\n%s", what, word, plain[strings.Index(plain, "<main"):])
		}
	}
}

// sally registers two sessions of one person and returns who it is.
func (o *office) sally() string {
	o.t.Helper()
	const subject = `"subject": {"format": "email", "email": "sally@example.edu"}`
	o.order("/v1/sessions", `{`+subject+`, "kind": "browser", "app": "library", "id": "laptop"}`, "user")
	return o.order("/v1/sessions", `{`+subject+`, "kind": "mobile", "app": "canvas", "id": "phone", "device": {"id": "ipad-17", "name": "Sally's <b>iPad</b>"}}`, "user")
}

var link = regexp.MustCompile(`href="(/console/[^"]+)">Why\?`)

// TestFromANameToWhyInThreeClicks: search, the person, and there the link to the sentence.
func TestFromANameToWhyInThreeClicks(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	user := o.sally()
	o.order("/v1/users/"+user+"/block", `{"reason": "suspended for bullying"}`, "id")

	_, at := o.page(303, "GET", "/console/find?q=sall", nil) // the one whom it finds
	if at != "/console/people/"+user {
		t.Fatalf("the search box leads to %q, want sally's page", at)
	}
	text, _ := o.page(200, "GET", at, nil)
	o.has("the person's page", text, "sally@example.edu", "Blocked by admin since", "Nothing of theirs is live.", "Signed in to canvas on Sally's <b>iPad</b>", "suspended for bullying", "canvas is owed it")
	if strings.Contains(text, "<b>iPad</b>") {
		t.Error("a device's name was taken for markup")
	}
	found := link.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no link to why on the person's page: %s", text)
	}
	text, _ = o.page(200, "GET", found[1], nil)
	o.has("why", text, `id="sentence"`, "sally@example.edu was blocked and every session of theirs ended at", "because ops ordered it: suspended for bullying; 0 of 1 targets are done, 1 still owed.")
}

func TestSearchByOneBox(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	user := o.sally()
	o.order("/v1/sessions", `{"subject": {"format": "email", "email": "sam@example.edu"}, "kind": "browser", "app": "library", "id": "other"}`, "user")
	for q, want := range map[string]string{"sally@example.edu": "/console/people/" + user, user: "/console/people/" + user, "sa": "/console/people?q=sa", "phone": "/console/why?session=phone", "nobody": "/console/people?q=nobody"} {
		if _, at := o.page(303, "GET", "/console/find?q="+q, nil); at != want {
			t.Errorf("the box with %q leads to %q, want %q", q, at, want)
		}
	}
	text, _ := o.page(200, "GET", "/console/people?q=sa", nil)
	o.has("two people", text, "sally@example.edu", "sam@example.edu", "Nobody is known by exactly")
	text, _ = o.page(200, "GET", "/console/people?q=nobody", nil)
	o.has("nobody", text, "Nobody is known by “nobody”. Try another")
	text, _ = o.page(200, "GET", "/console/people?q=sa&format=csv", nil)
	if !strings.HasPrefix(text, "id,user_name,email") || strings.Count(text, "\n") != 3 {
		t.Errorf("the list as CSV: %s", text)
	}
}

func TestOrdersAboutOnePerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	user := o.sally()
	at := "/console/people/" + user
	live := func() string {
		_, text := o.api(t.Context(), revoke.SignIn{}, "GET", "/v1/users/"+user, nil)
		var p struct {
			Live    int
			Blocked bool
		}
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("read %s: %v", text, err)
		}
		out, _ := json.Marshal(p)
		return string(out)
	}
	text, _ := o.page(200, "GET", at+"/end", nil)
	o.has("before the end", text, "2 live sessions would end here, in canvas and library.")
	text, _ = o.page(422, "POST", at+"/end", url.Values{"reason": {""}})
	o.has("without a reason", text, "reason is missing")
	if got := live(); got != `{"Live":2,"Blocked":false}` {
		t.Errorf("after pages that only look: got %s", got)
	}
	for _, step := range []struct{ act, want string }{{"end", `{"Live":0,"Blocked":false}`}, {"block", `{"Live":0,"Blocked":true}`}, {"lift", `{"Live":0,"Blocked":false}`}} {
		if _, to := o.page(303, "POST", at+"/"+step.act, url.Values{"reason": {"ticket 4711"}}); to != at+"?done="+step.act {
			t.Errorf("%s leads to %q", step.act, to)
		}
		if got := live(); got != step.want {
			t.Errorf("after %s: got %s, want %s", step.act, got, step.want)
		}
	}
	o.who.Roles = []revoke.Role{revoke.RoleViewer}
	text, _ = o.page(200, "GET", at, nil)
	if strings.Contains(text, at+"/block") || strings.Contains(text, at+"/end") {
		t.Error("a viewer is offered what a viewer may not do")
	}
	o.page(403, "POST", at+"/block", url.Values{"reason": {"no"}})
	if got := live(); got != `{"Live":0,"Blocked":false}` {
		t.Errorf("a viewer's order: got %s", got)
	}
}

func TestWhyIsItDeadOrNot(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	token := o.order("/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "app": "library", "id": "laptop", "token": "new"}`, "token")
	text, _ := o.page(200, "GET", "/console/why?session=laptop", nil)
	o.has("a live session", text, "Live", "no cutoff covers it")
	o.order("/v1/revocations", `{"scope": "session", "session": "laptop", "reason": "left open"}`, "id")
	text, _ = o.page(200, "POST", "/console/why", url.Values{"token": {token}})
	o.has("a token", text, "One session of sally@example.edu ended at", "ops ordered it: left open")
	if strings.Contains(text, token) {
		t.Error("the page shows the token again")
	}
	text, _ = o.page(200, "GET", "/console/why?subject=sally@example.edu&at=2026-01-01T00:00", nil)
	o.has("a person", text, "A session that began")
	text, _ = o.page(404, "GET", "/console/why?session=nothing", nil)
	o.has("nothing", text, "No application has told us of it")
	text, _ = o.page(422, "GET", "/console/why?subject=sally", nil)
	o.has("no address", text, "neither an e-mail address nor an object")
}

func TestSchedulesArePreviewedKeptSkippedAndRemoved(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.sally()
	text, _ := o.page(200, "GET", "/console/schedules", nil)
	o.has("no schedule", text, "Nothing is ordered for later.")
	form := func(do string) url.Values {
		return url.Values{"do": {do}, "name": {"summer"}, "scope": {"kind"}, "kind": {"mobile"}, "how": {"yearly"}, "yearly": {"12-15"}, "reason": {"new school year"}}
	}
	text, _ = o.page(200, "POST", "/console/schedules", form("try"))
	o.has("the preview", text, "would run", "15 December", "would end 1 session of today", "15 December 2027", "would end 0 sessions of today")
	text, _ = o.page(200, "GET", "/console/schedules", nil)
	o.has("after a preview", text, "Nothing is ordered for later.")
	o.page(303, "POST", "/console/schedules", form("keep"))
	text, _ = o.page(200, "GET", "/console/schedules", nil)
	o.has("one schedule", text, "summer", "new school year", "15 December")
	text, _ = o.page(422, "POST", "/console/schedules", url.Values{"do": {"keep"}, "name": {"bad"}, "scope": {"everyone"}, "how": {"yearly"}, "yearly": {"13-45"}, "reason": {"x"}})
	o.has("no such day", text, "when.yearly")
	o.page(303, "POST", "/console/schedules/summer/skip", url.Values{"reason": {"exams"}})
	text, _ = o.page(200, "GET", "/console/schedules", nil)
	o.has("after a skip", text, "15 December 2027")
	o.page(303, "POST", "/console/schedules/summer/remove", url.Values{})
	text, _ = o.page(200, "GET", "/console/schedules", nil)
	o.has("removed", text, "Nothing is ordered for later.")
}

// TestWhatIsHeldIsDecidedByAnother: with approvals: 2 an order for everyone waits for somebody who did not ask for it.
func TestWhatIsHeldIsDecidedByAnother(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	user := o.sally()
	o.service.SetBrake(revoke.Brake{Approvals: 2})
	at := "/console/people/" + user
	status, text := o.app.Ask(t.Context(), o.who, "POST", "/v1/revocations", []byte(`{"scope": "everyone", "reason": "a leak"}`))
	if status > 299 {
		t.Fatalf("order for everyone: got %d %s", status, text)
	}
	page, _ := o.page(200, "GET", "/console/held", nil)
	o.has("what waits", page, "ada@example.edu", "a leak")
	found := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
	if found != nil {
		t.Error("an admin who is no approver is offered to approve")
	}
	o.who.Roles = append(o.who.Roles, revoke.RoleApprover)
	page, _ = o.page(200, "GET", "/console/held", nil)
	if found = regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page); found == nil {
		t.Fatalf("an approver is offered nothing: %s", page)
	}
	order := url.Values{"id": {found[1]}, "do": {"approve"}, "reason": {"agreed"}}
	page, _ = o.page(403, "POST", "/console/held", order)
	o.has("who asked", page, "Takes another person")
	o.who.Name, o.who.Session, o.who.Roles = "bob@example.edu", revoke.ID{2}, []revoke.Role{revoke.RoleApprover}
	o.page(303, "POST", "/console/held", order)
	page, _ = o.page(200, "GET", at, nil)
	o.has("after the approval", page, "signed in nowhere that we know of")
}

// TestPagesOfWhatHappens opens the lists with something in them.
func TestPagesOfWhatHappens(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	user := o.sally()
	event := o.order("/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "reason": "stolen phone"}`, "event")
	for path, words := range map[string][]string{
		"/console":                                     {"1 target needs attention", "canvas", "Not in this version"},
		"/console/events":                              {"sessions-cleared", "decided", "sessions cleared: ended, 2 sessions"},
		"/console/events?state=held":                   {"Nothing was received that fits"},
		"/console/events/" + event:                     {"ops said sessions-cleared", "stolen phone", "Why?"},
		"/console/sources":                             {"ops", "Rules in force"},
		"/console/alarms":                              {"No alarm stands."},
		"/console/people/" + user + "/sessions":        {"laptop", "Over"},
		"/console/people/" + user + "?cursor=nonsense": nil,
	} {
		status := 200
		if words == nil {
			status = 422
		}
		text, _ := o.page(status, "GET", path, nil)
		o.has(path, strings.ReplaceAll(strings.ReplaceAll(text, "<bdi>", ""), "</bdi>", ""), words...)
	}
	text, _ := o.page(200, "POST", "/console/events/"+event+"/replay", url.Values{"do": {"try"}})
	o.has("a replay as a dry run", text, "Read again today:</b> decided")
	o.who.Roles = []revoke.Role{revoke.RoleViewer}
	text, _ = o.page(200, "GET", "/console/events/"+event, nil)
	o.has("a viewer", text, "not for your role to see")
	if strings.Contains(text, "stolen phone") {
		t.Error("a viewer sees what was sent")
	}
}
