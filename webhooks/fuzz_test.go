package webhooks_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

func fuzzed(f *testing.F, seed func(r *http.Request, body string)) webhooks.Receiver {
	f.Helper()
	files, err := filepath.Glob("testdata/okta/*.http")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		r, body, err := revoketest.ReadSample(file)
		if err != nil {
			f.Fatalf("read %s: %v", file, err)
		}
		seed(r, body)
	}
	typ, _ := webhooks.Lookup("okta")
	own := typ.NewSettings()
	setSecrets(own, []revoke.Secret{revoke.NewSecret(revoketest.SampleKey), revoke.NewSecret("the key before")})
	receiver, err := typ.New(revoke.Source{Name: "okta", Org: "main", Authority: "okta", IDs: "okta"}, own)
	if err != nil {
		f.Fatalf("New: %v", err)
	}
	return receiver
}

// T1: nothing but a secret, whole and alone, opens.
func FuzzOktaVerify(f *testing.F) {
	receiver := fuzzed(f, func(r *http.Request, _ string) { f.Add(r.Header.Get("Authorization"), "") })
	f.Fuzz(func(t *testing.T, first, second string) {
		header := http.Header{"Authorization": {first}}
		if second != "" {
			header.Add("Authorization", second)
		}
		evidence, err := receiver.Verify(webhooks.Request{Method: http.MethodPost, Header: header})
		right := second == "" && (first == revoketest.SampleKey || first == "the key before")
		if right != (err == nil) || right != (evidence.Proof == webhooks.ProvedSender) {
			t.Errorf("%q and %q: got %v, %v", first, second, evidence, err)
		}
	})
}

// Whatever JSON comes, each item speaks or says why it does not, and nothing in it can hurt a log, a page or a column.
func FuzzOktaItems(f *testing.F) {
	receiver := fuzzed(f, func(_ *http.Request, body string) { f.Add([]byte(body)) })
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		items, err := receiver.Items(webhooks.Request{Method: http.MethodPost, Body: body})
		if err != nil {
			t.Fatalf("a message was lost: %v", err)
		}
		for _, item := range items {
			if (item.State == "") != (len(item.Signals) > 0) || item.State != "" && item.Note == "" || !json.Valid(item.Body) {
				t.Errorf("an item is %q with %d signals, note %q and body %q", item.State, len(item.Signals), item.Note, item.Body)
			}
			if item.OccurredAt < 0 {
				t.Errorf("it happened at %d", item.OccurredAt)
			}
			for _, s := range item.Signals {
				checkSignal(t, s)
			}
		}
	})
}

func checkSignal(t *testing.T, s revoke.Signal) {
	t.Helper()
	if !slices.Contains(revoke.SignalKinds(), s.Kind) || s.Command || s.Block || s.Wide != "" {
		t.Errorf("a hook says %+v", s)
	}
	texts := []string{s.Session.SID}
	for _, id := range s.Subject {
		texts = append(texts, id.Value)
	}
	for _, d := range s.Device {
		texts = append(texts, d.Value)
	}
	for _, text := range texts {
		if strings.ContainsFunc(text, unicode.IsControl) || strings.EqualFold(text, "unknown") || len(text) > 512 {
			t.Errorf("a signal carries %q", text)
		}
	}
}
