package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A conversation is what one client is known to say, what must be answered, and who may still do what afterwards. They stand
// in scim/testdata/connectors/<client>/<case>.json; "{id}" is what the last kept answer made, and "{name}" what was kept as name.
type conversation struct {
	Source string   `json:"source"` // where it is known from
	Proves []string `json:"proves"` // which of scimRules
	Steps  []turn   `json:"steps"`
}

type turn struct {
	Send    string            `json:"send"` // method and target, or empty for a login
	By      string            `json:"by"`   // who sends or where the login is; the directory when empty
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Raw     string            `json:"raw"` // a body that is sent as it stands
	Status  int               `json:"status"`
	Keep    bool              `json:"keep"`   // the answer's id is {id} from here on
	KeepAs  string            `json:"keepAs"` // or {this}
	Note    map[string]string `json:"note"`   // members of the answer that are kept, by the name to keep them under
	Header  map[string]string `json:"header"` // that the answer must have
	Answer  map[string]any    `json:"answer"` // members that the answer must have; others are its own affair
	Absent  []string          `json:"absent"` // members that it must not have
	Says    []string          `json:"says"`   // what must stand in the answer

	Login       string          `json:"login"` // an address that signs in
	As          string          `json:"as"`
	Live        map[string]bool `json:"live"`        // by what a login was called
	Blocked     []string        `json:"blocked"`     // addresses that cannot sign in
	Free        []string        `json:"free"`        // addresses that can
	Revocations *int            `json:"revocations"` // how many were made so far
}

// TestConnectors lets every known client speak, and every case of SCIM happen, over HTTP with one whole server. Each has an
// organisation of its own with the same people in it: what one ends must not be felt in another.
func TestConnectors(t *testing.T) {
	t.Parallel()
	p := build(t, "")
	conversations := readConversations(t)
	onEach(t, func(t *testing.T, folder, database string) {
		var names []string
		for name := range conversations {
			names = append(names, schoolName(name))
		}
		for _, c := range scimCases() {
			names = append(names, schoolName(c.name))
		}
		r := p.start(t, configureSchools(t, folder, database, names))
		db := look(t, database)
		t.Run("all", func(t *testing.T) { // returns when those that run beside each other have ended
			for name, c := range conversations {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c.run(newSchool(t, r, db, name))
				})
			}
			for _, c := range scimCases() {
				if c.last {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newSchool(t, r, db, c.name))
				})
			}
		})
		for _, c := range scimCases() {
			if c.last {
				t.Run(c.name, func(t *testing.T) { c.run(newSchool(t, r, db, c.name)) })
			}
		}
		if text := r.log.String(); strings.Contains(text, "panic") {
			t.Errorf("something panicked:\n%s", text)
		}
	})
}

// readConversations returns all of them, by client and case.
func readConversations(t *testing.T) map[string]conversation {
	t.Helper()
	out := map[string]conversation{}
	folder := os.DirFS("../../scim/testdata/connectors")
	files, err := fs.Glob(folder, "*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d conversations found, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		var c conversation
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&c); err != nil || c.Source == "" || len(c.Steps) == 0 {
			t.Fatalf("%s is no conversation: source %q, %d steps, %v", file, c.Source, len(c.Steps), err)
		}
		out[strings.TrimSuffix(file, ".json")] = c
	}
	return out
}

func (c conversation) run(s *school) {
	tokens := map[string]string{}
	for i, each := range c.Steps {
		what := fmt.Sprintf("step %d (%s%s)", i+1, each.Send, each.Login)
		if each.Login != "" {
			tokens[each.As] = s.login(each.By, each.Login)
		} else {
			each.exchange(s, what)
		}
		for name, live := range each.Live {
			if _, ok := tokens[name]; !ok {
				s.t.Fatalf("%s: nobody signed in as %s", what, name)
			}
			s.mustBe(tokens[name], live, what+", "+name)
		}
		for _, address := range each.Blocked {
			if !s.blocked(address) {
				s.t.Errorf("%s: %s can sign in", what, address)
			}
		}
		for _, address := range each.Free {
			if s.blocked(address) {
				s.t.Errorf("%s: %s cannot sign in", what, address)
			}
		}
		if each.Revocations != nil {
			if got := s.revocations(); got != *each.Revocations {
				s.t.Errorf("%s: %d revocations so far, want %d", what, got, *each.Revocations)
			}
		}
	}
}

func (s turn) exchange(at *school, what string) {
	method, target, _ := strings.Cut(filled(s.Send, at.known), " ")
	body := filled(s.Raw, at.known)
	if len(s.Body) > 0 {
		body = filled(string(s.Body), at.known)
	}
	var headers []string
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		headers = append(headers, name, filled(s.Headers[name], at.known))
	}
	got := at.as(s.By, method, target, body, headers...)
	if got.status != s.Status {
		at.t.Fatalf("%s: answered %d %s, want %d", what, got.status, got.body, s.Status)
	}
	switch {
	case s.Keep:
		at.known["id"] = got.id()
	case s.KeepAs != "":
		at.known[s.KeepAs] = got.id()
	}
	for name, member := range s.Note {
		at.known[name], _ = got.json[member].(string)
	}
	for name, want := range s.Header {
		if value := got.header.Get(name); value != filled(want, at.known) {
			at.t.Errorf("%s: %s is %q, want %q", what, name, value, filled(want, at.known))
		}
	}
	want, _ := filledIn(s.Answer, at.known).(map[string]any)
	if diff := cmp.Diff(any(want), shared(any(want), got.json)); len(want) > 0 && diff != "" {
		at.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	for _, name := range s.Absent {
		if _, ok := got.json[name]; ok {
			at.t.Errorf("%s: the answer has %s: %s", what, name, got.body)
		}
	}
	for _, text := range s.Says {
		if !strings.Contains(string(got.body), filled(text, at.known)) {
			at.t.Errorf("%s: the answer does not say %q: %s", what, text, got.body)
		}
	}
}

// filled puts what was kept in the place of its name.
func filled(text string, known map[string]string) string {
	for name, id := range known {
		text = strings.ReplaceAll(text, "{"+name+"}", id)
	}
	return text
}

func filledIn(v any, known map[string]string) any {
	switch v := v.(type) {
	case string:
		return filled(v, known)
	case map[string]any:
		out := map[string]any{}
		for name, each := range v {
			out[name] = filledIn(each, known)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, each := range v {
			out[i] = filledIn(each, known)
		}
		return out
	}
	return v
}

// shared is got without the members that want does not name.
func shared(want, got any) any {
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		for name, each := range want {
			if value, ok := have[name]; ok {
				out[name] = shared(each, value)
			}
		}
		return out
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return got
		}
		out := make([]any, len(want))
		for i := range want {
			out[i] = shared(want[i], have[i])
		}
		return out
	}
	return got
}
