package revoke

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Filter is a condition on resources, in the grammar of RFC 7644 section 3.4.2.2 with every name in its canonical form. The zero
// Filter matches all.
type Filter struct {
	Op        FilterOp
	Terms     []Filter // of and, or (any number), not and any (one)
	Attribute string   // of any: the multi-valued attribute; of a comparison: a path as in [Value]
	Text      string   // what is compared with: text, or "true" and "false"
	Number    float64  // instead of Text where Numeric
	Numeric   bool
	Exact     bool // the attribute's letter case counts (caseExact, RFC 7643 section 2.2)
}

// FilterOp is what a condition says. The set is closed.
type FilterOp string

// The operators. Not equal is the opposite of equal, also where there is no value.
const (
	FilterAll FilterOp = ""
	FilterAnd FilterOp = "and"
	FilterOr  FilterOp = "or"
	FilterNot FilterOp = "not"
	FilterAny FilterOp = "any" // one element of a multi-valued attribute meets all of the term: emails[type eq "work" and value co "x"]
	FilterEq  FilterOp = "eq"
	FilterCo  FilterOp = "co"
	FilterSw  FilterOp = "sw"
	FilterEw  FilterOp = "ew"
	FilterGt  FilterOp = "gt"
	FilterGe  FilterOp = "ge"
	FilterLt  FilterOp = "lt"
	FilterLe  FilterOp = "le"
	FilterPr  FilterOp = "pr"
)

// Value is one simple value of a resource, as filters and sorting see it. Path is canonical: userName, name.familyName,
// emails.value, urn:…:User:department. Values of one element of a multi-valued attribute share N.
type Value struct {
	Path    string
	N       int
	Text    string // booleans are "true" and "false"
	Number  float64
	Numeric bool
}

// Matches reports whether a resource with these values meets f. It is the naive reading of what stores compile to SQL, and what
// they are compared with.
func (f *Filter) Matches(values []Value) bool {
	switch f.Op {
	case FilterAll:
		return true
	case FilterAnd:
		return !slices.ContainsFunc(f.Terms, func(t Filter) bool { return !t.Matches(values) })
	case FilterOr:
		return slices.ContainsFunc(f.Terms, func(t Filter) bool { return t.Matches(values) })
	case FilterNot:
		return !f.Terms[0].Matches(values)
	case FilterAny:
		elements := map[int][]Value{}
		for _, v := range values {
			if rest, ok := strings.CutPrefix(v.Path, f.Attribute+"."); ok && rest != "" {
				elements[v.N] = append(elements[v.N], v)
			}
		}
		for _, element := range elements {
			if f.Terms[0].Matches(element) {
				return true
			}
		}
		return false
	case FilterEq, FilterCo, FilterSw, FilterEw, FilterGt, FilterGe, FilterLt, FilterLe, FilterPr:
		return slices.ContainsFunc(values, f.meets)
	}
	return false
}

// meets reports whether one value meets a comparison.
func (f *Filter) meets(v Value) bool {
	if v.Path != f.Attribute || f.Op != FilterPr && v.Numeric != f.Numeric {
		return false
	}
	have, want := v.Text, f.Text
	if !f.Exact {
		have, want = Fold(have), Fold(want)
	}
	order := strings.Compare(have, want)
	if f.Numeric {
		order = cmp.Compare(v.Number, f.Number)
	}
	switch f.Op {
	case FilterPr:
		return true
	case FilterEq:
		return order == 0
	case FilterGt:
		return order > 0
	case FilterGe:
		return order >= 0
	case FilterLt:
		return order < 0
	case FilterLe:
		return order <= 0
	case FilterCo:
		return !f.Numeric && strings.Contains(have, want)
	case FilterSw:
		return !f.Numeric && strings.HasPrefix(have, want)
	case FilterEw:
		return !f.Numeric && strings.HasSuffix(have, want)
	case FilterAll, FilterAnd, FilterOr, FilterNot, FilterAny:
	}
	return false
}

// Values returns every simple value of the resource, as filters and sorting see it, in a fixed order.
func (r *Resource) Values() ([]Value, error) {
	out := []Value{
		{Path: "id", Text: r.ID.String()},
		{Path: "meta.resourceType", Text: r.Type},
		{Path: "meta.created", Numeric: true, Number: float64(r.CreatedAt)},
		{Path: "meta.lastModified", Numeric: true, Number: float64(r.UpdatedAt)},
	}
	if r.Type == TypeUser {
		out = append(out, Value{Path: "active", Text: strconv.FormatBool(r.Active)})
	}
	if r.Named { // one that lost its name to another person does not answer to it
		out = append(out, Value{Path: r.unique(), Text: r.UserName})
	}
	if r.ExternalID != "" {
		out = append(out, Value{Path: "externalId", Text: r.ExternalID})
	}
	profile := map[string]any{}
	if len(r.Profile) > 0 {
		if err := json.Unmarshal(r.Profile, &profile); err != nil {
			return nil, fmt.Errorf("read profile of resource %s: %w", r.ID, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(profile)) {
		extension, isOne := profile[name].(map[string]any)
		if !isOne || !strings.HasPrefix(name, "urn:") {
			out = appendValues(out, name, 0, profile[name])
			continue
		}
		for _, inner := range slices.Sorted(maps.Keys(extension)) {
			out = appendValues(out, name+":"+inner, 0, extension[inner])
		}
	}
	return out, nil
}

// appendValues walks a value of a profile: what lies in an element of a list carries the element's number.
func appendValues(out []Value, path string, n int, v any) []Value {
	switch v := v.(type) {
	case string:
		return append(out, Value{Path: path, N: n, Text: v})
	case bool:
		return append(out, Value{Path: path, N: n, Text: strconv.FormatBool(v)})
	case float64:
		return append(out, Value{Path: path, N: n, Number: v, Numeric: true})
	case []any:
		for i, each := range v {
			name := path
			if _, complex := each.(map[string]any); !complex {
				name += ".value" // RFC 7643 section 2.4: what a simple element is called
			}
			out = appendValues(out, name, i, each)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = appendValues(out, path+"."+name, n, v[name])
		}
	}
	return out
}
