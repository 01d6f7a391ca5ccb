package revoketest

import "curfew/revoke"

// deviceNamesContract is about what people call their devices.
func deviceNamesContract() map[string]func(*bench) {
	return map[string]func(*bench){"device names": namesOfDevices}
}

func namesOfDevices(b *bench) {
	sally, ben := revoke.NewID(1), revoke.NewID(1)
	name := func(user revoke.ID, in, device, called string, at revoke.Instant) revoke.DeviceName {
		b.Helper()
		n := revoke.DeviceName{Org: in, User: user, Device: device, Name: called, At: at}
		audit := ordered()
		audit.Org, audit.Kind = in, "device-name"
		if err := b.store.NameDevice(b.deadline(), n, audit); err != nil {
			b.Fatal(err)
		}
		return n
	}
	all := func(want ...revoke.DeviceName) {
		b.Helper()
		got, err := b.store.DeviceNames(b.deadline(), org, []revoke.ID{sally, ben})
		if err != nil {
			b.Fatal(err)
		}
		b.same("names", got, want)
	}
	all()
	name(sally, org, "d1", "my iPad", 10)
	phone := name(ben, org, "d1", "phone", 20)
	name(sally, "other", "d1", "another org's", 30)
	tablet := name(sally, org, "d1", "Sally’s “tablet”; DROP", 40)
	all(tablet, phone)
	name(sally, org, "d1", "", 50)
	name(sally, org, "d2", "", 60) // there was none
	all(phone)
}
