package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"curfew/revoke"
)

// What a person may end. It is the last part of the addresses, and says what the confirmation asks.
const (
	endDevice     = "device"
	endSession    = "session"
	endOthers     = "others"
	endEverywhere = "everywhere"
)

// question is what is asked before something ends: a page of its own, and a dialog where there is script.
type question struct {
	ID       string // of the dialog
	Heading  string
	What     []string // what will happen, in sentences
	Kept     []string // what stays signed in, where something does
	Post     string   // the form goes there
	Button   string
	Grave    bool
	Form     string
	Reported bool // it was not them
}

// askDevice is the question before a device, or a token, is signed out.
func (v *visit) askDevice(d *ownDevice, notMe bool) question {
	q := question{ID: "end-" + d.Key, Heading: "Sign out “" + d.Name + "”?", Post: "/me/devices/" + d.Key + "/end", Button: "Sign out", Form: v.form}
	switch {
	case d.Here:
		q.Heading, q.Button = "Sign out here?", "Sign out here"
		q.What = []string{"You leave this page, and every app that you are signed in to on this device."}
	case d.Look.Icon == "key":
		q.Heading, q.Button = "Remove “"+d.Name+"”?", "Remove"
		q.What = []string{"Whatever uses this token stops working until it is given a new one."}
	default:
		q.What = []string{"It must sign in again."}
	}
	if len(d.Apps) > 0 && d.Look.Icon != "key" {
		q.What = append(q.What, "Apps on it: "+list(d.Apps)+".")
	}
	q.What = append(q.What, "You can sign in again any time.")
	if notMe {
		q.ID, q.Post, q.Button, q.Grave, q.Reported = "not-me-"+d.Key, "/me/devices/"+d.Key+"/not-me", "Sign it out and report it", true, true
		q.Heading = "Was “" + d.Name + "” not you?"
		q.What = []string{"It is signed out now, with every token on it.", "Whoever looks after security in your organisation is told.", "Then you are asked about your other devices and your password."}
	}
	return q
}

// askMany is the question before everything else, or everything, is signed out.
func (v *visit) askMany(b *belongings, what string) question {
	q := question{ID: "end-" + what, Post: "/me/end/" + what, Form: v.form}
	if what == endEverywhere {
		q.Heading, q.Button, q.Grave = "Sign out everywhere, including here?", "Sign out everywhere", true
		q.What = []string{"You leave this page and every app on every device: " + b.Count() + ". Long-lived tokens end too.", "You can sign in again any time."}
		return q
	}
	q.Heading, q.Button = "Sign out everywhere else?", "Sign out everywhere else"
	kept := map[string]bool{}
	if b.Here != nil {
		for _, s := range b.Here.Sessions {
			if s.row.App != ownApp {
				kept[s.row.App] = true
			}
			q.Kept = append(q.Kept, s.App)
		}
		slices.Sort(q.Kept)
		q.Kept = slices.Compact(q.Kept)
	}
	q.What = []string{plural(len(b.Others), "other device") + " and " + plural(len(b.Tokens), "long-lived token") + " are signed out. You can sign in again any time."}
	if len(kept) > 0 {
		q.What = append(q.What, "An app that you stay signed in to here may know of sign-ins that it never told us of, and we cannot end those without ending yours. “Sign out everywhere, including here” ends them too.")
	}
	q.What = append(q.What, "An app that can only sign you out as a whole may ask you to sign in again on this device as well.")
	return q
}

// confirm shows a question as a page.
func (v *visit) confirm(q question) error { return v.show("confirm", q) }

// Signals are what ends the sessions: a device by its name where it has one, so that what an app never told us of ends with
// it, and each session of the rest by itself.
func (v *visit) endOf(sessions []ownSession, why string) []revoke.Signal {
	var signals []revoke.Signal
	ended := map[revoke.ID]bool{}
	for i := range sessions {
		s := &sessions[i].row
		sig := revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Reason: why}
		if named := !s.Device.IsZero() && s.Facts.DeviceID != "" && s.Kind != revoke.API && s.Kind != revoke.DeviceKind; named {
			if ended[s.Device] {
				continue
			}
			ended[s.Device] = true
			sig.Subject = subjectOf(s.User)
			sig.Device = []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: s.Facts.DeviceID}}
		} else {
			sig.Session = revoke.SessionRef{Org: s.Org, ID: s.ID}
		}
		signals = append(signals, sig)
	}
	return signals
}

// endOthers ends all but what is signed in on this device. An app in which nothing is kept ends as a whole, with what it never
// told us of; in the others each session ends by itself.
func (v *visit) endOthers(b *belongings, why string) []revoke.Signal {
	kept := map[string]bool{ownApp: true}
	if b.Here != nil {
		for _, s := range b.Here.Sessions {
			kept[s.row.App] = true
		}
	}
	var signals []revoke.Signal
	ended := map[string]bool{}
	for _, d := range b.all() {
		if d.Here {
			continue
		}
		for i := range d.Sessions {
			s := &d.Sessions[i].row
			sig := revoke.Signal{Kind: revoke.SessionsCleared, Command: true, Reason: why}
			switch {
			case kept[s.App]:
				sig.Session = revoke.SessionRef{Org: s.Org, ID: s.ID}
			case ended[s.App]:
				continue
			default:
				ended[s.App] = true
				sig.Subject, sig.OnlyApp = subjectOf(v.who.User), s.App
			}
			signals = append(signals, sig)
		}
	}
	return signals
}

// endEverywhere ends everything.
func (v *visit) endEverywhere(why string) []revoke.Signal {
	return []revoke.Signal{{Kind: revoke.SessionsCleared, Subject: subjectOf(v.who.User), Command: true, Reason: why}}
}

func subjectOf(user revoke.ID) revoke.Subject {
	return revoke.Subject{{Namespace: revoke.NamespaceCurfew, Value: user.String()}}
}

// ownSource is the voice of a person about their own sessions. It is nobody's admin: it ends her own sessions on a device, and
// blocks nobody.
func (v *visit) ownSource() revoke.Source {
	return revoke.Source{Name: ownSourceName, Org: v.who.Org, Type: "person", Authority: ownSourceName}
}

const ownSourceName = "me"

// signOut carries out what a person asked for and returns the event. Nothing to end is no event.
func (v *visit) signOut(signals []revoke.Signal) (revoke.ID, error) {
	if len(signals) == 0 {
		return revoke.ID{}, nil
	}
	for i := range signals {
		signals[i].Own = true
	}
	ctx, cancel := v.changing()
	defer cancel()
	actor := revoke.Actor{Kind: "person", Name: v.who.Name} // also of somebody with a role: these are their own sessions
	out, err := v.c.cfg.Service.Receive(ctx, actor, v.ownSource(), revoke.Event{Type: string(revoke.SessionsCleared), Signals: signals})
	if err != nil {
		return revoke.ID{}, fmt.Errorf("sign out: %w", err)
	}
	return out[0].Event, nil
}

// carryOut is signOut and the page that says what became of it. Who signed out here as well gets a page that asks for no sign-in.
func (v *visit) carryOut(signals []revoke.Signal, here bool) error {
	event, err := v.signOut(signals)
	switch {
	case err != nil:
		return err
	case here:
		return v.leave(signedOutPath)
	default:
		return v.leave("/me?" + url.Values{"of": {event.String()}}.Encode() + "#news")
	}
}

// theDevice is a page about one device. A device that is signed out already is not an error: the page says where things stand.
func (v *visit) theDevice(use func(b *belongings, d *ownDevice) error) error {
	ctx, cancel := v.reading()
	defer cancel()
	b, err := v.belongings(ctx)
	if err != nil {
		return err
	}
	d, ok := b.find(v.r.PathValue("device"))
	if !ok {
		return v.leave("/me?done=over")
	}
	return use(b, d)
}

func (v *visit) endDevice() error {
	return v.theDevice(func(_ *belongings, d *ownDevice) error {
		if !d.Here && !v.proved("/me/devices/"+d.Key+"/end") {
			return nil
		}
		if v.r.Method != http.MethodPost {
			return v.confirm(v.askDevice(d, false))
		}
		return v.carryOut(v.endOf(d.Sessions, "signed out by the person"), d.Here)
	})
}

// notMe ends a device that its owner does not know, tells security, and goes on to what else is to be done.
func (v *visit) notMe() error {
	return v.theDevice(func(_ *belongings, d *ownDevice) error {
		if !v.proved("/me/devices/" + d.Key + "/not-me") {
			return nil
		}
		if v.r.Method != http.MethodPost {
			return v.confirm(v.askDevice(d, true))
		}
		event, err := v.signOut(v.endOf(d.Sessions, "unrecognised"))
		if err != nil {
			return err
		}
		ctx, cancel := v.changing()
		defer cancel()
		key := revoke.AlarmKey{Org: v.who.Org, Kind: revoke.AlarmUnrecognised, About: v.who.User.String()}
		if err := v.c.cfg.Service.Raise(ctx, key, "a person says that a sign-in of theirs was somebody else's; it was ended: look at their time line"); err != nil {
			return fmt.Errorf("tell security: %w", err)
		}
		return v.leave("/me/not-me?" + url.Values{"of": {event.String()}}.Encode())
	})
}

// endOne ends one sign-in on a device.
func (v *visit) endOne() error {
	ctx, cancel := v.reading()
	defer cancel()
	b, err := v.belongings(ctx)
	if err != nil {
		return err
	}
	for _, d := range b.all() {
		for _, s := range d.Sessions {
			if s.Key != v.r.PathValue("session") {
				continue
			}
			path := "/me/sessions/" + s.Key + "/end"
			if !d.Here && !v.proved(path) {
				return nil
			}
			if v.r.Method != http.MethodPost {
				return v.confirm(question{
					ID: "end-" + s.Key, Heading: "Sign out of " + s.App + " on “" + d.Name + "”?", Post: path, Button: "Sign out", Form: v.form,
					What: []string{"Only this sign-in ends. You can sign in again any time."},
				})
			}
			only := []revoke.Signal{{Kind: revoke.SessionsCleared, Session: revoke.SessionRef{Org: s.row.Org, ID: s.row.ID}, Command: true, Reason: "signed out by the person"}}
			return v.carryOut(only, s.Present)
		}
	}
	return v.leave("/me?done=over")
}

// endMany ends everything else, or everything.
func (v *visit) endMany() error {
	what := v.r.PathValue("what")
	if what != endOthers && what != endEverywhere {
		return revoke.ErrNotFound
	}
	ctx, cancel := v.reading()
	defer cancel()
	b, err := v.belongings(ctx)
	switch {
	case err != nil:
		return err
	case v.who.User.IsZero():
		return v.leave("/me")
	case !v.proved("/me/end/" + what):
		return nil
	case v.r.Method != http.MethodPost:
		return v.confirm(v.askMany(b, what))
	case what == endEverywhere:
		return v.carryOut(v.endEverywhere("signed out everywhere by the person"), true)
	}
	return v.carryOut(v.endOthers(b, "signed out everywhere else by the person"), false)
}

// mine reads an event of the person's own, with what it decided. Somebody else's is not there.
func (v *visit) mine(ctx context.Context, b *belongings, text string) (revoke.Event, bool, error) {
	id, err := revoke.ParseID(text)
	if err != nil {
		return revoke.Event{}, false, nil //nolint:nilerr // what is no id names nothing
	}
	ev, err := v.c.cfg.Service.Event(ctx, v.who.Org, id)
	switch {
	case errors.Is(err, revoke.ErrNotFound):
		return ev, false, nil
	case err != nil:
		return ev, false, fmt.Errorf("read event %s: %w", id, err)
	}
	own := ev.Source == ownSourceName && len(ev.Decided.Revocations) > 0 && !slices.ContainsFunc(ev.Decided.Revocations, func(r revoke.Revocation) bool {
		return !slices.Contains(b.members, r.Scope.User)
	})
	return ev, own, nil
}
