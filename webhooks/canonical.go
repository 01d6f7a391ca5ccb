package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// canonical returns the one form of a JSON value that all its spellings share: members in order, no blanks, numbers as they
// were written, texts as encoding/json writes them. A value that has no single meaning is an error. Events without an id are
// known by a digest of this form, so that it never changes.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	if !json.Valid(raw) {
		return nil, errors.New("it is no JSON")
	}
	c := canonicalizer{raw: raw, out: make([]byte, 0, len(raw))}
	if err := c.value(); err != nil {
		return nil, err
	}
	return c.out, nil
}

// canonicalizer reads valid JSON and writes its canonical form.
type canonicalizer struct {
	raw, out []byte
	at       int
	spare    []byte // for putting members into order
}

// member is one of an object, as it was written: "name":value.
type member struct {
	name     string
	from, to int
}

// next moves over blanks, commas and colons, and returns what follows. Where they may stand is known to be right.
func (c *canonicalizer) next() byte {
	for {
		switch b := c.raw[c.at]; b {
		case ' ', '\t', '\r', '\n', ',', ':':
			c.at++
		default:
			return b
		}
	}
}

func (c *canonicalizer) value() error {
	switch c.next() {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		c.text()
		return nil
	}
	begin := c.at // a number, true, false or null
	for c.at < len(c.raw) && !strings.ContainsRune(" \t\r\n,]}", rune(c.raw[c.at])) {
		c.at++
	}
	c.out = append(c.out, c.raw[begin:c.at]...)
	return nil
}

func (c *canonicalizer) array() error {
	c.at++
	c.out = append(c.out, '[')
	for first := true; c.next() != ']'; first = false {
		if !first {
			c.out = append(c.out, ',')
		}
		if err := c.value(); err != nil {
			return err
		}
	}
	c.at++
	c.out = append(c.out, ']')
	return nil
}

func (c *canonicalizer) object() error {
	c.at++
	c.out = append(c.out, '{')
	begin := len(c.out)
	var few [12]member
	members := few[:0]
	for c.next() != '}' {
		if len(members) > 0 {
			c.out = append(c.out, ',')
		}
		m := member{from: len(c.out)}
		m.name = c.text()
		c.out = append(c.out, ':')
		if err := c.value(); err != nil {
			return err
		}
		m.to = len(c.out)
		members = append(members, m)
	}
	c.at++
	if err := c.order(begin, members); err != nil {
		return err
	}
	c.out = append(c.out, '}')
	return nil
}

// order sorts the members that were written since begin.
func (c *canonicalizer) order(begin int, members []member) error {
	byName := func(a, b member) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(members, byName) {
		slices.SortFunc(members, byName)
		c.spare = append(c.spare[:0], c.out[begin:]...)
		c.out = c.out[:begin]
		for i, m := range members {
			if i > 0 {
				c.out = append(c.out, ',')
			}
			c.out = append(c.out, c.spare[m.from-begin:m.to-begin]...)
		}
	}
	for i := 1; i < len(members); i++ {
		if members[i].name == members[i-1].name {
			return fmt.Errorf("the member %q stands twice", plain(members[i].name))
		}
	}
	return nil
}

// text writes a text and returns what it says.
func (c *canonicalizer) text() string {
	begin, simple := c.at, true
	for c.at++; c.raw[c.at] != '"'; c.at++ {
		switch b := c.raw[c.at]; {
		case b == '\\':
			c.at++
			simple = false
		case b == '<', b == '>', b == '&', b >= utf8.RuneSelf:
			simple = false // written with an escape, or not UTF-8
		}
	}
	c.at++
	quoted := c.raw[begin:c.at]
	if simple {
		c.out = append(c.out, quoted...)
		return string(quoted[1 : len(quoted)-1])
	}
	text := textOf(quoted)
	again, _ := json.Marshal(text) // a text always can be
	c.out = append(c.out, again...)
	return text
}
