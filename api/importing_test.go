package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// imported is the answer to one line.
type imported struct {
	Line          int
	ID            string
	Created, Live bool
	Problem       *struct {
		Type, Title, Detail string
		Status              int
		Errors              []struct{ Field, Detail string }
	}
}

func (i imported) String() string {
	if i.Problem == nil {
		return fmt.Sprintf("%d %s created %t live %t", i.Line, i.ID, i.Created, i.Live)
	}
	out := fmt.Sprintf("%d %s %d", i.Line, i.Problem.Type, i.Problem.Status)
	for _, e := range i.Problem.Errors {
		out += " " + e.Field
	}
	return out
}

// lines sends registrations, a line each.
func (b *bundle) lines(token, body string) reply {
	b.t.Helper()
	return b.do("POST", "/v1/sessions", body, "Authorization", "Bearer "+secretOf(token), "Content-Type", "application/x-ndjson")
}

// imports sends the registrations of the portal and returns what came of each line.
func (b *bundle) imports(body string) []imported {
	b.t.Helper()
	got := b.want("import", b.lines("portal", body), 200)
	if kind := got.header.Get("Content-Type"); kind != "application/x-ndjson" || got.header.Get("Cache-Control") != "no-store" {
		b.t.Errorf("the answer's headers are %v", got.header)
	}
	var out []imported
	for text := range strings.Lines(got.body) {
		var i imported
		if err := json.Unmarshal([]byte(text), &i); err != nil || !strings.HasSuffix(text, "}\n") {
			b.t.Fatalf("line %q: %v", text, err)
		}
		out = append(out, i)
	}
	return out
}

func TestImportRefusesLineByLine(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.want("block Bob", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "bob@example.edu"}, "block": true, "reason": "x"}`), 201)
	b.want("end Eve's", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "eve@example.edu"}, "reason": "x"}`), 201)
	of := func(who, more string) string {
		return `{"subject": {"format": "email", "email": "` + who + `@example.edu"}, "kind": "browser"` + more + `}`
	}
	body := strings.Join([]string{
		of("sally", `, "id": "s-1", "token": "sallys-token", "device": {"id": "ipad-17"}, "ip": "192.0.2.7", "issued_at": "2026-11-20T10:00:00+01:00"`),
		`{"subject": `,
		"",
		of("sally", `, "id": "s-1"`),
		of("bob", `, "id": "s-2"`),
		of("bob", `, "user_agent": 7`),
		of("eve", `, "id": "s-3", "issued_at": "2026-01-23T10:00:00Z"`),
		of("mia", `, "colour": "red", "ip": "x"`) + "\r",
		of("mia", `, "app": "library"`),
		of("mia", `, "token": "new"`),
		of("mia", `, "id": "s-1"`),
		of("mia", `, "id": "s-4"`) + " \t\r",
		of("mia", `, "expires_at": "2001-01-01T00:00:00Z"`),
		"[]",
		of("mi\xff", ""),
		"  ",
		of("mia", `, "id": "s-5", "sid": "ä", "ip": null`),
	}, "\n")
	want := []string{
		"1 s-1 created true live true", "2 /problems/invalid 400", "4 s-1 created false live true", "5 /problems/blocked 403", "6 /problems/blocked 403",
		"7 /problems/over 403", "8 /problems/invalid 422 colour", "9 /problems/scope 403", "10 /problems/invalid 422 token", "11 /problems/conflict 409",
		"12 s-4 created true live true", "13 /problems/invalid 422 expires_at", "14 /problems/invalid 422 ", "15 /problems/invalid 400", "17 s-5 created true live true",
	}
	got := b.imports(body)
	if len(got) != len(want) {
		t.Fatalf("got %d answers %v, want %d", len(got), got, len(want))
	}
	for i := range got {
		if got[i].String() != want[i] {
			t.Errorf("answer %d: got %q, want %q", i, got[i], want[i])
		}
	}
	if p := got[3].Problem; !strings.Contains(p.Detail, "blocked this user") || p.Title != "User is blocked" {
		t.Errorf("a blocked person's line says %+v, want what a registration of its own would", p)
	}
	if n := len(b.store.AllSessions()); n != 3 {
		t.Errorf("%d sessions are registered, want 3", n)
	}
	if got := b.form("gateway", "/oauth2/introspect", "token=sallys-token"); !strings.Contains(got.body, `"sid":"s-1"`) || got.member("iat") != float64(1795165200) {
		t.Errorf("an imported session is not found by its token: %s", got.body)
	}
	for i, again := range b.imports(body) {
		if strings.Contains(want[i], "created") {
			want[i] = strings.Replace(want[i], "created true", "created false", 1)
		}
		if again.String() != want[i] {
			t.Errorf("sent again, answer %d: got %q, want %q", i, again, want[i])
		}
	}
	b.want("end it", b.as("portal", "DELETE", "/v1/sessions/s-1", ""), 200)
	if got := b.imports(of("sally", `, "id": "s-1"`))[0].String(); got != "1 s-1 created false live false" {
		t.Errorf("a session that has ended: got %q", got)
	}
}

func TestImportIsRefusedWhole(t *testing.T) {
	t.Parallel()
	b := start(t)
	sound := `{"subject": {"format": "email", "email": "a@b.c"}, "kind": "browser"}` + "\n"
	many := b.imports(strings.Repeat(sound, 1000) + "\n\n")
	if len(many) != 1000 || many[999].Line != 1000 || !many[999].Created || many[0].ID == many[999].ID {
		t.Fatalf("a thousand lines: %d answers, the last %v", len(many), many[len(many)-1])
	}
	registered := len(b.store.AllSessions())
	b.want("1,001 lines", b.lines("portal", strings.Repeat(sound, 1001)), 422, "invalid")
	b.want("no line", b.lines("portal", " \n\n\t\r\n"), 400, "invalid")
	b.want("too large", b.lines("portal", strings.Repeat(" ", 1<<20)+sound), 413, "too-large")
	b.want("another's scope", b.lines("gateway", sound), 403, "scope")
	auth := []string{"Authorization", "Bearer " + secretOf("portal"), "Content-Type"}
	b.want("compressed", b.do("POST", "/v1/sessions", sound, append(auth, "application/x-ndjson", "Content-Encoding", "gzip")...), 415, "media-type")
	b.want("in Latin", b.do("POST", "/v1/sessions", sound, append(auth, "application/x-ndjson; charset=latin1")...), 415, "media-type")
	b.want("two objects as JSON", b.do("POST", "/v1/sessions", sound+sound, append(auth, "application/json")...), 400, "invalid")
	b.service.Doubt(errors.New("a commit ended unknown"))
	if got := b.lines("portal", sound); got.status != 503 {
		t.Errorf("in doubt: got %d %s", got.status, got.body)
	}
	if n := len(b.store.AllSessions()) - registered; n > 1 {
		t.Errorf("%d sessions were registered by refused bodies", n)
	}
}
