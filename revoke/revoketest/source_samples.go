package revoketest

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
)

// sampleWant is what stands beside a sample: the answer, and what is kept.
type sampleWant struct {
	Status  int             `json:"status"`
	Answer  json.RawMessage `json:"answer,omitempty"`
	Refused []string        `json:"refused,omitempty"`
	Events  []sampleEvent   `json:"events,omitempty"`
}

type sampleEvent struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	OccurredAt revoke.Instant    `json:"occurred_at,omitzero"`
	State      revoke.EventState `json:"state"`
	Note       string            `json:"note"`
	Signals    []sampleSignal    `json:"signals,omitempty"`
}

type sampleSignal struct {
	Kind        revoke.SignalKind `json:"kind"`
	Subject     []string          `json:"subject"` // namespace, blank, value
	Device      []string          `json:"device,omitempty"`
	Session     string            `json:"session,omitempty"` // the provider's sid
	OccurredAt  revoke.Instant    `json:"occurred_at,omitzero"`
	Planned     bool              `json:"planned,omitempty"`
	EffectiveAt revoke.Instant    `json:"effective_at,omitzero"` // of a plan; none takes it back
	Reason      string            `json:"reason"`
}

// samples sends every sample and compares. All kinds of signal that the type can say, and all that it must bear, occur.
func (f SourceFixture) samples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(f.Samples, "*.http"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s", f.Samples)
	}
	said, states := map[revoke.SignalKind]bool{}, map[revoke.EventState]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			got := f.sample(t, file)
			for _, e := range got.Events {
				states[e.State] = true
				for _, s := range e.Signals {
					said[s.Kind] = true
				}
			}
			raw, err := os.ReadFile(strings.TrimSuffix(file, ".http") + ".want.json")
			if err != nil {
				t.Fatal(err)
			}
			var want sampleWant
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plainJSON(t, want), plainJSON(t, got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	for _, kind := range f.Signals {
		if !said[kind] {
			t.Errorf("no sample says %s", kind)
		}
	}
	for _, state := range []revoke.EventState{revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed} {
		if !states[state] {
			t.Errorf("no sample is %s", state)
		}
	}
}

// ReadSample reads a request from a file: the head, an empty line, and a body that ends before the file's last line break.
func ReadSample(file string) (*http.Request, string, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // G304: a test names its own samples
	if err != nil {
		return nil, "", err
	}
	head, body, _ := strings.Cut(string(raw), "\n\n")
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
	if err != nil {
		return nil, "", err
	}
	body = strings.TrimSuffix(body, "\n")
	r := httptest.NewRequestWithContext(context.Background(), parsed.Method, parsed.RequestURI, strings.NewReader(body))
	r.Header = parsed.Header
	return r, body, nil
}

func (f SourceFixture) sample(t *testing.T, file string) sampleWant {
	t.Helper()
	r, _, err := ReadSample(file)
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	source := strings.TrimPrefix(r.URL.Path, "/hooks/")
	inbox, refused := NewInbox(), &Refusals{}
	h, err := f.Open(Desk{Sources: map[string][]string{source: {SampleKey}}, Inbox: inbox, Observer: refused, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := sampleWant{Status: w.Code, Answer: json.RawMessage(strings.TrimSpace(w.Body.String())), Refused: refused.Whys(source)}
	if strings.Contains(w.Body.String(), SampleKey) {
		t.Error("case 48: the answer shows the secret")
	}
	for _, e := range inbox.Events() {
		got.Events = append(got.Events, sampled(e))
	}
	return got
}

func sampled(e revoke.Event) sampleEvent {
	out := sampleEvent{ID: e.SenderID, Type: e.Type, OccurredAt: e.OccurredAt, State: e.State, Note: e.Note}
	for _, s := range e.Signals {
		one := sampleSignal{Kind: s.Kind, Session: s.Session.SID, OccurredAt: s.OccurredAt, Planned: s.Planned, EffectiveAt: s.EffectiveAt, Reason: s.Reason}
		for _, id := range s.Subject {
			one.Subject = append(one.Subject, id.Namespace+" "+id.Value)
		}
		for _, d := range s.Device {
			one.Device = append(one.Device, d.Namespace+" "+d.Value)
		}
		out.Signals = append(out.Signals, one)
	}
	return out
}

// plainJSON is a value as it reads in a file.
func plainJSON(t *testing.T, w sampleWant) any {
	t.Helper()
	slices.Sort(w.Refused)
	raw, err := json.Marshal(w)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return out
}
