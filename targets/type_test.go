package targets_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"curfew/revoke"
	"curfew/targets"
)

func contextOf(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}

// fieldsOf returns the field of every Invalid that err joins.
func fieldsOf(err error) []string {
	var out []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			out = append(out, fieldsOf(each)...)
		}
		return out
	}
	if invalid, ok := errors.AsType[revoke.Invalid](err); ok {
		out = append(out, invalid.Field)
	}
	return out
}

func TestSettingsAreJudgedAllAtOnce(t *testing.T) {
	t.Parallel()
	fine := func() targets.WebhookSettings { return settings("https://portal.example.edu/logout") }
	long := "whsec_" + strings.Repeat("QUFB", 22)
	for name, c := range map[string]struct {
		change func(*targets.WebhookSettings)
		name   string
		want   []string
	}{
		"fine":              {func(*targets.WebhookSettings) {}, "", nil},
		"plain http":        {func(s *targets.WebhookSettings) { s.URL = "http://portal.example.edu/logout" }, "", []string{"url"}},
		"plain http, meant": {func(s *targets.WebhookSettings) { s.URL, s.Insecure = "http://10.0.0.7/logout", true }, "", nil},
		"this machine":      {func(s *targets.WebhookSettings) { s.URL = "http://127.0.0.1:9/logout" }, "", nil},
		"private network":   {func(s *targets.WebhookSettings) { s.URL = "https://10.0.0.7/logout" }, "", nil},
		"password in url":   {func(s *targets.WebhookSettings) { s.URL = "https://a:hunter2-hunter2@portal.example.edu/" }, "", []string{"url"}},
		"no url":            {func(s *targets.WebhookSettings) { s.URL = "" }, "", []string{"url"}},
		"no secret":         {func(s *targets.WebhookSettings) { s.Secret = revoke.Secret{} }, "", []string{"secret"}},
		"no prefix":         {func(s *targets.WebhookSettings) { s.Secret = revoke.NewSecret(appSecret[6:]) }, "", []string{"secret"}},
		"not base64":        {func(s *targets.WebhookSettings) { s.Secret = revoke.NewSecret("whsec_not base64!") }, "", []string{"secret"}},
		"short":             {func(s *targets.WebhookSettings) { s.Secret = revoke.NewSecret("whsec_c2hvcnQ=") }, "", []string{"secret"}},
		"long":              {func(s *targets.WebhookSettings) { s.Secret = revoke.NewSecret(long) }, "", []string{"secret"}},
		"one of several": {func(s *targets.WebhookSettings) {
			s.Secrets = []revoke.Secret{revoke.NewSecret(newSecret), revoke.NewSecret("whsec_")}
		}, "", []string{"secrets[1]"}},
		"too many at once": {func(s *targets.WebhookSettings) { s.Concurrency = 1000 }, "", []string{"concurrency"}},
		"none at once":     {func(s *targets.WebhookSettings) { s.Concurrency = -1 }, "", []string{"concurrency"}},
		"recheck":          {func(s *targets.WebhookSettings) { s.Recheck = -time.Second }, "", []string{"recheck"}},
		"a point":          {func(*targets.WebhookSettings) {}, "portal.main", []string{""}},
		"a line":           {func(*targets.WebhookSettings) {}, "portal\r\nX-A: b", []string{""}},
		"all of it": {func(s *targets.WebhookSettings) {
			s.URL, s.Secret, s.Concurrency = "ftp://x", revoke.NewSecret("whsec_x"), 999
		}, "a b", []string{"", "url", "concurrency", "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fine()
			c.change(&s)
			target, err := tryOpen(t, s, targets.Deps{Name: c.name})
			if diff := cmp.Diff(c.want, fieldsOf(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s%v", diff, err)
			}
			if (err == nil) != (target != nil) {
				t.Errorf("target %v with error %v", target, err)
			}
			for _, secret := range []string{"hunter2-hunter2", appSecret[6:], "not base64!", "c2hvcnQ"} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, s), secret) && !strings.Contains(s.URL, secret) {
					t.Errorf("a secret is shown in %v", err)
				}
			}
		})
	}
}

func TestRateIsReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]targets.Rate{
		"10/s": {Calls: 10, Per: time.Second}, "100/min": {Calls: 100, Per: time.Minute}, "1000/h": {Calls: 1000, Per: time.Hour},
	} {
		var got targets.Rate
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want || got.String() != text {
			t.Errorf("%q is read as %+v and written %q, %v", text, got, got.String(), err)
		}
	}
	for _, text := range []string{"", "10", "10/", "/s", "0/s", "-1/s", "10/day", "1e3/s", "10/s/s", "99999999999999999999/s", "20000/s"} {
		var got targets.Rate
		if _, invalid := errors.AsType[revoke.Invalid](got.UnmarshalText([]byte(text))); !invalid {
			t.Errorf("%q is read as %+v, want an error", text, got)
		}
	}
}

func TestRegisterPanicsOnWhatCannotWork(t *testing.T) {
	t.Parallel()
	good := targets.Type{
		Name: "never", Docs: "docs/targets/never.md", Settings: targets.WebhookSettings{},
		New: func(targets.Settings, targets.Deps) (revoke.Target, error) { return nil, errors.New("never") },
	}
	for name, change := range map[string]func(*targets.Type){
		"no name":        func(t *targets.Type) { t.Name = "" },
		"no constructor": func(t *targets.Type) { t.New = nil },
		"no settings":    func(t *targets.Type) { t.Settings = nil },
		"a pointer":      func(t *targets.Type) { t.Settings = &targets.WebhookSettings{} },
		"no page":        func(t *targets.Type) { t.Docs = "" },
		"a duplicate":    func(t *targets.Type) { t.Name = "webhook" },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			bad := good
			change(&bad)
			targets.Register(bad)
		}()
	}
	if _, ok := targets.Lookup("never"); ok {
		t.Error("a type that panicked is known")
	}
}

// TestEveryTypeHasItsPage: the page says the least rights and what stays alive.
func TestEveryTypeHasItsPage(t *testing.T) {
	t.Parallel()
	all := targets.Types()
	if !slices.ContainsFunc(all, func(t targets.Type) bool { return t.Name == "webhook" }) {
		t.Error("no type webhook")
	}
	for _, typ := range all {
		page, err := os.ReadFile("../" + typ.Docs)
		if err != nil {
			t.Errorf("type %s: %v", typ.Name, err)
			continue
		}
		for _, part := range []string{"least rights", "stays alive"} {
			if !strings.Contains(strings.ToLower(string(page)), part) {
				t.Errorf("%s does not say %q", typ.Docs, part)
			}
		}
	}
}

func TestOpenRefusesWhatIsWiredWrongly(t *testing.T) {
	t.Parallel()
	typ, _ := targets.Lookup("webhook")
	if _, err := typ.Open(settings("https://portal.example.edu"), targets.Deps{Name: "portal"}); err == nil {
		t.Error("opened without clients, clock and log")
	}
	if _, err := tryOpen(t, otherSettings{}, targets.Deps{}); err == nil {
		t.Error("opened with another type's settings")
	}
}

type otherSettings struct{ targets.Common }
