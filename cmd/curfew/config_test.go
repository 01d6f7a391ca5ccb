package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/targets"
	"curfew/webhooks"
)

// canary stands in every secret of these tests, and nothing that Curfew prints may hold it.
const canary = "c4nary-never-shown"

var canarySettings = map[string]string{
	"A_SECRET": canary + "-0123456789", "B_SECRET": canary + "-9876543210", "HOOK": "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5IQ==",
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

// writeConfig puts text into a file of its own and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "curfew.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func loadText(t *testing.T, text string) (*Loaded, error) {
	t.Helper()
	return load(settingsInput{file: writeConfig(t, text), lookup: lookupIn(canarySettings)})
}

// everyKey lists the keys of the configuration as docs/configuration.md writes them.
func everyKey() []string {
	var out []string
	var walk func(t reflect.Type, key string)
	walk = func(t reflect.Type, key string) {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && !isScalar(t.Elem()):
			walk(t.Elem(), key+"[]")
		case t.Kind() == reflect.Map:
			walk(t.Elem(), key+".NAME")
		case t.Kind() == reflect.Struct && !isScalar(t):
			if key != "" && !strings.HasSuffix(key, "[]") && !strings.HasSuffix(key, ".NAME") {
				out = append(out, key)
			}
			for name, f := range settingsOf(t) {
				walk(f.Type, join(key, name))
			}
			for _, own := range typesOf(t) {
				for name, f := range settingsOf(own) {
					walk(f.Type, join(key, name))
				}
			}
			return
		}
		if !strings.HasSuffix(key, "[]") && !strings.HasSuffix(key, ".NAME") {
			out = append(out, key)
		}
	}
	walk(reflect.TypeFor[Config](), "")
	out = slices.DeleteFunc(out, func(k string) bool { return k == "" })
	slices.Sort(out)
	return slices.Compact(out)
}

// typesOf returns the settings of the types that a source or target can have.
func typesOf(t reflect.Type) []reflect.Type {
	var out []reflect.Type
	switch t {
	case reflect.TypeFor[sourceSettings]():
		for _, each := range webhooks.Types() {
			out = append(out, reflect.TypeOf(each.Settings))
		}
	case reflect.TypeFor[targetSettings]():
		for _, each := range targets.Types() {
			out = append(out, reflect.TypeOf(each.Settings))
		}
	}
	return out
}

func TestEveryKeyHasACase(t *testing.T) {
	t.Parallel()
	for _, key := range everyKey() {
		if _, ok := keyCases[key]; !ok {
			t.Errorf("key %s has no case in keyCases: add one that is good and one that is bad", key)
		}
	}
	for key := range keyCases {
		if !slices.Contains(everyKey(), key) {
			t.Errorf("keyCases has %s, which is no key", key)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for key, c := range keyCases {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			if c.good != "" {
				loaded, err := loadText(t, c.good)
				if err != nil {
					t.Fatalf("%s: got %v, want no error", c.good, err)
				}
				found := c.key == ""
				for _, s := range loaded.Effective() {
					if strings.Contains(s.Value+s.Origin, canary) {
						t.Errorf("%s: %s shows a secret", c.good, s.Key)
					}
					if s.Key == c.key {
						found = true
						if s.Value != c.shown || !strings.Contains(s.Origin, "curfew.yaml:1:") {
							t.Errorf("%s: shown as %q from %q, want %q from line 1", c.good, s.Value, s.Origin, c.shown)
						}
					}
				}
				if !found {
					t.Errorf("%s: %s is not shown", c.good, c.key)
				}
				if text := strings.Join(loaded.Warnings, "\n"); strings.Contains(text, canary) {
					t.Errorf("a warning shows a secret: %s", text)
				}
			}
			_, err := loadText(t, c.bad)
			bad, ok := errors.AsType[badConfig](err)
			if !ok {
				t.Fatalf("%s: got %v, want a mistake", c.bad, err)
			}
			for _, p := range bad {
				if p.at.line == 0 || p.what == "" || p.example == "" || strings.Contains(p.String(), canary) {
					t.Errorf("%s: %q lacks place, problem or example, or shows a secret", c.bad, p)
				}
			}
		})
	}
}

func TestNothingIsConfiguredByDefault(t *testing.T) {
	t.Parallel()
	loaded, err := loadText(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) != 0 || len(loaded.Tokens) != 0 || loaded.Listen != "127.0.0.1:8080" || loaded.PublicURL != "http://127.0.0.1:8080" {
		t.Errorf("got warnings %q, %d tokens, listen %s, public_url %s", loaded.Warnings, len(loaded.Tokens), loaded.Listen, loaded.PublicURL)
	}
}

func TestVariablesAndFlagsComeOverTheFile(t *testing.T) {
	t.Parallel()
	env := map[string]string{"CURFEW_BRAKE_WAIT": "2h", "CURFEW_LISTEN": "127.0.0.1:2", "CURFEW_NOTHING": "x", "CURFEW_SIGN_IN_CLIENT_SECRET": canary, "REF": "https://from.example.edu"}
	in := settingsInput{
		file:   writeConfig(t, "listen: 127.0.0.1:1\nbrake: {wait: 3h}\npublic_url: https://file.example.edu\n"),
		lookup: lookupIn(env), flags: map[string]string{"listen": "127.0.0.1:3", "public-url": "${REF}", "brake-users": "9"},
	}
	loaded, err := load(in)
	if err != nil {
		t.Fatal(err)
	}
	env["CURFEW_BRAKE"] = "off"
	if off, err := load(in); err != nil || !off.Brake.Off {
		t.Errorf("CURFEW_BRAKE=off: got %v, and the brake is not off", err)
	}
	delete(env, "CURFEW_BRAKE")
	want := map[string][2]string{
		"listen": {"127.0.0.1:3", "--listen"}, "brake.wait": {"2h0m0s", "CURFEW_BRAKE_WAIT"}, "brake.users": {"9", "--brake-users"},
		"public_url": {"[${REF}]", "--public-url from ${REF}"}, "sign_in.client_secret": {"[secret]", "CURFEW_SIGN_IN_CLIENT_SECRET"},
	}
	for _, s := range loaded.Effective() {
		if w, ok := want[s.Key]; ok {
			if s.Value != w[0] || s.Origin != w[1] {
				t.Errorf("%s: got %q from %q, want %q from %q", s.Key, s.Value, s.Origin, w[0], w[1])
			}
			delete(want, s.Key)
		}
	}
	if len(want) > 0 {
		t.Errorf("not shown: %v", want)
	}
}

func TestSecretsOnTheCommandLineAreRefused(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, text := range map[string]string{"sign-in-client-secret": canary, "mail-password": canary, "database": "postgres://u:" + canary + "@h/d"} {
		_, err := load(settingsInput{file: writeConfig(t, ""), lookup: lookupIn(nil), flags: map[string]string{flag: text}})
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("--%s with a secret in it: got %v, want a refusal that does not show it", flag, err)
		}
	}
	loaded, err := load(settingsInput{file: writeConfig(t, ""), lookup: lookupIn(canarySettings), flags: map[string]string{
		"sign-in-client-secret": "${A_SECRET}", "mail-password": "file:" + secret,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.SignIn.ClientSecret.Reveal(); got != canarySettings["A_SECRET"] {
		t.Errorf("client secret by ${A_SECRET}: got another value")
	}
	if got := loaded.Mail.Password.Reveal(); got != canary {
		t.Errorf("password by file: got another value, want the file's without its line end")
	}
	address := filepath.Join(t.TempDir(), "database")
	if err := os.WriteFile(address, []byte("postgres://u:"+canary+"@h/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err = load(settingsInput{file: writeConfig(t, "database: file:"+address), lookup: lookupIn(nil)})
	if err != nil || loaded.Database.value != "postgres://u:"+canary+"@h/d" || strings.Contains(loaded.Database.String(), canary) {
		t.Errorf("database by file: got %v and another value, want the file's without its line end, shown without password", err)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := loadText(t, `listne: x
tokens:
  - {name: a, scopes: [scim], secret: `+canary[:12]+`}
  - {name: a, scopes: [sessions], secret: "${A_SECRET}"}
approvals: 1.5
log: {level: loud}
log: {level: info}
sources: {x: {type: okta, secrets: ["${UNSET_HERE}"], colour: red}}
--- 
second: document
`)
	bad, ok := errors.AsType[badConfig](err)
	if !ok {
		t.Fatalf("got %v, want mistakes", err)
	}
	var lines []int
	for _, p := range bad {
		lines = append(lines, p.at.line)
		if strings.Contains(p.String(), canary[:12]) {
			t.Errorf("%q shows a secret", p)
		}
	}
	for _, line := range []int{1, 3, 4, 5, 6, 7, 8, 10} {
		if !slices.Contains(lines, line) {
			t.Errorf("line %d has a mistake that is not reported; got lines %v:\n%v", line, lines, err)
		}
	}
	if !strings.Contains(err.Error(), "did you mean listen?") || !strings.Contains(err.Error(), "UNSET_HERE") {
		t.Errorf("want the near key and the unset variable named, got:\n%v", err)
	}
}

func TestBrokenYAMLShowsNoLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: [" + canary, "a: b\n  c: " + canary, "\"" + canary, "- " + canary, canary, "a: &x " + canary + "\nb: *x", "? " + canary, "a: !!int " + canary, "\t" + canary, "a: {b: " + canary,
		"tokens: [{name: a, scopes: [scim], secret: {" + canary + ": 1}}]", "<<: " + canary,
	} {
		_, err := loadText(t, text)
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: got %v, want a mistake that shows nothing of the file", text, err)
		}
	}
}

func TestUnbuiltTypesAreWarnings(t *testing.T) {
	t.Parallel()
	loaded, err := loadText(t, "sources: {hr: {type: rippling, secrets: [\"${A_SECRET}\"]}}\ntargets: {lms: {type: canvas, url: https://canvas.example.edu, token: \"${A_SECRET}\", rate: 10/s}}\nfreshness: 2s\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"source hr", "target lms", "freshness is set"} {
		if !strings.Contains(strings.Join(loaded.Warnings, "\n"), want) {
			t.Errorf("got warnings %q, want one about %s", loaded.Warnings, want)
		}
	}
	if !slices.Equal(loaded.Unbuilt, []string{"sources.hr", "targets.lms"}) {
		t.Errorf("unbuilt: got %q", loaded.Unbuilt)
	}
}

func TestRulesOfASource(t *testing.T) {
	t.Parallel()
	loaded, err := loadText(t, fmt.Sprintf(someSource, "learn: false, rules: {locked: {cut: receipt, block: set}, deactivated: {block: keep}}"))
	if err != nil {
		t.Fatal(err)
	}
	src := loaded.Sources["okta"].source("okta", loaded.TimeZone)
	if got, want := src.Rule(revoke.Locked), (revoke.Rule{Cut: revoke.AtReceipt, Block: revoke.SetBlock, Class: revoke.ClassLocked}); got != want {
		t.Errorf("locked: got %+v, want %+v", got, want)
	}
	if got := src.Rule(revoke.Deactivated); got.Block != revoke.Keep || got.Cut != revoke.AtEvent {
		t.Errorf("deactivated: got %+v, want its cut and no block", got)
	}
	if src.Learns {
		t.Error("learn: false, and the source learns")
	}
}

func TestRulesOfAToken(t *testing.T) {
	t.Parallel()
	loaded, err := loadText(t, fmt.Sprintf(someToken, "rules: {access-changed: {cut: receipt}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := loaded.Tokens[0].source().Rule(revoke.AccessChanged), (revoke.Rule{Cut: revoke.AtReceipt}); got != want {
		t.Errorf("access-changed: got %+v, want %+v", got, want)
	}
}

var docRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range docRow.FindAllStringSubmatch(string(page), -1) {
		rows = append(rows, m[1])
	}
	for _, key := range everyKey() {
		if !slices.Contains(rows, key) {
			t.Errorf("docs/configuration.md has no row for %s", key)
		}
	}
	for _, row := range rows {
		if !slices.Contains(everyKey(), row) {
			t.Errorf("docs/configuration.md has a row for %s, which is no key", row)
		}
	}
}
