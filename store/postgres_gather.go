package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"curfew/revoke"
)

// gather locks and reads. The first statement takes advisory locks on every name in the need, finds everybody whom it leads
// to and locks their rows; the second, whose snapshot is newer than every wait of the first, finds them again and reads
// everything. When the second finds somebody who was not locked, that was joined or taught in between: lock and read again.
func (postgresDB) gather(ctx context.Context, w *writer, u *needs) (*revoke.Facts, revoke.Instant, error) {
	names := u.locks()
	locked := map[revoke.ID]bool{}
	for range maxTries {
		if err := lockPeople(ctx, w, u, names, locked); err != nil {
			return nil, 0, fmt.Errorf("lock: %w", err)
		}
		facts, now, err := readFacts(ctx, w, u)
		if err != nil {
			return nil, 0, err
		}
		grown := false
		for user := range facts.Users {
			grown = grown || !locked[user]
		}
		if !grown {
			return facts, now, nil
		}
		names = locks{} // they are held already
	}
	return nil, 0, fmt.Errorf("people kept being joined to those decided about: %w", revoke.ErrUnavailable)
}

// statement is a text under construction with its arguments.
type statement struct {
	strings.Builder
	args []any
}

func (s *statement) arg(v any, as string) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args)) + "::" + as
}

func texts[T any](s *statement, rows []T, of func(T) string) string {
	return s.arg(textArray(rows, of), "text[]")
}

func ids[T any](s *statement, rows []T, of func(T) revoke.ID) string {
	return s.arg(idArray(rows, of), "uuid[]")
}

// person writes the common beginning of both statements: what the need names directly, and person, everybody whom that leads
// to and who is one person with them.
func (s *statement) person(u *needs) {
	var from []string
	s.WriteString("WITH RECURSIVE ")
	if len(u.identifiers) > 0 {
		orgs := texts(s, u.identifiers, func(i revoke.Identifier) string { return i.Org })
		spaces := texts(s, u.identifiers, func(i revoke.Identifier) string { return i.Namespace })
		values := texts(s, u.identifiers, func(i revoke.Identifier) string { return i.Value })
		s.WriteString("holders AS (SELECT k.* FROM unnest(" + orgs + ", " + spaces + ", " + values + `) AS n (org, namespace, value)` +
			each("identifiers", "k.org = n.org AND k.namespace = n.namespace AND k.value = n.value") + "), ")
		from = append(from, "SELECT org, user_id FROM holders")
	}
	if len(u.users) > 0 {
		orgs := texts(s, u.users, func(k orgID) string { return k.org })
		from = append(from, "SELECT org, id FROM unnest("+orgs+", "+ids(s, u.users, func(k orgID) revoke.ID { return k.id })+") AS n (org, id)")
	}
	if len(u.sessions) > 0 {
		s.askedSessions(u.sessions)
		from = append(from, "SELECT org, user_id FROM asked")
	}
	if len(u.devices) > 0 {
		orgs := texts(s, u.devices, func(d revoke.DeviceIdentifier) string { return d.Org })
		spaces := texts(s, u.devices, func(d revoke.DeviceIdentifier) string { return d.Namespace })
		values := texts(s, u.devices, func(d revoke.DeviceIdentifier) string { return d.Value })
		s.WriteString("carried AS (SELECT k.* FROM unnest(" + orgs + ", " + spaces + ", " + values + `) AS n (org, namespace, value)` +
			each("device_identifiers", "k.org = n.org AND k.namespace = n.namespace AND k.value = n.value") + "), ")
	}
	if len(u.resources)+len(u.names) > 0 {
		s.foundResources(u)
		from = append(from, "SELECT org, user_id FROM found")
	}
	if len(from) == 0 {
		from = append(from, "SELECT ''::text, NULL::uuid WHERE false")
	}
	// Under the zero id lies what belongs to nobody in particular.
	s.WriteString("person (org, id) AS (SELECT n.org, n.id FROM (" + strings.Join(from, " UNION ") + `) AS n (org, id) WHERE n.id <> '` + zeroID + `' UNION
		SELECT p.org, o.id FROM person p CROSS JOIN LATERAL (
			SELECT b AS id FROM joins WHERE org = p.org AND a = p.id AND at > split_at
			UNION ALL SELECT a FROM joins WHERE org = p.org AND b = p.id AND at > split_at) o WHERE o.id <> '` + zeroID + `')`)
}

// each looks every row of what stands before it up in a table, by itself. The planner takes a join for cheaper the other way
// round while its statistics say that the table is empty, and reads the whole of it for each of a thousand names.
func each(table, condition string) string {
	return " CROSS JOIN LATERAL (SELECT * FROM " + table + " k WHERE " + condition + " OFFSET 0) k"
}

// ofPerson are the rows of a table that hang on the people.
func ofPerson(table, condition string) string {
	return "person p" + each(table, "k.org = p.org AND "+condition)
}

// askedSessions are those that references point at, each way of pointing by its own index.
func (s *statement) askedSessions(refs []revoke.SessionRef) {
	var ways []string
	way := func(condition string, has func(revoke.SessionRef) bool, of func(revoke.SessionRef) string) {
		some := slices.DeleteFunc(slices.Clone(refs), func(r revoke.SessionRef) bool { return !has(r) })
		if len(some) == 0 {
			return
		}
		orgs := texts(s, some, func(r revoke.SessionRef) string { return r.Org })
		apps := texts(s, some, func(r revoke.SessionRef) string { return r.App })
		ways = append(ways, "SELECT k.* FROM unnest("+orgs+", "+apps+", "+texts(s, some, of)+") AS n (org, app, value)"+
			each("sessions", "k.org = n.org AND (n.app = '' OR k.app = n.app) AND "+condition))
	}
	way("k.id = n.value::uuid", func(r revoke.SessionRef) bool { return !r.ID.IsZero() }, func(r revoke.SessionRef) string { return idText(r.ID) })
	way("k.client_id = n.value AND k.client_id <> ''", func(r revoke.SessionRef) bool { return r.ClientID != "" }, func(r revoke.SessionRef) string { return r.ClientID })
	way("k.token_hash = n.value AND k.token_hash <> ''", func(r revoke.SessionRef) bool { return !r.Token.IsZero() }, func(r revoke.SessionRef) string { return tokenText(r.Token) })
	way("k.sid = n.value AND k.sid <> ''", func(r revoke.SessionRef) bool { return r.SID != "" }, func(r revoke.SessionRef) string { return r.SID })
	if len(ways) == 0 {
		ways = append(ways, "SELECT * FROM sessions WHERE false")
	}
	s.WriteString("asked AS (" + strings.Join(ways, " UNION ") + "), ")
}

// foundResources are those that the need names by id or by what must be unique, deleted and inactive ones too.
func (s *statement) foundResources(u *needs) {
	var ways []string
	if len(u.resources) > 0 {
		orgs := texts(s, u.resources, func(k orgID) string { return k.org })
		ways = append(ways, "SELECT k.* FROM unnest("+orgs+", "+ids(s, u.resources, func(k orgID) revoke.ID { return k.id })+") AS n (org, id)"+
			each("resources", "k.org = n.org AND k.id = n.id"))
	}
	way := func(condition string, of func(revoke.ResourceName) string) {
		some := slices.DeleteFunc(slices.Clone(u.names), func(n revoke.ResourceName) bool { return of(n) == "" })
		if len(some) == 0 {
			return
		}
		orgs := texts(s, some, func(n revoke.ResourceName) string { return n.Org })
		authorities := texts(s, some, func(n revoke.ResourceName) string { return n.Authority })
		types := texts(s, some, func(n revoke.ResourceName) string { return n.Type })
		ways = append(ways, "SELECT k.* FROM unnest("+orgs+", "+authorities+", "+types+", "+texts(s, some, of)+") AS n (org, authority, type, value)"+
			each("resources", "k.org = n.org AND k.authority = n.authority AND k.type = n.type AND "+condition))
	}
	way("k.user_name_folded = n.value", func(n revoke.ResourceName) string { return n.UserName })
	way("k.external_id = n.value AND k.external_id <> ''", func(n revoke.ResourceName) string { return n.ExternalID })
	if len(ways) == 0 {
		ways = append(ways, "SELECT * FROM resources WHERE false")
	}
	s.WriteString("found AS (" + strings.Join(ways, " UNION ") + "), ")
}

// lockPeople locks names in their order, then people in theirs, and adds those it locked.
func lockPeople(ctx context.Context, w *writer, u *needs, names locks, locked map[revoke.ID]bool) error {
	var s statement
	number := func(k int64) int64 { return k }
	shared, whole, keys := s.arg(numArray(names.shared, number), "bigint[]"), s.arg(numArray(names.whole, number), "bigint[]"), s.arg(numArray(names.keys, number), "bigint[]")
	s.person(u)
	own := ""
	if len(u.resources) > 0 { // a group leads to nobody whose row could be locked in its place
		orgs := texts(&s, u.resources, func(k orgID) string { return k.org })
		s.WriteString(", own AS (SELECT l.id FROM (SELECT * FROM unnest(" + orgs + ", " + ids(&s, u.resources, func(k orgID) revoke.ID { return k.id }) +
			") AS n (org, id) ORDER BY n.id) n CROSS JOIN LATERAL (SELECT x.id FROM resources x WHERE x.org = n.org AND x.id = n.id FOR UPDATE) l)")
		own = " UNION ALL SELECT NULL::uuid FROM (SELECT count(*) FROM own) AS own"
	}
	voices := ""
	if len(u.brakes) > 0 {
		voices = " UNION ALL SELECT NULL::uuid FROM (SELECT count(pg_advisory_xact_lock(k)) FROM unnest(" + s.arg(numArray(names.voices, number), "bigint[]") + ") AS k) AS voices"
	}
	s.WriteString(`, locked AS (SELECT l.id FROM (SELECT org, id FROM person ORDER BY id) p
			CROSS JOIN LATERAL (SELECT x.id FROM users x WHERE x.org = p.org AND x.id = p.id FOR UPDATE) l)
		SELECT NULL::uuid FROM (SELECT count(pg_advisory_xact_lock_shared(k)) FROM unnest(` + shared + `) AS k) AS part
		UNION ALL SELECT NULL::uuid FROM (SELECT count(pg_advisory_xact_lock(k)) FROM unnest(` + whole + `) AS k) AS parts
		UNION ALL SELECT NULL::uuid FROM (SELECT count(pg_advisory_xact_lock(k)) FROM unnest(` + keys + `) AS k) AS names
		UNION ALL SELECT id FROM locked` + own + voices)
	return w.query(ctx, s.String(), func(rows *sql.Rows) error {
		var id revoke.ID
		err := rows.Scan(&id)
		locked[id] = true
		return err
	}, s.args...)
}

// What a row of the second statement is.
const (
	partNow = iota
	partUser
	partHolding
	partJoin
	partBlock
	partPlan
	partEvent
	partSession
	partResource
	partDevice
	partCutoff
	partNewest
	partMember
	partTally
	partHit
	partWaiting
	partPolicy
	partLimit
	partGroup
)

// part adds one select to the union: a table's columns from k, after what k is.
func (s *statement) part(what int, t *table, from string) {
	s.raw(what, t.wide, from)
}

func (s *statement) raw(what int, columns, from string) {
	s.WriteString(" UNION ALL SELECT " + strconv.Itoa(what) + ", " + columns + " FROM " + from)
}

func readFacts(ctx context.Context, w *writer, u *needs) (*revoke.Facts, revoke.Instant, error) {
	var s statement
	s.person(u)
	s.parts(u)
	f := u.empty()
	var now revoke.Instant
	err := w.query(ctx, s.String(), func(rows *sql.Rows) error {
		var what int
		var r record
		into := make([]any, 0, 1+len(r.id)+len(r.text)+len(r.num))
		into = append(into, &what)
		for i := range r.id {
			into = append(into, (*storedID)(&r.id[i]))
		}
		for i := range r.text {
			into = append(into, &r.text[i])
		}
		for i := range r.num {
			into = append(into, &r.num[i])
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if what == partNow {
			now = revoke.Instant(r.num[0])
			return nil
		}
		if what == partTally {
			r.tallyInto(f, u)
			return nil
		}
		return put(f, what, &r)
	}, s.args...)
	return f, now, err
}

// parts selects all that the rules may look at.
func (s *statement) parts(u *needs) {
	s.WriteString(" SELECT " + strconv.Itoa(partNow) + ", " +
		wide(nil, nil, []string{"now"}) + " FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) AS k")
	s.raw(partUser, wide(usersTable.ids, usersTable.texts, append(slices.Clone(usersTable.nums), "born", "registered")),
		`(SELECT k.*, n.born, n.registered FROM `+ofPerson("users", "k.id = p.id")+` CROSS JOIN LATERAL
			(SELECT coalesce(max(born_at), 0) AS born, coalesce(max(registered_at), 0) AS registered FROM sessions WHERE org = p.org AND user_id = p.id) n) AS k`)
	if len(u.identifiers) > 0 {
		// Whoever holds one is in person, with all that they hold.
		s.part(partHolding, identifiersTable, "holders k WHERE k.user_id = '"+zeroID+"'")
	}
	s.part(partHolding, identifiersTable, ofPerson("identifiers", "k.user_id = p.id"))
	s.part(partJoin, joinsTable, ofPerson("joins", "k.a = p.id"))
	s.part(partJoin, joinsTable, ofPerson("joins", "k.b = p.id"))
	s.part(partBlock, blocksTable, ofPerson("blocks", "k.user_id = p.id"))
	s.part(partPlan, plansTable, ofPerson("plans", "k.user_id = p.id"))
	if len(u.events) > 0 {
		orgs := texts(s, u.events, func(k revoke.EventKey) string { return k.Org })
		authorities := texts(s, u.events, func(k revoke.EventKey) string { return k.Authority })
		s.part(partEvent, eventsTable, "unnest("+orgs+", "+authorities+", "+texts(s, u.events, func(k revoke.EventKey) string { return k.SenderID })+
			") AS n (org, authority, sender_id)"+each("events", "k.org = n.org AND k.authority = n.authority AND k.sender_id = n.sender_id AND k.sender_id <> ''"))
	}
	if len(u.sessions) > 0 {
		s.part(partSession, sessionsTable, "asked k")
	}
	if u.sessionsOf {
		s.part(partSession, sessionsTable, ofPerson("sessions", "k.user_id = p.id AND k.ended_at = 0 AND k.expires_at > "+s.arg(int64(u.now), "bigint")))
	}
	if len(u.resources)+len(u.names) > 0 {
		s.part(partResource, resourcesTable, "found k")
	}
	if len(u.devices) > 0 {
		s.part(partDevice, deviceIdentifiersTable, onCarried+each("device_identifiers", "k.org = n.org AND k.device_id = n.device_id"))
	}
	if len(u.mentioned) > 0 {
		orgs := texts(s, u.mentioned, func(k orgID) string { return k.org })
		s.part(partResource, resourcesTable, "unnest("+orgs+", "+ids(s, u.mentioned, func(k orgID) revoke.ID { return k.id })+") AS n (org, id)"+
			each("resources", "k.org = n.org AND k.id = n.id"))
	}
	s.brakes(u)
	s.members(u)
	s.newest(u)
	s.cutoffs(u)
	s.policies(u)
}

// brakes selects how many people the voices have hit, which of these people among them, and what waits about these.
func (s *statement) brakes(u *needs) {
	for i := range u.brakes {
		args := tallyArgs(&u.brakes[i], u.now)
		org, voice := s.arg(args[0], "text"), s.arg(args[1], "text")
		marks := []string{"?1", org, "?2", voice}
		for n, arg := range args[2:] {
			marks = append(marks, "?"+strconv.Itoa(n+3), s.arg(arg, "bigint"))
		}
		marks = append(marks, "LEASTOF", "LEAST("+marks[5]+", "+marks[7]+", "+marks[9]+")")
		s.raw(partTally, tallyTable.wide, "("+strings.NewReplacer(marks...).Replace(tallied)+") AS k")
		hits := "k.voice = " + voice + " AND k.org = " + org + " AND k.subject_id = "
		s.part(partHit, hitsTable, ofPerson("hits", hits+"p.id"))
		if len(u.devices) > 0 {
			s.part(partHit, hitsTable, onCarried+each("hits", hits+"n.device_id"))
		}
	}
	if u.waiting {
		s.part(partWaiting, heldTable, ofPerson("held", "k.user_id = p.id AND k.decided_at = 0"))
	}
}

func (s *statement) members(u *needs) {
	if len(u.members) > 0 {
		orgs := texts(s, u.members, func(k revoke.MemberKey) string { return k.Org })
		groups := ids(s, u.members, func(k revoke.MemberKey) revoke.ID { return k.Group })
		s.part(partMember, membersTable, "unnest("+orgs+", "+groups+", "+ids(s, u.members, func(k revoke.MemberKey) revoke.ID { return k.Resource })+
			") AS n (org, group_id, resource_id)"+each("members", "k.org = n.org AND k.group_id = n.group_id AND k.resource_id = n.resource_id"))
	}
	if len(u.membersOf) > 0 {
		orgs := texts(s, u.membersOf, func(k orgID) string { return k.org })
		s.part(partMember, membersTable, "unnest("+orgs+", "+ids(s, u.membersOf, func(k orgID) revoke.ID { return k.id })+") AS n (org, group_id)"+
			each("members", "k.org = n.org AND k.group_id = n.group_id"))
	}
}

// onCarried are the devices that carry a name of the need.
const onCarried = "(SELECT DISTINCT org, device_id FROM carried) AS n"

// newest selects the newest birth in each scope of many people, and on each device that was named: the last entry of an index.
func (s *statement) newest(u *needs) {
	for _, kind := range []struct {
		of        revoke.ScopeKind
		condition string
	}{
		{revoke.ScopeEveryone, ""},
		{revoke.ScopeKindOf, " AND x.kind = n.key"},
		{revoke.ScopeApp, " AND x.app = n.key"},
		{revoke.ScopeDevice, " AND x.device_id = n.device_id AND x.device_id <> '" + zeroID + "'"},
	} {
		newest := func(key, from string) {
			s.raw(partNewest, wide([]string{"device_id"}, []string{"org", "kind", "key"}, []string{"born"}),
				"(SELECT n.device_id, n.org, '"+string(kind.of)+"'::text AS kind, "+key+" AS key, coalesce((SELECT x.born_at FROM sessions x WHERE x.org = n.org"+
					kind.condition+" ORDER BY x.born_at DESC LIMIT 1), 0) AS born FROM "+from+") AS k")
		}
		some := slices.DeleteFunc(slices.Clone(u.newestOf), func(scope revoke.Scope) bool { return scope.Kind != kind.of })
		if len(some) > 0 {
			orgs := texts(s, some, func(x revoke.Scope) string { return x.Org })
			keys := texts(s, some, func(x revoke.Scope) string { return x.Key })
			devices := ids(s, some, func(x revoke.Scope) revoke.ID { return x.Device })
			newest("n.key", "unnest("+orgs+", "+keys+", "+devices+") AS n (org, key, device_id)")
		}
		if kind.of == revoke.ScopeDevice && len(u.devices) > 0 {
			newest("''::text", onCarried)
		}
	}
}

// cutoffs selects what covers the sessions of the people.
func (s *statement) cutoffs(u *needs) {
	if !u.cutoffs() {
		return
	}
	s.part(partCutoff, cutoffsTable, "unnest("+texts(s, u.orgs, func(org string) string { return org })+") AS n (org) JOIN cutoffs k ON k.org = n.org AND k.user_id = '"+zeroID+
		"' AND k.scope IN ('everyone', 'kind', 'app')")
	s.part(partCutoff, cutoffsTable, ofPerson("cutoffs", "k.user_id = p.id"))
	s.part(partLimit, limitsTable, ofPerson("limits", "k.user_id = p.id"))
	s.part(partLimit, limitsTable, "unnest("+texts(s, u.orgs, func(org string) string { return org })+") AS n (org) JOIN limits k ON k.org = n.org AND k.user_id = '"+zeroID+"'")
	if narrow := u.narrow(); len(narrow) > 0 {
		orgs := texts(s, narrow, func(x revoke.Scope) string { return x.Org })
		kinds := texts(s, narrow, func(x revoke.Scope) string { return string(x.Kind) })
		devices := ids(s, narrow, func(x revoke.Scope) revoke.ID { return x.Device })
		s.part(partCutoff, cutoffsTable, "unnest("+orgs+", "+kinds+", "+devices+", "+texts(s, narrow, func(x revoke.Scope) string { return x.Key })+
			") AS n (org, scope, device_id, key)"+each("cutoffs", "k.org = n.org AND k.user_id = '"+zeroID+"' AND k.scope = n.scope AND k.device_id = n.device_id AND k.key = n.key"))
	}
	onDevice := func(from string) {
		s.part(partCutoff, cutoffsTable, from+each("cutoffs", "k.org = n.org AND k.user_id = '"+zeroID+"' AND k.scope = 'device' AND k.device_id = n.device_id AND k.key = ''"))
	}
	if len(u.devices) > 0 {
		onDevice(onCarried)
	}
	if len(u.sessions) > 0 {
		onDevice("(SELECT DISTINCT org, device_id FROM asked WHERE device_id <> '" + zeroID + "') AS n")
	}
	if u.sessionsOf {
		onDevice("(SELECT DISTINCT k.org, k.device_id FROM " + ofPerson("sessions", "k.user_id = p.id AND k.ended_at = 0 AND k.expires_at > "+
			s.arg(int64(u.now), "bigint")+" AND k.device_id <> '"+zeroID+"'") + ") AS n")
	}
}

// policies selects what is asked of sessions, and who is in a group that more is asked of.
func (s *statement) policies(u *needs) {
	if len(u.policyOrgs) == 0 {
		return
	}
	s.part(partPolicy, policiesTable, "unnest("+texts(s, u.policyOrgs, func(org string) string { return org })+") AS n (org) JOIN policies k ON k.org = n.org")
	s.raw(partGroup, wide(words("user_id group_id"), nil, nil), `(SELECT p.id AS user_id, m.group_id
		FROM (SELECT DISTINCT org, group_id FROM policies WHERE group_id <> '`+zeroID+`') n
		JOIN person p ON p.org = n.org CROSS JOIN LATERAL (SELECT DISTINCT x.group_id FROM members x WHERE x.org = n.org AND x.user_id = p.id AND x.group_id = n.group_id) m) AS k`)
}

// put adds a row to the facts.
func put(f *revoke.Facts, what int, r *record) error {
	switch what {
	case partUser:
		user := r.user()
		f.Users[user.ID] = user
		if n := (revoke.Newest{Born: revoke.Instant(r.num[4]), Registered: revoke.Instant(r.num[5])}); n != (revoke.Newest{}) {
			f.Newest[user.ID] = n
		}
	case partHolding:
		f.AddHolding(r.holding())
	case partJoin:
		f.AddJoin(r.join())
	case partBlock:
		f.AddBlock(r.block())
	case partPlan:
		f.AddPlan(r.plan())
	case partEvent:
		e, err := r.event()
		if err != nil {
			return err
		}
		f.Events[e.Key()] = e
	case partSession:
		s, err := r.session()
		if err != nil {
			return err
		}
		f.AddSession(s)
	case partResource:
		v := r.resource()
		f.Resources[v.ID] = v
	case partMember:
		m := r.member()
		f.Members[m.MemberKey] = m
	case partDevice:
		name, id := r.deviceIdentifier()
		f.AddDevice(name, id)
	case partCutoff:
		c := r.cutoff()
		f.Cutoffs[c.Scope] = c
	case partHit:
		h := r.hit()
		f.Hits[h.HitKey] = h
	case partWaiting:
		h, err := r.held()
		if err != nil {
			return err
		}
		f.AddWaiting(h)
	case partPolicy:
		p, err := r.policy()
		if err != nil {
			return err
		}
		f.Policies[p.PolicyKey] = p
	case partLimit:
		l := r.limit()
		f.Limits[l.LimitKey()] = l
	case partGroup:
		f.Groups[r.id[0]] = append(f.Groups[r.id[0]], r.id[1])
	case partNewest:
		scope := revoke.Scope{Org: r.text[0], Kind: revoke.ScopeKind(r.text[1]), Key: r.text[2], Device: r.id[0]}
		f.NewestOf[scope] = revoke.Instant(r.num[0])
	default:
		return fmt.Errorf("a row says that it is part %d", what)
	}
	return nil
}
