package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"curfew/api/apitest"
)

// place is where a body can be made bad: a member, which body it stands in, and what the document says of it.
type place struct {
	body     any    // sound but for what is put there
	path     []any  // names and indexes
	schema   string // of the member
	required bool
	closed   string // where the member is an object that takes no others: its schema
}

// field is the path as errors name it.
func (p *place) field() string {
	var out strings.Builder
	for _, step := range p.path {
		if i, ok := step.(int); ok {
			out.WriteString("[" + strconv.Itoa(i) + "]")
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(step.(string))
	}
	return out.String()
}

// spot stands in a body for what replaces it in the bytes.
const spot = "@@spot@@"

// with returns the body with raw text at the place.
func (p *place) with(raw string) []byte {
	body := put(p.body, p.path, spot)
	text, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	return bytes.Replace(text, []byte(strconv.Quote(spot)), []byte(raw), 1)
}

// without returns the body without the member.
func (p *place) without() []byte {
	text, err := json.Marshal(put(p.body, p.path, nil))
	if err != nil {
		return nil
	}
	return text
}

// put returns a copy of a JSON value with another one at a path; nil takes the member away.
func put(value any, path []any, to any) any {
	if len(path) == 0 {
		return to
	}
	switch step := path[0].(type) {
	case int:
		out := slices.Clone(list(value))
		out[step] = put(out[step], path[1:], to)
		return out
	default:
		out := maps.Clone(object(value))
		if out == nil {
			out = map[string]any{}
		}
		if name := step.(string); to == nil && len(path) == 1 {
			delete(out, name)
		} else {
			out[name] = put(out[name], path[1:], to)
		}
		return out
	}
}

// at returns what stands at a path.
func at(value any, path []any) any {
	for _, step := range path {
		switch step := step.(type) {
		case int:
			value = list(value)[step]
		case string:
			value = object(value)[step]
		}
	}
	return value
}

// placesIn finds every member that a schema has below a path of a body, each once.
func placesIn(tb testing.TB, doc *apitest.Document, body any, path []any, schema string) []place {
	tb.Helper()
	described, where := doc.Resolve(object(doc.At(schema)), schema)
	var found []place
	for _, keyword := range []string{"oneOf", "anyOf"} {
		for i := range list(described[keyword]) {
			way := where + "/" + keyword + "/" + strconv.Itoa(i)
			alternative, _ := doc.Resolve(object(doc.At(way)), way)
			of := body
			if doc.Validate(way, at(body, path)) != nil {
				if len(list(alternative["examples"])) == 0 {
					continue
				}
				of = put(body, path, list(alternative["examples"])[0])
			}
			found = append(found, placesIn(tb, doc, of, path, way)...)
		}
	}
	if items := described["items"]; items != nil && len(list(at(body, path))) > 0 {
		found = append(found, placesIn(tb, doc, body, append(slices.Clone(path), 0), where+"/items")...)
	}
	properties := object(described["properties"])
	if properties == nil {
		return found
	}
	for _, name := range apitest.Names(properties) {
		below, schema := append(slices.Clone(path), name), where+"/properties/"+name
		member, _ := doc.Resolve(object(doc.At(schema)), schema)
		of := body
		if _, there := object(at(body, path))[name]; !there && len(list(member["examples"])) > 0 {
			of = put(body, below, list(member["examples"])[0])
		}
		found = append(found, place{of, below, schema, slices.Contains(list(described["required"]), any(name)), ""})
		if value := at(of, below); value != nil {
			found = append(found, placesIn(tb, doc, of, below, schema)...)
		}
	}
	if described["additionalProperties"] == false {
		found = append(found, place{body, path, schema, false, where})
	}
	return found
}

// bad is a raw JSON text that is put somewhere; status says what must come of it wherever it stands, zero asks the document.
type bad struct {
	raw    string
	status int
}

// bads are texts that hurt somebody somewhere.
func bads(most int) []bad {
	long := func(n int, of string) string { return strconv.Quote(strings.Repeat(of, n)) }
	out := []bad{
		{"null", 0},
		{"true", 0},
		{"7", 0},
		{"-1", 0},
		{"1.5", 0},
		{"0", 0},
		{"1e2", 0},
		{"1e400", 0},
		{"-1e-400", 0},
		{"9223372036854775808", 0},
		{"123456789012345678901234567890123456789", 0},
		{`""`, 0},
		{`" "`, 0},
		{`"x"`, 0},
		{"[]", 0},
		{"[1]", 0},
		{"{}", 0},
		{`{"a":1}`, 0},
		{`[[[[]]]]`, 0},
		{`["x", {"y": [null]}]`, 0},
		{`"a\u0000b"`, 0},
		{`"\u0000"`, 0},
		{`"a\nb"`, 0},
		{`"a\r\nSet-Cookie: x=y"`, 0},
		{`"\u0085"`, 0},
		{`"\u001b[31m"`, 0},
		{"\"\u202egnp.exe\"", 0},
		{`"a\u2028b"`, 0},
		{`"\u200fשלום"`, 0},
		{`"\ud800"`, 0},
		{`"\udfff\ud800"`, 0},
		{`"\ufeff"`, 0},
		{`"𝕊𝕒𝕝𝕝𝕪"`, 0},
		{`"ﷺ"`, 0},
		{`"Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢"`, 0},
		{`"'; DROP TABLE users; --"`, 0},
		{`"<script>alert(1)</script>"`, 0},
		{`"../../../../etc/passwd"`, 0},
		{`"%00%2e%2e"`, 0},
		{`"${jndi:ldap://x}"`, 0},
		{`"2026-13-45T99:99:99Z"`, 0},
		{`"0000-00-00T00:00:00Z"`, 0},
		{`"1969-12-31T23:59:59Z"`, 0},
		{`"99999-01-01T00:00:00Z"`, 0},
		{`"2026-11-23"`, 0},
		{`"2026-11-23T10:00:00"`, 0},
		{`"00000000-0000-0000-0000-000000000000"`, 0},
		{`"999.999.999.999"`, 0},
		{`"fe80::1%eth0"`, 0},
		{long(64<<10+1, "a"), 422},
		{`{"a": 1, "a": 2}`, 400},
		{`{"a": 1, "A": 2}`, 400},
		{"\"\xff\"", 400},
		{"\"\xc0\x80\"", 400},
		{"\"\xed\xa0\x80\"", 400},
		{"\"\xf5\x80\x80\x80\"", 400},
		{strings.Repeat("[", 32) + strings.Repeat("]", 32), 400},
		{strings.Repeat(`{"a":`, 40_000) + "1" + strings.Repeat("}", 40_000), 400},
		{"[" + strings.TrimSuffix(strings.Repeat("0,", 10_001), ",") + "]", 400},
		{"01", 400},
		{"NaN", 400},
		{"+1", 400},
		{"'x'", 400},
		{`"a` + "\n" + `b"`, 400},
		{`"\x41"`, 400},
		{"", 400},
		{"undefined", 400},
		{"/* */ 1", 400},
	}
	if most > 0 {
		out = append(out, bad{long(most, "a"), 0}, bad{long(most+1, "a"), 0}, bad{long(most, "𝕏"), 0}, bad{long(most+1, "𝕏"), 0})
	}
	return out
}

// most is the length that a member may have.
func most(doc *apitest.Document, schema string) int {
	for described := object(doc.At(schema)); described != nil; {
		if n, ok := described["maxLength"].(json.Number); ok {
			length, _ := n.Int64()
			return int(length)
		}
		next, _ := doc.Resolve(described, "")
		if described["$ref"] == nil {
			return 0
		}
		described = next
	}
	return 0
}

var regexpBraces = regexp.MustCompile(`\{[^}]*\}`)

func jsonText(value any) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// read reads a body as the document is asked about it; what cannot be read is no value.
func read(tb testing.TB, body []byte) any {
	tb.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		tb.Fatalf("%.200s is no JSON: %v", body, err)
	}
	return value
}

// shows cuts a text to what people can read.
func shows(text string) string {
	if len(text) > 200 {
		return fmt.Sprintf("%q… (%d bytes)", text[:60], len(text))
	}
	return fmt.Sprintf("%q", text)
}
