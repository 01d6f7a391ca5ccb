package revoketest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"curfew/revoke"
)

// check refuses what a database's unique keys refuse: a row that must be new and is not. Nothing is written then. The error
// is none of the sentinels, since a decision that meets it was decided wrongly.
func (t *tables) check(e *revoke.Effects) error {
	taken := func(what, key string) error {
		return fmt.Errorf("write %s %s: it is there already", what, key)
	}
	for i, s := range e.Sessions {
		same := func(other revoke.Session) bool {
			return other.ID == s.ID || !s.Token.IsZero() && other.Org == s.Org && other.Token == s.Token ||
				s.ClientID != "" && other.Org == s.Org && other.App == s.App && other.ClientID == s.ClientID
		}
		for _, other := range t.sessions {
			if same(other) {
				return taken("session", s.Name())
			}
		}
		if slices.ContainsFunc(e.Sessions[:i], same) {
			return taken("session", s.Name())
		}
	}
	for i, ev := range e.Events {
		same := func(other revoke.Event) bool {
			return other.ID != ev.ID && ev.SenderID != "" && other.Key() == ev.Key() // the same once more is its replay
		}
		if slices.ContainsFunc(t.events, same) || slices.ContainsFunc(e.Events[:i], same) {
			return taken("event", ev.SenderID)
		}
	}
	for i, r := range e.Revocations {
		_, there := t.revocations[r.ID]
		if there || slices.ContainsFunc(e.Revocations[:i], func(other revoke.Revocation) bool { return other.ID == r.ID }) {
			return taken("revocation", r.ID.String())
		}
	}
	for i, d := range e.Deliveries {
		_, there := t.deliveries[deliveryKey{d.Revocation, d.Target}]
		if there || slices.ContainsFunc(e.Deliveries[:i], func(other revoke.Delivery) bool { return byDelivery(other, d) == 0 }) {
			return taken("delivery", d.Name())
		}
	}
	return t.checkNames(e)
}

// checkNames refuses that two resources of an authority answer to one name after e.
func (t *tables) checkNames(e *revoke.Effects) error {
	after := maps.Clone(t.resources)
	for _, r := range e.Resources {
		after[r.ID] = r
	}
	for _, r := range e.Resources {
		for _, other := range after {
			if r.Named && other.Named && r.ID != other.ID && !r.Deleted() && !other.Deleted() && r.Org == other.Org && r.Authority == other.Authority &&
				r.Type == other.Type && revoke.Fold(r.UserName) == revoke.Fold(other.UserName) {
				return fmt.Errorf("write resource %s: %q is another's name already", r.ID, r.UserName)
			}
		}
	}
	return nil
}

// write joins e into what stands here, and keeps its changes.
func (t *tables) write(e *revoke.Effects, at revoke.Instant) {
	for _, u := range e.Users {
		if have, ok := t.users[u.ID]; ok {
			u.Org, u.CreatedAt = have.Org, have.CreatedAt
			u.SparedAt, u.UnsparedAt = max(u.SparedAt, have.SparedAt), max(u.UnsparedAt, have.UnsparedAt)
			u.LiftedOver = max(u.LiftedOver, have.LiftedOver)
		}
		t.users[u.ID] = u
	}
	for _, h := range e.Holdings {
		same := func(have revoke.Holding) bool { return have.Identifier == h.Identifier && have.HeldFrom == h.HeldFrom }
		if i := slices.IndexFunc(t.holdings, same); i >= 0 {
			have := &t.holdings[i]
			have.ReleasedAt, have.Authority = max(have.ReleasedAt, h.ReleasedAt), cmp.Or(have.Authority, h.Authority)
		} else {
			t.holdings = append(t.holdings, h)
		}
	}
	for _, j := range e.Joins {
		key := [2]revoke.ID{j.A, j.B}
		if have, ok := t.joins[key]; ok {
			if have.At >= j.At {
				j.At, j.Event = have.At, have.Event
			}
			j.SplitAt = max(j.SplitAt, have.SplitAt)
		}
		t.joins[key] = j
	}
	for _, b := range e.Blocks {
		if have, ok := t.blocks[b.BlockKey]; ok {
			b = have.Join(b)
		}
		t.blocks[b.BlockKey] = b
	}
	for _, c := range e.Cutoffs {
		if have, ok := t.cutoffs[c.Scope]; ok {
			c = have.Join(c)
		}
		t.cutoffs[c.Scope] = c
	}
	for _, l := range e.Limits {
		t.limits[l.LimitKey()] = t.limits[l.LimitKey()].Join(l)
	}
	for _, p := range e.Policies {
		t.policies[p.PolicyKey] = p
	}
	for _, d := range e.Devices {
		if have, ok := t.devices[d.ID]; ok {
			have.Identifiers = append(slices.Clone(have.Identifiers), d.Identifiers...)
			d = have
		}
		slices.SortFunc(d.Identifiers, func(a, b revoke.DeviceIdentifier) int {
			return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Value, b.Value))
		})
		d.Identifiers = slices.Compact(d.Identifiers)
		t.devices[d.ID] = d
	}
	for _, s := range e.Sessions {
		s.UsedAt = 0
		t.sessions[s.ID] = s
	}
	for _, end := range e.Ends {
		if s, ok := t.sessions[end.Session]; ok && s.EndedAt == 0 {
			s.EndedAt, s.EndedBy = end.At, end.Revocation
			t.sessions[s.ID] = s
		}
	}
	t.append(e, at)
}

// append adds what is only ever new.
func (t *tables) append(e *revoke.Effects, at revoke.Instant) {
	for _, ev := range e.Events {
		if i := slices.IndexFunc(t.events, func(have revoke.Event) bool { return have.ID == ev.ID }); i >= 0 {
			have := &t.events[i]
			have.State, have.Note, have.Decided = ev.State, ev.Note, copyEvent(ev).Decided
		} else {
			t.events = append(t.events, copyEvent(ev))
		}
	}
	for _, p := range e.Plans {
		t.plans[p.PlanKey] = p
	}
	t.writeHeld(e)
	t.ring(e.Cleared, e.Alarms, at)
	t.writeReads(e)
	for _, n := range e.Notices {
		t.notices[n.NoticeKey] = t.notices[n.NoticeKey].Join(n)
	}
	for _, r := range e.Revocations {
		t.revocations[r.ID] = r
	}
	for _, d := range e.Deliveries {
		t.deliveries[deliveryKey{d.Revocation, d.Target}] = copyDelivery(d)
	}
	for _, r := range e.Resources {
		t.resources[r.ID] = copyResource(r)
	}
	for _, member := range e.Members {
		if _, there := t.members[member.MemberKey]; !there {
			t.members[member.MemberKey] = member
		}
	}
	for _, key := range e.Left {
		delete(t.members, key)
	}
	for _, c := range e.Changes(at) {
		c.Seq = int64(len(t.changes) + 1)
		t.changes = append(t.changes, c)
	}
	for _, a := range e.Audit {
		t.log(a)
	}
}

// copyEvent copies what a database keeps of an event: the body, what was decided, and not the signals.
func copyEvent(ev revoke.Event) revoke.Event {
	ev.Signals, ev.Read, ev.Body = nil, "", slices.Clone(ev.Body)
	ev.Decided.Revocations = slices.Clone(ev.Decided.Revocations)
	ev.Decided.Changes = slices.Clone(ev.Decided.Changes)
	ev.Decided.Conflicts = slices.Clone(ev.Decided.Conflicts)
	return ev
}

func copyDelivery(d revoke.Delivery) revoke.Delivery {
	if d.Receipt != nil {
		receipt := *d.Receipt
		d.Receipt = &receipt
	}
	return d
}

func copyResource(r revoke.Resource) revoke.Resource {
	r.Profile, r.SameValues = slices.Clone(r.Profile), false
	return r
}
