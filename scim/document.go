package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a body. The deepest thing that RFC 7643 knows, a sub-attribute of an extension inside a
// PATCH operation, stands at six.
const maxDepth = 32

// object is a JSON object as it was written: in order, and with every member, so that of two members of one name neither
// can hide the other.
type object []member

type member struct {
	name  string
	value any // nil, bool, string, json.Number, []any or object
}

// decode reads one JSON value. Where it can be read but must be refused (duplicate members in any letter case, bytes behind
// the value, depth, broken text) it returns both the value and the refusal, for a deactivation counts all the same. Of what breaks off
// it returns what is whole before that.
func decode(body []byte) (any, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // RFC 8259 section 8.1 lets a parser ignore it
	d := decoder{Decoder: json.NewDecoder(bytes.NewReader(body))}
	d.UseNumber()
	value, err := d.value(0)
	if err != nil {
		return value, badRequest(invalidSyntax, "The body is not JSON. Send one JSON object.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		d.refuse("There are bytes behind the JSON object. Send one JSON object and nothing else.")
	}
	if !utf8.Valid(body) {
		d.refuse("The body is not UTF-8. Send it so (RFC 7644 section 3.1).")
	}
	return value, d.refusal
}

type decoder struct {
	*json.Decoder
	refusal error
}

// refuse keeps the first reason.
func (d *decoder) refuse(why string) {
	if d.refusal == nil {
		d.refusal = badRequest(invalidSyntax, why)
	}
}

func (d *decoder) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	switch {
	case !ok:
		return token, nil
	case depth == maxDepth:
		d.refuse("The body is nested too deeply. Leave out what holds so many lists in lists.")
		return nil, d.skip()
	case delim == '[':
		list := []any{}
		for d.More() {
			v, err := d.value(depth + 1)
			if err != nil {
				return list, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	default:
		return d.object(depth)
	}
}

func (d *decoder) object(depth int) (any, error) {
	var o object
	broken := func(err error) (any, error) {
		if depth > 0 {
			return nil, err // what would come might have changed its meaning
		}
		return o, err
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return broken(err)
		}
		name, _ := token.(string)
		if seen[fold(name)] {
			d.refuse("The member " + quote(name) + " stands twice in one object. Send it once.")
		}
		seen[fold(name)] = true
		v, err := d.value(depth + 1)
		if err == nil || v != nil {
			o = append(o, member{name, v})
		}
		if err != nil {
			return broken(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	return o, nil
}

// skip passes over what was just opened, without recursion.
func (d *decoder) skip() error {
	for open := 1; open > 0; {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			open++
		case json.Delim(']'), json.Delim('}'):
			open--
		}
	}
	return nil
}

// get returns the first member of the name, in any letter case.
func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if fold(m.name) == fold(name) {
			return m.value, true
		}
	}
	return nil, false
}

// fold is the one folding of attribute names, which are ASCII (RFC 7643 section 2.1): a letter beyond it that Unicode would
// fold into an ASCII one makes another name.
func fold(name string) string {
	lower := []byte(strings.TrimSpace(name))
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}
