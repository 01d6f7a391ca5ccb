package scim

import (
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

// patch reads the operations of a PATCH, in their order.
func (in *groupDraft) patch(x *exchange) error {
	o, ok := x.body.(object)
	if !ok {
		return badRequest(invalidSyntax, "The body is not a JSON object. Send a PatchOp message (RFC 7644 section 3.5.2).")
	}
	given, _ := o.get("Operations")
	list := asList(given)
	switch {
	case len(list) == 0:
		return badRequest(invalidSyntax, "Operations is missing or empty. Send a PatchOp message with at least one operation (RFC 7644 section 3.5.2).")
	case len(list) > maxOperations:
		return badRequest(tooMany, "The request has more than 1000 operations. Send them in several requests.")
	}
	for _, each := range list {
		op, ok := each.(object)
		if !ok {
			return badRequest(invalidSyntax, "One of Operations is not a JSON object. Send each with op, path and value.")
		}
		if err := in.operation(x, op); err != nil {
			return err
		}
	}
	return nil
}

func (in *groupDraft) operation(x *exchange, o object) error {
	given, _ := o.get("op")
	text, _ := given.(string)
	op := fold(text)
	if op != "add" && op != "replace" && op != "remove" {
		return badRequest(invalidSyntax, "op is "+quote(text)+". It is add, replace or remove (RFC 7644 section 3.5.2).")
	}
	value, hasValue := o.get("value")
	if !hasValue && op != "remove" {
		return badRequest(invalidValue, "An operation "+quote(op)+" has no value. Send one.")
	}
	sent, _ := o.get("path")
	path, ok := sent.(string)
	if sent != nil && !ok {
		return badRequest(invalidPath, "path is not text. Send the name of an attribute.")
	}
	path = strings.TrimSpace(path)
	if path == "" || fold(path) == fold(groupURI) {
		inner, ok := value.(object)
		switch {
		case op == "remove":
			return badRequest(noTarget, "An operation remove has no path. Name what goes (RFC 7644 section 3.5.2.2).")
		case !ok:
			return badRequest(invalidValue, "An operation without the path of an attribute has no object as its value. Send one with the attributes as members.")
		}
		return in.object(x, op, inner)
	}
	if rest, ok := strings.CutPrefix(fold(path), fold(groupURI)+":"); ok {
		path = path[len(path)-len(rest):]
	}
	if open := strings.IndexByte(path, '['); open >= 0 && fold(path[:open]) == "members" {
		return in.atMembers(op, path[open:])
	}
	switch name := fold(path); name {
	case "displayname", "externalid", "members":
		if op == "remove" {
			return in.remove(name, value)
		}
		return in.set(op, name, value)
	case "id":
		if text, ok := value.(string); op == "remove" || !ok || text != x.id {
			return badRequest(mutability, "id cannot be changed. Leave it out.")
		}
		return nil
	case "meta", "schemas":
		return nil
	default:
		if strings.HasPrefix(name, "urn:") {
			return nil
		}
		return badRequest(invalidPath, "The path "+quote(path)+" is no attribute of a group. Name one that /scim/v2/Schemas lists.")
	}
}

func (in *groupDraft) remove(name string, value any) error {
	switch name {
	case "displayname":
		return badRequest(invalidValue, "displayName cannot be removed. Replace it.")
	case "externalid":
		none := ""
		in.externalID = &none
		return nil
	}
	if value == nil {
		in.members.RemoveAll()
		return nil
	}
	ids, err := memberIDs(value, false)
	for _, id := range ids {
		in.members.RemoveOne(id)
	}
	return err
}

// atMembers removes the members that a filter names. To set anything of a single member changes nothing that is kept.
func (in *groupDraft) atMembers(op, rest string) error {
	if op != "remove" {
		return nil
	}
	end := strings.LastIndexByte(rest, ']')
	wrong := badRequest(invalidFilter, `The filter names no members by their values. Write members[value eq "id"], several joined by or.`)
	if in.filters += len(rest); in.filters > maxFilters {
		return badRequest(invalidFilter, "All filters in paths together are longer than 64 KiB. Send the operations in several requests.")
	}
	if end < 0 || len(rest) > maxFilter {
		return wrong
	}
	quoted, err := quoteValues(rest[1:end])
	if err != nil {
		return err
	}
	e, err := parseFilter(quoted)
	if err != nil {
		return wrong
	}
	ids, ok := membersNamed(e)
	if !ok {
		return wrong
	}
	for _, text := range ids {
		if id, err := resourceIDOf(text); err == nil { // who cannot be a member is none
			in.members.RemoveOne(id)
		}
	}
	return nil
}

// membersNamed returns the values that a filter names. A type beside a value says nothing new: ids are unique.
func membersNamed(e filter.Expression) ([]string, bool) {
	switch e := e.(type) {
	case *filter.AttributeExpression:
		text, ok := unescape(e.CompareValue).(string)
		return []string{text}, ok && operatorOf(e) == string(filter.EQ) && fold(e.AttributePath.AttributeName) == "value"
	case *filter.LogicalExpression:
		left, ok := membersNamed(e.Left)
		right, also := membersNamed(e.Right)
		if e.Operator == filter.OR {
			return append(left, right...), ok && also
		}
		if ok == also {
			return nil, false
		}
		other, of := e.Right, left
		if also {
			other, of = e.Left, right
		}
		kind, isType := other.(*filter.AttributeExpression)
		return of, isType && fold(kind.AttributePath.AttributeName) == "type" && operatorOf(kind) == string(filter.EQ)
	default:
		return nil, false
	}
}
