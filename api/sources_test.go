package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"curfew/api"
	"curfew/revoke"
)

// named returns an item of a list by its name.
func named(t *testing.T, list reply, name string) map[string]any {
	t.Helper()
	var page struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(list.body), &page); err != nil {
		t.Fatalf("read %s: %v", list.body, err)
	}
	for _, item := range page.Items {
		if item["name"] == name {
			return item
		}
	}
	return nil
}

func TestSourcesAreShownWithWhatTheySaid(t *testing.T) {
	t.Parallel()
	l := &letterbox{taught: map[string]revoke.SignalKind{"fired": revoke.Terminated}}
	b := start(t, withLetters(l), func(cfg *api.Config) {
		cfg.Senders[0].Rules = map[revoke.SignalKind]revoke.Rule{revoke.Locked: {Cut: revoke.AtReceipt, Block: revoke.SetBlock, Class: revoke.ClassLocked}}
	})
	b.post(l, letter{"1", "fired", "sally@example.edu"}, letter{"2", "promoted", "tom@example.edu"})
	last := b.post(l, letter{"3", "promoted", "tom@example.edu"})[0]
	list := b.want("list", b.as("ops", "GET", "/v1/sources", ""), 200)
	hr := named(t, list, "hr")
	if hr == nil || hr["type"] != "letters" || hr["authority"] != "hr" || hr["scopes"] != nil || hr["learn"] != true || hr["built"] != true || hr["last_heard"] == nil {
		t.Fatalf("hr: %v", hr)
	}
	if hr["state"] != "learning" || hr["usual_gap"] != nil || hr["silent_after"] != nil || hr["health"] == nil || len(hr["health"].([]any)) != 0 {
		t.Errorf("hr, heard three times: %v", hr)
	}
	for name, state := range map[string]string{"sap": "never", "library": "never", "ops": "learning", "directory": "never"} {
		if s := named(t, list, name); s["state"] != state || (s["last_heard"] == nil) != (state == "never") {
			t.Errorf("%s: %v, want %s", name, s, state)
		}
	}
	b.as("directory", "GET", "/scim/v2/Users", "")
	b.as("directory", "GET", "/v1/users", "") // beyond its scope: it proved who it is all the same, and says nothing
	if s := named(t, b.want("list", b.as("ops", "GET", "/v1/sources", ""), 200), "directory"); s["state"] != "learning" || s["last_heard"] == nil {
		t.Errorf("a directory that looked something up: %v", s)
	}
	unknown := hr["unknown"].([]any)
	if len(unknown) != 1 || unknown[0].(map[string]any)["type"] != "promoted" || unknown[0].(map[string]any)["count"] != 2.0 || unknown[0].(map[string]any)["sample"] != last {
		t.Errorf("unknown: %v, want promoted twice, the last in %s", unknown, last)
	}
	rules := hr["rules"].([]any)
	if len(rules) != len(revoke.SignalKinds()) {
		t.Errorf("%d rules, want one a signal", len(rules))
	}
	for _, each := range rules {
		rule := each.(map[string]any)
		changed := rule["signal"] == "locked"
		if rule["changed"] != changed || changed && (rule["cut"] != "receipt" || rule["block"] != "set") || rule["signal"] == "risk-raised" && (rule["cut"] != "never" || rule["block"] != "keep") {
			t.Errorf("rule %v", rule)
		}
	}
	if sap := named(t, list, "sap"); sap == nil || sap["built"] != false || sap["last_heard"] != nil {
		t.Errorf("a source whose type is not built: %v", sap)
	}
	if portal := named(t, list, "portal"); portal == nil || portal["app"] != "portal" || len(portal["scopes"].([]any)) != 2 || portal["authority"] != "portal" {
		t.Errorf("a token: %v", portal)
	}
	if ops := named(t, list, "ops"); ops == nil || ops["authority"] != revoke.AdminAuthority {
		t.Errorf("an admin's token: %v", ops)
	}
	for _, silent := range []string{"gateway", "edge", "meter", "hr-abroad", "abroad"} {
		if named(t, list, silent) != nil {
			t.Errorf("%s sends us nothing, and is listed", silent)
		}
	}
	var names []string
	next := ""
	for range 20 {
		page := b.want("page", b.as("ops", "GET", "/v1/sources?limit=1"+next, ""), 200)
		names = append(names, page.text("items.name"))
		if page.text("next") == "" {
			break
		}
		next = "&cursor=" + page.text("next")
	}
	if strings.Join(names, " ") != "both directory hr library ops portal sap soc" {
		t.Errorf("page by page: %v", names)
	}
}

func TestTryReadsAndNothingFollows(t *testing.T) {
	t.Parallel()
	l := &letterbox{taught: map[string]revoke.SignalKind{"fired": revoke.Terminated}}
	b := start(t, withLetters(l))
	b.register("sally@example.edu", "browser", "laptop")
	before := b.done()
	letters := `[{"id": "1", "word": "fired", "email": "sally@example.edu"}, {"id": "2", "word": "fired", "email": "ann@example.edu"}, {"id": "3", "word": "promoted"}]`
	var tried struct{ Items []map[string]any }
	for range 2 {
		got := b.want("try", b.as("ops", "POST", "/v1/sources/hr/try", letters), 200)
		if err := json.Unmarshal([]byte(got.body), &tried); err != nil || len(tried.Items) != 3 {
			t.Fatalf("tried: %s, %v", got.body, err)
		}
		sallys, anns, unknown := tried.Items[0], tried.Items[1], tried.Items[2]
		if sallys["state"] != "decided" || sallys["known"] != true || sallys["user"] == nil || sallys["duplicate"] != false || len(sallys["signals"].([]any)) != 1 {
			t.Errorf("about somebody known: %v", sallys)
		}
		if decision := sallys["revocations"].([]any)[0].(map[string]any); decision["kind"] != "block" || decision["blocked"] != true || decision["id"] != nil {
			t.Errorf("what would follow: %v", decision)
		}
		if anns["state"] != "decided" || anns["known"] != false || anns["user"] != nil || anns["revocations"].([]any)[0].(map[string]any)["user"] != nil {
			t.Errorf("about somebody nobody has seen: %v", anns)
		}
		if unknown["state"] != "unknown" || unknown["note"] == "" || len(unknown["revocations"].([]any)) != 0 {
			t.Errorf("an unknown word: %v", unknown)
		}
	}
	if after := b.done(); after != before {
		t.Errorf("a try wrote: %v, was %v", after, before)
	}
	b.wantLive("after a try", map[string]bool{"laptop": true})
	b.post(l, letter{"1", "fired", "sally@example.edu"})
	if got := b.want("a message that came before", b.as("ops", "POST", "/v1/sources/hr/try", letters), 200); got.member("items.duplicate") != true {
		t.Errorf("it came before: %s", got.body)
	}
	b.want("not in the sender's form", b.as("ops", "POST", "/v1/sources/hr/try", `{}`), 422, "invalid")
	for _, name := range []string{"sap", "portal", "nobody", "hr-abroad", "%00"} {
		b.want("try "+name, b.as("ops", "POST", "/v1/sources/"+name+"/try", letters), 404, "not-found")
	}
	b.want("by nobody who may", b.as("soc", "POST", "/v1/sources/hr/try", letters), 403, "scope")
}

// TestRetiredAuthority moves what hr left behind to another source, then lifts it.
func TestRetiredAuthority(t *testing.T) {
	t.Parallel()
	l := &letterbox{taught: map[string]revoke.SignalKind{"fired": revoke.Terminated}}
	var cfg api.Config
	b := start(t, withLetters(l), func(c *api.Config) { cfg = *c })
	b.post(l, letter{"1", "fired", "sally@example.edu"})
	authority := func() string {
		return b.want("sally", b.as("ops", "GET", "/v1/users?email=sally@example.edu", ""), 200).text("items.because.authority")
	}
	if authority() != "hr" {
		t.Fatalf("blocked by %q", authority())
	}
	b.want("another org's token", b.as("abroad", "POST", "/v1/sources/hr/retire", `{"reason": "x"}`), 404, "not-found")
	b.want("nobody's", b.as("ops", "POST", "/v1/sources/nobody/retire", `{"reason": "x"}`), 404, "not-found")
	if authority() != "hr" {
		t.Errorf("another org's token lifted what hr left behind")
	}
	moved := b.want("move", b.as("ops", "POST", "/v1/sources/hr/retire", `{"to": "sap", "reason": "a new connector"}`), 200)
	if moved.member("people") != 1.0 || moved.text("authority") != "hr" || moved.text("to") != "sap" || authority() != "sap" {
		t.Errorf("moved: %s, blocked by %q", moved.body, authority())
	}
	if again := b.want("move again", b.as("ops", "POST", "/v1/sources/hr/retire", `{"to": "sap", "reason": "a new connector"}`), 200); again.member("people") != 0.0 {
		t.Errorf("moved again: %s", again.body)
	}
	if lifted := b.want("lift", b.as("ops", "POST", "/v1/sources/sap/retire", `{"to": null, "reason": "contract ended"}`), 200); lifted.member("people") != 1.0 || lifted.member("to") != nil || authority() != "" {
		t.Errorf("lifted: %s, blocked by %q", lifted.body, authority())
	}
	abroad := hr()
	abroad.Name, abroad.Authority, abroad.Org = "hr-abroad", "hr-abroad", "college"
	if _, err := b.service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "hr-abroad"}, abroad, l.event("hr-abroad", letter{"9", "fired", "sally@example.edu"})); err != nil {
		t.Fatal(err)
	}
	if own := b.want("another org's own", b.as("abroad", "POST", "/v1/sources/hr-abroad/retire", `{"reason": "x"}`), 200); own.member("people") != 1.0 {
		t.Errorf("another org lifted its own: %s", own.body)
	}
	if err := b.app.Replace(func() api.Config { c := cfg; c.Senders = nil; return c }()); err != nil {
		t.Fatal(err)
	}
	b.post(l, letter{"2", "fired", "sally@example.edu"})
	if gone := b.want("its source is gone from the settings", b.as("ops", "POST", "/v1/sources/hr/retire", `{"reason": "x"}`), 200); gone.member("people") != 1.0 || authority() != "" {
		t.Errorf("gone from the settings: %s, blocked by %q", gone.body, authority())
	}
	if err := b.app.Replace(cfg); err != nil {
		t.Fatal(err)
	}
	for body, field := range map[string]string{
		`{"to": "nobody", "reason": "x"}`: "to", `{"to": "", "reason": "x"}`: "to", `{"to": "admin", "reason": "x"}`: "to", `{"to": "sap"}`: "reason", `{"reason": "x", "from": "hr"}`: "from",
		`{"to": "hr", "reason": "x"}`: "to",
	} {
		if got := b.want(body, b.as("ops", "POST", "/v1/sources/hr/retire", body), 422, "invalid"); got.text("errors.field") != field {
			t.Errorf("%s: %s, want the field %s", body, got.body, field)
		}
	}
	b.want("what admins did", b.as("ops", "POST", "/v1/sources/ops/retire", `{"reason": "x"}`), 422, "invalid")
}
