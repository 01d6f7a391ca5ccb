package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"curfew/revoke"
)

// reading is one group's reading on SQLite.
type reading struct {
	w     *writer
	need  *needs
	facts *revoke.Facts
	seen  map[orgID]bool
	users []orgID // everybody whom the need leads to, joined people included
	// devices are all that carry a name of the need.
	devices []orgID
}

// gather follows the need to its people and reads what hangs on them. The one writer is the lock.
func (d sqliteDB) gather(ctx context.Context, w *writer, u *needs) (*revoke.Facts, revoke.Instant, error) {
	r := &reading{w: w, need: u, facts: u.empty(), seen: map[orgID]bool{}}
	for _, step := range []func(context.Context) error{r.people, r.personal, r.things, r.newest, r.cutoffs, r.policies, r.brakes} {
		if err := step(ctx); err != nil {
			return nil, 0, err
		}
	}
	return r.facts, 0, nil
}

// look runs a question once for every key, several keys at a time, and calls each on the rows of a table that it selects.
func (r *reading) look(ctx context.Context, t *table, question string, each func(record) error, keys ...[]any) error {
	parts := strings.Split(question, "?") // each but the first begins with the number of an argument, which has one digit
	for at := 0; at < len(keys); {
		n := atOnce(len(keys) - at)
		text := r.w.text(question, n, func() string {
			bare := []string{parts[0]}
			for _, part := range parts[1:] { // without numbers, as in [table.inserts]
				bare = append(bare, part[1:])
			}
			one := strings.ReplaceAll(strings.Join(bare, "?"), "LIST", t.list)
			return strings.Repeat(one+" UNION ALL ", n-1) + one
		})
		args := make([]any, 0, n*len(parts))
		for _, key := range keys[at : at+n] {
			for _, part := range parts[1:] {
				args = append(args, key[part[0]-'1'])
			}
		}
		err := r.w.query(ctx, text, func(rows *sql.Rows) error {
			row, err := t.scan(rows)
			if err != nil {
				return err
			}
			return each(row)
		}, args...)
		if err != nil {
			return errorIn(t, err)
		}
		at += n
	}
	return nil
}

// The questions of a group, in SQLite's words. LIST is the table's columns. NOT INDEXED leaves the primary key, which is the
// table itself.
const (
	heldBy        = "SELECT LIST FROM identifiers WHERE org = ?1 AND namespace = ?2 AND value = ?3"
	holdingsOf    = "SELECT LIST FROM identifiers WHERE org = ?1 AND user_id = ?2"
	joinsOf       = "SELECT LIST FROM joins WHERE org = ?1 AND a = ?2 UNION ALL SELECT LIST FROM joins WHERE org = ?1 AND b = ?2"
	userOf        = "SELECT LIST FROM users NOT INDEXED WHERE org = ?1 AND id = ?2"
	blocksOf      = "SELECT LIST FROM blocks WHERE org = ?1 AND user_id = ?2"
	cutoffsOf     = "SELECT LIST FROM cutoffs WHERE org = ?1 AND user_id = ?2"
	cutoffsWide   = "SELECT LIST FROM cutoffs WHERE org = ?1 AND user_id = '" + zeroID + "' AND scope IN ('everyone', 'kind', 'app')"
	cutoffsNarrow = "SELECT LIST FROM cutoffs WHERE org = ?1 AND user_id = ?2 AND scope = ?3 AND device_id = ?4 AND key = ?5"
	limitsOf      = "SELECT LIST FROM limits WHERE org = ?1 AND user_id = ?2"
	policiesOf    = "SELECT LIST FROM policies WHERE org = ?1"
	groupsOfUser  = "SELECT DISTINCT group_id, user_id FROM members WHERE org = ?1 AND user_id = ?2 AND group_id IN (SELECT group_id FROM policies WHERE org = ?1)"
	liveOf        = "SELECT LIST FROM sessions WHERE org = ?1 AND user_id = ?2 AND ended_at = 0 AND expires_at > ?3"
	eventBy       = "SELECT LIST FROM events WHERE org = ?1 AND authority = ?2 AND sender_id = ?3 AND sender_id <> ''"
	deviceBy      = "SELECT LIST FROM device_identifiers WHERE org = ?1 AND namespace = ?2 AND value = ?3"
	namesOfDevice = "SELECT LIST FROM device_identifiers WHERE org = ?1 AND device_id = ?2"
	plansOf       = "SELECT LIST FROM plans WHERE org = ?1 AND user_id = ?2"
	resourceOf    = "SELECT LIST FROM resources WHERE org = ?1 AND id = ?2"
	memberOf      = "SELECT LIST FROM members WHERE org = ?1 AND group_id = ?2 AND resource_id = ?3"
	membersOf     = "SELECT LIST FROM members WHERE org = ?1 AND group_id = ?2"
	resourceNamed = "SELECT LIST FROM resources WHERE org = ?1 AND authority = ?2 AND type = ?3 AND user_name_folded = ?4"
	resourceKnown = "SELECT LIST FROM resources WHERE org = ?1 AND authority = ?2 AND type = ?3 AND external_id = ?4 AND external_id <> ''"
	hitBy         = "SELECT LIST FROM hits WHERE org = ?1 AND voice = ?2 AND subject_id = ?3"
	waitingOf     = "SELECT LIST FROM held WHERE org = ?1 AND user_id = ?2 AND decided_at = 0"
	newestOfUser  = "SELECT ?2 AS id, coalesce(max(born_at), 0), coalesce(max(registered_at), 0) FROM sessions WHERE org = ?1 AND user_id = ?2"
)

func (r *reading) reach(org string, user revoke.ID) {
	if k := (orgID{org, user}); !user.IsZero() && !r.seen[k] {
		r.seen[k] = true
		r.users = append(r.users, k)
	}
}

func (r *reading) holding(row record) error {
	h := row.holding()
	r.facts.AddHolding(h)
	r.reach(h.Org, h.User)
	return nil
}

func (r *reading) session(row record) error {
	s, err := row.session()
	if err != nil {
		return err
	}
	r.facts.AddSession(s)
	r.reach(s.Org, s.User)
	return nil
}

func (r *reading) resource(row record) error {
	v := row.resource()
	r.facts.Resources[v.ID] = v
	r.reach(v.Org, v.User)
	return nil
}

// people finds everybody whom the need leads to, and who is one person with them.
func (r *reading) people(ctx context.Context) error {
	for _, u := range r.need.users {
		r.reach(u.org, u.id)
	}
	err := r.look(ctx, identifiersTable, heldBy, r.holding, keys(r.need.identifiers, func(id revoke.Identifier) []any {
		return []any{id.Org, clean(id.Namespace), clean(id.Value)}
	})...)
	if err != nil {
		return err
	}
	for _, ref := range r.need.sessions {
		for _, by := range sessionsBy(ref) {
			if err := r.look(ctx, sessionsTable, "SELECT LIST FROM sessions WHERE "+sqliteDB{}.text(by.where), r.session, by.args); err != nil {
				return err
			}
		}
	}
	if err := r.resources(ctx); err != nil {
		return err
	}
	for from := 0; from < len(r.users); {
		frontier := r.users[from:]
		from = len(r.users)
		err := r.look(ctx, joinsTable, joinsOf, func(row record) error {
			j := row.join()
			r.facts.AddJoin(j)
			if j.At > j.SplitAt {
				r.reach(row.text[0], j.A)
				r.reach(row.text[0], j.B)
			}
			return nil
		}, keys(frontier, orgID.key)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// resources finds those that the need names, deleted and inactive ones too.
func (r *reading) resources(ctx context.Context) error {
	if err := r.look(ctx, resourcesTable, resourceOf, r.resource, keys(r.need.resources, orgID.key)...); err != nil {
		return err
	}
	err := r.look(ctx, resourcesTable, resourceOf, func(row record) error {
		v := row.resource()
		r.facts.Resources[v.ID] = v
		return nil
	}, keys(r.need.mentioned, orgID.key)...)
	if err != nil {
		return err
	}
	member := func(row record) error {
		m := row.member()
		r.facts.Members[m.MemberKey] = m
		return nil
	}
	err = r.look(ctx, membersTable, memberOf, member, keys(r.need.members, func(k revoke.MemberKey) []any {
		return []any{k.Org, idText(k.Group), idText(k.Resource)}
	})...)
	if err != nil {
		return err
	}
	if err := r.look(ctx, membersTable, membersOf, member, keys(r.need.membersOf, orgID.key)...); err != nil {
		return err
	}
	for _, n := range r.need.names {
		if n.UserName != "" {
			if err := r.look(ctx, resourcesTable, resourceNamed, r.resource, []any{n.Org, n.Authority, n.Type, clean(n.UserName)}); err != nil {
				return err
			}
		}
		if n.ExternalID != "" {
			if err := r.look(ctx, resourcesTable, resourceKnown, r.resource, []any{n.Org, n.Authority, n.Type, clean(n.ExternalID)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys are rows as the arguments of a question.
func keys[T any](rows []T, of func(T) []any) [][]any {
	out := make([][]any, len(rows))
	for i, row := range rows {
		out[i] = of(row)
	}
	return out
}

func (k orgID) key() []any { return []any{k.org, idText(k.id)} }

// personal reads what hangs on the people.
func (r *reading) personal(ctx context.Context) error {
	people := keys(r.users, orgID.key)
	for _, part := range []struct {
		table    *table
		question string
		add      func(record) error
	}{
		{usersTable, userOf, func(row record) error { r.facts.Users[row.id[0]] = row.user(); return nil }},
		{identifiersTable, holdingsOf, func(row record) error { r.facts.AddHolding(row.holding()); return nil }},
		{blocksTable, blocksOf, func(row record) error { r.facts.AddBlock(row.block()); return nil }},
		{plansTable, plansOf, func(row record) error { r.facts.AddPlan(row.plan()); return nil }},
		{newestTable, newestOfUser, func(row record) error {
			if n := (revoke.Newest{Born: revoke.Instant(row.num[0]), Registered: revoke.Instant(row.num[1])}); n != (revoke.Newest{}) {
				r.facts.Newest[row.id[0]] = n
			}
			return nil
		}},
	} {
		if err := r.look(ctx, part.table, part.question, part.add, people...); err != nil {
			return err
		}
	}
	if !r.need.sessionsOf {
		return nil
	}
	return r.look(ctx, sessionsTable, liveOf, r.session, keys(r.users, func(k orgID) []any { return append(k.key(), int64(r.need.now)) })...)
}

// newestTable is the shape of a person's newest session.
var newestTable = newTable(table{name: "sessions", ids: words("id"), nums: words("born registered")})

// things reads the events and devices that the need names.
func (r *reading) things(ctx context.Context) error {
	err := r.look(ctx, eventsTable, eventBy, func(row record) error {
		e, err := row.event()
		r.facts.Events[e.Key()] = e
		return err
	}, keys(r.need.events, func(k revoke.EventKey) []any { return []any{k.Org, k.Authority, clean(k.SenderID)} })...)
	if err != nil {
		return err
	}
	var found []orgID
	err = r.look(ctx, deviceIdentifiersTable, deviceBy, func(row record) error {
		name, id := row.deviceIdentifier()
		found = append(found, orgID{name.Org, id})
		return nil
	}, keys(r.need.devices, func(d revoke.DeviceIdentifier) []any { return []any{d.Org, clean(d.Namespace), clean(d.Value)} })...)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b orgID) int { return cmp.Or(strings.Compare(a.org, b.org), a.id.Compare(b.id)) })
	r.devices = slices.Compact(found)
	return r.look(ctx, deviceIdentifiersTable, namesOfDevice, func(row record) error {
		r.facts.AddDevice(row.deviceIdentifier())
		return nil
	}, keys(r.devices, orgID.key)...)
}

// newest reads the newest birth in each scope of many people: the last entry of an index.
func (r *reading) newest(ctx context.Context) error {
	scopes := slices.Clone(r.need.newestOf)
	for _, d := range r.devices {
		scopes = append(scopes, revoke.DeviceScope(d.org, d.id))
	}
	for _, scope := range scopes {
		in, ok := sessionsIn(scope)
		if !ok {
			continue
		}
		err := r.w.query(ctx, "SELECT coalesce(max(born_at), 0) FROM sessions WHERE "+sqliteDB{}.text(in.where), func(rows *sql.Rows) error {
			var at revoke.Instant
			err := rows.Scan(&at)
			r.facts.NewestOf[scope] = at
			return err
		}, in.args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// brakes reads how many people the voices have hit, which of these people among them, and what waits about these.
func (r *reading) brakes(ctx context.Context) error {
	for i := range r.need.brakes {
		b := &r.need.brakes[i]
		err := r.look(ctx, tallyTable, sqliteTallied, func(row record) error {
			row.tallyInto(r.facts, r.need)
			return nil
		}, tallyArgs(b, r.need.now))
		if err != nil {
			return err
		}
		err = r.look(ctx, hitsTable, hitBy, func(row record) error {
			h := row.hit()
			r.facts.Hits[h.HitKey] = h
			return nil
		}, keys(append(slices.Clone(r.users), r.devices...), func(k orgID) []any { return []any{b.Org, clean(b.Voice), idText(k.id)} })...)
		if err != nil {
			return err
		}
	}
	if !r.need.waiting {
		return nil
	}
	return r.look(ctx, heldTable, waitingOf, func(row record) error {
		h, err := row.held()
		r.facts.AddWaiting(h)
		return err
	}, keys(r.users, orgID.key)...)
}

// sqliteTallied is tallied in SQLite's words.
var sqliteTallied = strings.Replace(tallied, "LEASTOF", "min(?3, ?4, ?5)", 1)

// cutoffs reads what covers the sessions of the people.
func (r *reading) cutoffs(ctx context.Context) error {
	if !r.need.cutoffs() {
		return nil
	}
	narrow := r.need.narrow()
	for _, d := range r.devices {
		narrow = append(narrow, revoke.DeviceScope(d.org, d.id))
	}
	for _, s := range r.facts.Sessions {
		if !s.Device.IsZero() {
			narrow = append(narrow, revoke.DeviceScope(s.Org, s.Device))
		}
	}
	for _, part := range []struct {
		question string
		keys     [][]any
	}{
		{cutoffsWide, keys(r.need.orgs, func(org string) []any { return []any{org} })},
		{cutoffsOf, keys(r.users, orgID.key)},
		{cutoffsNarrow, keys(narrow, func(x revoke.Scope) []any {
			return []any{x.Org, idText(x.User), string(x.Kind), idText(x.Device), clean(x.Key)}
		})},
	} {
		err := r.look(ctx, cutoffsTable, part.question, func(row record) error {
			c := row.cutoff()
			r.facts.Cutoffs[c.Scope] = c
			return nil
		}, part.keys...)
		if err != nil {
			return err
		}
	}
	return nil
}

// policies reads what is asked of sessions, and who is in a group that more is asked of.
func (r *reading) policies(ctx context.Context) error {
	limit := func(row record) error {
		l := row.limit()
		r.facts.Limits[l.LimitKey()] = l
		return nil
	}
	if r.need.cutoffs() {
		nobody := keys(r.need.orgs, func(org string) []any { return []any{org, zeroID} })
		if err := r.look(ctx, limitsTable, limitsOf, limit, append(keys(r.users, orgID.key), nobody...)...); err != nil {
			return err
		}
	}
	grouped := false
	err := r.look(ctx, policiesTable, policiesOf, func(row record) error {
		p, err := row.policy()
		r.facts.Policies[p.PolicyKey] = p
		grouped = grouped || !p.Group.IsZero()
		return err
	}, keys(r.need.policyOrgs, func(org string) []any { return []any{org} })...)
	if err != nil || !grouped {
		return err
	}
	return r.look(ctx, membershipTable, groupsOfUser, func(row record) error {
		r.facts.Groups[row.id[1]] = append(r.facts.Groups[row.id[1]], row.id[0])
		return nil
	}, keys(r.users, orgID.key)...)
}

// membershipTable is the shape of who is in which group.
var membershipTable = newTable(table{name: "members", ids: words("group_id user_id")})
