package revoke

import (
	"context"
	"encoding/json"
	"fmt"
)

// DeviceName is what a person calls a device of theirs. It decides nothing: whoever may end the device sees what it is by this name.
type DeviceName struct {
	Org    string
	User   ID
	Device string // the key under which the person's page shows the device
	Name   string // empty: the name that the device gave itself
	At     Instant
}

// DeviceNames is what is kept of them.
type DeviceNames interface {
	// DeviceNames returns what people call their devices, those named last first.
	DeviceNames(ctx context.Context, org string, users []ID) ([]DeviceName, error)
	// NameDevice writes a name in place of the one before, or forgets it when it is empty.
	NameDevice(ctx context.Context, n DeviceName, audit AuditEntry) error
}

// DeviceNames returns what a person calls their devices, those named last first.
func (s *Service) DeviceNames(ctx context.Context, org string, users []ID) ([]DeviceName, error) {
	return s.store.DeviceNames(ctx, org, users)
}

// NameDevice lets a person give a device of theirs a name of 1 to 60 characters, or take it back with an empty one.
func (s *Service) NameDevice(ctx context.Context, actor Actor, n DeviceName) error {
	n.At = s.store.Clock().Now()
	line, err := json.Marshal(map[string]any{"actor": actor.Kind, "user": n.User, "device": n.Device, "at": n.At})
	if err != nil {
		return fmt.Errorf("name a device: %w", err)
	}
	person, err := json.Marshal(map[string]any{"by": actor.Name, "name": n.Name})
	if err != nil {
		return fmt.Errorf("name a device: %w", err)
	}
	return s.store.NameDevice(ctx, n, AuditEntry{Org: n.Org, At: n.At, Kind: "device-name", Entry: line, Person: person})
}
