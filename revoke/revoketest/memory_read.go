package revoketest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"curfew/revoke"
)

// read runs one question under the lock, if the store answers.
func (m *Memory) read(ctx context.Context, question func(*tables)) error {
	if err := m.answers(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	question(&m.tables)
	return nil
}

// Ping asks whether the store answers.
func (m *Memory) Ping(ctx context.Context) error { return m.answers(ctx) }

// LoadView calls apply with every cutoff, block, join and admin's lift there is.
func (m *Memory) LoadView(ctx context.Context, apply func(...revoke.Change)) error {
	var all revoke.Effects
	err := m.read(ctx, func(t *tables) {
		all.Users = slices.Collect(maps.Values(t.users))
		all.Joins = slices.Collect(maps.Values(t.joins))
		all.Blocks = slices.Collect(maps.Values(t.blocks))
		all.Cutoffs = slices.Collect(maps.Values(t.cutoffs))
		all.Limits = slices.Collect(maps.Values(t.limits))
		all.Policies = slices.Collect(maps.Values(t.policies))
	})
	if err != nil {
		return err
	}
	for c := range slices.Chunk(all.Changes(m.clock.Now()), 100) {
		apply(c...)
	}
	return nil
}

// FindSession returns the one session that ref points at.
func (m *Memory) FindSession(ctx context.Context, ref revoke.SessionRef) (found revoke.Session, err error) {
	n := 0
	err = m.read(ctx, func(t *tables) {
		for _, s := range t.sessions {
			if ref.Matches(&s) {
				found = t.used(s)
				n++
			}
		}
	})
	switch {
	case err != nil:
		return revoke.Session{}, err
	case n == 0:
		return revoke.Session{}, fmt.Errorf("find session: %w", revoke.ErrNotFound)
	case n > 1:
		return revoke.Session{}, fmt.Errorf("find session: %d answer to that: %w", n, revoke.ErrConflict)
	}
	return found, nil
}

// SessionsOf returns the sessions of users, newest birth first.
func (m *Memory) SessionsOf(ctx context.Context, q revoke.SessionQuery) (out []revoke.Session, err error) {
	newer := func(a, b revoke.Session) int { return cmp.Or(cmp.Compare(b.BornAt, a.BornAt), b.ID.Compare(a.ID)) }
	err = m.read(ctx, func(t *tables) {
		for _, s := range t.sessions {
			if s.Org != q.Org || q.App != "" && s.App != q.App || len(q.Users) > 0 && !slices.Contains(q.Users, s.User) {
				continue
			}
			if q.After != nil && newer(s, revoke.Session{BornAt: q.After.BornAt, ID: q.After.ID}) <= 0 {
				continue
			}
			out = append(out, t.used(s))
		}
	})
	slices.SortFunc(out, newer)
	return page(out, q.Limit), err
}

func page[T any](rows []T, limit int) []T { return rows[:min(len(rows), max(limit, 0))] }

// Holders returns the users that an identifier leads to by itself.
func (m *Memory) Holders(ctx context.Context, ids []revoke.Identifier) (out []revoke.ID, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, id := range ids {
			out = append(out, t.holders(id)...)
		}
	})
	slices.SortFunc(out, revoke.ID.Compare)
	return slices.Compact(out), err
}

func (t *tables) holders(id revoke.Identifier) []revoke.ID {
	var carriers []revoke.ID
	var last revoke.Holding
	for _, h := range t.holdings {
		if h.Identifier != id {
			continue
		}
		if h.ReleasedAt == 0 {
			carriers = append(carriers, h.User)
		}
		if last.User.IsZero() || h.HeldFrom > last.HeldFrom {
			last = h
		}
	}
	if len(carriers) == 0 && !last.User.IsZero() {
		carriers = []revoke.ID{last.User}
	}
	return carriers
}

// Users returns users of an org that q matches, by id. Identifiers held once count too: they lead to their last holder.
func (m *Memory) Users(ctx context.Context, q revoke.UserQuery) (out []revoke.User, err error) {
	err = m.read(ctx, func(t *tables) {
		matched := map[revoke.ID]bool{}
		for _, h := range t.holdings {
			if h.Org == q.Org && inNamespace(q.Namespace, h.Namespace) &&
				(q.Value != "" && h.Value == q.Value || q.Value == "" && q.Prefix != "" && strings.HasPrefix(h.Value, q.Prefix)) {
				matched[h.User] = true
			}
		}
		for _, u := range t.users {
			if u.Org == q.Org && (q.EveryoneIn || matched[u.ID]) && u.ID.Compare(q.After) > 0 {
				out = append(out, u)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.User) int { return a.ID.Compare(b.ID) })
	return page(out, q.Limit), err
}

func inNamespace(want, have string) bool {
	switch want {
	case "":
		return true
	case revoke.AnyOwnID:
		return have != revoke.NamespaceUserName && have != revoke.NamespaceEmail && have != revoke.NamespacePhone && have != revoke.NamespaceAccount
	default:
		return want == have
	}
}

// People returns users with what hangs on them, by id.
func (m *Memory) People(ctx context.Context, users []revoke.ID) (out []revoke.Person, err error) {
	sorted := slices.Clone(users)
	slices.SortFunc(sorted, revoke.ID.Compare)
	err = m.read(ctx, func(t *tables) { out = t.people(slices.Compact(sorted)) })
	return out, err
}

func (t *tables) people(users []revoke.ID) []revoke.Person {
	var out []revoke.Person
	for _, user := range users {
		u, ok := t.users[user]
		if !ok {
			continue
		}
		p := revoke.Person{User: u}
		for _, h := range t.holdings {
			if h.User == user {
				p.Holdings = append(p.Holdings, h)
			}
		}
		slices.SortStableFunc(p.Holdings, func(a, b revoke.Holding) int { return cmp.Compare(a.HeldFrom, b.HeldFrom) })
		for _, b := range t.blocks {
			if b.User == user {
				p.Blocks = append(p.Blocks, b)
			}
		}
		slices.SortFunc(p.Blocks, func(a, b revoke.Block) int {
			return cmp.Or(strings.Compare(a.Authority, b.Authority), strings.Compare(string(a.Class), string(b.Class)))
		})
		for _, c := range t.cutoffs {
			if c.User == user {
				p.Cutoffs = append(p.Cutoffs, c)
			}
		}
		slices.SortFunc(p.Cutoffs, func(a, b revoke.Cutoff) int {
			return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Key, b.Key), a.Device.Compare(b.Device))
		})
		for _, j := range t.joins {
			if j.A == user || j.B == user {
				p.Joins = append(p.Joins, j)
			}
		}
		for _, plan := range t.plans {
			if plan.User == user {
				p.Plans = append(p.Plans, plan)
			}
		}
		slices.SortFunc(p.Plans, func(a, b revoke.Plan) int { return strings.Compare(a.Authority, b.Authority) })
		slices.SortFunc(p.Joins, func(a, b revoke.Join) int { return cmp.Or(a.A.Compare(b.A), a.B.Compare(b.B)) })
		out = append(out, p)
	}
	return out
}

// Revocation returns one with its deliveries, by target.
func (m *Memory) Revocation(ctx context.Context, org string, id revoke.ID) (r revoke.Revocation, owed []revoke.Delivery, err error) {
	var ok bool
	err = m.read(ctx, func(t *tables) {
		r, ok = t.revocations[id]
		for _, d := range t.deliveries {
			if d.Revocation == id {
				owed = append(owed, copyDelivery(d))
			}
		}
	})
	if err == nil && (!ok || r.Org != org) {
		return revoke.Revocation{}, nil, fmt.Errorf("find revocation %s: %w", id, revoke.ErrNotFound)
	}
	slices.SortFunc(owed, byDelivery)
	return r, owed, err
}

// Deliveries returns deliveries, oldest first.
func (m *Memory) Deliveries(ctx context.Context, q revoke.DeliveryQuery) (out []revoke.Delivery, err error) {
	err = m.read(ctx, func(t *tables) {
		for _, d := range t.deliveries {
			after := q.After == nil || byDelivery(d, revoke.Delivery{Revocation: q.After.Revocation, Target: q.After.Target}) > 0
			if after && asked(q, d) {
				out = append(out, copyDelivery(d))
			}
		}
	})
	slices.SortFunc(out, byDelivery)
	return page(out, q.Limit), err
}

// AttemptsOf returns the calls made for a delivery.
func (m *Memory) AttemptsOf(ctx context.Context, org string, revocation revoke.ID, target string) (out []revoke.Attempt, err error) {
	err = m.read(ctx, func(t *tables) {
		if t.revocations[revocation].Org != org {
			return
		}
		for _, a := range t.attempts {
			if a.Revocation == revocation && a.Target == target {
				out = append(out, a)
			}
		}
	})
	return page(out, 1000), err
}

// EachSession calls each with the sessions in the scope that have neither ended nor expired.
func (m *Memory) EachSession(ctx context.Context, scope revoke.Scope, now revoke.Instant, each func(*revoke.Session)) error {
	return m.read(ctx, func(t *tables) {
		for _, s := range t.sessions {
			if s.Org == scope.Org && covers(scope, &s) && s.EndedAt == 0 && s.ExpiresAt > now {
				each(&s)
			}
		}
	})
}

func asked(q revoke.DeliveryQuery, d revoke.Delivery) bool {
	return d.Org == q.Org && (q.Target == "" || d.Target == q.Target) && (q.State == "" || d.State == q.State) &&
		(q.User.IsZero() || d.User == q.User) && (q.Revocation.IsZero() || d.Revocation == q.Revocation)
}

// Resource returns a SCIM resource that is not deleted.
func (m *Memory) Resource(ctx context.Context, org, authority string, id revoke.ID) (r revoke.Resource, err error) {
	var ok bool
	err = m.read(ctx, func(t *tables) { r, ok = t.resources[id] })
	if err == nil && (!ok || r.Deleted() || r.Org != org || r.Authority != authority) {
		return revoke.Resource{}, fmt.Errorf("find resource %s: %w", id, revoke.ErrNotFound)
	}
	return copyResource(r), err
}

// Resources returns a page and, if asked, how many there are in all.
func (m *Memory) Resources(ctx context.Context, q revoke.ResourceQuery) (out []revoke.Resource, n int, err error) {
	first := map[revoke.ID]*revoke.Value{} // what each is sorted by
	err = m.read(ctx, func(t *tables) {
		for _, r := range t.resources {
			if r.Org != q.Org || r.Authority != q.Authority || r.Type != q.Type || r.Deleted() {
				continue
			}
			values := t.valuesOf(&r)
			if q.Filter.Matches(values) {
				out = append(out, copyResource(r))
				if at := slices.IndexFunc(values, func(v revoke.Value) bool { return v.Path == q.SortBy }); at >= 0 {
					first[r.ID] = &values[at]
				}
			}
		}
	})
	if q.Count {
		n = len(out)
	}
	slices.SortFunc(out, func(a, b revoke.Resource) int {
		order := compareValues(first[a.ID], first[b.ID])
		if q.Descending {
			order = -order
			if q.SortBy == "" {
				return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), b.ID.Compare(a.ID))
			}
		}
		return cmp.Or(order, cmp.Compare(a.CreatedAt, b.CreatedAt), a.ID.Compare(b.ID))
	})
	if q.After != nil {
		out = slices.DeleteFunc(out, func(r revoke.Resource) bool {
			return cmp.Or(cmp.Compare(r.CreatedAt, q.After.CreatedAt), r.ID.Compare(q.After.ID)) <= 0
		})
	}
	return page(out[min(len(out), max(q.Offset, 0)):], q.Limit), n, err
}

// valuesOf are a resource's values with its members.
func (t *tables) valuesOf(r *revoke.Resource) []revoke.Value {
	values, err := r.Values()
	if err != nil {
		panic(err) // a contract writes JSON
	}
	n := 0
	for key := range t.members {
		if key.Org == r.Org && key.Group == r.ID {
			values = append(values, revoke.Value{Path: "members.value", N: n, Text: key.Resource.String()})
			n++
		}
	}
	return values
}

// compareValues sorts what has no value behind what has one.
func compareValues(a, b *revoke.Value) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	default:
		x, y := revoke.Fold(a.Text), revoke.Fold(b.Text)
		if a.Path == "externalId" || a.Path == "id" { // their letter case counts
			x, y = a.Text, b.Text
		}
		return cmp.Or(cmp.Compare(a.Number, b.Number), strings.Compare(x, y))
	}
}

// Members returns memberships, those of one group or of some resources, by group and resource.
func (m *Memory) Members(ctx context.Context, q revoke.MemberQuery) (out []revoke.Member, err error) {
	err = m.read(ctx, func(t *tables) {
		for key, member := range t.members {
			mine := key.Group == q.Group && key.Resource.Compare(q.After.Resource) > 0
			if len(q.Groups) > 0 {
				mine = slices.Contains(q.Groups, key.Group)
			} else if q.Group.IsZero() {
				mine = slices.Contains(q.Resources, key.Resource)
			}
			if key.Org == q.Org && mine {
				out = append(out, member)
			}
		}
	})
	slices.SortFunc(out, func(a, b revoke.Member) int {
		return cmp.Or(a.Group.Compare(b.Group), a.Resource.Compare(b.Resource))
	})
	if len(q.Groups) > 0 {
		return out, err
	}
	return page(out, q.Limit), err
}
