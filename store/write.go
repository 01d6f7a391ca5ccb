package store

import (
	"cmp"
	"slices"

	"curfew/revoke"
)

// made is what one decision of a group wants written.
type made struct {
	org     string
	at      revoke.Instant
	effects revoke.Effects
}

// rows are the rows of one table that a transaction writes.
type rows struct {
	table *table
	rows  []record
}

// batch is everything that a transaction writes, in the order in which it is written.
type batch []rows

func (b *batch) add(t *table, rs []record) {
	if len(rs) > 0 {
		*b = append(*b, rows{t, rs})
	}
}

func records[T any](from []T, record1 func(T) record) []record {
	out := make([]record, len(from))
	for i, v := range from {
		out[i] = record1(v)
	}
	return out
}

// assemble folds what a group decided into one batch in which no key stands twice.
func assemble(group []made) (batch, error) {
	all := make([]revoke.Effects, len(group))
	orgOf := map[revoke.ID]string{} // plans, blocks, joins and ends carry no org of their own: it is that of the decision
	var changes, audit, cleared, read []record
	for i := range group {
		e := &group[i].effects
		all[i] = *e
		for _, p := range e.Plans {
			orgOf[p.User] = group[i].org
		}
		for _, key := range e.Cleared {
			cleared = append(cleared, clearedRecord(key, group[i].at))
		}
		for _, event := range e.Read {
			read = append(read, readRecord(group[i].org, event))
		}
		for _, b := range e.Blocks {
			orgOf[b.User] = group[i].org
		}
		for _, j := range e.Joins {
			orgOf[j.A] = group[i].org
		}
		for _, end := range e.Ends {
			orgOf[end.Session] = group[i].org
		}
		changes = append(changes, records(e.Changes(group[i].at), changeRecord)...)
		audit = append(audit, records(e.Audit, auditRecord)...)
	}
	e := revoke.Merge(all...)
	endsInto(&e)
	var b batch
	b.add(clearedTable, cleared)
	b.add(usersTable, records(e.Users, userRecord))
	b.add(identifiersTable, records(e.Holdings, holdingRecord))
	b.add(joinsTable, records(e.Joins, func(j revoke.Join) record { return joinRecord(orgOf[j.A], j) }))
	b.add(blocksTable, records(e.Blocks, func(bl revoke.Block) record { return blockRecord(orgOf[bl.User], bl) }))
	b.add(cutoffsTable, records(e.Cutoffs, cutoffRecord))
	b.add(limitsTable, records(e.Limits, limitRecord))
	b.add(policiesTable, records(e.Policies, policyRecord))
	b.add(devicesTable, records(e.Devices, deviceRecord))
	b.add(deviceIdentifiersTable, deviceNames(e.Devices))
	b.add(sessionsTable, records(e.Sessions, sessionRecord))
	b.add(endsTable, records(e.Ends, func(end revoke.End) record { return endRecord(orgOf[end.Session], end) }))
	b.add(eventsTable, records(lastOf(e.Events), eventRecord))
	b.add(revocationsTable, records(e.Revocations, revocationRecord))
	b.add(deliveriesTable, records(e.Deliveries, deliveryRecord))
	if err := b.addResources(e.Resources); err != nil {
		return nil, err
	}
	b.add(membersTable, records(e.Members, memberRecord))
	b.add(leftTable, records(e.Left, leftRecord))
	b.add(plansTable, records(e.Plans, func(p revoke.Plan) record { return planRecord(orgOf[p.User], p) }))
	b.add(alarmsTable, records(e.Alarms, alarmRecord))
	b.add(readingsTable, records(e.Readings, readingRecord))
	b.add(readTable, read)
	b.add(heldTable, records(e.Held, heldRecord))
	b.add(hitsTable, records(e.Hits, hitRecord))
	b.add(notesTable, records(e.Notes, noteRecord))
	b.add(noticesTable, records(e.Notices, noticeRecord))
	b.add(changesTable, changes)
	b.add(auditTable, audit)
	return b, nil
}

// endsInto carries ends of sessions that are registered in the same batch into their rows: a statement does not see what
// another part of it inserts.
func endsInto(e *revoke.Effects) {
	e.Ends = slices.DeleteFunc(slices.Clone(e.Ends), func(end revoke.End) bool {
		at := slices.IndexFunc(e.Sessions, func(s revoke.Session) bool { return s.ID == end.Session })
		if at >= 0 && e.Sessions[at].EndedAt == 0 {
			e.Sessions[at].EndedAt, e.Sessions[at].EndedBy = end.At, end.Revocation
		}
		return at >= 0
	})
}

// lastOf leaves of an event that is written twice, when it came and when it was replayed, the last.
func lastOf(events []revoke.Event) []revoke.Event {
	at := map[revoke.ID]int{}
	var out []revoke.Event
	for _, e := range events {
		if i, ok := at[e.ID]; ok {
			out[i] = e
			continue
		}
		at[e.ID] = len(out)
		out = append(out, e)
	}
	return out
}

func deviceNames(devices []revoke.Device) []record {
	var out []record
	for _, d := range devices {
		for i, id := range d.Identifiers {
			if !slices.Contains(d.Identifiers[:i], id) {
				out = append(out, deviceIdentifierRecord(d.ID, id))
			}
		}
	}
	return out
}

// addResources writes those first that give a name up, since the next may take it.
func (b *batch) addResources(resources []revoke.Resource) error {
	slices.SortStableFunc(resources, func(a, b revoke.Resource) int {
		return cmp.Compare(flag(a.Named && !a.Deleted()), flag(b.Named && !b.Deleted()))
	})
	var values, spare []record
	for i := range resources {
		if resources[i].SameValues {
			continue
		}
		its, others, err := valueRecords(&resources[i])
		if err != nil {
			return err
		}
		values = append(values, its...)
		if resources[i].Version > 1 {
			spare = append(spare, others)
		}
	}
	b.add(resourcesTable, records(resources, resourceRecord))
	b.add(valuesTable, values)
	b.add(spareValuesTable, spare)
	return nil
}
