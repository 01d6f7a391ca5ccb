package scim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A conversation is what one client is known to say, what must be answered, and who may still do what afterwards. They
// stand in testdata/connectors/<client>/<case>.json; "{id}" is what the last kept answer made, and "{name}" what was kept as name.
type conversation struct {
	Source string `json:"source"` // where it is known from
	Steps  []step `json:"steps"`
}

type step struct {
	Send    string            `json:"send"` // method and target, or empty for a login
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Status  int               `json:"status"`
	Keep    bool              `json:"keep"`   // the answer's id is {id} from here on
	KeepAs  string            `json:"keepAs"` // or {this}
	Answer  map[string]any    `json:"answer"` // members that the answer must have; others are its own affair
	Absent  []string          `json:"absent"` // members that it must not have

	Login   string          `json:"login"` // an address that signs in
	As      string          `json:"as"`
	Live    map[string]bool `json:"live"`    // by what a login was called
	Blocked []string        `json:"blocked"` // addresses that cannot sign in
}

func TestConnectors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/connectors/*/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d conversations found, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/connectors/"), ".json"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c conversation
			if err := json.Unmarshal(raw, &c); err != nil || c.Source == "" || len(c.Steps) == 0 {
				t.Fatalf("not a conversation: source %q, %d steps, %v", c.Source, len(c.Steps), err)
			}
			c.run(newBundle(t))
		})
	}
}

func (c conversation) run(b *bundle) {
	tokens, known := map[string]string{}, map[string]string{}
	for i, s := range c.Steps {
		what := fmt.Sprintf("step %d (%s%s)", i+1, s.Send, s.Login)
		if s.Login != "" {
			tokens[s.As] = b.login(s.Login)
		} else {
			s.exchange(b, what, known)
		}
		for name, live := range s.Live {
			b.mustBe(tokens[name], live, what+", "+name)
		}
		for _, address := range s.Blocked {
			if !b.blocked(address) {
				b.t.Errorf("%s: %s can sign in", what, address)
			}
		}
	}
}

func (s step) exchange(b *bundle, what string, known map[string]string) {
	method, target, _ := strings.Cut(filled(s.Send, known), " ")
	var body any
	if len(s.Body) > 0 {
		body = filled(string(s.Body), known)
	}
	var headers []string
	for name, value := range s.Headers {
		headers = append(headers, name, value)
	}
	got := b.do(method, target, body, headers...)
	if got.StatusCode != s.Status {
		b.t.Fatalf("%s: answered %d %s, want %d", what, got.StatusCode, got.text, s.Status)
	}
	switch {
	case s.Keep:
		known["id"] = got.id()
	case s.KeepAs != "":
		known[s.KeepAs] = got.id()
	}
	want, _ := filledIn(s.Answer, known).(map[string]any)
	if diff := cmp.Diff(any(want), shared(any(want), got.json)); len(want) > 0 && diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	for _, name := range s.Absent {
		if _, ok := got.json[name]; ok {
			b.t.Errorf("%s: the answer has %s: %s", what, name, got.text)
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
		for name, each := range v {
			v[name] = filledIn(each, known)
		}
	case []any:
		for i, each := range v {
			v[i] = filledIn(each, known)
		}
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
