package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"

	"curfew/revoke"
)

// The values of resources are rows of their own, so that a filter on any attribute is an index's work: folded by us, since the
// databases fold differently, and compared byte by byte. head is the beginning of the folded text, short enough for an index.
var valuesTable = newTable(table{
	name: "resource_values", ids: words("resource_id"), texts: words("org authority type path head folded exact"), nums: words("n numeric number"),
	conflict: `ON CONFLICT (org, resource_id, path, n) DO UPDATE SET head = excluded.head, folded = excluded.folded, exact = excluded.exact,
		numeric = excluded.numeric, number = excluded.number`,
})

// longestPath is how long a name may be that can be filtered by.
const longestPath = 200

// headRunes is how much of a text an index holds.
const headRunes = 100

func headOf(folded string) string {
	n := 0
	for i := range folded {
		if n == headRunes {
			return folded[:i]
		}
		n++
	}
	return folded
}

// sortable is a number as an integer that sorts alike.
func sortable(f float64) int64 {
	bits := int64(math.Float64bits(f + 0)) //nolint:gosec // its bits; + 0 makes the two zeros one
	if bits < 0 {
		bits ^= math.MaxInt64
	}
	return bits
}

func valueRecord(v *revoke.Resource, value revoke.Value) (r record) {
	r.id[0] = v.ID
	folded := clean(revoke.Fold(value.Text))
	r.text = [9]string{v.Org, v.Authority, v.Type, value.Path, headOf(folded), folded, value.Text}
	r.num = [8]int64{int64(value.N), flag(value.Numeric)}
	if value.Numeric {
		r.num[2] = sortable(value.Number)
	}
	return r
}

// What is not among the values any more is removed by what is: the two never touch one row in one statement. The separator
// stands in no path, which is a name in JSON that we have read.
var spareValuesTable = newTable(table{
	name: "spare_values", ids: words("resource_id"), texts: words("org kept"),
	postgres: `DELETE FROM resource_values USING ROWS WHERE resource_values.org = k.org AND resource_values.resource_id = k.resource_id
		AND strpos(k.kept, chr(31) || resource_values.path || chr(30) || resource_values.n || chr(31)) = 0`,
	sqlite: `DELETE FROM resource_values WHERE org = $2 AND resource_id = $1
		AND instr($3, char(31) || path || char(30) || n || char(31)) = 0`,
})

// inColumn reports whether a value stands in a column of its resource.
func inColumn(path string) bool {
	switch path {
	case "id", "meta.resourceType", "meta.created", "meta.lastModified", "active", "userName", "displayName", "externalId":
		return true
	default:
		return false
	}
}

// valueRecords are the values of a resource that have no column, and what removes the others.
func valueRecords(v *revoke.Resource) (values []record, spare record, err error) {
	var all []revoke.Value
	if !v.Deleted() {
		if all, err = v.Values(); err != nil {
			return nil, record{}, err
		}
	}
	var kept strings.Builder
	kept.WriteString("\x1f")
	for _, value := range all {
		if path := value.Path; v.Type == revoke.TypeUser && path == "displayName" || !inColumn(path) {
			if len(path) > longestPath || strings.ContainsAny(path, "\x1e\x1f") {
				continue
			}
			values = append(values, valueRecord(v, value))
			kept.WriteString(clean(path) + "\x1e" + strconv.Itoa(value.N) + "\x1f")
		}
	}
	spare.id[0] = v.ID
	spare.text = [9]string{v.Org, kept.String()}
	return values, spare, nil
}

// fillAtOnce is how many resources one transaction gives values.
const fillAtOnce = 256

// fillValues gives the resources of an older program their values. A stop in the middle goes on at the next start.
func (s *Store) fillValues(ctx context.Context) error {
	for {
		n := 0
		err := s.alone(ctx, func(ctx context.Context, w *writer) (bool, error) {
			var without []revoke.Resource
			text := "SELECT " + resourcesTable.list + " FROM resources WHERE valued = 0 LIMIT " + strconv.Itoa(fillAtOnce)
			err := w.query(ctx, text, func(rows *sql.Rows) error {
				row, err := resourcesTable.scan(rows)
				if err != nil {
					return err
				}
				without = append(without, row.resource())
				return nil
			})
			if n = len(without); err != nil || n == 0 {
				return false, err
			}
			var b batch
			if err := b.addResources(without); err != nil {
				return false, err
			}
			return true, s.db.write(ctx, w, b)
		})
		if err != nil {
			return fmt.Errorf("write the values of resources: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}
