package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"curfew/revoke"
)

func TestLogFollowsItsSettings(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return logSettings{Format: "json", Level: "debug"}.logger(&out).Handler()
	}, func(t *testing.T) map[string]any {
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line
	})
	out.Reset()
	log := logSettings{Format: "json", Level: "warn"}.logger(&out)
	made := log.With("target_id", "portal").WithGroup("more")
	made.Info("not yet")
	log.Handler().(*logHandler).set(logSettings{Format: "text", Level: "info"})
	made.Info("now", "secret", revoke.NewSecret(canary))
	if got := out.String(); strings.Contains(got, "not yet") || !strings.Contains(got, "msg=now target_id=portal more.secret=[secret]") {
		t.Errorf("got %q, want one line in the new format at the new level", got)
	}
}
