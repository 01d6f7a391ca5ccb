package scim_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzUserPatch sends any body as a PATCH: nothing panics, nothing answers 5xx, the user keeps a boolean active and a name, whoever is
// shown inactive afterwards has no live session, and nobody else is touched.
func FuzzUserPatch(f *testing.F) {
	seeds(f, "PATCH", func(body string) { f.Add(body) })
	for i := range 40 {
		f.Add(rapid.Custom(asPatch).Example(i).body)
	}
	f.Fuzz(func(t *testing.T, body string) { anyBody(t, "PATCH", body) })
}

// FuzzUserPut does the same with PUT.
func FuzzUserPut(f *testing.F) {
	seeds(f, "PUT", func(body string) { f.Add(body) })
	seeds(f, "POST", func(body string) { f.Add(body) })
	for i := range 40 {
		f.Add(rapid.Custom(about("PUT")).Example(i).body)
	}
	f.Fuzz(func(t *testing.T, body string) { anyBody(t, "PUT", body) })
}

func anyBody(t *testing.T, method, body string) {
	t.Helper()
	b := newBundle(t)
	id := b.sally()
	b.do("POST", users, user("bob@example.edu", "b")).must(t, 201)
	token, bobs := b.login("sally@example.edu"), b.login("bob@example.edu")
	got := b.do(method, users+"/"+id, body)
	if got.StatusCode >= 500 {
		t.Errorf("answered %d %s", got.StatusCode, got.text)
	}
	b.mustBe(bobs, true, "what was said of somebody else")
	ended := !b.live(token)
	if claims := strings.Contains(got.text, "carried out all the same"); got.StatusCode >= 400 && claims != ended {
		t.Errorf("her session ended: %v; answered %s", ended, got.text)
	}
	if means := strings.Contains(body, `\`) || strings.Contains(strings.ToLower(body), "active") || strings.Contains(strings.ToLower(body), "password"); ended && !means {
		t.Errorf("her session ended, and nothing in %q means that", body)
	}
	b.sane(id, token)
}

// FuzzFilter sends any filter: 200 or 400, and the server goes on. TestItem7NothingTakesASecond holds what the longest ones cost.
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
