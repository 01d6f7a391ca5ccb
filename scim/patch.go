package scim

import (
	"maps"
	"slices"
	"strings"

	library "github.com/elimity-com/scim"
	filter "github.com/scim2/filter-parser/v2"
)

// patch applies operations that the library has validated (RFC 7644 section 3.5.2) to a user's document, in which every name is
// the schema's. The document is changed in place; on an error it is to be thrown away.
func (a *attributes) patch(doc map[string]any, operations []library.PatchOperation) error {
	work := 0
	for _, op := range operations {
		if op.Path == nil {
			return badRequest(invalidPath, "An operation has no path. Name an attribute.")
		}
		if work += a.workOf(doc, op); work > maxWork {
			return badRequest(tooMany, "The operations go through long lists too many times. Send them in several requests.")
		}
		if err := a.apply(doc, op); err != nil {
			return err
		}
	}
	return nil
}

// maxWork bounds what one PATCH compares to less than a second. Six hundred values added one by one are within it.
const maxWork = 2 << 20

// workOf is about how much is copied and compared for an operation.
func (a *attributes) workOf(doc map[string]any, op library.PatchOperation) int {
	list, _ := doc[a.point("", op.Path.AttributePath.AttributeName, "", "").attribute.Name()].([]any)
	given, _ := op.Value.([]any)
	return (len(list) + len(given)) * (8 + len(given))
}

func (a *attributes) apply(doc map[string]any, op library.PatchOperation) error {
	p := a.point(op.Path.AttributePath.URI(), op.Path.AttributePath.AttributeName, "", "")
	if p.meaning != someAttribute {
		return badRequest(invalidPath, "The path "+quote(op.Path.String())+" is no attribute that this server knows. Name one that /scim/v2/Schemas lists.")
	}
	sub := op.Path.SubAttributeName() + op.Path.AttributePath.SubAttributeName() // the grammar knows one of them at a time
	if sub != "" {
		def, ok := p.attribute.sub(sub)
		if !ok {
			return badRequest(invalidPath, "The path "+quote(op.Path.String())+" is no attribute that this server knows. Name one that /scim/v2/Schemas lists.")
		}
		sub = def.Name()
	}
	into := doc
	if p.attribute.uri != "" {
		extension, _ := doc[p.attribute.uri].(map[string]any)
		into = copyOf(extension)
	}
	var err error
	switch {
	case p.attribute.MultiValued():
		err = applyValues(p.attribute, into, op, sub)
	case p.attribute.complex():
		applyComplex(p.attribute, into, op, sub)
	case op.Op == "remove":
		delete(into, p.attribute.Name())
	default:
		into[p.attribute.Name()] = op.Value
	}
	if p.attribute.uri != "" {
		if doc[p.attribute.uri] = into; len(into) == 0 {
			delete(doc, p.attribute.uri)
		}
	}
	return err
}

// applyComplex sets or removes an attribute with sub-attributes and one value. Those that are not mentioned stay (RFC 7644
// section 3.5.2.3), unless the value itself becomes another: a new manager keeps no old name.
func applyComplex(a attribute, into map[string]any, op library.PatchOperation, sub string) {
	have, _ := into[a.Name()].(map[string]any)
	next := map[string]any{}
	given, _ := op.Value.(map[string]any)
	if value, ok := given["value"]; sub != "" || !ok || value == have["value"] {
		maps.Copy(next, have)
	}
	switch {
	case op.Op == "remove" && sub == "":
		next = nil
	case op.Op == "remove":
		delete(next, sub)
	case sub != "":
		next[sub] = op.Value
	default:
		maps.Copy(next, given)
	}
	if into[a.Name()] = next; len(next) == 0 {
		delete(into, a.Name())
	}
}

// applyValues sets, adds or removes values of an attribute that has several.
func applyValues(a attribute, into map[string]any, op library.PatchOperation, sub string) error {
	list := elements(into[a.Name()])
	var touched []int
	switch {
	case op.Path.ValueExpression != nil:
		var err error
		if list, touched, err = atElements(a, list, op, sub); err != nil {
			return err
		}
	case sub != "":
		list, touched = atAll(list, op, sub)
	case op.Op == "remove":
		list = removeValues(list, op.Value)
	case op.Op == "replace":
		list = nil
		fallthrough
	default:
		for _, each := range elements(op.Value) {
			var at int
			list, at = addValue(list, each)
			touched = append(touched, at)
		}
	}
	if len(list) > maxValues {
		return badRequest(invalidValue, a.Name()+" would have more than 1000 values. Remove some of them first.")
	}
	for _, at := range slices.Backward(touched) { // a new primary clears the old (RFC 7643 section 2.4)
		if element, ok := list[at].(map[string]any); ok && element["primary"] == true {
			onePrimary(list, at)
			break
		}
	}
	list = slices.DeleteFunc(list, func(each any) bool {
		element, ok := each.(map[string]any)
		return !ok || len(element) == 0
	})
	if into[a.Name()] = list; len(list) == 0 {
		delete(into, a.Name())
	}
	return nil
}

// elements returns copies of the elements, so that a document that is thrown away has changed nothing.
func elements(v any) []any {
	var list []any
	switch v := v.(type) {
	case []any:
		list = v
	case map[string]any:
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, each := range list {
		if element, ok := each.(map[string]any); ok {
			out = append(out, copyOf(element))
		}
	}
	return out
}

func copyOf(element map[string]any) map[string]any {
	out := make(map[string]any, len(element))
	maps.Copy(out, element)
	return out
}

// onePrimary leaves primary on the element at index keep, or with -1 on the first that has it.
func onePrimary(list []any, keep int) {
	for i, each := range list {
		element, ok := each.(map[string]any)
		if !ok || element["primary"] != true {
			continue
		}
		switch {
		case keep < 0:
			keep = i
		case i != keep:
			element["primary"] = false
		}
	}
}

// addValue adds an element, or lets it renew the one that says the same: Entra adds roles again that are there already.
func addValue(list []any, value any) ([]any, int) {
	element, _ := value.(map[string]any)
	for i, each := range list {
		if have, _ := each.(map[string]any); sameValue(have, element) {
			maps.Copy(have, element)
			return list, i
		}
	}
	return append(list, value), len(list)
}

// sameValue compares by what tells values apart: the value and its type, or where there is no value all but what is shown.
func sameValue(have, given map[string]any) bool {
	value, ok := have["value"]
	other, also := given["value"]
	if ok || also {
		return ok && also && value == other && have["type"] == given["type"]
	}
	return within(have, given) && within(given, have)
}

// within reports whether all that tells inner apart is in outer too.
func within(inner, outer map[string]any) bool {
	for name, value := range inner {
		if other, ok := outer[name]; name != "primary" && name != "display" && (!ok || other != value) {
			return false
		}
	}
	return true
}

// removeValues removes all, or those that value names.
func removeValues(list []any, value any) []any {
	if value == nil {
		return nil
	}
	named := elements(value)
	return slices.DeleteFunc(list, func(each any) bool {
		have, _ := each.(map[string]any)
		return slices.ContainsFunc(named, func(n any) bool {
			for k, v := range n.(map[string]any) {
				if k != "display" && k != "primary" && have[k] != v {
					return false
				}
			}
			return true
		})
	})
}

// atAll sets or removes a sub-attribute of every element; where there is none yet, setting makes one.
func atAll(list []any, op library.PatchOperation, sub string) (all []any, touched []int) {
	if len(list) == 0 && op.Op != "remove" {
		list = []any{map[string]any{}}
	}
	for i, each := range list {
		element, _ := each.(map[string]any)
		if op.Op == "remove" {
			delete(element, sub)
		} else {
			element[sub] = op.Value
		}
		touched = append(touched, i)
	}
	return list, touched
}

// atElements sets or removes the elements that a filter picks. Where it picks none, both add and replace make one of what the
// filter says (Entra relies on it for replace too, where RFC 7644 section 3.5.2.3 would have noTarget).
func atElements(a attribute, list []any, op library.PatchOperation, sub string) (all []any, touched []int, err error) {
	for i, each := range list {
		if element, _ := each.(map[string]any); a.matches(op.Path.ValueExpression, element) {
			touched = append(touched, i)
		}
	}
	if op.Op == "remove" {
		for _, i := range touched {
			element, _ := list[i].(map[string]any)
			if sub == "" {
				clear(element) // dropped at the end
			} else {
				delete(element, sub)
			}
		}
		return list, nil, nil
	}
	if len(touched) == 0 {
		element := map[string]any{}
		if !a.describe(op.Path.ValueExpression, element) {
			return nil, nil, badRequest(noTarget, "The filter of "+quote(op.Path.String())+" picks nothing, and does not say what to make. Write attribute eq value.")
		}
		list, touched = append(list, element), []int{len(list)}
	}
	for _, i := range touched {
		element, _ := list[i].(map[string]any)
		given, _ := op.Value.(map[string]any)
		if sub != "" {
			element[sub] = op.Value
			continue
		}
		maps.Copy(element, given)
	}
	return list, touched, nil
}

// describe fills element with what a filter of equalities says, and reports whether it is one.
func (a attribute) describe(e filter.Expression, element map[string]any) bool {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		def, ok := a.sub(e.AttributePath.AttributeName)
		if !ok || e.Operator != filter.EQ || e.CompareValue == nil {
			return false
		}
		value, err := cleanSimple(def, unescape(e.CompareValue), def.Name())
		element[def.Name()] = value
		return err == nil
	case *filter.LogicalExpression:
		return e.Operator == filter.AND && a.describe(e.Left, element) && a.describe(e.Right, element)
	default:
		return false
	}
}

// matches evaluates the filter of a path on one element. The library validates such filters but never evaluates them.
func (a attribute) matches(e filter.Expression, element map[string]any) bool {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		return a.compare(e, element)
	case *filter.LogicalExpression:
		if e.Operator == filter.OR {
			return a.matches(e.Left, element) || a.matches(e.Right, element)
		}
		return a.matches(e.Left, element) && a.matches(e.Right, element)
	case *filter.NotExpression:
		return !a.matches(e.Expression, element)
	default:
		return false
	}
}

func (a attribute) compare(e *filter.AttributeExpression, element map[string]any) bool {
	def, ok := a.sub(e.AttributePath.AttributeName)
	if !ok {
		return false
	}
	have, present := element[def.Name()]
	if e.Operator == filter.PR {
		return present
	}
	want := unescape(e.CompareValue)
	if def.AttributeType() == "boolean" { // roles[primary eq "True"]: Entra writes booleans as text here too
		is, _ := have.(bool)
		value, ok := truth(want)
		return ok && (e.Operator == filter.EQ && is == value || e.Operator == filter.NE && is != value)
	}
	text, _ := have.(string)
	other, ok := want.(string)
	if !ok {
		return e.Operator == filter.NE && present || e.Operator == filter.EQ && want == nil && !present
	}
	if !def.CaseExact() {
		text, other = strings.ToLower(text), strings.ToLower(other)
	}
	if e.Operator == filter.NE {
		return !present || text != other
	}
	return present && operate(e.Operator, text, other)
}

func operate(operator filter.CompareOperator, text, other string) bool {
	switch operator {
	case filter.PR:
		return true
	case filter.EQ:
		return text == other
	case filter.NE:
		return text != other
	case filter.CO:
		return strings.Contains(text, other)
	case filter.SW:
		return strings.HasPrefix(text, other)
	case filter.EW:
		return strings.HasSuffix(text, other)
	case filter.GT:
		return text > other
	case filter.GE:
		return text >= other
	case filter.LT:
		return text < other
	case filter.LE:
		return text <= other
	default:
		return false
	}
}
