package revoketest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"curfew/revoke"
)

// used returns a session with its last use.
func (t *tables) used(s revoke.Session) revoke.Session {
	s.UsedAt = t.uses[useKey{s.Org, s.ID}]
	return s
}

// older reports whether a row belongs to a list that goes down by id from before.
func older(id, before revoke.ID) bool { return before.IsZero() || id.Compare(before) < 0 }

// Events returns events, newest first. Those of the whole store in the order of their decisions are [Memory.AllEvents].
func (m *Memory) Events(ctx context.Context, q revoke.EventQuery) (out []revoke.Event, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, ev := range t.events {
			if ev.Org == q.Org && (q.ID.IsZero() || ev.ID == q.ID) && (q.Source == "" || ev.Source == q.Source) && (q.State == "" || ev.State == q.State) &&
				(q.Type == "" || ev.Type == q.Type) && older(ev.ID, q.Before) {
				out = append(out, copyEvent(ev))
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Event) int { return b.ID.Compare(a.ID) })
	return page(out, q.Limit), err
}

// Revocations returns the revocations of users, newest first.
func (m *Memory) Revocations(ctx context.Context, q revoke.RevocationQuery) (out []revoke.Revocation, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, r := range t.revocations {
			if r.Org == q.Org && slices.Contains(q.Users, r.Scope.User) && older(r.ID, q.Before) {
				out = append(out, r)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Revocation) int { return b.ID.Compare(a.ID) })
	return page(out, q.Limit), err
}

// Alarms returns alarms, newest first.
func (m *Memory) Alarms(ctx context.Context, q revoke.AlarmQuery) (out []revoke.Alarm, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, a := range t.alarms {
			if a.Org == q.Org && (q.ID.IsZero() || a.ID == q.ID) && (q.Kind == "" || a.Kind == q.Kind) && (!q.Standing || a.ClearedAt == 0) && older(a.ID, q.Before) {
				out = append(out, a)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Alarm) int { return b.ID.Compare(a.ID) })
	return page(out, q.Limit), err
}

// Heard returns what was heard from each of these sources, in their order, the types that came most often first.
func (m *Memory) Heard(ctx context.Context, org string, sources []string) ([]revoke.SourceNews, error) {
	out := make([]revoke.SourceNews, len(sources))
	err := m.read(ctx, func(t *tables) {
		for i, source := range sources {
			out[i].Source = source
			var newest revoke.ID
			unknown := map[string]*revoke.UnknownType{}
			for _, ev := range t.events {
				if ev.Org != org || ev.Source != source {
					continue
				}
				if ev.ID.Compare(newest) > 0 {
					newest, out[i].LastAt = ev.ID, ev.ReceivedAt
				}
				if ev.State != revoke.EventUnknown {
					continue
				}
				u := unknown[ev.Type]
				if u == nil {
					u = &revoke.UnknownType{Type: ev.Type}
					unknown[ev.Type] = u
				}
				if u.Count++; ev.ID.Compare(u.Sample) > 0 {
					u.Sample, u.LastAt = ev.ID, ev.ReceivedAt
				}
			}
			for _, u := range unknown {
				out[i].Unknown = append(out[i].Unknown, *u)
			}
			slices.SortFunc(out[i].Unknown, func(a, b revoke.UnknownType) int {
				return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Type, b.Type))
			})
			out[i].Unknown = page(out[i].Unknown, 100)
		}
	})
	return out, err
}

// Backlogs returns what waits at each of these targets, in their order.
func (m *Memory) Backlogs(ctx context.Context, org string, targets []string) ([]revoke.Backlog, error) {
	out := make([]revoke.Backlog, len(targets))
	err := m.read(ctx, func(t *tables) {
		for i, target := range targets {
			b := &out[i]
			b.Target = target
			for _, d := range t.deliveries {
				if d.Org != org || d.Target != target {
					continue
				}
				switch d.State {
				case revoke.DeliveryDue:
					b.Due++
				case revoke.DeliveryClaimed:
					b.Claimed++
				case revoke.DeliveryParked:
					b.Parked++
					continue
				case revoke.DeliveryDone, revoke.DeliveryDropped:
					continue
				}
				if b.OldestAt == 0 || d.FirstAt < b.OldestAt {
					b.OldestAt = d.FirstAt
				}
			}
		}
	})
	return out, err
}

// Holdings returns every holding of these identifiers, released ones too, oldest first of each.
func (m *Memory) Holdings(ctx context.Context, ids []revoke.Identifier) (out []revoke.Holding, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, id := range ids {
			var of []revoke.Holding
			for _, h := range t.holdings {
				if h.Identifier == id {
					of = append(of, h)
				}
			}
			slices.SortFunc(of, func(a, b revoke.Holding) int { return cmp.Compare(a.HeldFrom, b.HeldFrom) })
			out = append(out, of...)
		}
	})
	return out, err
}

// FindSessions returns the sessions that refs point at.
func (m *Memory) FindSessions(ctx context.Context, refs []revoke.SessionRef) (out []revoke.Session, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, s := range t.sessions {
			if slices.ContainsFunc(refs, func(ref revoke.SessionRef) bool { return ref.Matches(&s) }) {
				out = append(out, t.used(s))
			}
		}
	})
	return out, err
}

// DevicesNamed returns the devices that carry one of the names, with all their names, by id.
func (m *Memory) DevicesNamed(ctx context.Context, names []revoke.DeviceIdentifier) (out []revoke.Device, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, d := range t.devices {
			if slices.ContainsFunc(d.Identifiers, func(name revoke.DeviceIdentifier) bool { return slices.Contains(names, name) }) {
				d.Identifiers = slices.Clone(d.Identifiers)
				out = append(out, d)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Device) int { return a.ID.Compare(b.ID) })
	return out, err
}

// Due returns people for whom something has to happen by itself by now, the longest waiting first.
func (m *Memory) Due(ctx context.Context, now revoke.Instant, limit int) (out []revoke.Due, err error) {
	err = m.read(ctx, func(t *tables) {
		since := map[revoke.Due]revoke.Instant{}
		add := func(user revoke.ID, at revoke.Instant) {
			due := revoke.Due{Org: t.users[user].Org, User: user}
			if have, ok := since[due]; at <= now && (!ok || at < have) {
				since[due] = at
			}
		}
		for _, b := range t.blocks {
			if b.Class == revoke.ClassTimed && b.Until != 0 && b.LiftedAt <= b.BlockedAt && t.users[b.User].LiftedOver <= b.BlockedAt {
				add(b.User, b.Until)
			}
		}
		for _, p := range t.plans {
			if p.EffectiveAt != 0 && p.CarriedAt == 0 {
				add(p.User, p.EffectiveAt)
			}
		}
		out = slices.SortedFunc(maps.Keys(since), func(a, b revoke.Due) int {
			return cmp.Or(cmp.Compare(since[a], since[b]), strings.Compare(a.Org, b.Org), a.User.Compare(b.User))
		})
	})
	return page(out, limit), err
}

// LeftBehind returns users on whom a block of the authority was set, or for whom it has a plan that was not carried out, by id.
func (m *Memory) LeftBehind(ctx context.Context, org, authority string, after revoke.ID, limit int) (out []revoke.ID, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, b := range t.blocks {
			if b.Authority == authority && b.BlockedAt != 0 && t.users[b.User].Org == org {
				out = append(out, b.User)
			}
		}
		for _, p := range t.plans {
			if p.Authority == authority && p.EffectiveAt != 0 && p.CarriedAt == 0 && t.users[p.User].Org == org {
				out = append(out, p.User)
			}
		}
	})
	if err == nil {
		err = m.read(ctx, func(t *tables) {
			for _, h := range t.held {
				if h.Org == org && h.Authority == authority && h.DecidedAt == 0 {
					out = append(out, h.User)
				}
			}
		})
	}
	out = slices.DeleteFunc(out, func(id revoke.ID) bool { return id.Compare(after) <= 0 })
	slices.SortFunc(out, revoke.ID.Compare)
	return page(slices.Compact(out), limit), err
}

// Spared returns the users who are break-glass people now, by id.
func (m *Memory) Spared(ctx context.Context, org string) (out []revoke.User, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, u := range t.users {
			if u.Org == org && u.Spared() {
				out = append(out, u)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.User) int { return a.ID.Compare(b.ID) })
	return out, err
}
