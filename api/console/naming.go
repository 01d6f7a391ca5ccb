package console

import (
	"fmt"

	"curfew/revoke"
)

// longestName is of how many characters a person's own name for a device may be.
const longestName = 60

// nameDevice takes the name that a person gives a device; an empty one takes it back. What does not print is left out, so that a
// name can neither hide nor turn what stands beside it.
func (v *visit) nameDevice() error {
	return v.theDevice(func(_ *belongings, d *ownDevice) error {
		name := short(longestName, v.r.PostFormValue("name"))
		ctx, cancel := v.changing()
		defer cancel()
		for _, key := range d.keys { // a device that several apps see in their own ways has one name
			n := revoke.DeviceName{Org: v.who.Org, User: v.who.User, Device: key, Name: name}
			if err := v.c.cfg.Service.NameDevice(ctx, revoke.Actor{Kind: "person", Name: v.who.Name}, n); err != nil {
				return fmt.Errorf("name a device: %w", err)
			}
		}
		return v.leave("/me?done=named#" + d.Key)
	})
}
