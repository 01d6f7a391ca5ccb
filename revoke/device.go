package revoke

import (
	"cmp"
	"slices"
)

// DeviceIdentifier is one name of a device: id, serial, udid or mdm.
type DeviceIdentifier struct {
	Org       string
	Namespace string
	Value     string
}

// The namespaces of devices.
const (
	NamespaceDeviceID = "id" // the application's own id of a device
	NamespaceSerial   = "serial"
	NamespaceUDID     = "udid"
	NamespaceMDM      = "mdm" // the device management's own id
)

// Device is a thing people hold in their hands.
type Device struct {
	ID          ID
	Org         string
	Name        string
	Platform    string
	Identifiers []DeviceIdentifier
	CreatedAt   Instant
}

// join adds what other carries more.
func (d Device) join(other Device) Device {
	d.Identifiers = slices.Clone(d.Identifiers)
	for _, name := range other.Identifiers {
		if !slices.Contains(d.Identifiers, name) {
			d.Identifiers = append(d.Identifiers, name)
		}
	}
	return d
}

// DeviceID returns the ID that a device first seen under the identifier has. It needs no look-up, so a device can be
// lost before anybody has registered it.
func DeviceID(d DeviceIdentifier) ID { return NameID("device", d.Org, d.Namespace, d.Value) }

// named returns names in the org, strongest first: what is burnt into a device says more than what an application calls it.
func named(org string, names []DeviceIdentifier) []DeviceIdentifier {
	order := []string{NamespaceMDM, NamespaceSerial, NamespaceUDID, NamespaceDeviceID}
	out := slices.Clone(names)
	for i := range out {
		out[i].Org = org
	}
	slices.SortStableFunc(out, func(a, b DeviceIdentifier) int {
		return cmp.Compare(slices.Index(order, a.Namespace), slices.Index(order, b.Namespace))
	})
	return out
}

// devices returns every device that carries one of the names, those under the strongest first.
func (f *Facts) devices(names []DeviceIdentifier) []ID {
	var out []ID
	for _, name := range names {
		for _, id := range f.Devices[name] {
			if !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// anotherDevice reports whether the device is another one than what carries the names, although it carries one of them: what is
// burnt in differs, or where that tells nothing, the device management's id. Only what an application calls a device may differ.
func (f *Facts) anotherDevice(id ID, names []DeviceIdentifier) bool {
	for _, namespace := range []string{NamespaceSerial, NamespaceUDID, NamespaceMDM} {
		both, same := false, false
		for _, name := range names {
			for _, have := range f.deviceNames[id] {
				if have.Namespace == namespace && name.Namespace == namespace {
					both, same = true, same || have == name
				}
			}
		}
		if both {
			return !same
		}
	}
	return false
}

// device returns the device that a session on one of these names belongs to, and what must be written for it: a device that
// nobody has seen, or names that a known one was not known by. Every other device that carries one of them stays what it is: an
// end by a name ends the sessions on all of them.
func (d *decision) device(names []DeviceIdentifier, name, platform string) (ID, []Device) {
	if len(names) == 0 {
		return ID{}, nil
	}
	known := slices.DeleteFunc(d.f.devices(names), func(id ID) bool { return d.f.anotherDevice(id, names) })
	device := Device{Org: d.in.source.Org, Name: name, Platform: platform, CreatedAt: d.f.Now}
	if len(known) > 0 {
		device.ID = known[0]
	}
	for _, n := range names {
		if device.ID.IsZero() && len(d.f.Devices[n]) == 0 {
			device.ID = DeviceID(n)
		}
		if !slices.Contains(d.f.Devices[n], device.ID) {
			device.Identifiers = append(device.Identifiers, n)
		}
	}
	if len(device.Identifiers) == 0 {
		return device.ID, nil
	}
	return device.ID, []Device{device}
}

// lost ends the sessions on the devices that a signal names: a person's own, or everybody's where user is zero. A device that
// nobody has registered is remembered, and news of it is widened to the person.
func (d *decision) lost(sig Signal, user ID) {
	org := d.in.source.Org
	everybody := user.IsZero() || d.in.source.Devices
	newest := d.f.newest(user).Born
	var scopes []Scope
	known := d.f.devices(named(org, sig.Device))
	if len(known) == 0 {
		device, made := d.device(named(org, sig.Device), "", "")
		d.write(Effects{Devices: made})
		d.raise(AlarmUnmatched, "a signal of "+d.in.source.Name+" names a device that nobody has registered")
		known = []ID{device}
		if !user.IsZero() && !d.in.source.Admin {
			d.settle(EventDecided, "the device that it names is not registered, so all of the person's sessions end")
			scopes = append(scopes, Scope{Org: org, Kind: ScopeUser, User: user})
		}
	}
	for _, device := range known {
		if !everybody {
			scopes = append(scopes, Scope{Org: org, Kind: ScopeUserDevice, User: user, Device: device})
			continue
		}
		scopes = append(scopes, DeviceScope(org, device))
		newest = max(newest, d.f.NewestOf[DeviceScope(org, device)])
	}
	d.cut(sig, scopes[0], newest, scopes[1:]...)
}
