package api_test

import (
	"strings"
	"testing"
)

func TestHostileJSON(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, body := range map[string]string{
		"empty":                     " ",
		"cut short":                 `{"subject": {"format": "email"`,
		"something behind":          `{"kind": "browser"} {}`,
		"a comma too many":          `{"kind": "browser",}`,
		"not UTF-8":                 "{\"kind\": \"\xff\"}",
		"a member twice":            `{"kind": "browser", "kind": "mobile"}`,
		"a member in two cases":     `{"kind": "browser", "KIND": "mobile"}`,
		"a member twice, below":     `{"subject": {"format": "email", "email": "a@b.c", "email": "d@e.f"}, "kind": "browser"}`,
		"33 levels":                 strings.Repeat(`{"subject":`, 33) + `1` + strings.Repeat(`}`, 33),
		"a hundred thousand levels": strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000),
		"a list of 10,001":          `{"subject": {"format": "aliases", "identifiers": [` + strings.TrimSuffix(strings.Repeat("1,", 10_001), ",") + `]}, "kind": "browser"}`,
	} {
		b.want(name, b.as("portal", "POST", "/v1/sessions", body), 400, "invalid")
	}
	for _, c := range []struct{ name, body, field, says string }{
		{"a list", `[]`, "", "write an object"},
		{"a number", `7`, "", "write an object"},
		{"nothing", `{}`, "subject", "email"},
		{"an unknown member", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "Id": "x"}`, "Id", "not a member we know"},
		{"an unknown member, below", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "device": {"colour": "red"}}`, "device.colour", "not a member we know"},
		{"text for an object", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "device": "ipad"}`, "device", "write an object"},
		{"a number for text", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "device": {"id": 7}}`, "device.id", "write text in quotes"},
		{"an odd kind", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "fridge"}`, "kind", `"browser", "mobile", "desktop", "api" or "device"`},
		{"an odd time", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "issued_at": "yesterday"}`, "issued_at", "RFC 3339"},
		{"a time before time", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "issued_at": "0001-01-01T00:00:00Z"}`, "issued_at", "RFC 3339"},
		{"an odd address", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "ip": "1.2.3"}`, "ip", "192.0.2.7"},
		{"a newline in an id", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "id": "a\nb"}`, "id", "plain text"},
		{"an end before the beginning", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser", "issued_at": "2026-11-23T09:00:00Z", "expires_at": "2026-11-23T08:00:00Z"}`, "expires_at", "issued_at"},
		{"an odd format", `{"subject": {"format": "email_address", "email": "a@b.c"}, "kind": "browser"}`, "subject.format", "RFC 9493"},
		{"a member of another format", `{"subject": {"format": "email", "email": "a@b.c", "sub": "7"}, "kind": "browser"}`, "subject.sub", "leave it out"},
		{"aliases in aliases", `{"subject": {"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]}, "kind": "browser"}`, "subject.identifiers[0].identifiers", "1 to 20"},
		{"an odd alias", `{"subject": {"format": "aliases", "identifiers": [{"format": "email", "email": "a@b.c"}, {"format": "email", "email": ""}]}, "kind": "browser"}`, "subject.identifiers[1].email", "give the value"},
		{"a list for a subject", `{"subject": [], "kind": "browser"}`, "subject", "not an object"},
		{"format in capitals", `{"subject": {"Format": "email", "email": "a@b.c"}, "kind": "browser"}`, "subject.format", "RFC 9493"},
		{"no address", `{"subject": {"format": "email"}, "kind": "browser"}`, "subject.email", "give the value"},
	} {
		got := b.want(c.name, b.as("portal", "POST", "/v1/sessions", c.body), 422, "invalid")
		if got.text("errors.field") != c.field || !strings.Contains(got.text("errors.detail"), c.says) {
			t.Errorf("%s: errors are %v, want field %q and %q", c.name, got.member("errors"), c.field, c.says)
		}
	}
	both := b.want("two mistakes", b.as("portal", "POST", "/v1/sessions", `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "fridge", "ip": "x"}`), 422)
	if list, _ := both.member("errors").([]any); len(list) != 2 {
		t.Errorf("two mistakes: errors are %v, want both", both.member("errors"))
	}
	if n := len(b.store.AllSessions()); n != 0 {
		t.Errorf("%d sessions were registered by refused bodies", n)
	}
}
