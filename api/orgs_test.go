package api_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/api"
	"curfew/revoke"
)

// estate is what one org has, for another to reach for.
type estate struct {
	*bundle
	user, session, revocation, event, alarm string
}

// secretReason stands in the estate alone.
const secretReason = "a reason that only its own org reads"

// neighbours starts a server with two orgs whose tokens have the same scopes and whose applications have the same name.
func neighbours(t *testing.T) *estate {
	t.Helper()
	l := &letterbox{taught: map[string]revoke.SignalKind{"fired": revoke.Terminated, "promoted": revoke.RiskRaised}}
	b := start(t, withLetters(l), withSystems, func(cfg *api.Config) {
		cfg.Tokens = slices.DeleteFunc(cfg.Tokens, func(tok api.Token) bool { return tok.Name == "abroad" })
		for _, tok := range tokens() {
			if tok.Name == "ops" || tok.Name == "portal" || tok.Name == "soc" {
				tok.Name += " abroad"
				tok.Hashes, tok.Source.Name, tok.Source.Authority, tok.Source.Org = hashesOf(tok.Name), tok.Name, tok.Name, "college"
				if tok.Source.IDs = "ids-of-portal"; strings.HasPrefix(tok.Name, "ops") {
					tok.Source.IDs = "" // an opaque id is one of ours
				}
				cfg.Tokens = append(cfg.Tokens, tok)
			}
		}
		cfg.Senders[1].Name = "hr abroad"
	})
	e := &estate{bundle: b}
	e.session = b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "aliases", "identifiers": [`+sally+`, {"format": "opaque", "id": "1042"}]}, "kind": "mobile", "id": "phone", "token": "phone-token", "device": {"id": "ipad-17"}, "sid": "sid-1"}`), 201).text("curfew_id")
	e.user = b.want("look up", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.id")
	e.revocation = b.want("end another", b.as("ops", "POST", "/v1/revocations", `{"scope": "session", "app": "portal", "session": "`+e.also("laptop")+`", "reason": "`+secretReason+`"}`), 201).text("id")
	e.event = b.post(l, letter{"1", "unheard of", "sally@example.edu"})[0]
	if err := b.service.Raise(t.Context(), revoke.AlarmKey{Org: "main", Kind: revoke.AlarmParked, About: "canvas"}, "look"); err != nil {
		t.Fatal(err)
	}
	b.want("schedule", b.as("ops", "POST", "/v1/schedules", `{"name": "summer", "scope": "everyone", "when": {"yearly": "08-15"}, "reason": "x"}`), 201)
	e.alarm = b.want("alarms", b.as("ops", "GET", "/v1/alarms?kind=parked", ""), 200).text("items.id")
	return e
}

// also registers one more session.
func (e *estate) also(id string) string {
	e.want("register", e.as("portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "id": "`+id+`", "token": "`+id+`-token"}`), 201)
	return id
}

// itsOwnLook is when the admin's token was heard last, which looking changes.
var itsOwnLook = regexp.MustCompile(`("name":"ops",[^{}]*)"last_heard":"[^"]*",`)

// inventory is all that the estate's own admin sees.
func (e *estate) inventory() string {
	var all strings.Builder
	for _, path := range []string{
		"/v1/sessions", "/v1/users", "/v1/users/" + e.user, "/v1/users/" + e.user + "/timeline", "/v1/deliveries", "/v1/events", "/v1/alarms?all=true", "/v1/sources",
		"/v1/targets", "/v1/schedules/summer", "/v1/revocations/" + e.revocation, "/v1/why?token=phone-token",
	} {
		all.WriteString(e.want(path, e.as("ops", "GET", path, ""), 200).body + "\n")
	}
	return itsOwnLook.ReplaceAllString(all.String(), "${1}")
}

// TestNoDoorLeadsToAnotherOrg tries every route that there is with a token of another org: it sees nothing of the estate and
// changes nothing there.
func TestNoDoorLeadsToAnotherOrg(t *testing.T) {
	t.Parallel()
	type attempt struct {
		token, path, body string // path with {user}, {session}, ... of the estate
		status            int
	}
	admin := func(path, body string, status int) attempt { return attempt{"ops abroad", path, body, status} }
	attempts := map[string][]attempt{
		"POST /v1/sessions": {
			{"portal abroad", "/v1/sessions", `{"subject": ` + sally + `, "kind": "mobile", "id": "phone", "token": "phone-token"}`, 201}, // its own Sally
		},
		"GET /v1/sessions":                {{"portal abroad", "/v1/sessions", "", 200}, {"portal abroad", "/v1/sessions?email=sally@example.edu", "", 200}, {"portal abroad", "/v1/sessions?id={user}", "", 200}, admin("/v1/sessions?q=sally", "", 200)},
		"GET /v1/sessions/:id":            {{"portal abroad", "/v1/sessions/laptop", "", 404}, {"portal abroad", "/v1/sessions/{session}", "", 404}, admin("/v1/sessions/{session}", "", 404)},
		"DELETE /v1/sessions/:id":         {{"portal abroad", "/v1/sessions/laptop", "", 404}, {"portal abroad", "/v1/sessions/{session}", "", 404}, admin("/v1/sessions/{session}?app=portal", "", 404)},
		"POST /v1/check":                  {{"portal abroad", "/v1/check", `[{"subject": ` + sally + `, "iat": 1, "kind": "mobile", "session": "laptop", "device": {"id": "ipad-17"}}]`, 200}},
		"POST /v1/signals":                {{"portal abroad", "/v1/signals", `{"signal": "suspended", "subject": {"format": "opaque", "id": "1042"}}`, 201}, admin("/v1/signals", `{"signal": "suspended", "subject": {"format": "opaque", "id": "{user}"}}`, 201), admin("/v1/signals", `{"signal": "sessions-cleared", "session": "{session}"}`, 404), admin("/v1/signals", `{"signal": "device-lost", "device": {"id": "ipad-17"}}`, 201)},
		"POST /v1/links":                  {{"portal abroad", "/v1/links", `{"subject": ` + sally + `}`, 201}},
		"POST /v1/revocations":            {admin("/v1/revocations", `{"scope": "everyone", "reason": "x"}`, 201), admin("/v1/revocations", `{"scope": "app", "app": "portal", "reason": "x"}`, 201), admin("/v1/revocations", `{"scope": "kind", "kind": "mobile", "reason": "x"}`, 201), admin("/v1/revocations", `{"scope": "device", "device": {"id": "ipad-17"}, "reason": "x"}`, 201), admin("/v1/revocations", `{"scope": "session", "session": "{session}", "reason": "x"}`, 404), {"soc abroad", "/v1/revocations", `{"scope": "session", "session": "phone", "app": "portal", "reason": "x"}`, 201}, admin("/v1/revocations", `{"scope": "user", "block": true, "subject": {"format": "opaque", "id": "{user}"}, "reason": "x"}`, 201)},
		"GET /v1/revocations/:id":         {admin("/v1/revocations/{revocation}", "", 404)},
		"POST /v1/revocations/:id/pause":  {admin("/v1/revocations/{revocation}/pause", why, 404)},
		"POST /v1/revocations/:id/resume": {admin("/v1/revocations/{revocation}/resume", why, 404)},
		"POST /v1/revocations/:id/stop":   {admin("/v1/revocations/{revocation}/stop", why, 404)},
		"GET /v1/users":                   {admin("/v1/users", "", 200), admin("/v1/users?email=sally@example.edu", "", 200), admin("/v1/users?id={user}", "", 200), admin("/v1/users?q=sally", "", 200)},
		"GET /v1/users/:id":               {admin("/v1/users/{user}", "", 404)},
		"GET /v1/users/:id/timeline":      {admin("/v1/users/{user}/timeline", "", 404)},
		"POST /v1/users/:id/block":        {admin("/v1/users/{user}/block", why, 404)},
		"POST /v1/users/:id/lift":         {admin("/v1/users/{user}/lift", why, 404)},
		"POST /v1/users/:id/split":        {admin("/v1/users/{user}/split", `{"with": "{user}", "reason": "x"}`, 404)},
		"GET /v1/deliveries":              {admin("/v1/deliveries", "", 200), admin("/v1/deliveries?revocation={revocation}", "", 200), admin("/v1/deliveries?user={user}", "", 200), admin("/v1/deliveries?target=canvas", "", 200)},
		"GET /v1/deliveries/:id":          {admin("/v1/deliveries/{revocation}:canvas", "", 404)},
		"POST /v1/deliveries/retry":       {admin("/v1/deliveries/retry", `{"target": "canvas"}`, 200), admin("/v1/deliveries/retry", `{"user": "{user}"}`, 200)},
		"POST /v1/deliveries/:id/retry":   {admin("/v1/deliveries/{revocation}:canvas/retry", "", 404)},
		"POST /v1/deliveries/:id/drop":    {admin("/v1/deliveries/{revocation}:canvas/drop", why, 404)},
		"GET /v1/events":                  {admin("/v1/events", "", 200), admin("/v1/events?source=hr", "", 200), admin("/v1/events?state=unknown", "", 200)},
		"GET /v1/events/:id":              {admin("/v1/events/{event}", "", 404)},
		"POST /v1/events/:id/replay":      {admin("/v1/events/{event}/replay", "", 404), admin("/v1/events/{event}/replay", `{"dry_run": true}`, 404)},
		"GET /v1/sources":                 {admin("/v1/sources", "", 200)},
		"POST /v1/sources/:name/retire":   {admin("/v1/sources/hr/retire", `{"reason": "x"}`, 404), admin("/v1/sources/hr%20abroad/retire", `{"to": "portal", "reason": "x"}`, 422)},
		"POST /v1/sources/:name/try":      {admin("/v1/sources/hr/try", "[]", 404)},
		"GET /v1/targets":                 {admin("/v1/targets", "", 200)},
		"POST /v1/targets/:name/pause":    {admin("/v1/targets/canvas/pause", why, 404)},
		"POST /v1/targets/:name/resume":   {admin("/v1/targets/canvas/resume", why, 404)},
		"POST /v1/targets/:name/check":    {admin("/v1/targets/canvas/check", "", 404)},
		"GET /v1/held":                    {admin("/v1/held", "", 200), admin("/v1/held?all=true&source=hr", "", 200)},
		"POST /v1/held/approve":           {admin("/v1/held/approve", `{"source": "hr"}`, 403)},
		"POST /v1/held/reject":            {admin("/v1/held/reject", `{"source": "hr"}`, 403)},
		"POST /v1/held/:id/approve":       {admin("/v1/held/{event}/approve", why, 403)},
		"POST /v1/held/:id/reject":        {admin("/v1/held/{event}/reject", why, 403)},
		"GET /v1/policies":                {admin("/v1/policies", "", 200)},
		"GET /v1/policies/:kind":          {admin("/v1/policies/desktop", "", 404)},
		"PUT /v1/policies/:kind":          {admin("/v1/policies/device", `{"max_age": "1d"}`, 200)},
		"DELETE /v1/policies/:kind":       {admin("/v1/policies/desktop", "", 404)},
		"GET /v1/schedules":               {admin("/v1/schedules", "", 200)},
		"GET /v1/schedules/:name":         {admin("/v1/schedules/summer", "", 404)},
		"POST /v1/schedules":              {admin("/v1/schedules", `{"name": "autumn", "scope": "kind", "kind": "api", "when": {"every_days": 3, "from": "2027-01-01"}, "reason": "x"}`, 201)},
		"POST /v1/schedules/:name/skip":   {admin("/v1/schedules/winter/skip", why, 404)},
		"DELETE /v1/schedules/:name":      {admin("/v1/schedules/winter", "", 404)},
		"GET /v1/alarms":                  {admin("/v1/alarms", "", 200), admin("/v1/alarms?all=true&kind=parked", "", 200)},
		"POST /v1/alarms/:id/clear":       {admin("/v1/alarms/{alarm}/clear", "", 404)},
		"GET /v1/why":                     {admin("/v1/why?session={session}", "", 404), admin("/v1/why?session=laptop&app=portal", "", 404), admin("/v1/why?token=laptop-token", "", 404), admin("/v1/why?subject=sally@example.edu", "", 200), admin("/v1/why?subject="+url.QueryEscape(`{"format": "opaque", "id": "`)+"{user}"+url.QueryEscape(`"}`), "", 200)},
		"POST /oauth2/introspect":         {{"portal abroad", "/oauth2/introspect", "token=laptop-token", 200}, {"ops abroad", "/oauth2/introspect", "token=laptop-token", 200}},
		"POST /oauth2/revoke":             {{"portal abroad", "/oauth2/revoke", "token=laptop-token", 200}, {"ops abroad", "/oauth2/revoke", "token=laptop-token", 200}},
	}
	e := neighbours(t)
	tried := map[string]bool{}
	for _, route := range e.app.Routes() {
		what := route.Method + " " + route.Path
		if !strings.HasPrefix(route.Path, "/v1/") && !strings.HasPrefix(route.Path, "/oauth2/") {
			continue // answers nobody about people, or by a proof that is the org's own: tested where it is mounted
		}
		if tried[what] = true; route.Method != "HEAD" && attempts[what] == nil {
			t.Errorf("%s is a route, and nobody tries it from another org: add it to the table", what)
		}
	}
	for what := range attempts {
		if !tried[what] {
			t.Errorf("%s is in the table and no route", what)
		}
	}
	fill := strings.NewReplacer("{user}", e.user, "{session}", e.session, "{revocation}", e.revocation, "{event}", e.event, "{alarm}", e.alarm)
	before := e.inventory()
	for what, all := range attempts {
		method, _, _ := strings.Cut(what, " ")
		for _, try := range all {
			path, body := fill.Replace(try.path), fill.Replace(try.body)
			var got reply
			if strings.HasPrefix(path, "/oauth2/") {
				got = e.form(try.token, path, body)
			} else {
				got = e.as(try.token, method, path, body)
			}
			if got.status != try.status {
				t.Errorf("%s %s %s: got %d %s, want %d", method, path, body, got.status, got.body, try.status)
			}
			for _, mark := range []string{e.user, e.session, e.revocation, e.event, e.alarm, secretReason, "sid-1", `"active":true`} {
				if strings.Contains(got.body, mark) && !strings.Contains(path+body, mark) {
					t.Errorf("%s %s shows %q of another org: %s", method, path, mark, got.body)
				}
			}
			if after := e.inventory(); after != before {
				t.Errorf("%s %s %s changed what another org has:\n%s", method, path, body, difference(before, after))
				before = after
			}
		}
	}
}

// difference returns the lines that differ.
func difference(before, after string) string {
	var out strings.Builder
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range was {
		if i < len(is) && was[i] != is[i] {
			_, _ = fmt.Fprintf(&out, "was %s\nis  %s\n", was[i], is[i])
		}
	}
	return out.String()
}
