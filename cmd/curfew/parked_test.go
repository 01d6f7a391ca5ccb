package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// parked shows a delivery that the target will never take, attempt by attempt, and how it ended well after all.
func (p program) parked(t *testing.T, folder, database string) {
	t.Helper()
	var takes atomic.Bool
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "there-17")
		if !takes.Load() {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	t.Cleanup(app.Close)
	file := configure(t, folder, database, app.URL)
	r := p.start(t, file)
	r.signIn(t, "mobile")
	p.steps(t, file, r.base, []step{{"revoke --user " + sally + " --reason x", exitDone, "revocation", ""}})
	named := func(state string) string {
		var found page[struct{ ID string }]
		eventually(t, "the delivery is "+state, func() bool {
			a := r.get("/v1/deliveries?state="+state, "Bearer "+opsToken)
			return a.status == http.StatusOK && json.Unmarshal(a.body, &found) == nil && len(found.Items) == 1
		})
		return found.Items[0].ID
	}
	name := named("parked")
	p.steps(t, file, r.base, []step{
		{"parked list", exitDone, name, ""},
		{"parked show " + name, exitDone, "parked: it waits until somebody types curfew parked retry " + name, ""},
		{"parked show " + name, exitDone, "target portal answered 422", ""},
		{"parked show " + name + " --json", exitDone, `"took_ms"`, ""},
		{"parked show 019aaf3c-5b40-7000-8000-000000000000:portal", exitNotFound, "", "404"},
		{"parked show nothing", exitNotFound, "", "404"},
		{"parked show", exitUsage, "", "<delivery>"},
		{"parked show --help", exitDone, "curfew parked show 019aaf3c", ""},
	})
	takes.Store(true)
	p.steps(t, file, r.base, []step{{"parked retry " + name, exitDone, "due now", ""}})
	if done := named("done"); done != name {
		t.Errorf("delivery %s is done, want %s", done, name)
	}
	p.steps(t, file, r.base, []step{
		{"parked show " + name, exitDone, ": accepted, and the target cannot be asked, status 200, its request there-17", ""},
		{"parked show " + name, exitDone, "target portal answered 422", ""},
	})
}

// What a target said and did is shown in words, and does not move the cursor.
func TestDeliveriesAreShownInWords(t *testing.T) {
	t.Parallel()
	confirmed := &receipt{Evidence: "confirmed", Ended: 2, Status: 200}
	for _, c := range []struct {
		d    delivery
		want string
	}{
		{delivery{State: "due", DueAt: "2026-11-23T10:00:00Z"}, "due at 2026-11-23T10:00:00Z"},
		{delivery{State: "claimed"}, "under way"},
		{delivery{State: "done", DoneAt: "2026-11-23T10:00:00Z", Receipt: confirmed}, "done at 2026-11-23T10:00:00Z: confirmed, it was read back there, 2 ended, status 200"},
		{delivery{State: "done", Receipt: &receipt{Evidence: "nothing there"}}, "nothing was there to end"},
		{delivery{State: "done", Receipt: &receipt{Evidence: "sworn"}}, "sworn"},
		{delivery{State: "done"}, ": nothing"},
		{delivery{State: "resting"}, "resting"},
		{delivery{Attempts: []attempt{{1, "then", 1500, "it says \x1b[2J no", nil}, {2, "later", 3, "", confirmed}}}, "it says ?[2J no"},
		{delivery{Attempts: []attempt{{1, "then", 1500, "no", nil}, {2, "later", 3, "", confirmed}}}, "3 ms     confirmed, it was read back there"},
	} {
		var out, errs bytes.Buffer
		if err := (&shell{out: &out, err: &errs}).showDelivery(&c.d); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%+v: got %v %s, want %q in it", c.d, err, &out, c.want)
		}
		if noted := strings.Contains(errs.String(), "no attempt"); noted != (len(c.d.Attempts) == 0) {
			t.Errorf("%+v: notes %q", c.d, errs.String())
		}
	}
}
