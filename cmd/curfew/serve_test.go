package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestWelcomeShowsSecretsOnlyToATerminal(t *testing.T) {
	t.Parallel()
	loaded, err := loadText(t, firstConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, terminal := range []bool{true, false} {
		var out bytes.Buffer
		(&shell{out: &out, terminal: terminal}).welcome(loaded, "http://127.0.0.1:8080")
		for _, token := range loaded.Tokens {
			if got := strings.Contains(out.String(), token.Secret.Reveal()); got != terminal {
				t.Errorf("terminal %t: the token %s is shown: %t", terminal, token.Name, got)
			}
		}
		for _, want := range []string{"http://127.0.0.1:8080/scim/v2", "/v1/sessions", "curfew user show sally@example.edu", "curfew.yaml"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("terminal %t: got %q, want %q in it", terminal, out.String(), want)
			}
		}
	}
}

func TestCheckSaysWhatIsWrongAsJSON(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	file := writeConfig(t, "listen: 8080\ntime_zone: Nowhere\n")
	code := run(t.Context(), []string{"check", "--json", "--config", file}, shell{out: &out, err: &errs, lookup: lookupIn(nil)})
	var got checked
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != exitFailed {
		t.Fatalf("got exit code %d, %v: %s%s", code, err, &out, &errs)
	}
	if got.OK || len(got.Problems) != 2 || got.Problems[0].At != file+":1:9" || got.Problems[0].Key != "listen" || got.Problems[0].Example == "" {
		t.Errorf("got %+v, want two problems with place, key and example", got)
	}
}

func TestOnlyTheTypedWordConfirms(t *testing.T) {
	t.Parallel()
	for typed, good := range map[string]bool{"12\n": true, " 12 \r\n": true, "12": false, "1\n": false, "y\n": false, "": false} {
		var errs bytes.Buffer
		err := (&shell{in: strings.NewReader(typed), err: &errs}).confirm(t.Context(), "Sure? ", "12")
		if (err == nil) != good || errs.String() != "Sure? " {
			t.Errorf("typed %q: got %v after %q", typed, err, &errs)
		}
	}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	silent, writer := io.Pipe()
	defer func() { _ = writer.Close() }() // lets the reader go
	if err := (&shell{in: silent, err: io.Discard}).confirm(ctx, "Sure? ", "12"); err == nil {
		t.Error("Ctrl-C at the question let the order through")
	}
}

func TestNamesDoNotMoveTheCursor(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	evil := "\x1b[2J\u009b31m\r\n\x07"
	p := &person{ID: "1", Sessions: []session{{App: evil, Because: &because{Sentence: evil}}}, Blocked: true, Because: &because{Sentence: evil}}
	p.Identifiers = append(p.Identifiers, struct {
		Namespace  string `json:"namespace"`
		Value      string `json:"value"`
		ReleasedAt string `json:"released_at"`
	}{evil, evil, ""})
	if err := (&shell{out: &out, err: &out}).showPerson(p); err != nil {
		t.Fatal(err)
	}
	no := refusal{Status: 400, Title: evil, Detail: evil}
	for _, text := range []string{out.String(), no.Error()} {
		if strings.ContainsAny(text, "\x1b\u009b\r\x07") {
			t.Errorf("what others named reaches the terminal as it is: %q", text)
		}
	}
}
