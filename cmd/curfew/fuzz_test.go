package main

import (
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
