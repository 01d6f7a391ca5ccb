package revoketest

import (
	"cmp"
	"context"
	"slices"

	"curfew/revoke"
)

type deviceNameKey struct {
	org    string
	user   revoke.ID
	device string
}

// DeviceNames returns what people call their devices, those named last first.
func (m *Memory) DeviceNames(ctx context.Context, org string, users []revoke.ID) (out []revoke.DeviceName, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, n := range t.deviceNames {
			if n.Org == org && slices.Contains(users, n.User) {
				out = append(out, n)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.DeviceName) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.Device, b.Device))
	})
	return out, err
}

// NameDevice writes a name in place of the one before, or forgets it when it is empty.
func (m *Memory) NameDevice(ctx context.Context, n revoke.DeviceName, audit revoke.AuditEntry) error {
	return m.read(ctx, func(t *tables) {
		key := deviceNameKey{n.Org, n.User, n.Device}
		if _, there := t.deviceNames[key]; n.Name == "" && !there {
			return
		}
		if t.deviceNames[key] = n; n.Name == "" {
			delete(t.deviceNames, key)
		}
		t.log(audit)
	})
}
