package store

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"curfew/revoke"
)

// table names the columns of a table once, for both databases and for reading and writing: first those that hold ids, then
// texts, then numbers.
type table struct {
	name     string
	ids      []string
	texts    []string
	nums     []string
	conflict string // what an insert does with a row that is there; GREATEST is written as PostgreSQL names it
	postgres string // instead of an insert; ROWS are the rows as k
	sqlite   string // instead of an insert; the columns are its arguments
	first    bool   // written before the rest, in a statement of its own

	list   string // every column, for a select
	wide   string // the same from k with what is missing of a record, for a union of different tables
	insert string // of one row, on SQLite
}

// record is one row of a table, in the order in which the table names its columns.
type record struct {
	id   [5]revoke.ID
	text [9]string
	num  [8]int64
}

func words(s string) []string { return strings.Fields(s) }

func newTable(t table) *table {
	all := slices.Concat(t.ids, t.texts, t.nums)
	t.list = strings.Join(all, ", ")
	t.insert = t.inserts(1)
	t.wide = wide(t.ids, t.texts, t.nums)
	return &t
}

// inserts is what writes n rows on SQLite.
func (t *table) inserts(n int) string {
	if t.sqlite != "" {
		return t.sqlite
	}
	// Without numbers: SQLite keeps those in a list, which the driver walks once for every argument.
	row := "(" + blanks(len(t.ids)+len(t.texts)+len(t.nums)) + ")"
	return "INSERT INTO " + t.name + " (" + t.list + ") VALUES " + strings.Repeat(row+", ", n-1) + row + " " + t.conflict
}

func blanks(n int) string { return strings.Repeat("?, ", n-1) + "?" }

// wide selects columns of k in the shape of a record.
func wide(ids, texts, nums []string) string {
	var r record
	var out []string
	for i := range r.id {
		out = append(out, column(ids, i, "NULL::uuid"))
	}
	for i := range r.text {
		out = append(out, column(texts, i, "''::text"))
	}
	for i := range r.num {
		out = append(out, column(nums, i, "0::bigint"))
	}
	return strings.Join(out, ", ")
}

func column(names []string, i int, missing string) string {
	if i < len(names) {
		return "k." + names[i]
	}
	return missing
}

// listOf is list with every column's table.
func (t *table) listOf(alias string) string {
	return alias + "." + strings.ReplaceAll(t.list, ", ", ", "+alias+".")
}

// statement is what writes many rows on PostgreSQL, its arguments numbered after those before it.
func (t *table) statement(after int) string {
	if t.postgres != "" {
		return strings.Replace(t.postgres, "ROWS", "unnest("+t.casts(after)+") AS k ("+t.list+")", 1)
	}
	return "INSERT INTO " + t.name + " (" + t.list + ") SELECT * FROM unnest(" + t.casts(after) + ") " + t.conflict
}

// scan reads a row that was selected with columns.
func (t *table) scan(rows *sql.Rows, more ...any) (record, error) {
	var r record
	var into [24]any
	n := 0
	for i := range t.ids {
		into[n], n = (*storedID)(&r.id[i]), n+1
	}
	for i := range t.texts {
		into[n], n = &r.text[i], n+1
	}
	for i := range t.nums {
		into[n], n = &r.num[i], n+1
	}
	n += copy(into[n:], more)
	return r, rows.Scan(into[:n]...)
}

// storedID is an id as it is read from a column: dozens are read for every decision, so that each is decoded in place.
type storedID revoke.ID

// Scan reads the 36 characters of RFC 9562; NULL is the zero id.
func (id *storedID) Scan(src any) error {
	var text [36]byte
	var n int
	switch v := src.(type) {
	case nil:
		*id = storedID{}
		return nil
	case string:
		n = len(v)
		copy(text[:], v)
	case []byte:
		n = len(v)
		copy(text[:], v)
	}
	at := 0
	for _, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		got, err := hex.Decode(id[at:], text[part[0]:part[1]])
		if err != nil || n != len(text) {
			return fmt.Errorf("a column holds %v in place of an id", src)
		}
		at += got
	}
	return nil
}

// args are r's columns as the arguments of a single insert.
func (t *table) args(r *record) []any {
	args := make([]any, 0, len(t.ids)+len(t.texts)+len(t.nums))
	for i := range t.ids {
		args = append(args, idText(r.id[i]))
	}
	for i := range t.texts {
		args = append(args, clean(r.text[i]))
	}
	for i := range t.nums {
		args = append(args, r.num[i])
	}
	return args
}

// arrays are the columns of many rows as PostgreSQL's arrays, for unnest.
func (t *table) arrays(rows []record) []any {
	args := make([]any, 0, len(t.ids)+len(t.texts)+len(t.nums))
	for i := range t.ids {
		args = append(args, idArray(rows, func(r record) revoke.ID { return r.id[i] }))
	}
	for i := range t.texts {
		args = append(args, textArray(rows, func(r record) string { return r.text[i] }))
	}
	for i := range t.nums {
		args = append(args, numArray(rows, func(r record) int64 { return r.num[i] }))
	}
	return args
}

// casts lists the types of arrays' arguments, the first of them numbered after.
func (t *table) casts(after int) string {
	var b strings.Builder
	n := after
	for i, part := range [][]string{t.ids, t.texts, t.nums} {
		for range part {
			if n > after {
				b.WriteString(", ")
			}
			n++
			fmt.Fprintf(&b, "$%d::%s[]", n, [...]string{"uuid", "text", "bigint"}[i])
		}
	}
	return b.String()
}

const zeroID = "00000000-0000-0000-0000-000000000000"

// idText is an id as a column holds it.
func idText(id revoke.ID) string {
	if id.IsZero() {
		return zeroID
	}
	return id.String()
}

// clean takes out what PostgreSQL's text cannot hold. Senders write it into JSON bodies, and a signal must not be lost for it.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// What PostgreSQL calls its types in the binary form of an array (the OIDs of pg_type).
const (
	bigints   = 20
	textTypes = 25
	uuids     = 2950
)

// array is a value of PostgreSQL's array_recv, which costs the server a third of what reading an array from text does: its
// dimensions, whether it holds NULL, the type of its elements, how many there are and the number of the first, then the elements.
func array[T any](rows []T, oid uint32, size int, add func([]byte, T) []byte) []byte {
	b := make([]byte, 0, 20+(4+size)*len(rows))
	if len(rows) == 0 {
		return binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0, 0, 0, 0, 0), oid)
	}
	b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 1, 0, 0, 0, 0), oid)
	b = binary.BigEndian.AppendUint32(b, uint32(len(rows))) //nolint:gosec // far fewer
	b = append(b, 0, 0, 0, 1)
	for _, row := range rows {
		b = add(b, row)
	}
	return b
}

func idArray[T any](rows []T, of func(T) revoke.ID) []byte {
	return array(rows, uuids, len(revoke.ID{}), func(b []byte, row T) []byte {
		id := of(row)
		return append(append(b, 0, 0, 0, byte(len(id))), id[:]...)
	})
}

func numArray[T any](rows []T, of func(T) int64) []byte {
	return array(rows, bigints, 8, func(b []byte, row T) []byte {
		return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(of(row))) //nolint:gosec // its bits
	})
}

func textArray[T any](rows []T, of func(T) string) []byte {
	return array(rows, textTypes, 16, func(b []byte, row T) []byte {
		text := clean(of(row))
		return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...) //nolint:gosec // a body is bounded
	})
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// toJSON encodes what we defined ourselves, which cannot fail.
func toJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", v, err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fromJSON decodes what toJSON wrote. What cannot be read is an error, never an empty value: rules are decided on it.
func fromJSON(text string, into any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("decode stored %T: %w", into, err)
	}
	return nil
}
