package revoke

import (
	"cmp"
	"slices"
	"strings"
)

// Where is a condition on resources, in the grammar of RFC 7644 section 3.4.2.2 with every name in its canonical form. The zero
// Where matches all.
type Where struct {
	Op        WhereOp
	Terms     []Where // of and, or (any number), not and any (one)
	Attribute string  // of any: the multi-valued attribute; of a comparison: a path as in [Value]
	Text      string  // what is compared with: text, or "true" and "false"
	Number    float64 // instead of Text where Numeric
	Numeric   bool
	Exact     bool // the attribute's letter case counts (caseExact, RFC 7643 section 2.2)
}

// WhereOp is what a condition says. The set is closed.
type WhereOp string

// The operators. Not equal is the opposite of equal, also where there is no value.
const (
	WhereAll WhereOp = ""
	WhereAnd WhereOp = "and"
	WhereOr  WhereOp = "or"
	WhereNot WhereOp = "not"
	WhereAny WhereOp = "any" // one element of a multi-valued attribute meets all of the term: emails[type eq "work" and value co "x"]
	WhereEq  WhereOp = "eq"
	WhereCo  WhereOp = "co"
	WhereSw  WhereOp = "sw"
	WhereEw  WhereOp = "ew"
	WhereGt  WhereOp = "gt"
	WhereGe  WhereOp = "ge"
	WhereLt  WhereOp = "lt"
	WhereLe  WhereOp = "le"
	WherePr  WhereOp = "pr"
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

// Matches reports whether a resource with these values meets w. It is the naive reading of what stores compile to SQL, and what
// they are compared with.
func (w *Where) Matches(values []Value) bool {
	switch w.Op {
	case WhereAll:
		return true
	case WhereAnd:
		return !slices.ContainsFunc(w.Terms, func(t Where) bool { return !t.Matches(values) })
	case WhereOr:
		return slices.ContainsFunc(w.Terms, func(t Where) bool { return t.Matches(values) })
	case WhereNot:
		return !w.Terms[0].Matches(values)
	case WhereAny:
		elements := map[int][]Value{}
		for _, v := range values {
			if rest, ok := strings.CutPrefix(v.Path, w.Attribute+"."); ok && rest != "" {
				elements[v.N] = append(elements[v.N], v)
			}
		}
		for _, element := range elements {
			if w.Terms[0].Matches(element) {
				return true
			}
		}
		return false
	case WhereEq, WhereCo, WhereSw, WhereEw, WhereGt, WhereGe, WhereLt, WhereLe, WherePr:
		return slices.ContainsFunc(values, w.meets)
	}
	return false
}

// meets reports whether one value meets a comparison.
func (w *Where) meets(v Value) bool {
	if v.Path != w.Attribute || w.Op != WherePr && v.Numeric != w.Numeric {
		return false
	}
	have, want := v.Text, w.Text
	if !w.Exact {
		have, want = Fold(have), Fold(want)
	}
	order := strings.Compare(have, want)
	if w.Numeric {
		order = cmp.Compare(v.Number, w.Number)
	}
	switch w.Op {
	case WherePr:
		return true
	case WhereEq:
		return order == 0
	case WhereGt:
		return order > 0
	case WhereGe:
		return order >= 0
	case WhereLt:
		return order < 0
	case WhereLe:
		return order <= 0
	case WhereCo:
		return !w.Numeric && strings.Contains(have, want)
	case WhereSw:
		return !w.Numeric && strings.HasPrefix(have, want)
	case WhereEw:
		return !w.Numeric && strings.HasSuffix(have, want)
	case WhereAll, WhereAnd, WhereOr, WhereNot, WhereAny:
	}
	return false
}
