package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// FuzzConfig: whatever stands in a file, reading it neither panics nor takes it apart in its messages.
func FuzzConfig(f *testing.F) {
	for _, c := range keyCases {
		f.Add(c.good)
		f.Add(c.bad)
	}
	f.Add("a: &x [*x]\nb: <<: *x\n--- !!int '\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		loaded, err := loadBytes(text, canarySettings)
		if bad, ok := errors.AsType[badConfig](err); ok {
			for _, p := range bad {
				if p.what == "" || strings.Contains(p.String(), canary) && !strings.Contains(text, canary) {
					t.Errorf("%q: got the mistake %q", text, p)
				}
			}
			return
		}
		for _, s := range loaded.Effective() {
			if strings.Contains(s.Value, canary) && !strings.Contains(text, canary) {
				t.Errorf("%q: %s shows a secret", text, s.Key)
			}
		}
	})
}

// FuzzImportLines: whatever stands in a file of sessions, a line is one line of the request, and each is told apart.
func FuzzImportLines(f *testing.F) {
	for _, seed := range []string{
		"{\"id\": \"1\"}\n\n{}\r\n{\"app\": null}", "\ufeff{", "null\n{", "email,kind\na@b,mobile\n\"a\nb\",c\n", "a\n\"", "\ufeff\n \n", "{}\x00\n", "x,y\n1\n1,2,3\n", "{\"id\":\"\\u000a\"}",
	} {
		f.Add(seed, "portal")
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, text, app string) {
		last := 0
		_ = importLines(strings.NewReader(text), app, func(l importLine) error {
			switch {
			case l.number <= last:
				t.Errorf("%q: line %d comes after line %d", text, l.number, last)
			case (l.why == "") == (len(l.text) == 0):
				t.Errorf("%q: line %d is neither sent nor refused, or both", text, l.number)
			case bytes.ContainsRune(l.text, '\n'):
				t.Errorf("%q: line %d would be several", text, l.number)
			}
			last = l.number
			return nil
		})
	})
}
