package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"curfew/revoke"
)

// Holders returns the users that an identifier leads to by itself, by id.
func (s *Store) Holders(ctx context.Context, ids []revoke.Identifier) ([]revoke.ID, error) {
	var out []revoke.ID
	for _, id := range ids {
		holders, err := s.holders(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, holders...)
	}
	slices.SortFunc(out, revoke.ID.Compare)
	return slices.Compact(out), nil
}

func (s *Store) holders(ctx context.Context, id revoke.Identifier) (carriers []revoke.ID, err error) {
	holdings, err := s.Holdings(ctx, []revoke.Identifier{id})
	var last revoke.ID
	for _, h := range holdings {
		if last = h.User; h.ReleasedAt == 0 {
			carriers = append(carriers, h.User)
		}
	}
	if len(carriers) == 0 && !last.IsZero() {
		carriers = []revoke.ID{last}
	}
	return carriers, err
}

// Holdings returns every holding of these identifiers, released ones too, oldest first of each.
func (s *Store) Holdings(ctx context.Context, ids []revoke.Identifier) (out []revoke.Holding, err error) {
	for _, id := range ids {
		err = s.rowsOf(ctx, identifiersTable, "org = $1 AND namespace = $2 AND value = $3 ORDER BY held_from", func(row record) error {
			out = append(out, row.holding())
			return nil
		}, id.Org, clean(id.Namespace), clean(id.Value))
		if err != nil {
			return nil, fmt.Errorf("look up an identifier: %w", err)
		}
	}
	return out, nil
}

// after returns the first text that sorts after everything beginning with prefix, empty when nothing does. Bytes of UTF-8
// sort as its characters do.
func after(prefix string) string {
	runes := []rune(prefix)
	for i := len(runes) - 1; i >= 0; i-- {
		switch runes[i] {
		case utf8.MaxRune:
			continue // nothing comes after it: the one before must move
		case 0xd7ff:
			runes[i] = 0xe000 // the surrogates in between are no characters
		default:
			runes[i]++
		}
		return string(runes[:i+1])
	}
	return ""
}

// Users returns users of an org that q matches, by id.
func (s *Store) Users(ctx context.Context, q revoke.UserQuery) ([]revoke.User, error) {
	var c clauses
	c.and("org = ", q.Org)
	c.and("id > ", idText(q.After))
	if !q.EveryoneIn {
		held := "id IN (SELECT user_id FROM identifiers WHERE org = $1"
		switch q.Namespace {
		case "":
		case revoke.AnyOwnID:
			held += " AND namespace NOT IN ('" + revoke.NamespaceUserName + "', '" + revoke.NamespaceEmail + "', '" + revoke.NamespacePhone + "', '" +
				revoke.NamespaceAccount + "')"
		default:
			held += " AND namespace = " + c.arg(clean(q.Namespace))
		}
		switch {
		case q.Value != "":
			held += " AND value = " + c.arg(clean(q.Value))
		case q.Prefix != "":
			held += " AND value >= " + c.arg(clean(q.Prefix))
			if end := after(clean(q.Prefix)); end != "" {
				held += " AND value < " + c.arg(end)
			}
		default:
			return nil, nil
		}
		c.text += " AND " + held + ")"
	}
	var out []revoke.User
	c.text += " ORDER BY id LIMIT " + c.arg(max(q.Limit, 0))
	err := s.rowsOf(ctx, usersTable, c.text, func(row record) error {
		out = append(out, row.user())
		return nil
	}, c.args...)
	return out, err
}

// People returns users with what hangs on them, by id.
func (s *Store) People(ctx context.Context, users []revoke.ID) ([]revoke.Person, error) {
	sorted := slices.Clone(users)
	slices.SortFunc(sorted, revoke.ID.Compare)
	found := map[revoke.ID]*revoke.Person{}
	byOrg := map[string][]revoke.ID{}
	err := s.byIDs(ctx, usersTable, "id", "", slices.Compact(sorted), func(row record) error {
		u := row.user()
		if found[u.ID] == nil {
			found[u.ID] = &revoke.Person{User: u}
			byOrg[u.Org] = append(byOrg[u.Org], u.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for org, ids := range byOrg {
		if err := s.hangings(ctx, org, ids, found); err != nil {
			return nil, err
		}
	}
	out := make([]revoke.Person, 0, len(found))
	for _, id := range slices.Compact(sorted) {
		if p := found[id]; p != nil {
			order(p)
			out = append(out, *p)
		}
	}
	return out, nil
}

// hangings adds what hangs on users of an org.
func (s *Store) hangings(ctx context.Context, org string, ids []revoke.ID, found map[revoke.ID]*revoke.Person) error {
	err := s.byIDs(ctx, identifiersTable, "user_id", org, ids, func(row record) error {
		if p := found[row.id[0]]; p != nil {
			p.Holdings = append(p.Holdings, row.holding())
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.byIDs(ctx, blocksTable, "user_id", org, ids, func(row record) error {
		if p := found[row.id[0]]; p != nil {
			p.Blocks = append(p.Blocks, row.block())
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.byIDs(ctx, cutoffsTable, "user_id", org, ids, func(row record) error {
		if p := found[row.id[0]]; p != nil {
			p.Cutoffs = append(p.Cutoffs, row.cutoff())
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = s.byIDs(ctx, plansTable, "user_id", org, ids, func(row record) error {
		if p := found[row.id[0]]; p != nil {
			p.Plans = append(p.Plans, row.plan())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, side := range []string{"a", "b"} {
		err = s.byIDs(ctx, joinsTable, side, org, ids, func(row record) error {
			j := row.join()
			own := j.A
			if side == "b" {
				own = j.B
			}
			if p := found[own]; p != nil {
				p.Joins = append(p.Joins, j)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// order sorts what hangs on a person, alike on every database.
func order(p *revoke.Person) {
	slices.SortFunc(p.Holdings, func(a, b revoke.Holding) int {
		return cmp.Or(cmp.Compare(a.HeldFrom, b.HeldFrom), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Value, b.Value))
	})
	slices.SortFunc(p.Blocks, func(a, b revoke.Block) int {
		return cmp.Or(strings.Compare(a.Authority, b.Authority), cmp.Compare(a.Class, b.Class))
	})
	slices.SortFunc(p.Cutoffs, func(a, b revoke.Cutoff) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Key, b.Key), a.Device.Compare(b.Device))
	})
	slices.SortFunc(p.Plans, func(a, b revoke.Plan) int { return strings.Compare(a.Authority, b.Authority) })
	slices.SortFunc(p.Joins, func(a, b revoke.Join) int { return cmp.Or(a.A.Compare(b.A), a.B.Compare(b.B)) })
}

// members returns everybody who is one person with user, user itself first.
func (s *Store) members(ctx context.Context, org string, user revoke.ID) ([]revoke.ID, error) {
	seen := []revoke.ID{user}
	for from := 0; from < len(seen); {
		frontier := seen[from:]
		from = len(seen)
		for _, side := range []string{"a", "b"} {
			err := s.byIDs(ctx, joinsTable, side, org, frontier, func(row record) error {
				if j := row.join(); j.At > j.SplitAt {
					for _, other := range []revoke.ID{j.A, j.B} {
						if !slices.Contains(seen, other) {
							seen = append(seen, other)
						}
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}
