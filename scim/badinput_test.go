package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/scim"
)

// spot is a place where a user can be made bad: an attribute or a part of one, as the server's own /Schemas describes them.
type spot struct {
	path, kind  string
	uri         string
	outer       string // the complex attribute around it
	several     bool   // of the outer one
	name        string
	readOnly    bool
	multiValued bool
}

// spots are derived from what the server says of itself: whoever adds an attribute there has it tried here.
func (b *bundle) spots() (all []spot) {
	b.t.Helper()
	for _, uri := range []string{core, enterprise} {
		described := b.do("GET", "/scim/v2/Schemas/"+uri, nil).must(b.t, 200)
		for _, each := range described.json["attributes"].([]any) {
			a := each.(map[string]any)
			prefix := ""
			if uri != core {
				prefix = uri + ":"
			}
			s := spot{
				path: prefix + a["name"].(string), kind: a["type"].(string), uri: uri, name: a["name"].(string),
				readOnly: a["mutability"] == "readOnly", multiValued: a["multiValued"] == true,
			}
			if all = append(all, s); s.kind != "complex" {
				continue
			}
			for _, each := range a["subAttributes"].([]any) {
				sub := each.(map[string]any)
				all = append(all, spot{
					path: s.path + "." + sub["name"].(string), kind: sub["type"].(string), uri: uri, outer: s.name, several: s.multiValued,
					name: sub["name"].(string), readOnly: s.readOnly || sub["mutability"] == "readOnly",
				})
			}
		}
	}
	if len(all) < 60 {
		b.t.Fatalf("/Schemas describes %d attributes and parts", len(all))
	}
	return all
}

// body is a user in which the place holds a raw value.
func (s spot) body(raw string) string {
	member := text(s.name) + ":" + raw
	if s.outer != "" {
		if member = `{` + member + `}`; s.several {
			member = `[` + member + `]`
		}
		member = text(s.outer) + ":" + member
	}
	if s.uri != core {
		return `{"userName":"sally@example.edu",` + text(s.uri) + `:{` + member + `}}`
	}
	if s.name == "userName" && s.outer == "" {
		return `{` + member + `}`
	}
	return `{"userName":"sally@example.edu",` + member + `}`
}

// hurts are values that hurt somebody somewhere, and of which types they may be.
func hurts() map[string][]string {
	long := text(strings.Repeat("x", 300<<10))
	return map[string][]string{
		"null": {"string", "boolean", "complex", "reference", "binary"}, "true": {"boolean"}, "7": nil, "-1.5e300": nil, "1e999": nil,
		`"x"`: {"string", "reference", "complex"}, `""`: {"string", "reference", "complex", "binary"}, `"True"`: {"string", "boolean", "reference", "binary", "complex"},
		"[]": {"complex"}, "{}": {"complex"}, `[{}]`: {"complex"}, `[[]]`: nil, `[7]`: nil, `[null]`: {"complex"}, `{"value":7}`: nil, `{"value":{"value":"x"}}`: nil,
		`{"nosuch":1}`: {"complex"}, `"a\u0000b"`: {"string", "reference", "complex"}, `"\ud800"`: {"string", "reference", "complex"}, long: nil,
		strings.Repeat("[", 100) + strings.Repeat("]", 100): nil, strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20): {"complex"}, `{"value":"a","VALUE":"b"}`: nil, "\"\xff\"": nil, "NaN": nil, "": nil,
	}
}

// Whatever stands in whichever attribute: each refusal is a SCIM Error that says what kind it is and how to mend it, none is a 5xx,
// and what is refused has changed nothing. Nobody signs out for a bad attribute, but by active false or a password.
func TestBadAttributes(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	phone := b.login("sally@example.edu")
	b.door = b.handler(scim.Config{Service: b.service, Store: b.store, Rate: 1_000_000})
	elsewhere := newBundle(t) // who is deleted there gives nobody here his name
	all, values := b.spots(), hurts()
	target := users + "/" + id
	before := b.show(id)
	ways := []string{"PUT", "PATCH", "POST", "add", "in others"}
	for i, s := range all {
		for j, raw := range slices.Sorted(maps.Keys(values)) {
			bodies := map[string]string{
				"PUT": s.body(raw), "POST": s.body(raw),
				"PATCH":     fmt.Sprintf(`{"Operations":[{"op":"replace","path":%s,"value":%s}]}`, text(s.path), raw),
				"add":       fmt.Sprintf(`{"Operations":[{"op":"ADD","value":{%s:%s}}]}`, text(strings.ToUpper(s.path)), raw),
				"in others": fmt.Sprintf(`{"Operations":[{"op":"replace","path":"nickName","value":"n"},{"op":"replace","path":%s,"value":%s}]}`, text(s.path), raw),
			}
			for _, what := range []string{ways[(i+j)%5], ways[(i+j+1+i%3)%5]} {
				body := bodies[what]
				method, at := "PATCH", target
				if what == "PUT" || what == "POST" {
					method = what
				}
				if method == "POST" {
					at = users
				}
				door := b
				if method == "POST" {
					door = elsewhere
				}
				got := door.do(method, at, body)
				said := fmt.Sprintf("%s %.200s: answered %d %.300s", what, body, got.StatusCode, got.text)
				switch {
				case got.StatusCode >= 500:
					t.Errorf("%s", said)
				case got.StatusCode >= 400:
					if got.json["scimType"] == nil || len(got.text) > 2000 {
						t.Errorf("no scimType, or too long: %s", said)
					}
					if diff := cmp.Diff(before, b.show(id)); diff != "" {
						t.Errorf("refused, and yet (-before +after):\n%s%s", diff, said)
					}
				case method == "POST":
					elsewhere.do("DELETE", users+"/"+got.id(), nil).must(t, 204)
				case got.json["active"] != true || got.json["id"] != id:
					t.Errorf("%s", said)
				case !json.Valid([]byte(body)):
					t.Errorf("what is no JSON was accepted: %s", said)
				default:
					before = b.do("PUT", target, user("sally@example.edu", "00u1")).must(t, 200).json
				}
				fits := slices.Contains(values[raw], s.kind)
				if s.kind != "complex" && s.outer == "" && !s.readOnly && s.name != "password" && !fits && got.StatusCode < 300 {
					t.Errorf("a %s: %s", s.kind, said)
				}
				if s.name != "password" {
					b.mustBe(phone, true, said)
				} else if !b.live(phone) {
					phone = b.login("sally@example.edu")
				}
				if t.Failed() {
					return
				}
			}
		}
	}
	b.calm()
}
