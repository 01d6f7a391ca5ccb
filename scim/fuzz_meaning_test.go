package scim_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// wish is a request about Sally whose maker knows what it means.
type wish struct {
	method, at, body string // at stands behind the users' path
	header           []string
	off              bool  // it sets active to false somewhere, or deletes
	active           *bool // what she is when it is carried out; nil stays what she was
	title            *string
	refused          []int // with which status; none is carried out
	nobody           bool  // it reaches nobody that it may change
}

// piece is a part of a body, an operation or the members of a user, and what it means.
type piece struct {
	raw     string
	active  *bool
	off     bool
	refused bool
	title   *string
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// inAnyOrder is an object of the members.
func inAnyOrder(t *rapid.T, members ...string) string {
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
}

// spelled draws a boolean as clients write it.
func spelled(t *rapid.T) (is bool, raw string) {
	is = rapid.Bool().Draw(t, "active")
	word := fmt.Sprint(is)
	return is, rapid.SampledFrom([]string{word, text(word), text(strings.ToUpper(word)), text(strings.ToUpper(word[:1]) + word[1:])}).Draw(t, "spelled")
}

var (
	names  = []string{`"active"`, `"ACTIVE"`, `" Active"`, `"\u0061ctive"`, text(core + ":active"), text(strings.ToUpper(core) + ":Active"), `"urn:scim:schemas:core:2.0:active"`, text(core + ".active")}
	wholes = []string{text(core), text(strings.ToLower(core)), `"urn:scim:schemas:core:2.0"`}
	// values that mean neither (item 20)
	neither = []string{"0", "1", `"no"`, `"0"`, `""`, "null", "[false]", "{}", `{"value":false}`, `" false"`, "-0"}
	// members beside, which mean nothing
	beside = []string{`"nosuch":1`, `"meta":{"active":false}`, `"urn:acme:2.0:User":{"active":false}`, `"x":[{"active":false}]`, `"groups":[{"active":false}]`, `"name":{"active":false}`, `"password":null`}
)

// pieces are the operations of a PATCH.
func pieces(t *rapid.T) piece {
	name := `"op":` + text(rapid.SampledFrom([]string{"add", "Add", "replace", " REPLACE"}).Draw(t, "op"))
	pick := func(from ...string) string { return rapid.SampledFrom(from).Draw(t, "which") }
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0, 1, 2:
		is, value := spelled(t)
		p := piece{active: &is, off: !is}
		member := pick(names...) + ":" + value
		switch rapid.IntRange(0, 6).Draw(t, "dialect") {
		case 0, 1:
			p.raw = inAnyOrder(t, name, `"path":`+pick(names...), `"value":`+value, `"name":"x"`)
		case 2:
			p.raw = inAnyOrder(t, name, `"value":`+inAnyOrder(t, member, pick(beside...)), pick(`"path":null`, `"path":""`, `"x":1`))
		case 3:
			p.raw = inAnyOrder(t, name, `"value":{`+pick(wholes...)+`:{`+member+`}}`)
		case 4:
			p.raw = inAnyOrder(t, name, `"path":`+pick(wholes...), `"value":`+inAnyOrder(t, member, pick(beside...)))
		case 5: // said and refused: what cannot be read as one operation
			p.refused = true
			p.raw = pick(
				inAnyOrder(t, name, `"path":`+pick(names...), `"value":`+value, `"value":"no"`), inAnyOrder(t, name, `"path":"title"`, `"Path":"active"`, `"value":`+value),
				inAnyOrder(t, name, `"op":"remove"`, `"path":"active"`, `"value":`+value), inAnyOrder(t, `"path":"active"`, `"value":`+value),
				inAnyOrder(t, `"op":null`, `"path":"active"`, `"value":`+value), inAnyOrder(t, name, `"value":[{`+member+`}]`),
				inAnyOrder(t, name, `"value":{`+member+`,`+member+`}`), inAnyOrder(t, name, `"path":`+pick(wholes...), `"value":[{`+member+`}]`),
			)
		default: // two that disagree stand in one
			p.refused, p.off = true, true
			p.raw = pick(
				inAnyOrder(t, name, `"path":"active"`, `"value":true`, `"VALUE":false`),
				inAnyOrder(t, name, `"value":`+inAnyOrder(t, `"active":true`, text(core+":active")+`:false`)),
				inAnyOrder(t, name, `"value":`+inAnyOrder(t, `"active":false`, text(core)+`:{"active":true}`)),
			)
		}
		return p
	case 3:
		title := rapid.StringMatching(`[A-Za-z ]{1,8}`).Draw(t, "title")
		return piece{raw: inAnyOrder(t, name, `"path":`+pick(`"title"`, `"TITLE"`, text(core+":title")), `"value":`+text(title)), title: &title}
	case 4:
		return piece{raw: pick(
			inAnyOrder(t, name, `"path":"emails[type eq \"home\"].value"`, `"value":"s@home.example"`), inAnyOrder(t, name, `"path":"urn:acme:2.0:User:active"`, `"value":false`),
			inAnyOrder(t, name, `"path":`+text(enterprise+":manager"), `"value":"7"`), `{"op":"remove","path":"nickName"}`, inAnyOrder(t, name, `"value":{`+pick(beside...)+`}`),
			`{"op":"remove","path":"roles[value eq \"x\"]"}`, inAnyOrder(t, name, `"path":"roles"`, `"value":["a"]`), inAnyOrder(t, name, `"path":"meta"`, `"value":{"active":false}`),
			inAnyOrder(t, name, `"path":"nickName"`, `"value":"active"`), inAnyOrder(t, name, `"path":"name"`, `"value":{"active":false}`), inAnyOrder(t, name, `"path":"nickName"`, `"value":null`),
			inAnyOrder(t, name, `"path":"name.givenName"`, `"value":"false"`), inAnyOrder(t, name, `"path":"title"`, `"value":null`, `"x":{"path":"active","value":false}`),
		), title: nil}
	default:
		return piece{refused: true, raw: pick(
			inAnyOrder(t, name, `"path":"nosuch"`, `"value":false`), `{"op":"remove","path":"active"}`, `{"op":"remove","path":"active","value":false}`, `{"op":"remove","value":{"active":false}}`,
			inAnyOrder(t, name, `"path":`+pick(names...), `"value":`+pick(neither...)), inAnyOrder(t, name, `"value":{`+pick(names...)+`:`+pick(neither...)+`}`),
			inAnyOrder(t, `"op":"copy"`, `"path":"active"`, `"value":false`), inAnyOrder(t, `"op":7`, `"value":{"active":false}`), inAnyOrder(t, name, `"path":"active.value"`, `"value":false`),
			inAnyOrder(t, name, `"path":"active[value eq \"x\"]"`, `"value":false`), inAnyOrder(t, name, `"path":`+text(enterprise+":active"), `"value":false`), inAnyOrder(t, name, `"path":["active"]`, `"value":false`),
			inAnyOrder(t, name, `"path":"userName"`, `"value":" "`), `{"op":"remove","path":"userName"}`, inAnyOrder(t, name, `"path":"title"`), inAnyOrder(t, name, `"path":"title"`, `"value":7`),
			inAnyOrder(t, name, `"path":"id"`, `"value":"other"`), inAnyOrder(t, name, `"path":"emails[((("`, `"value":"x"`), inAnyOrder(t, name, `"path":"emails[type eq \"`+strings.Repeat("x", 3000)+`\"]"`, `"value":"x"`),
			`null`, `7`, `"active"`, `["active",false]`, `{}`, inAnyOrder(t, name, `"value":"{\"active\":false}"`), inAnyOrder(t, name, `"path":"userName"`, `"userName":"x"`, `"value":null`),
		)}
	}
}

// asPatch draws a PATCH.
func asPatch(t *rapid.T) wish {
	w := wish{method: "PATCH"}
	all := rapid.SliceOfN(rapid.Custom(pieces), 1, 5).Draw(t, "operations")
	raws := make([]string, len(all))
	for i, p := range all {
		raws[i] = p.raw
		w.off = w.off || p.off
		if p.refused {
			w.refused = []int{400}
		}
		if p.active != nil {
			w.active = p.active
		}
		if p.title != nil {
			w.title = p.title
		}
		if strings.Contains(p.raw, `"path":"title"`) && strings.Contains(p.raw, `"value":null`) {
			w.title = new(string)
		}
	}
	list := "[" + strings.Join(raws, ",") + "]"
	schemas := rapid.SampledFrom([]string{`"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"]`, `"schemas":["x",null]`, `"schemas":"x"`, `"x":{"active":false}`}).Draw(t, "schemas")
	w.body = inAnyOrder(t, `"Operations":`+list, schemas)
	switch rapid.IntRange(0, 11).Draw(t, "frame") {
	case 0:
		w.body = inAnyOrder(t, `"OPERATIONS":`+list, schemas)
	case 1:
		w.body, w.refused = inAnyOrder(t, `"Operations":`+list, `"operations":[{"op":"add","path":"nickName","value":"x"}]`), []int{400}
	case 2:
		w.body, w.refused = list, []int{400}
	case 3:
		list = rapid.SampledFrom([]string{list, list[:len(list)-1], list[:len(list)-1] + `,{"op":"replace","value":{"active":false`}).Draw(t, "broken off") // the last may have become anything
		w.body, w.refused = `{"Operations":`+list+rapid.SampledFrom([]string{"", ",", `,"x":`, `,"x":{"active":`, `,]`, ` "active"`}).Draw(t, "cut"), []int{400}
	case 4:
		is, value := spelled(t)
		w.off, w.refused = w.off || !is, []int{400}
		w.body = inAnyOrder(t, `"active":`+value, rapid.SampledFrom([]string{`"x":1`, `"Operations":[]`, `"userName":"sally@example.edu"`}).Draw(t, "beside"))
		w.off = !is
	case 5:
		if len(all) == 1 && strings.HasPrefix(raws[0], `{"`) && strings.Contains(raws[0], `"op"`) {
			w.body, w.refused = raws[0], []int{400}
		}
	}
	return w
}

// asUser draws a PUT or POST of who has the userName and externalId.
func asUser(t *rapid.T, method, userName, externalID string) wish {
	w := wish{method: method}
	pick := func(from ...string) string { return rapid.SampledFrom(from).Draw(t, "which") }
	no := func() { w.refused = []int{400} }
	members := []string{pick(beside...), `"externalId":` + text(externalID), `"emails":[{"value":` + text(userName) + `,"type":"work"}]`}
	switch rapid.IntRange(0, 6).Draw(t, "userName") {
	case 0:
		no()
	case 1:
		members = append(members, `"userName":`+pick(`""`, `" "`, "7", "null", "[]", "{}"))
		no()
	default:
		members = append(members, pick(`"userName"`, `"USERNAME"`, text(core+":userName"))+":"+text(userName))
	}
	is, value := spelled(t)
	switch rapid.IntRange(0, 7).Draw(t, "how") {
	case 0:
		members = append(members, `"active":null`)
	case 1:
	case 2:
		members = append(members, pick(names...)+":"+pick(slices.DeleteFunc(slices.Clone(neither), func(s string) bool { return s == "null" })...))
		no()
	case 3:
		members = append(members, pick(wholes...)+`:{`+pick(names...)+":"+value+`}`)
		w.active, w.off = &is, !is
	case 4:
		members = append(members, inAnyOrder(t, `"active":true`, pick(`"Active"`, text(core+":active"))+`:"False"`))
		last := members[len(members)-1]
		members[len(members)-1] = last[1 : len(last)-1]
		w.off = true
		no()
	default:
		members = append(members, pick(names...)+":"+value)
		w.active, w.off = &is, !is
	}
	switch rapid.IntRange(0, 8).Draw(t, "beside") {
	case 0:
		members = append(members, `"title":`+pick("7", "[]", "{}", "true"))
		no()
	case 1:
		members = append(members, `"title":"Dr"`)
		title := "Dr"
		w.title = &title
	case 2:
		if method == "PUT" {
			members = append(members, `"id":"another"`)
			no()
		}
	case 3:
		members = append(members, `"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]`, `"totalResults":1`)
		no()
	case 4:
		members = append(members, `"schemas":"x"`, `"id":7`)
	}
	if w.title == nil && method == "PUT" {
		w.title = new(string)
	}
	w.body = inAnyOrder(t, members...)
	return w
}

// asDelete draws a DELETE.
func asDelete(t *rapid.T) wish {
	return wish{method: "DELETE", off: true, body: rapid.SampledFrom([]string{"", `{"active":true}`, "x", `{"schemas":[`}).Draw(t, "body")}
}

// wrapped puts around a wish what is wrong with a request, not with what it says.
func wrapped(t *rapid.T, w wish, version string) wish {
	hasBody := w.method != "DELETE"
	switch rapid.IntRange(0, 15).Draw(t, "around") {
	case 0:
		w.at += rapid.SampledFrom([]string{"/", "?aadOptscim062020", "?", "/?%zz", "?filter=((("}).Draw(t, "behind")
	case 1:
		w.header = []string{"If-Match", version}
	case 2:
		if w.method != "POST" {
			w.header = []string{"If-Match", `W/"999"`}
			w.refused = append(w.refused, 412)
		}
	case 3:
		if hasBody {
			w.body += rapid.SampledFrom([]string{" x", "{}", "]", "\x00", ` {"active":true}`}).Draw(t, "trailing")
			w.refused = []int{400}
		}
	case 4:
		if hasBody {
			w.body = "\xef\xbb\xbf" + w.body + "\r\n "
		}
	case 5:
		if hasBody {
			w.header = []string{"Content-Type", rapid.SampledFrom([]string{"text/plain", "application/json; charset=utf-16", "application/xml", ";;", "application/merge-patch+json"}).Draw(t, "type")}
			w.refused = []int{415}
		}
	case 6:
		if hasBody {
			w.header = []string{"Content-Encoding", rapid.SampledFrom([]string{"gzip", "UTF-8", "x"}).Draw(t, "encoding")}
			w.refused = []int{415}
		}
	case 7:
		if hasBody && w.body[0] == '{' {
			inner := rapid.SampledFrom([]string{strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.Repeat(`{"active":`, 40) + "false" + strings.Repeat("}", 40), "\"\xff\"", `{"a":1,"A":2}`}).Draw(t, "inner")
			w.body, w.refused = `{"deep":`+inner+","+w.body[1:], []int{400}
		}
	case 8:
		w.nobody = true
	}
	return w
}

// seen is what can be known of Sally.
type seen struct {
	b       *bundle
	id      string
	group   string
	active  bool // as shown
	blocked bool
	title   string
	others  map[string]string // a live session of each, by address
}

func (s *seen) begin(tb testing.TB) {
	tb.Helper()
	s.b = newBundle(tb)
	s.id, s.active = s.b.sally(), true
	s.b.do("POST", users, user("bob@example.edu", "b")).must(tb, 201)
	s.group = s.b.do("POST", groups, `{"displayName":"G"}`).must(tb, 201).id()
	other := okta()
	other.Name, other.Authority, other.IDs = "entra-scim", "entra", "entra"
	s.b.as(other, "POST", users, user("tom@example.edu", "t")).must(tb, 201)
	s.others = map[string]string{"bob@example.edu": s.b.login("bob@example.edu"), "tom@example.edu": s.b.login("tom@example.edu")}
}

// Whoever makes a request knows what it means, and what came of it must be that (items 4, 12, 13 and 18 to 27): a deactivation is
// carried out whatever else is wrong, and the refusal says so; what is refused changes nothing else; nobody else is touched.
func meansWhatItSays(tb testing.TB, r *rapid.T, drawn func(*rapid.T) wish) {
	tb.Helper()
	var s seen
	s.begin(tb)
	for range rapid.IntRange(1, 4).Draw(r, "requests") {
		if !s.step(r, drawn(r)) {
			return
		}
	}
}

// step sends one request and judges it; it reports whether there still is a Sally.
func (s *seen) step(r *rapid.T, w wish) bool {
	b := s.b
	before := b.show(s.id)
	w = wrapped(r, w, before["meta"].(map[string]any)["version"].(string))
	phone := ""
	if !s.blocked {
		phone = b.login("sally@example.edu")
	}
	target, src := users+"/"+s.id+w.at, b.source
	if w.method == "POST" {
		target = users + w.at
		if len(w.refused) == 0 && s.active {
			w.refused = []int{409}
		}
	}
	if w.nobody = w.nobody && w.method != "POST"; w.nobody { // not for this sender, or not there
		switch rapid.IntRange(0, 4).Draw(r, "nowhere") {
		case 0:
			src.Name, src.Authority = "entra-scim", "entra"
		case 1:
			target = strings.Replace(target, "/Users/", "/Groups/", 1)
		case 2:
			target = users + "/" + s.id + "/emails" + w.at
		case 3:
			target = users + "/" + s.group + w.at
		default:
			target = users + w.at // no id: nobody
		}
	}
	var body any
	if w.body != "" {
		body = w.body
	}
	got := b.as(src, w.method, target, body, w.header...)
	b.calm()
	said := fmt.Sprintf("%s %s %q %q: answered %d %s", w.method, target, w.header, w.body, got.StatusCode, got.text)
	claims := strings.Contains(got.text, "carried out all the same")
	dead := s.blocked
	switch {
	case w.nobody:
		if got.StatusCode < 400 || got.StatusCode >= 500 || claims {
			r.Fatalf("nobody was meant: %s", said)
		}
		w.refused = []int{got.StatusCode}
	case len(w.refused) > 0:
		if !slices.Contains(w.refused, got.StatusCode) || claims != w.off {
			r.Fatalf("it says active false: %v; want %v: %s", w.off, w.refused, said)
		}
		if got.StatusCode == 400 && got.json["scimType"] == nil || got.StatusCode == 409 && got.json["scimType"] != "uniqueness" {
			r.Fatalf("no scimType: %s", said)
		}
		dead = dead || w.off
	case got.StatusCode >= 300:
		r.Fatalf("nothing is wrong with it: %s", said)
	case w.method == "DELETE":
		dead = true
	default:
		s.accepted(w)
		dead = dead && (w.active == nil && w.method != "POST" || !s.active) || !s.active
	}
	if phone != "" && b.live(phone) == dead || b.blocked("sally@example.edu") != dead {
		r.Fatalf("she must be out: %v; she is blocked: %v: %s", dead, b.blocked("sally@example.edu"), said)
	}
	s.blocked = dead
	for address, token := range s.others {
		if !b.live(token) || b.blocked(address) {
			r.Fatalf("%s was touched: %s", address, said)
		}
	}
	if w.method == "DELETE" && len(w.refused) == 0 {
		b.do("GET", users+"/"+s.id, nil).must(b.t, 404)
		return false
	}
	shown := b.show(s.id)
	if diff := cmp.Diff(before, shown); len(w.refused) > 0 && diff != "" {
		r.Fatalf("it was refused, and she is shown otherwise (-before +after):\n%s%s", diff, said)
	}
	if w.method == "POST" && w.off && s.active { // what a refused creation blocks, active true over true does not lift
		return false
	}
	if title, _ := shown["title"].(string); shown["active"] != s.active || title != s.title {
		r.Fatalf("she is shown with active %v and title %q, want %v and %q: %s", shown["active"], title, s.active, s.title, said)
	}
	return true
}

// accepted is what becomes of what is shown.
func (s *seen) accepted(w wish) {
	switch {
	case w.active != nil:
		s.active = *w.active
	case w.method == "POST": // who is created anew is active unless it says otherwise
		s.active = true
	}
	switch {
	case w.title != nil:
		s.title = *w.title
	case w.method == "POST":
		s.title = ""
	}
}

func about(method string) func(*rapid.T) wish {
	return func(t *rapid.T) wish {
		switch method {
		case "PATCH":
			return asPatch(t)
		case "DELETE":
			return asDelete(t)
		default:
			return asUser(t, method, "sally@example.edu", "00u1")
		}
	}
}

func anyMethod(t *rapid.T) wish {
	return about(rapid.SampledFrom([]string{"PATCH", "PATCH", "PUT", "POST", "DELETE"}).Draw(t, "method"))(t)
}

func TestRequestsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, drawn := range map[string]func(*rapid.T) wish{
		"PATCH": about("PATCH"), "PUT": about("PUT"), "POST": about("POST"), "DELETE": about("DELETE"), "any": anyMethod, "any again": anyMethod,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(r *rapid.T) { meansWhatItSays(t, r, drawn) })
		})
	}
}

// FuzzMeaning lets coverage lead the same generator.
func FuzzMeaning(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		rapid.MakeFuzz(func(r *rapid.T) { meansWhatItSays(t, r, anyMethod) })(t, raw)
	})
}
