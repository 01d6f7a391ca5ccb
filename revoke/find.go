package revoke

import (
	"cmp"
	"slices"
)

// holder returns whom an identifier led to at an instant: of those who held it by then the one who carries it still, else
// the latest; the first one held it always. An identifier that two people carry finds nobody, and shared says so.
func (f *Facts) holder(id Identifier, at Instant) (user ID, found, shared bool) {
	rows := f.holdings[id]
	if len(rows) == 0 {
		return ID{}, false, false
	}
	var carrier ID
	for i, h := range rows {
		if !f.carried(rows, i) {
			continue
		}
		switch person := f.person(h.User); {
		case carrier.IsZero():
			carrier = person
		case carrier != person:
			return ID{}, false, true
		}
	}
	last, carrying := rows[0], false
	for i, h := range rows {
		if h.HeldFrom > at && i > 0 {
			break
		}
		if carries := f.carried(rows, i); carries || !carrying {
			last, carrying = h, carries
		}
	}
	return last.User, true, false
}

// carried reports whether the i-th holder of an identifier carries it now: not released, and still active at the directory
// that taught it. Who is under an admin's block counts as carrying what she holds or was the last to hold.
func (f *Facts) carried(rows []Holding, i int) bool {
	h := rows[i]
	if (h.ReleasedAt == 0 || i == len(rows)-1) && f.blockedBy(h.User, AdminAuthority) {
		return true
	}
	return h.ReleasedAt == 0 && (h.Authority == "" || !f.blockedBy(h.User, h.Authority, ClassPlain, ClassPlan))
}

func (f *Facts) anyCarried(rows []Holding) bool {
	for i := range rows {
		if f.carried(rows, i) {
			return true
		}
	}
	return false
}

// holdingsOf returns every holding of everybody who is this person, released ones too.
func (f *Facts) holdingsOf(user ID) []Holding {
	var out []Holding
	for _, member := range f.members(user) {
		for _, id := range f.held[member] {
			for _, h := range f.holdings[id] {
				if h.User == member {
					out = append(out, h)
				}
			}
		}
	}
	return out
}

// owns reports whether the person is one of the source's directory: it has an id in the source's namespace, or a SCIM
// resource there.
func (f *Facts) owns(src Source, user ID) bool {
	return slices.ContainsFunc(f.holdingsOf(user), func(h Holding) bool {
		return h.Org == src.Org && (h.Namespace == src.IDs || h.Namespace == src.scimNamespace() && h.ReleasedAt == 0)
	})
}

// another reports whether the person has a different id where the subject carries one, and so is somebody else.
func (f *Facts) another(src Source, user ID, subject Subject) bool {
	rows := f.holdingsOf(user)
	for _, id := range subject {
		if id.Namespace != src.IDs && id.Namespace != NamespaceExternalID && id.Namespace != src.scimNamespace() {
			continue
		}
		has, same := false, false
		for _, h := range rows {
			if h.Org != src.Org || h.Namespace != id.Namespace ||
				h.Namespace == src.scimNamespace() && h.ReleasedAt != 0 {
				continue
			}
			has, same = true, same || h.Value == id.Value
		}
		if has && !same {
			return true
		}
	}
	return false
}

// match is whom a subject leads to.
type match struct {
	user      ID
	found     bool
	conflicts []Identifier // weaker ones that point elsewhere
	shared    []Identifier // carried by two people; they find nobody
	ambiguous bool         // identifiers of equal strength name two people
}

// find looks a subject up as of an instant: the strongest identifier wins, and weaker ones that point elsewhere are conflicts.
func (f *Facts) find(src Source, subject Subject, at Instant) match {
	var m match
	ranked := slices.Clone(subject)
	slices.SortStableFunc(ranked, func(a, b Identifier) int {
		return cmp.Compare(strength(src, a.Namespace), strength(src, b.Namespace))
	})
	foundAt := 0
	for _, id := range ranked {
		user, found, shared := f.lead(id, at)
		switch {
		case shared:
			m.shared = append(m.shared, id)
		case !found || f.another(src, user, subject):
		case !m.found:
			m.user, m.found, foundAt = user, true, strength(src, id.Namespace)
		case f.person(user) != f.person(m.user):
			m.conflicts = append(m.conflicts, id)
			m.ambiguous = m.ambiguous || strength(src, id.Namespace) == foundAt
		}
	}
	return m
}

// lead is holder, for our own user ids too.
func (f *Facts) lead(id Identifier, at Instant) (user ID, found, shared bool) {
	if id.Namespace == NamespaceCurfew {
		own, err := ParseID(id.Value)
		_, known := f.Users[own]
		return own, err == nil && known && f.Users[own].Org == id.Org, false
	}
	return f.holder(id, at)
}

// strength ranks namespaces, strongest first: the source's own id, external_id, user_name, email, phone.
func strength(src Source, namespace string) int {
	switch namespace {
	case src.scimNamespace(), NamespaceCurfew:
		return 0
	case src.IDs, NamespaceIssuer:
		return 1
	case NamespaceExternalID:
		return 2
	case NamespaceUserName:
		return 3
	case NamespaceAccount:
		return 4
	case NamespaceEmail:
		return 5
	case NamespacePhone:
		return 6
	default:
		return 2 // somebody else's own ids
	}
}
