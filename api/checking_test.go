package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
)

// reader is an App that has what reading a body needs.
func reader() *App { return &App{valid: newValidator()} }

func portalToken() *token {
	return &token{app: "portal", voice: revoke.Source{Org: "main", IDs: "okta"}}
}

// askedAlike are bodies that gateways send: the scanner must take them, or nothing is won.
func askedAlike() []string {
	one := func(subject, more string) string {
		return `{"subject":` + subject + `,"iat":1795430000,"kind":"mobile"` + more + `}`
	}
	email := `{"format":"email","email":"Sally@Example.edu"}`
	issuer := `{"format":"iss_sub","iss":"https:\/\/id.example.edu","sub":"1042"}`
	return []string{
		"[]", " [ ] \n",
		"[" + one(email, "") + "]",
		"[" + one(email, `,"auth_time":1795429999.25,"session":"s-1","device":{"id":"ipad-17","name":"Sally\u2019s iPad","platform":"iPadOS","serial":"S","udid":"U","mdm":"M"}`) + "," + one(issuer, "") + "," + one(issuer, "") + "]",
		"[" + one(`{ "sub" : "7", "iss" : "https://id.example.edu", "format" : "iss_sub" }`, `, "device" : "ipad-17", "app": "portal"`) + "\t,\r\n" + one(email, `,"device":null,"app":null,"session":null,"auth_time":null`) + "]",
		"[" + one(`{"format":"opaque","id":"00u1"}`, `,"session":"ä"`) + "," + one(`{"format":"phone_number","phone_number":"+44 20 7946 0000"}`, `,"device":{}`) + "]",
		"[" + one(`{"format":"account","uri":"acct:sally@example.edu"}`, "") + "," + one(`{"format":"aliases","identifiers":[`+email+`,`+issuer+`]}`, "") + "," + one(email, "") + "]",
	}
}

func TestScannerTakesWhatGatewaysSend(t *testing.T) {
	t.Parallel()
	for _, body := range askedAlike() {
		want, err := reader().readQuestions([]byte(body), portalToken())
		if err != nil {
			t.Fatalf("%s is no sound body: %v", body, err)
		}
		got, ok := scanQuestions([]byte(body), portalToken())
		if !ok {
			t.Errorf("%s is left to the general reader", body)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the general reader reads other questions (-general +scanner):\n%s", body, diff)
		}
	}
}

// FuzzScanned holds the scanner to the general reader: what it takes, that takes too and reads the same. What it leaves, that
// answers, so there is nothing to compare.
func FuzzScanned(f *testing.F) {
	for _, seed := range askedAlike() {
		f.Add(seed)
	}
	sound := `{"subject":{"format":"email","email":"a@b.c"},"iat":1795430000,"kind":"browser"}`
	for _, seed := range []string{
		sound, "[" + sound + ",]", "[" + sound + "]]", "[" + sound + "] 1", "[,]", "[null]", "[[]]",
		"[" + strings.Replace(sound, `"iat"`, `"IAT"`, 1) + "]", "[" + strings.Replace(sound, `"iat"`, `"i\u0061t"`, 1) + "]",
		"[" + strings.Replace(sound, "1795430000", "01795430000", 1) + "]", "[" + strings.Replace(sound, "1795430000", "1.", 1) + "]",
		"[" + strings.Replace(sound, "1795430000", "1.79543e9", 1) + "]", "[" + strings.Replace(sound, "1795430000", "253402300799.9999999", 1) + "]",
		"[" + strings.Replace(sound, "a@b.c", "a@\x7fb.c", 1) + "]", "[" + strings.Replace(sound, "a@b.c", "a@\xffb.c", 1) + "]",
		"[" + strings.Replace(sound, "a@b.c", `\ud800`, 1) + "]", "[" + strings.Replace(sound, "a@b.c", `\`, 1) + "]",
		"[" + strings.Replace(sound, `"kind"`, `"session":"\u0085","kind"`, 1) + "]",
		"[" + strings.Replace(sound, `"kind"`, `"app":"library","kind"`, 1) + "]",
		"[" + strings.Replace(sound, `"kind"`, "\"device\":{\"name\":\"\xff\"},\"kind\"", 1) + "]",
		"[" + strings.Replace(sound, `"format":"email","email":"a@b.c"`, `"format":"iss_sub","iss":"","sub":"7"`, 1) + "]",
		"[" + strings.Replace(sound, `"format":"email","email":"a@b.c"`, `"format":"aliases","identifiers":[`+strings.Repeat(`{"format":"opaque","id":"7"},`, 20)+`{"format":"opaque","id":"7"}]`, 1) + "]",
		"[" + strings.Replace(sound, `"kind"`, `"device":{"id":"x","id":"y"},"kind"`, 1) + "]",
		"[" + strings.Replace(sound, `"email":"a@b.c"`, `"email":"a@b.c","email":"d@e.f"`, 1) + "]",
		"[" + strings.Replace(sound, `"format":"email"`, `"format":"aliases","identifiers":[]`, 1) + "]",
		"[" + strings.Replace(sound, `"format":"email","email":"a@b.c"`, `"format":"aliases","identifiers":[{"format":"aliases","identifiers":[]}]`, 1) + "]",
		"[" + strings.Replace(sound, `"format":"email","email":"a@b.c"`, `"format":"aliases","identifiers":[{"format":"aliases","identifiers":[{"format":"opaque","id":"7"}]}]`, 1) + "]",
		"[" + strings.Replace(sound, `"format":"email","email":"a@b.c"`, `"format":"iss_sub","iss":"","sub":" "`, 1) + "]",
	} {
		f.Add(seed)
	}
	a, t := reader(), portalToken()
	f.Fuzz(func(tt *testing.T, body string) {
		got, ok := scanQuestions([]byte(body), t)
		if !ok {
			return
		}
		want, err := a.readQuestions([]byte(body), t)
		if err != nil {
			var p *problem
			_ = errors.As(err, &p)
			tt.Fatalf("the scanner took %q, of which the general reader says %v %+v", body, err, p)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			tt.Fatalf("%q is read in two ways (-general +scanner):\n%s", body, diff)
		}
	})
}

// registeredAlike are registrations that applications send.
func registeredAlike() []string {
	return []string{
		`{"subject":{"format":"email","email":"Sally@Example.edu"},"kind":"browser"}`,
		` { "kind" : "mobile" , "subject" : { "email" : "sally@example.edu", "format" : "email" } , "app" : "portal", "token" : "cft_x", "id" : "s-1",
			"device" : { "serial" : "S", "name" : "Sally\u2019s iPad", "platform" : "iPadOS 26" }, "issued_at" : "2026-11-23T09:00:00.5+01:00",
			"auth_time" : "2026-11-23t08:59:00z", "expires_at" : "2027-11-23T09:00:00Z", "sid" : "idp-7", "ip" : "2001:db8::7", "user_agent" : "Portal\/7.1 \u00e4" } `,
		`{"subject":{"format":"opaque","id":"00u1"},"kind":"api","app":null,"token":null,"id":null,"device":null,"issued_at":null,"auth_time":"","expires_at":"","sid":"","ip":"","user_agent":null}`,
		`{"subject":{"format":"aliases","identifiers":[{"format":"email","email":"a@b.c"},{"format":"phone_number","phone_number":"+44 20"}]},"kind":"device","device":{},"token":"new"}`,
	}
}

func TestScannerTakesWhatApplicationsSend(t *testing.T) {
	t.Parallel()
	for _, body := range registeredAlike() {
		if _, _, ok := scanRegistration(body, portalToken()); !ok {
			t.Errorf("%s is left to the general reader", body)
		}
		sameRegistration(t, body)
	}
}

// sameRegistration fails unless the scanner leaves a registration to the general reader, or reads the same.
func sameRegistration(t *testing.T, body string) {
	t.Helper()
	got, token, ok := scanRegistration(body, portalToken())
	if !ok {
		return
	}
	want, wantToken, err := reader().readGenerally(t.Context(), []byte(body), portalToken())
	if err != nil {
		t.Fatalf("the scanner took %q, of which the general reader says %v", body, err)
	}
	if diff := cmp.Diff(want, got); diff != "" || token != wantToken {
		t.Fatalf("%q is read in two ways (-general +scanner), tokens %q and %q:\n%s", body, wantToken, token, diff)
	}
}

// FuzzRegistrations holds the scanner to the general reader.
func FuzzRegistrations(f *testing.F) {
	for _, seed := range registeredAlike() {
		f.Add(seed)
	}
	for _, more := range []string{
		`"kind":"mobile"`, `"Kind":"mobile"`, `"app":"library"`, `"ip":"1.2.3"`, `"ip":"fe80::1%eth0"`, `"issued_at":"1970-01-01T00:00:00Z"`, `"issued_at":"2026-11-23"`,
		`"device":{"colour":"red"}`, `"device":"x"`, `"token":"\ud800"`, "\"token\":\"a\nb\"", "\"token\":\"a\xffb\"", `"id":"\u0000"`, `"user_agent":7`, `"sid":"` + strings.Repeat("ä", 513) + `"`, `"token":"` + strings.Repeat("ä", 9000) + `"`,
	} {
		f.Add(`{"subject":{"format":"email","email":"a@b.c"},"kind":"browser",` + more + `}`)
	}
	f.Fuzz(func(t *testing.T, body string) { sameRegistration(t, body) })
}

func TestNumericDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]revoke.Instant{
		"1": 1e6, "1.0": 1e6, "1795430000": 1795430000e6, "1795430000.5": 17954300005e5, "1795430000.0000019": 1795430000e6 + 1,
		"253402300799.999999": 253402300799999999, "253402300799.99999999999": 253402300799999999, "1.79543e9": 1795430000e6, "17954300000e-1": 1795430000e6,
		"1E+3": 1000e6, "1e03": 1000e6, "0.0001e4": 1e6, "0.001795430000e12": 1795430000e6, "100000e-5": 1e6, "1234567.1234567e0": 1234567123456,
		"1" + strings.Repeat("0", 40) + "e-40": 1e6, "0." + strings.Repeat("0", 40) + "1e41": 1e6,
	} {
		if got, ok := numericDate(text); !ok || got != want {
			t.Errorf("numericDate(%s): got %d %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "0", "-1", "+1", "0.9999999", "253402300800", "1e12", "1795430000000", "01", "1.", ".1", "1e", "1e-", "1e1.0", "0e99", "1e400", "1e-400",
		"1e99999999999999999999", "1 ", "x", `"1"`, "null", "true", "1_0", "9999999999999999999", "99999999999999999999999999", "0x10", "1e+-3",
	} {
		if got, ok := numericDate(text); ok {
			t.Errorf("numericDate(%s): got %d, want none", text, got)
		}
	}
}

// BenchmarkQuestions reads the body of a thousand tokens.
func BenchmarkQuestions(b *testing.B) {
	body := []byte("[")
	for i := range 1000 {
		body = fmt.Appendf(body, `{"subject":{"format":"email","email":"pupil%07d@example.edu"},"iat":1795430000,"kind":"mobile"},`, i)
	}
	body[len(body)-1] = ']'
	t, a := portalToken(), reader()
	b.Run("scanned", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if questions, ok := scanQuestions(body, t); !ok || len(questions) != 1000 {
				b.Fatal("the body was not taken")
			}
		}
	})
	b.Run("general", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := a.readQuestions(slices.Clone(body), t); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("answered", func(b *testing.B) {
		b.ReportAllocs()
		verdicts := make([]revoke.Verdict, 1000)
		for i := range verdicts {
			if verdicts[i].Live = i%2 == 0; !verdicts[i].Live {
				verdicts[i] = revoke.Verdict{Cause: revoke.CauseCutoff, Scope: revoke.ScopeUser, At: revoke.Instant(i) * 1e6}
			}
		}
		for b.Loop() {
			if len(appendVerdicts(verdicts)) < 10_000 {
				b.Fatal("no answer")
			}
		}
	})
}
