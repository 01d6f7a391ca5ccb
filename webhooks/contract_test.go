package webhooks_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// fixtures has one entry for every registered type.
func fixtures() map[string]revoketest.SourceFixture {
	all := presetFixtures()
	maps.Copy(all, signedFixtures())
	all["custom"], all["okta"] = customFixture(), oktaFixture()
	all["bamboohr"], all["hibob"] = bambooFixture(), bobFixture()
	all["entra-graph"], all["entra-audit"], all["event-grid"] = entraGraphFixture(), entraAuditFixture(), eventGridFixture()
	return all
}

// onlyAsked are the types that nobody sends to: they are asked, and pass the battery of those that call.
func onlyAsked() []string { return []string{"okta-log"} }

func TestEveryTypePassesTheBattery(t *testing.T) {
	t.Parallel()
	all := fixtures()
	for _, typ := range webhooks.Types() {
		if _, calls := apiFixtures()[typ.Name]; calls && slices.Contains(onlyAsked(), typ.Name) {
			continue
		}
		t.Run(typ.Name, func(t *testing.T) {
			t.Parallel()
			f, ok := all[typ.Name]
			if !ok {
				t.Fatalf("type %s has no fixture: add one to fixtures in contract_test.go", typ.Name)
			}
			revoketest.RunSource(t, f)
		})
	}
}

// calling is what types are given that call their senders.
func calling(clock revoke.Clock) webhooks.Deps {
	clients := outbound.NewMaker(outbound.Config{})
	return webhooks.Deps{Clients: clients, Tokens: outbound.NewTokens(clients, clock), Clock: clock}
}

// open makes the whole handler for a desk whose sources are all of one type; settings turns keys into the type's own.
func open(desk revoketest.Desk, typ string, settings func(own any, keys []revoke.Secret)) (http.Handler, error) {
	cfg := webhooks.Config{
		Sources: map[string]webhooks.Source{}, Inbox: desk.Inbox, Clock: revoketest.NewClock(0), Observer: desk.Observer, Log: desk.Log,
		CommitTimeout: desk.CommitTimeout, Deps: calling(revoketest.NewClock(0)), PublicURL: "https://curfew.example.edu",
	}
	t, _ := webhooks.Lookup(typ)
	for name, keys := range desk.Sources {
		var secrets []revoke.Secret
		for _, key := range keys {
			secrets = append(secrets, revoke.NewSecret(key))
		}
		own := t.NewSettings()
		settings(own, secrets)
		cfg.Sources[name] = webhooks.Source{
			Source:   revoke.Source{Org: "main", Type: typ, Authority: name, IDs: "okta", Learns: t.Learns},
			Settings: own, MaxBody: desk.MaxBody,
		}
	}
	return webhooks.New(cfg)
}
