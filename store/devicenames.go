package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"curfew/revoke"
)

var deviceNamesTable = newTable(table{name: "device_names", ids: words("user_id"), texts: words("org device name"), nums: words("named_at")})

// DeviceNames returns what people call their devices, those named last first.
func (s *Store) DeviceNames(ctx context.Context, org string, users []revoke.ID) (out []revoke.DeviceName, err error) {
	err = s.byIDs(ctx, deviceNamesTable, "user_id", org, users, func(row record) error {
		out = append(out, revoke.DeviceName{User: row.id[0], Org: row.text[0], Device: row.text[1], Name: row.text[2], At: revoke.Instant(row.num[0])})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what people call their devices: %w", err)
	}
	slices.SortFunc(out, func(a, b revoke.DeviceName) int {
		return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(a.Device, b.Device))
	})
	return out, nil
}

// NameDevice writes a name in place of the one before, or forgets it when it is empty.
func (s *Store) NameDevice(ctx context.Context, n revoke.DeviceName, audit revoke.AuditEntry) error {
	if n.Name == "" {
		_, err := s.ordered(ctx, "forget a device's name", audit, "DELETE FROM device_names WHERE org = $1 AND user_id = $2 AND device = $3", n.Org, idText(n.User), clean(n.Device))
		return err
	}
	_, err := s.ordered(ctx, "name a device", audit,
		"INSERT INTO device_names ("+deviceNamesTable.list+") VALUES ($1, $2, $3, $4, $5) ON CONFLICT (org, user_id, device) DO UPDATE SET name = excluded.name, named_at = excluded.named_at",
		idText(n.User), n.Org, clean(n.Device), clean(n.Name), int64(n.At))
	return err
}
