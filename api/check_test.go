package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"curfew/api"
	"curfew/revoke"
)

// asking is a question about a token of somebody's that was issued so long ago, with further members.
func (b *bundle) asking(email string, ago time.Duration, more string) string {
	at := b.store.Clock().Now().Add(-ago)
	return fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "iat": %d.%06d, "kind": "browser"%s}`, email, at/1e6, at%1e6, more)
}

// check asks about tokens and returns a verdict for each: "live", or the sentence why it is dead.
func (b *bundle) check(token string, questions ...string) []string {
	b.t.Helper()
	got := b.want("check", b.as(token, "POST", "/v1/check", "["+strings.Join(questions, ",")+"]"), 200)
	if h := got.header; h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
		b.t.Errorf("the answer's headers are %v", h)
	}
	var verdicts []struct {
		Live    bool
		Because *struct{ Sentence string }
	}
	if err := json.Unmarshal([]byte(got.body), &verdicts); err != nil || len(verdicts) != len(questions) {
		b.t.Fatalf("%d questions were answered %s", len(questions), got.body)
	}
	out := make([]string, len(verdicts))
	for i, v := range verdicts {
		if v.Live != (v.Because == nil) {
			b.t.Errorf("verdict %d: %s", i, got.body)
		}
		if out[i] = "live"; !v.Live {
			out[i] = v.Because.Sentence
		}
	}
	return out
}

func TestCheckAnswersInOrder(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.register("sally@example.edu", "browser", "laptop")
	b.want("end Sally's", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "reason": "x"}`), 201)
	b.want("block Bob", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "bob@example.edu"}, "block": true, "reason": "x"}`), 201)
	b.want("end the iPad's", b.as("ops", "POST", "/v1/revocations", `{"scope": "device", "device": {"id": "ipad-17"}, "reason": "x"}`), 201)
	b.want("end the phones'", b.as("ops", "POST", "/v1/revocations", `{"scope": "kind", "kind": "mobile", "reason": "x"}`), 201)
	for i, c := range []struct{ name, question, want string }{
		{"a stranger's", b.asking("mia@example.edu", time.Minute, ""), "live"},
		{"Sally's from before", b.asking("sally@example.edu", time.Minute, ""), "the user"},
		{"the same in capitals", b.asking("SALLY@Example.edu", time.Minute, ""), "the user"},
		{"Sally's with an old proof", b.asking("sally@example.edu", -time.Second, `, "auth_time": 1500000000`), "the user"},
		{"Bob's", b.asking("bob@example.edu", -time.Second, ""), "blocked"},
		{"on the iPad", b.asking("mia@example.edu", time.Minute, `, "device": {"serial": "none", "id": "ipad-17"}`), "on this device"},
		{"on the iPad, by its id alone", b.asking("mia@example.edu", time.Minute, `, "device": "ipad-17"`), "on this device"},
		{"on another", b.asking("mia@example.edu", time.Minute, `, "device": "ipad-18"`), "live"},
		{"a phone's", strings.Replace(b.asking("mia@example.edu", time.Minute, ""), `"browser"`, `"mobile"`, 1), "of this kind"},
		{"a little ahead", b.asking("mia@example.edu", -1500*time.Millisecond, ""), "live"},
		{"too far ahead", b.asking("mia@example.edu", -time.Minute, ""), "ahead"},
		{"of the last second there is", `{"subject": {"format": "opaque", "id": "7"}, "kind": "api", "iat": 253402300799.9999999}`, "ahead"},
		{"members that are null", b.asking("mia@example.edu", time.Minute, `, "auth_time": null, "session": null, "device": null, "app": null`), "live"},
	} {
		if got := b.check("portal", c.question)[0]; !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if got := b.check("gateway", b.asking("sally@example.edu", time.Minute, ""), c.question, b.asking("eve@example.edu", time.Minute, "")); !strings.Contains(got[0], "the user") ||
			!strings.Contains(got[1], c.want) || got[2] != "live" {
			t.Errorf("%s (%d), between others: got %q", c.name, i, got)
		}
	}
	if got := b.check("portal"); len(got) != 0 {
		t.Errorf("no question: got %q", got)
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = b.asking([]string{"mia", "sally"}[i%2]+"@example.edu", time.Minute, "")
	}
	for i, got := range b.check("portal", many...) {
		if (got == "live") != (i%2 == 0) {
			t.Fatalf("verdict %d of a thousand: %q", i, got)
		}
	}
}

func TestCheckOfOneSession(t *testing.T) {
	t.Parallel()
	b := start(t)
	sally := b.asking("sally@example.edu", time.Minute, "")
	b.want("register", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "id": "s-1"}`), 201)
	of := func(more string) string { return strings.TrimSuffix(sally, "}") + more + "}" }
	for _, c := range []struct{ token, question string }{
		{"portal", of(`, "session": "s-1"`)},
		{"portal", of(`, "session": "s-1", "app": "portal"`)},
		{"gateway", of(`, "session": "s-1", "app": "portal"`)},
		{"gateway", of(`, "session": "s-1"`)},
		{"ops", of(`, "session": "s-1"`)},
	} {
		if got := b.check(c.token, c.question); got[0] != "live" {
			t.Errorf("%s asks %s before the end: %q", c.token, c.question, got)
		}
	}
	b.want("end", b.as("portal", "DELETE", "/v1/sessions/s-1", ""), 200)
	for _, c := range []struct {
		token, question string
		live            bool
	}{
		{"portal", of(`, "session": "s-1"`), false},
		{"gateway", of(`, "session": "s-1", "app": "portal"`), false},
		{"gateway", of(`, "session": "s-1"`), false},
		{"ops", of(`, "session": "s-1"`), false},
		{"library", of(`, "session": "s-1"`), true},
		{"gateway", of(`, "session": "s-1", "app": "library"`), true},
		{"portal", of(`, "session": "s-2"`), true},
		{"portal", sally, true},
	} {
		if got := b.check(c.token, c.question); (got[0] == "live") != c.live {
			t.Errorf("%s asks %s after the end: %q, want live to be %t", c.token, c.question, got, c.live)
		}
	}
}

func TestCheckKeepsAppsAndOrgsApart(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *api.Config) {
		other := api.Token{
			Name: "elsewhere", Scopes: []string{"check"}, App: "*", Hashes: hashesOf("elsewhere"),
			Source: revoke.Source{Name: "elsewhere", Org: "other", Type: "token", Authority: "elsewhere"},
		}
		c.Tokens = append(c.Tokens, other)
	})
	question := b.asking("sally@example.edu", time.Minute, "")
	b.want("end everyone's", b.as("ops", "POST", "/v1/revocations", `{"scope": "everyone", "reason": "x"}`), 201)
	if got := b.check("elsewhere", question); got[0] != "live" {
		t.Errorf("another org's end reaches: %q", got)
	}
	if got := b.check("gateway", question); got[0] == "live" {
		t.Error("everyone's end does not reach")
	}
	library := strings.Replace(question, `"kind"`, `"app": "library", "kind"`, 1)
	b.want("another app's", b.as("portal", "POST", "/v1/check", "["+question+","+library+"]"), 403, "scope")
	for token, status := range map[string]int{"library": 200, "gateway": 200, "ops": 200, "soc": 403, "edge": 403, "directory": 403, "meter": 403} {
		if got := b.as(token, "POST", "/v1/check", "["+library+"]"); got.status != status {
			t.Errorf("%s: got %d %s, want %d", token, got.status, got.body, status)
		}
	}
	b.want("nobody", b.do("POST", "/v1/check", "[]"), 401, "unauthenticated")
	b.want("GET", b.as("portal", "GET", "/v1/check", ""), 405, "method")
	b.want("a form", b.form("portal", "/v1/check", "x=y"), 415, "media-type")
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := `{"subject": {"format": "email", "email": "a@b.c"}, "iat": 1795430000, "kind": "browser"}`
	for name, body := range map[string]string{
		"empty":                    " ",
		"cut short":                `[{"subject": {"format": "email"`,
		"something behind":         "[" + sound + "] []",
		"a comma too many":         "[" + sound + ",]",
		"a comma for an element":   "[," + sound + "]",
		"not UTF-8":                "[" + strings.Replace(sound, "a@b.c", "a@\xffb.c", 1) + "]",
		"a control character":      "[" + strings.Replace(sound, "a@b.c", "a@\nb.c", 1) + "]",
		"a member twice":           `[` + strings.Replace(sound, `"kind"`, `"iat": 1795430000, "kind"`, 1) + `]`,
		"a member in two cases":    `[` + strings.Replace(sound, `"kind"`, `"IAT": 1795430000, "kind"`, 1) + `]`,
		"a member twice, below":    `[` + strings.Replace(sound, `"email":`, `"email": "d@e.f", "email":`, 1) + `]`,
		"a number that is none":    `[` + strings.Replace(sound, "1795430000", "01795430000", 1) + `]`,
		"a number without an end":  `[` + strings.Replace(sound, "1795430000", "1795430000.", 1) + `]`,
		"33 levels":                strings.Repeat(`[`, 33) + strings.Repeat(`]`, 33),
		"10,001 elements":          "[" + strings.TrimSuffix(strings.Repeat("1,", 10_001), ",") + "]",
		"a null that is not whole": `[` + strings.Replace(sound, `"kind"`, `"device": nul, "kind"`, 1) + `]`,
	} {
		b.want(name, b.as("portal", "POST", "/v1/check", body), 400, "invalid")
	}
	replaced := func(old, now string) string { return "[" + sound + "," + strings.Replace(sound, old, now, 1) + "]" }
	for _, c := range []struct{ name, body, field, says string }{
		{"an object", sound, "", "write a list"},
		{"a number", `7`, "", "write a list"},
		{"a list of numbers", `[7]`, "[0]", "write an object"},
		{"nothing", `[{}]`, "[0].subject", "email"},
		{"null", `[null]`, "[0].subject", "email"},
		{"no time", replaced(`"iat": 1795430000, `, ""), "[1].iat", "NumericDate"},
		{"a null time", replaced("1795430000", "null"), "[1].iat", "NumericDate"},
		{"RFC 3339", replaced("1795430000", `"2026-11-23T10:00:00Z"`), "[1].iat", "NumericDate"},
		{"a time in quotes", replaced("1795430000", `"1795430000"`), "[1].iat", "NumericDate"},
		{"milliseconds", replaced("1795430000", "1795430000000"), "[1].iat", "seconds"},
		{"a time before time", replaced("1795430000", "-1"), "[1].iat", "NumericDate"},
		{"the first second", replaced("1795430000", "0.999999"), "[1].iat", "NumericDate"},
		{"a huge number", replaced("1795430000", "1e400"), "[1].iat", "NumericDate"},
		{"a huge exponent", replaced("1795430000", "1e99999999999999999999"), "[1].iat", "NumericDate"},
		{"an odd proof", replaced(`"kind"`, `"auth_time": true, "kind"`), "[1].auth_time", "NumericDate"},
		{"an odd kind", replaced("browser", "fridge"), "[1].kind", `"browser", "mobile"`},
		{"a number for text", replaced(`"kind"`, `"session": 7, "kind"`), "[1].session", "text in quotes"},
		{"a long id", replaced(`"kind"`, `"session": "`+strings.Repeat("ä", 513)+`", "kind"`), "[1].session", "512"},
		{"unprintable", replaced(`"kind"`, `"session": "a\u0085", "kind"`), "[1].session", "plain text"},
		{"an unknown member", replaced(`"kind"`, `"exp": 1, "kind"`), "[1].exp", "not a member we know"},
		{"an unknown member, below", replaced(`"kind"`, `"device": {"colour": "red"}, "kind"`), "[1].device.colour", "not a member we know"},
		{"a number for a device", replaced(`"kind"`, `"device": 7, "kind"`), "[1].device", "write an object"},
		{"a number for its id", replaced(`"kind"`, `"device": {"id": 7}, "kind"`), "[1].device.id", "text in quotes"},
		{"a long device", replaced(`"kind"`, `"device": "`+strings.Repeat("x", 513)+`", "kind"`), "[1].device.id", "512"},
		{"no address", replaced("a@b.c", ""), "[1].subject.email", "give the value"},
		{"another format's member", replaced(`"email":`, `"sub": "7", "email":`), "[1].subject.sub", "leave it out"},
		{"an odd alias", replaced(`{"format": "email", "email": "a@b.c"}`, `{"format": "aliases", "identifiers": [{"format": "email", "email": ""}]}`), "[1].subject.identifiers[0].email", "give the value"},
		{"an odd issuer", replaced(`{"format": "email", "email": "a@b.c"}`, `{"format": "iss_sub", "iss": "x", "sub": "7"}`), "[1].subject.iss", "issuer"},
		{"1,001 elements", "[" + strings.Repeat(sound+",", 1000) + sound + "]", "", "1,000"},
	} {
		got := b.want(c.name, b.as("portal", "POST", "/v1/check", c.body), 422, "invalid")
		if got.text("errors.field") != c.field || !strings.Contains(got.text("errors.detail"), c.says) {
			t.Errorf("%s: errors are %v, want field %q and %q", c.name, got.member("errors"), c.field, c.says)
		}
	}
	got := b.want("a thousand faults", b.as("portal", "POST", "/v1/check", "["+strings.TrimSuffix(strings.Repeat(`{},`, 1000), ",")+"]"), 422)
	if list, _ := got.member("errors").([]any); len(list) != 101 {
		t.Errorf("a thousand faults: %d are said, want 100 and that there are more", len(list))
	}
}

func TestCheckNeverGuesses(t *testing.T) {
	t.Parallel()
	b := start(t)
	question := "[" + b.asking("sally@example.edu", time.Minute, "") + "]"
	b.service.Doubt(errors.New("a commit ended unknown"))
	got := b.want("in doubt", b.as("portal", "POST", "/v1/check", question), 503, "not-fresh")
	if got.header.Get("Retry-After") == "" {
		t.Error("in doubt: no Retry-After")
	}
}
