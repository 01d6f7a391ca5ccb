package revoke_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"curfew/revoke"
)

var mdmSource = revoke.Source{Name: "jamf", Org: "main", Authority: "jamf", IDs: "jamf", Devices: true}

// things are names of a device: namespace, value, ...
func things(pairs ...string) (out []revoke.DeviceIdentifier) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, revoke.DeviceIdentifier{Namespace: pairs[i], Value: pairs[i+1]})
	}
	return out
}

func TestDeviceIsFoundByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	names := things("id", "pad-1", "serial", "C02", "udid", "0000-1", "mdm", "77")
	for _, name := range names {
		o := newOffice(t)
		hers, other := o.signIn(revoke.Registration{Device: names}), o.signIn(revoke.Registration{Device: things("serial", "C03")})
		o.send(mdmSource, revoke.Signal{Kind: revoke.DeviceLost, Device: []revoke.DeviceIdentifier{name}})
		o.want(hers, false, "lost by its "+name.Namespace)
		o.want(other, true, "another device")
	}
}

// What an application calls a device is not burnt into it: several carry the name, and all of them are meant by it.
func TestOneNameOfSeveralDevices(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	one := o.signIn(revoke.Registration{Device: things("serial", "C02", "id", "tablet")})
	two := o.signIn(revoke.Registration{Device: things("serial", "C03", "id", "tablet")})
	three := o.signIn(revoke.Registration{Device: things("id", "tablet")})
	four := o.signIn(revoke.Registration{Device: things("serial", "C02")})
	o.send(mdmSource, revoke.Signal{Kind: revoke.DeviceLost, Device: things("serial", "C03")})
	o.want(two, false, "its own serial")
	o.want(one, true, "another serial under the same name")
	o.send(mdmSource, revoke.Signal{Kind: revoke.DeviceLost, Device: things("id", "tablet")})
	for i, s := range []revoke.Session{one, three, four} {
		o.want(s, false, fmt.Sprintf("session %d, by the name that they share", i))
	}
	o.want(o.signIn(revoke.Registration{Device: things("id", "tablet")}), true, "a login afterwards")
}

// Devices are the same, or not, by what is burnt in; the device management's id decides only where nothing else does.
func TestWhichDeviceIsMeant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second []revoke.DeviceIdentifier
		one           bool
	}{
		"the same serial":                    {things("serial", "C02"), things("serial", "C02", "id", "x"), true},
		"another serial under one name":      {things("serial", "C02", "id", "x"), things("serial", "C03", "id", "x"), false},
		"another udid under one name":        {things("udid", "1", "id", "x"), things("udid", "2", "id", "x"), false},
		"enrolled anew":                      {things("serial", "C02", "mdm", "7"), things("serial", "C02", "mdm", "8"), true},
		"an enrolment that went to another":  {things("serial", "C02", "mdm", "7"), things("serial", "C03", "mdm", "7"), false},
		"another enrolment under one name":   {things("mdm", "7", "id", "x"), things("mdm", "8", "id", "x"), false},
		"an application installed anew":      {things("udid", "1", "id", "x"), things("udid", "1", "id", "y"), true},
		"a serial for what had only a name":  {things("id", "x"), things("serial", "C02", "id", "x"), true},
		"a udid beside a serial":             {things("serial", "C02", "id", "x"), things("udid", "1", "id", "x"), true},
		"nothing in common":                  {things("serial", "C02"), things("serial", "C03"), false},
		"the same serial, written elsewhere": {things("serial", "C02", "udid", "1"), things("serial", "C02", "udid", "2"), true},
	} {
		o := newOffice(t)
		first, second := o.signIn(revoke.Registration{Device: c.first}), o.signIn(revoke.Registration{Device: c.second})
		if got := first.Device == second.Device; got != c.one {
			t.Errorf("%s: %v and %v are one device: %t, want %t", name, c.first, c.second, got, c.one)
		}
	}
}

// A registration with a further name teaches it: the device is found by it from then on.
func TestDeviceLearnsNames(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.signIn(revoke.Registration{Device: things("serial", "C02")})
	o.signIn(revoke.Registration{Device: things("serial", "C02", "udid", "0000-1")})
	o.send(mdmSource, revoke.Signal{Kind: revoke.DeviceUnenrolled, Device: things("udid", "0000-1")})
	o.want(first, false, "registered by another name of the same device")
}

func TestDeviceCutsAtReceipt(t *testing.T) {
	t.Parallel()
	for _, who := range []revoke.Subject{nil, by("sally@example.edu")} {
		o := newOffice(t)
		o.store.Moving().Advance(time.Hour)
		s := o.signIn(revoke.Registration{Device: things("serial", "C02"), IssuedAt: o.now().Add(-time.Minute)})
		o.receive(mdmSource, revoke.Event{Signals: []revoke.Signal{{
			Kind: revoke.DeviceLost, Subject: who, Device: things("serial", "C02"), OccurredAt: o.now().Add(-30 * time.Minute),
		}}})
		o.want(s, false, fmt.Sprintf("born after the device was lost and before we heard of it, naming %v", who))
	}
}

// Who ends whose sessions on a device: a person or a source that names a person her own, an admin or an MDM everybody's.
func TestWhoseSessionsOnADevice(t *testing.T) {
	t.Parallel()
	device := things("serial", "C02")
	for name, c := range map[string]struct {
		src         revoke.Source
		named       bool
		hers, bobs  bool // live afterwards
		otherDevice bool
		state       revoke.EventState
	}{
		"a source about her":  {oktaSource, true, false, true, true, revoke.EventDecided},
		"an app about her":    {portalApp, true, false, true, true, revoke.EventDecided},
		"an MDM about her":    {mdmSource, true, false, false, true, revoke.EventDecided},
		"an MDM about nobody": {mdmSource, false, false, false, true, revoke.EventDecided},
		"an admin":            {deviceOperator, false, false, false, true, revoke.EventDecided},
		"a source of nobody":  {oktaSource, false, true, true, true, revoke.EventMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			hers, other := o.signIn(revoke.Registration{Device: device}), o.signIn(revoke.Registration{})
			bobs := o.signIn(revoke.Registration{Subject: by("bob@example.edu"), Device: device})
			sig := revoke.Signal{Kind: revoke.DeviceLost, Device: device}
			if c.named {
				sig.Subject = by("sally@example.edu")
			}
			if out := o.receive(c.src, revoke.Event{Signals: []revoke.Signal{sig}}); out.State != c.state {
				t.Fatalf("state = %s, want %s", out.State, c.state)
			}
			o.want(hers, c.hers, "hers on the device")
			o.want(bobs, c.bobs, "Bob's on the device")
			o.want(other, c.otherDevice, "hers elsewhere")
		})
	}
}

var deviceOperator = revoke.Source{Name: "ops", Org: "main", Authority: revoke.AdminAuthority, IDs: revoke.NamespaceCurfew, Admin: true, Devices: true}

// News of a device that nobody registered is remembered and alarmed, and widened to the person that it names, but not as an
// admin's order.
func TestUnmatchedDevice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src            revoke.Source
		named          bool
		widened        bool
		hersOver, over bool // a session registered on it later, born before: hers, Bob's
	}{
		"a source about her":  {oktaSource, true, true, true, false},
		"an MDM about her":    {mdmSource, true, true, true, true},
		"an MDM about nobody": {mdmSource, false, false, true, true},
		"an admin":            {deviceOperator, false, false, true, true},
		"an admin about her":  {deviceOperator, true, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			hers, bobs := o.signIn(revoke.Registration{}), o.signIn(revoke.Registration{Subject: by("bob@example.edu")})
			before := o.now()
			sig := revoke.Signal{Kind: revoke.DeviceLost, Device: things("serial", "C02", "udid", "0000-1")}
			if c.named {
				sig.Subject = by("sally@example.edu")
			}
			out := o.receive(c.src, revoke.Event{Signals: []revoke.Signal{sig}})
			if out.State != revoke.EventDecided || len(out.Alarms) != 1 || out.Alarms[0].Kind != revoke.AlarmUnmatched {
				t.Fatalf("outcome = %+v, want decided with the alarm that it is unmatched", out)
			}
			if _, stands := o.alarms()[revoke.AlarmUnmatched]; !stands {
				t.Error("the alarm does not stand")
			}
			o.want(hers, !c.widened, "her session elsewhere")
			o.want(bobs, true, "Bob's session elsewhere")
			for _, restarted := range []bool{false, true} {
				if restarted {
					o.restart()
				}
				for device, names := range map[string][]revoke.DeviceIdentifier{
					"the serial": things("serial", "C02"), "the udid and its own id": things("id", "pad", "udid", "0000-1"),
				} {
					_, err := o.enter(revoke.Registration{Device: names, IssuedAt: before})
					if got := errors.Is(err, revoke.ErrOver); got != c.hersOver {
						t.Errorf("her older session registered by %s = %v, want over %t", device, err, c.hersOver)
					}
					_, err = o.enter(revoke.Registration{Subject: by("bob@example.edu"), Device: names, IssuedAt: before})
					if got := errors.Is(err, revoke.ErrOver); got != c.over {
						t.Errorf("Bob's older session registered by %s = %v, want over %t", device, err, c.over)
					}
				}
			}
			o.want(o.signIn(revoke.Registration{Device: things("serial", "C02")}), true, "a login afterwards")
		})
	}
}

// A session of a joined person on a remembered device is over, whichever of her users the news named.
func TestRememberedDeviceOfAJoinedPerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var phone revoke.Subject
	phone.Add(revoke.NamespacePhone, "+44201234")
	o.signIn(revoke.Registration{})
	before := o.now()
	o.signIn(revoke.Registration{Subject: phone, Device: things("serial", "C02", "id", "pad")})
	o.signIn(revoke.Registration{Subject: by("bob@example.edu"), Device: things("serial", "C03", "id", "pad")})
	o.send(portalApp, revoke.Signal{Kind: revoke.DeviceLost, Subject: phone, Device: things("serial", "C02")})
	o.send(oktaSource, revoke.Signal{Kind: revoke.CredentialChanged, OccurredAt: before.Add(-time.Hour), Subject: append(by("sally@example.edu"), phone...)})
	if _, err := o.enter(revoke.Registration{Device: things("serial", "C03", "id", "pad"), IssuedAt: before}); !errors.Is(err, revoke.ErrOver) {
		t.Errorf("registering by a name of the lost device, under her other user = %v, want ErrOver", err)
	}
}

func TestProvidersSessionID(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	portal, mail := o.signIn(revoke.Registration{SID: "sso-1"}), o.signIn(revoke.Registration{SID: "sso-1", App: "mail"})
	other := o.signIn(revoke.Registration{SID: "sso-2"})
	out := o.receive(oktaSource, revoke.Event{Signals: []revoke.Signal{{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{SID: "sso-1"}}}})
	o.want(portal, false, "the provider's session")
	o.want(mail, false, "the same in another app")
	o.want(other, true, "another one")
	if len(out.Revocations) != 2 || len(out.Alarms) != 0 {
		t.Errorf("outcome = %+v, want one end for each session", out)
	}
}

func TestUnmatchedProvidersSessionID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src            revoke.Source
		named, widened bool
	}{
		"about nobody":             {oktaSource, false, false},
		"about her":                {oktaSource, true, true},
		"about her, by an admin":   {operator, true, false},
		"about nobody, by the app": {portalApp, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			hers := o.signIn(revoke.Registration{SID: "sso-2"})
			before := o.now()
			sig := revoke.Signal{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{SID: "sso-1"}, OccurredAt: before.Add(-time.Minute), Command: true}
			if c.named {
				sig.Subject = by("sally@example.edu")
			}
			out := o.receive(c.src, revoke.Event{Signals: []revoke.Signal{sig}})
			if len(out.Alarms) != 1 || out.Alarms[0].Kind != revoke.AlarmUnmatched {
				t.Errorf("alarms = %+v, want that it is unmatched", out.Alarms)
			}
			o.want(hers, !c.widened, "her other session")
			for _, app := range []string{"portal", "mail"} {
				if _, err := o.enter(revoke.Registration{SID: "sso-1", App: app, IssuedAt: before}); !errors.Is(err, revoke.ErrOver) {
					t.Errorf("an older session of it, registered later at %s = %v, want ErrOver", app, err)
				}
			}
			o.want(o.signIn(revoke.Registration{SID: "sso-1"}), true, "born after its end")
		})
	}
}
