package revoke_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"curfew/revoke"
)

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	type holder struct {
		Shown  revoke.Secret
		hidden revoke.Secret
		nested *struct{ s revoke.Secret }
	}
	const planted = "planted-canary-value"
	s := revoke.NewSecret(planted)
	h := &holder{s, s, &struct{ s revoke.Secret }{s}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb, s, &s, h)
		fmt.Fprintf(&out, verb, []revoke.Secret{s})
		fmt.Fprintf(&out, verb, map[string]revoke.Secret{"a": s})
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "holder", h)
	if all := out.String(); strings.Contains(all, planted) || strings.Contains(all, fmt.Sprintf("%x", planted)) {
		t.Errorf("the secret shows in %s", all)
	}
	if s.Reveal() != planted || !s.Equal(planted) || s.Equal(planted+"x") || s.Equal("") {
		t.Error("Reveal or Equal is wrong")
	}
	var none revoke.Secret
	if !none.IsZero() || none.Equal("") {
		t.Error("no secret at all equals the empty one")
	}
}
