package store

import (
	"strings"
	"unicode/utf8"

	"curfew/revoke"
)

// resourcesAsked are the conditions of a query, but for its cursor. The first three arguments are org, authority and type.
func resourcesAsked(q *revoke.ResourceQuery) *resourceClauses {
	c := &resourceClauses{kind: q.Type}
	c.and("org = ", q.Org)
	c.and("authority = ", clean(q.Authority))
	c.and("type = ", clean(q.Type))
	c.text += " AND deleted_at = 0"
	if q.Filter.Op != revoke.FilterAll {
		c.text += " AND " + c.filter(&q.Filter, "")
	}
	return c
}

// resourceClauses compiles a filter into conditions on rows of resources.
type resourceClauses struct {
	clauses
	kind string
}

const (
	whatever = "(1 = 1)"
	nothing  = "(1 = 0)"
	// ofThese are the values of resources like those that are asked for.
	ofThese = "v.org = $1 AND v.authority = $2 AND v.type = $3 AND "
)

// filter is a condition on a row of resources, or on an element of it where element names that.
func (c *resourceClauses) filter(f *revoke.Filter, element string) string {
	switch f.Op {
	case revoke.FilterAll:
		return whatever
	case revoke.FilterAnd:
		return c.joined(f.Terms, " AND ", whatever, element)
	case revoke.FilterOr:
		return c.joined(f.Terms, " OR ", nothing, element)
	case revoke.FilterNot:
		return "(NOT " + c.filter(&f.Terms[0], element) + ")"
	case revoke.FilterAny:
		return c.anyElement(f)
	case revoke.FilterEq, revoke.FilterCo, revoke.FilterSw, revoke.FilterEw, revoke.FilterGt, revoke.FilterGe, revoke.FilterLt, revoke.FilterLe, revoke.FilterPr:
		if element != "" {
			return "EXISTS (SELECT 1 FROM resource_values v WHERE v.org = $1 AND v.resource_id = " + element + ".resource_id AND v.n = " + element + ".n AND " +
				c.value(f) + ")"
		}
		return c.comparison(f)
	}
	return nothing
}

func (c *resourceClauses) joined(terms []revoke.Filter, by, none, element string) string {
	if len(terms) == 0 {
		return none
	}
	parts := make([]string, len(terms))
	for i := range terms {
		parts[i] = c.filter(&terms[i], element)
	}
	return "(" + strings.Join(parts, by) + ")"
}

// anyElement is met by resources of which one element meets the term. An equality in it finds the elements by the index.
func (c *resourceClauses) anyElement(f *revoke.Filter) string {
	term := &f.Terms[0]
	if f.Attribute == "members" {
		return c.filter(term, "")
	}
	var from string
	if sure := equality(term); sure != nil {
		from = "SELECT v.resource_id, v.n FROM resource_values v WHERE " + ofThese + c.value(sure)
	} else { // a slash follows the dot
		from = "SELECT DISTINCT v.resource_id, v.n FROM resource_values v WHERE " + ofThese +
			"v.path >= " + c.arg(f.Attribute+".") + " AND v.path < " + c.arg(f.Attribute+"/")
	}
	return "(id IN (SELECT e.resource_id FROM (" + from + ") e WHERE " + c.filter(term, "e") + "))"
}

// equality is one that must hold for the term to hold.
func equality(f *revoke.Filter) *revoke.Filter {
	if f.Op == revoke.FilterEq {
		return f
	}
	if f.Op == revoke.FilterAnd {
		for i := range f.Terms {
			if sure := equality(&f.Terms[i]); sure != nil {
				return sure
			}
		}
	}
	return nil
}

// comparison compares what stands in a column there, anything else among the values.
func (c *resourceClauses) comparison(f *revoke.Filter) string {
	name := "userName"
	if c.kind == revoke.TypeGroup {
		name = "displayName"
	}
	switch f.Attribute {
	case "id":
		return c.id(f, "id")
	case "members.value":
		if f.Op == revoke.FilterPr {
			return "EXISTS (SELECT 1 FROM members m WHERE m.org = $1 AND m.group_id = resources.id)"
		}
		return "id IN (SELECT m.group_id FROM members m WHERE m.org = $1 AND " + c.id(f, "m.resource_id") + ")"
	case name:
		return "(named = 1 AND " + c.text1(f, "user_name_folded") + ")"
	case "externalId":
		return "(external_id <> '' AND " + c.text1(f, "external_id") + ")"
	case "active":
		if c.kind != revoke.TypeUser {
			return nothing
		}
		return c.text1(f, "CASE WHEN active = 1 THEN 'true' ELSE 'false' END")
	case "meta.resourceType":
		kind := c.kind
		if !f.Exact {
			kind = revoke.Fold(kind)
		}
		if kind != revoke.TypeUser && kind != revoke.TypeGroup && kind != "user" && kind != "group" {
			return nothing
		}
		return c.text1(f, "'"+kind+"'")
	case "meta.created":
		return c.number(f, "created_at")
	case "meta.lastModified":
		return c.number(f, "updated_at")
	default:
		return "id IN (SELECT v.resource_id FROM resource_values v WHERE " + ofThese + c.value(f) + ")"
	}
}

// id compares an id: one that cannot be any is met by nothing, and finds what is not.
func (c *resourceClauses) id(f *revoke.Filter, column string) string {
	if f.Op != revoke.FilterEq {
		return c.text1(f, "CAST("+column+" AS TEXT)")
	}
	id, err := revoke.ParseID(f.Text)
	if err != nil || f.Numeric {
		return nothing
	}
	return column + " = " + c.arg(idText(id))
}

// number compares a column that holds an instant.
func (c *resourceClauses) number(f *revoke.Filter, column string) string {
	if f.Op == revoke.FilterPr {
		return whatever
	}
	if !f.Numeric {
		return nothing
	}
	return c.ordered(f, column, int64(f.Number))
}

// ordered compares two things of a kind.
func (c *resourceClauses) ordered(f *revoke.Filter, column string, with any) string {
	sign := map[revoke.FilterOp]string{
		revoke.FilterEq: " = ", revoke.FilterGt: " > ", revoke.FilterGe: " >= ", revoke.FilterLt: " < ", revoke.FilterLe: " <= ",
	}[f.Op]
	if sign == "" {
		return nothing
	}
	return column + sign + c.arg(with)
}

// text1 compares a text that stands in one place, folded unless it counts letter case.
func (c *resourceClauses) text1(f *revoke.Filter, column string) string {
	if f.Op == revoke.FilterPr {
		return whatever
	}
	if f.Numeric {
		return nothing
	}
	want := clean(f.Text)
	if !f.Exact {
		want = clean(revoke.Fold(f.Text))
	}
	if f.Op == revoke.FilterCo {
		return "STRPOS(" + column + ", " + c.arg(want) + ") > 0"
	}
	if f.Op == revoke.FilterSw {
		return "substr(" + column + ", 1, " + c.arg(utf8.RuneCountInString(want)) + ") = " + c.arg(want)
	}
	if f.Op == revoke.FilterEw {
		n := c.arg(utf8.RuneCountInString(want))
		return "(length(" + column + ") >= " + n + " AND substr(" + column + ", length(" + column + ") - " + n + " + 1) = " + c.arg(want) + ")"
	}
	return c.ordered(f, column, want)
}

// value compares a row v of values. Equality and beginnings find it by the index.
func (c *resourceClauses) value(f *revoke.Filter) string {
	out := "v.path = " + c.arg(clean(f.Attribute))
	if f.Op == revoke.FilterPr {
		return out
	}
	if f.Numeric {
		return out + " AND v.numeric = 1 AND " + c.ordered(f, "v.number", sortable(f.Number))
	}
	column := "v.folded"
	if f.Exact {
		column = "v.exact"
	}
	folded := clean(revoke.Fold(f.Text))
	head := headOf(folded)
	if f.Op == revoke.FilterEq {
		out += " AND v.head = " + c.arg(head)
	}
	if f.Op == revoke.FilterSw {
		out += " AND v.head >= " + c.arg(head) + " AND v.head <= " + c.arg(head+"\U0010ffff")
	}
	return out + " AND v.numeric = 0 AND " + c.text1(f, column)
}

// order is what a page is sorted by.
func (c *resourceClauses) order(q *revoke.ResourceQuery) string {
	const creation = "created_at, id"
	if q.SortBy == "" {
		if q.Descending {
			return "created_at DESC, id DESC"
		}
		return creation
	}
	down := ""
	if q.Descending {
		down = " DESC"
	}
	name := "userName"
	if q.Type == revoke.TypeGroup {
		name = "displayName"
	}
	switch column := map[string]string{
		"externalId": "external_id", "active": "active", "meta.created": "created_at", "meta.lastModified": "updated_at",
	}[q.SortBy]; {
	case q.SortBy == name:
		return "(named = 0)" + down + ", CASE WHEN named = 1 THEN user_name_folded ELSE '' END" + down + ", " + creation
	case q.SortBy == "externalId":
		return "(external_id = '')" + down + ", external_id" + down + ", " + creation
	case column != "":
		return column + down + ", " + creation
	case q.SortBy == "id":
		return "id" + down
	}
	first := func(what string) string {
		return "(SELECT " + what + " FROM resource_values v WHERE v.org = resources.org AND v.resource_id = resources.id AND v.path = " +
			c.arg(clean(q.SortBy)) + " ORDER BY v.n LIMIT 1)"
	}
	there := first("1")
	return "(" + there + " IS NULL)" + down + ", " + first("v.number") + down + ", " + first("v.folded") + down + ", " + creation
}
