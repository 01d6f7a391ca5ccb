package targets_test

import (
	"testing"

	"curfew/revoke/revoketest"
	"curfew/targets"
)

// fixtures holds one for each type: a type without a fixture is a type that nobody has seen fail.
func fixtures() map[string]revoketest.TargetFixture {
	return map[string]revoketest.TargetFixture{
		"webhook": webhookFixture(),
	}
}

func TestEveryTypePassesTheBattery(t *testing.T) {
	t.Parallel()
	left := fixtures()
	for _, typ := range targets.Types() {
		fixture, ok := left[typ.Name]
		if !ok {
			t.Errorf("type %s has no fixture: write its fake system and name it in fixtures", typ.Name)
			continue
		}
		delete(left, typ.Name)
		t.Run(typ.Name, func(t *testing.T) {
			t.Parallel()
			revoketest.RunTarget(t, fixture)
		})
	}
	for name := range left {
		t.Errorf("fixture %s belongs to no type", name)
	}
}
