package scim_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzPatch sends any body as a PATCH: nothing panics, nothing answers 5xx, the user keeps a boolean active and a name, and
// whoever is shown inactive afterwards has no live session.
func FuzzPatch(f *testing.F) {
	seeds(f, "PATCH", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		got := b.do("PATCH", users+"/"+id, body)
		if got.StatusCode >= 500 {
			t.Errorf("answered %d %s", got.StatusCode, got.text)
		}
		b.sane(id, token)
	})
}

// FuzzPut does the same with PUT.
func FuzzPut(f *testing.F) {
	seeds(f, "PUT", func(body string) { f.Add(body) })
	seeds(f, "POST", func(body string) { f.Add(body) })
	f.Fuzz(func(t *testing.T, body string) {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		if got := b.do("PUT", users+"/"+id, body); got.StatusCode >= 500 {
			t.Errorf("answered %d %s", got.StatusCode, got.text)
		}
		b.sane(id, token)
	})
}

// FuzzFilter sends any filter: 200 or 400, and the server goes on.
func FuzzFilter(f *testing.F) {
	for _, filter := range []string{
		`userName eq "x"`, `emails[type eq "work"].value eq "x"`, `emails eq "x"`, `id eq x and emails[value eq "y" and type eq "work"]`,
		`not (userName pr) or (active eq True)`, `((((`, `a.b.c eq 1.5e9`, `userName eq "\u00e9\""`, `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "x"`,
	} {
		f.Add(filter)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		b := newBundle(t)
		b.sally()
		if got := b.do("GET", users+"?filter="+url.QueryEscape(filter), nil); got.StatusCode != 200 && got.StatusCode != 400 {
			t.Errorf("filter %q: %d %s", filter, got.StatusCode, got.text)
		}
		b.calm()
	})
}

// seeds adds the bodies of all conversations that were sent by the method.
func seeds(f *testing.F, method string, add func(body string)) {
	f.Helper()
	files, err := filepath.Glob("testdata/connectors/*/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no conversations to seed from: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var c struct {
			Steps []struct {
				Send string
				Body json.RawMessage
			}
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			f.Fatalf("%s: %v", file, err)
		}
		for _, s := range c.Steps {
			if strings.HasPrefix(s.Send, method+" ") && len(s.Body) > 0 {
				add(string(s.Body))
			}
		}
	}
}

// sane holds what is true of a user whatever was sent.
func (b *bundle) sane(id, token string) {
	b.t.Helper()
	b.calm()
	shown := b.show(id)
	active, ok := shown["active"].(bool)
	if name, _ := shown["userName"].(string); !ok || strings.TrimSpace(name) == "" || shown["password"] != nil {
		b.t.Errorf("the user is shown as %v", shown)
	}
	if live := b.live(token); live && !active {
		b.t.Error("shown inactive while a session lives")
	}
	delete(shown, "active") // an echo of active true lifts what a refused request blocked, and that is a change
	if again := b.do("PUT", users+"/"+id, shown).must(b.t, 200); again.json["meta"].(map[string]any)["version"] != shown["meta"].(map[string]any)["version"] {
		b.t.Errorf("its echo is a change: %v became %s", shown, again.text)
	}
}

func (b *bundle) calm() {
	b.t.Helper()
	if strings.Contains(b.logged.String(), "panic") {
		b.t.Errorf("something panicked: %s", b.logged)
	}
}

// piece is an operation whose meaning its maker knows.
type piece struct {
	operation map[string]any
	active    *bool // what it sets
	refused   bool
	title     *string
}

func pieces() *rapid.Generator[piece] {
	truths := func(is bool) []any {
		text := fmt.Sprint(is)
		return []any{is, text, strings.ToUpper(text), strings.ToUpper(text[:1]) + text[1:]}
	}
	return rapid.Custom(func(t *rapid.T) piece {
		name := rapid.SampledFrom([]string{"add", "Add", "replace", "REPLACE"}).Draw(t, "op")
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0, 1:
			is := rapid.Bool().Draw(t, "active")
			value := rapid.SampledFrom(truths(is)).Draw(t, "spelled")
			path := rapid.SampledFrom([]string{"active", "Active", core + ":active", " ACTIVE", "", "core"}).Draw(t, "path")
			switch path {
			case "":
				key := rapid.SampledFrom([]string{"active", "ACTIVE", core + ":Active"}).Draw(t, "key")
				return piece{operation: op(name, "", map[string]any{key: value, "nosuch": 1}), active: &is}
			case "core":
				return piece{operation: op(name, "", map[string]any{core: map[string]any{"active": value}}), active: &is}
			}
			return piece{operation: op(name, path, value), active: &is}
		case 2:
			title := rapid.StringMatching(`[A-Za-z ]{0,8}`).Draw(t, "title")
			return piece{operation: op(name, rapid.SampledFrom([]string{"title", "TITLE"}).Draw(t, "path"), title), title: &title}
		case 3:
			return piece{operation: rapid.SampledFrom([]map[string]any{
				op(name, `emails[type eq "home"].value`, "s@home.example"), op(name, "urn:acme:2.0:User:active", false),
				op(name, enterprise+":manager", "7"), op("remove", "nickName", nil), op(name, "", map[string]any{"nosuch": false}),
				op("remove", `roles[value eq "x"]`, nil), op(name, "roles", []any{"a"}), op(name, "meta", map[string]any{"active": false}),
			}).Draw(t, "harmless")}
		default:
			return piece{refused: true, operation: rapid.SampledFrom([]map[string]any{
				op(name, "nosuch", "x"), op("remove", "active", nil), op(name, "active", 0), op(name, "active", "no"), op(name, "title", 7),
				op("copy", "active", false), op(name, "active.value", false), op(name, `active[value eq "x"]`, false), op("remove", "", nil),
				op(name, "userName", " "), op("remove", "userName", nil),
				{"op": name, "path": "title"},
			}).Draw(t, "refused")}
		}
	})
}

// Whoever makes a request knows what it means; what came of it must be that (items 19 to 23).
func TestPatchMeansWhatItSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		b := newBundle(t)
		id := b.sally()
		token := b.login("sally@example.edu")
		active, dead, title := true, false, ""
		for range rapid.IntRange(1, 4).Draw(r, "requests") {
			all := rapid.SliceOfN(pieces(), 1, 5).Draw(r, "pieces")
			var operations []map[string]any
			for _, p := range all {
				operations = append(operations, p.operation)
			}
			got := b.do("PATCH", users+"/"+id, patch(operations...))
			refused := slices.ContainsFunc(all, func(p piece) bool { return p.refused })
			off := slices.ContainsFunc(all, func(p piece) bool { return p.active != nil && !*p.active })
			switch {
			case refused:
				if got.StatusCode != 400 || strings.Contains(got.text, "carried out") != off {
					r.Fatalf("%v: answered %d %s; it contains a deactivation: %v", operations, got.StatusCode, got.text, off)
				}
				dead = dead || off
			case got.StatusCode != 200:
				r.Fatalf("%v: answered %d %s, want 200", operations, got.StatusCode, got.text)
			default:
				for _, p := range all {
					if p.active != nil {
						active = *p.active
					}
					if p.title != nil {
						title = *p.title
					}
				}
				dead = dead || !active
			}
			shown := b.show(id)
			shownTitle, _ := shown["title"].(string)
			if shown["active"] != active || shownTitle != title || b.live(token) == dead {
				r.Fatalf("%v: active %v, title %q, live %v; want %v, %q, %v", operations, shown["active"], shownTitle, b.live(token), active, title, !dead)
			}
		}
	})
}
