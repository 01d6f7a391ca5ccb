package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"curfew/api"
	"curfew/revoke"
)

// system is a target of which a test says what its probe finds.
type system struct{ err error }

func (system) Covers() revoke.Coverage {
	return revoke.Coverage{WebSessions: true, Note: "phones live an hour"}
}

func (s system) Check(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return errors.New("a probe that may take for ever")
	}
	return s.err
}

func (system) Revoke(context.Context, revoke.Owed) (revoke.Receipt, error) {
	return revoke.Receipt{}, errors.New("nobody revokes in this test")
}

func withSystems(cfg *api.Config) {
	elsewhere(cfg)
	cfg.Systems = []api.System{
		{Name: "moodle", Type: "moodle", Org: "main", Target: system{errors.New("moodle refuses our credential")}},
		{Name: "canvas", Type: "canvas", Org: "main", Target: system{}},
		{Name: "sap", Type: "sap", Org: "main"},
		{Name: "library", Type: "webhook", Org: "college", Target: system{}},
	}
	cfg.States = func() map[string]revoke.TargetState {
		return map[string]revoke.TargetState{"canvas": {SuccessAt: 5e6, FailedAt: 6e6, Error: "canvas is tired"}, "moodle": {Refused: true}}
	}
}

func TestTargetsAreShownWithWhatWaits(t *testing.T) {
	t.Parallel()
	b := start(t, withSystems)
	for range 3 {
		b.order(sally)
	}
	b.store.Moving().Advance(1e9)
	b.claim()
	b.order(tom)
	list := b.want("list", b.as("ops", "GET", "/v1/targets", ""), 200)
	canvas := named(t, list, "canvas")
	if canvas == nil || canvas["due"] != 1.0 || canvas["claimed"] != 3.0 || canvas["parked"] != 0.0 || canvas["oldest"] == nil || canvas["paused"] != nil || canvas["refused"] != false {
		t.Errorf("canvas: %v", canvas)
	}
	if canvas["last_success"] != revoke.Instant(5e6).String() || canvas["last_error"].(map[string]any)["error"] != "canvas is tired" || canvas["coverage"].(map[string]any)["note"] != "phones live an hour" {
		t.Errorf("canvas: %v", canvas)
	}
	if moodle := named(t, list, "moodle"); moodle == nil || moodle["due"] != 0.0 || moodle["refused"] != true || moodle["last_error"] != nil || moodle["oldest"] != nil {
		t.Errorf("moodle: %v", moodle)
	}
	if sap := named(t, list, "sap"); sap == nil || sap["built"] != false || sap["coverage"] != nil {
		t.Errorf("a target whose type is not built: %v", sap)
	}
	if named(t, list, "library") != nil {
		t.Errorf("another org's target is listed: %s", list.body)
	}
	first := b.want("a page", b.as("ops", "GET", "/v1/targets?limit=2", ""), 200)
	if second := b.want("the next", b.as("ops", "GET", "/v1/targets?limit=2&cursor="+first.text("next"), ""), 200); second.text("items.name") != "sap" || second.member("next") != nil {
		t.Errorf("pages: %s %s", first.body, second.body)
	}
}

func TestATargetWaitsUntilItMayGoOn(t *testing.T) {
	t.Parallel()
	rung := 0
	b := start(t, withSystems, func(cfg *api.Config) { cfg.Retried = func() { rung++ } })
	b.order(sally)
	now := b.store.Clock().Now()
	for range 2 {
		got := b.want("pause", b.as("ops", "POST", "/v1/targets/canvas/pause", why), 200)
		if got.member("paused") == nil || got.member("due") != 1.0 || got.member("paused") != now.String() {
			t.Errorf("paused at %s: %s", now, got.body)
		}
		b.store.Moving().Advance(1e9)
	}
	if owed := b.claim(); len(owed) != 0 || rung != 0 {
		t.Errorf("a paused target is called: %+v", owed)
	}
	b.want("another org's", b.as("abroad", "POST", "/v1/targets/canvas/resume", why), 404, "not-found")
	if got := b.want("resume", b.as("ops", "POST", "/v1/targets/canvas/resume", why), 200); got.member("paused") != nil || rung != 1 {
		t.Errorf("resumed: %s; the dispatcher was told %d times", got.body, rung)
	}
	if owed := b.claim(); len(owed) != 1 {
		t.Errorf("claimed after it went on: %+v", owed)
	}
	n := 0
	for _, line := range b.store.Audit() {
		if line.Kind == "target" && strings.Contains(string(line.Entry), "canvas") && strings.Contains(string(line.Person), "ticket 4711") {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d lines of the audit log, want one for the pause and one for its end", n)
	}
	b.want("no such target", b.as("ops", "POST", "/v1/targets/nobody/pause", why), 404, "not-found")
	b.want("for no reason", b.as("ops", "POST", "/v1/targets/canvas/pause", `{}`), 422, "invalid")
}

func TestATargetIsProbed(t *testing.T) {
	t.Parallel()
	b := start(t, withSystems)
	for name, want := range map[string]string{"canvas": "", "moodle": "moodle refuses our credential", "sap": "this version lacks the type sap"} {
		got := b.want(name, b.as("ops", "POST", "/v1/targets/"+name+"/check", ""), 200)
		if got.text("target") != name || got.member("ok") != (want == "") || got.text("error") != want {
			t.Errorf("probe of %s: %s", name, got.body)
		}
	}
	b.want("another org's", b.as("ops", "POST", "/v1/targets/library/check", ""), 404, "not-found")
}
