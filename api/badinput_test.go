package api_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"curfew/api"
	"curfew/api/apitest"
	"curfew/revoke"
)

// These tests are generated from the document: whoever describes a new door there has it tried here.

// world is a server with something in it for every path.
type world struct {
	*bundle
	ids map[string]string // of what there is, by the beginning of the path that shows it
}

func makeWorld(t *testing.T) *world {
	t.Helper()
	b := start(t, elsewhere, func(cfg *api.Config) {
		cfg.Systems = []api.System{{Name: "canvas", Type: "webhook", Org: "main"}}
		for _, name := range []string{"okta", "okta-2"} {
			cfg.Senders = append(cfg.Senders, api.Sender{Source: revoke.Source{Name: name, Type: "okta", Org: "main", Authority: name, IDs: name}})
		}
	})
	register := func(token, body string) { b.want("register", b.as(token, "POST", "/v1/sessions", body), 201) }
	register("portal", `{"subject": `+sally+`, "kind": "mobile", "id": "pad-1", "token": "pad-1-token", "device": {"id": "ipad-17"}}`)
	register("library", `{"subject": `+tom+`, "kind": "browser", "token": "toms-token"}`)
	user := b.want("look up", b.as("ops", "GET", "/v1/users?email=tom@example.edu", ""), 200).text("items.id")
	revocation := b.want("order", b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+tom+`, "reason": "x"}`), 201).text("id")
	event := b.want("look up", b.as("ops", "GET", "/v1/events", ""), 200).text("items.id")
	return &world{b, map[string]string{
		"/v1/sessions/": "pad-1", "/v1/users/": user, "/v1/revocations/": revocation, "/v1/deliveries/": revocation + ":canvas",
		"/v1/events/": event, "/v1/targets/": "canvas", "/v1/sources/": "okta",
	}}
}

// nobody is an id that names nothing.
const nobody = "019aaf3c-5b40-7000-8000-00000000dead"

// path returns an operation's path with an id in it.
func (w *world) path(op *apitest.Operation, id string) string {
	return regexpBraces.ReplaceAllString(op.Path, strings.ReplaceAll(url.PathEscape(id), "$", "$$"))
}

// known returns the path with the id of something that is there, and whether there is such a thing.
func (w *world) known(op *apitest.Operation) (string, bool) {
	for beginning, id := range w.ids {
		if strings.HasPrefix(op.Path, beginning+"{") {
			return w.path(op, id), true
		}
	}
	return w.path(op, nobody), !strings.Contains(op.Path, "{")
}

// tokenFor returns a token of the world that an operation lets in, empty for one that asks for none.
func tokenFor(op *apitest.Operation) string {
	if len(op.Scopes) == 0 {
		return ""
	}
	return map[string]string{"scim": "directory", "sessions": "portal", "check": "gateway", "revoke": "soc", "admin": "ops", "changes": "edge", "metrics": "meter"}[op.Scopes[0]]
}

// dump is all that the store holds.
func (w *world) dump() string {
	return fmt.Sprintf("%+v", reflect.ValueOf(w.store).Elem().FieldByName("tables"))
}

// sent is a request that is not sound.
type sent struct {
	what, method, path, body string
	opaque                   string // the path, where it is sent as it stands
	header                   []string
	status                   []int  // any of which it must be answered with
	field                    string // which errors must name, or a part of it; "*" for any, empty for none
}

// nowhere allows that the thing of an operation's path is looked for before the body, where the world has no such thing.
func (w *world) nowhere(op *apitest.Operation, status ...int) []int {
	if _, there := w.known(op); !there {
		status = append(status, 404)
	}
	return status
}

// refuses sends a bad request and fails unless it is refused as it must be, and nothing has changed.
func (w *world) refuses(s *sent) {
	w.t.Helper()
	before := w.dump()
	var got reply
	if s.opaque != "" {
		s.path = s.opaque
		got = w.ask(s.method, s.opaque, s.body, s.header)
	} else {
		got = w.do(s.method, s.path, s.body, s.header...)
	}
	if w.dump() != before {
		w.t.Errorf("%s %s, %s: was answered %d and changed the store", s.method, s.path, s.what, got.status)
	}
	w.judge(s, got)
}

// ask sends a request whose path stands as it is in the request line.
func (w *world) ask(method, path, body string, header []string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.URL.Opaque = "//" + w.address + path
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return w.send(r)
}

func (w *world) judge(s *sent, got reply) {
	w.t.Helper()
	if !slices.Contains(s.status, got.status) {
		w.t.Errorf("%s %s, %s: got %d %s, want %v", s.method, s.path, s.what, got.status, shows(got.body), s.status)
		return
	}
	var fields []string
	for _, each := range list(got.member("errors")) {
		fields = append(fields, fmt.Sprint(object(each)["field"]))
	}
	named := slices.ContainsFunc(fields, func(f string) bool {
		below, ok := strings.CutPrefix(f, s.field)
		return ok && (below == "" || s.field == "" || below[0] == '.' || below[0] == '[')
	})
	if got.status == 422 && s.field != "*" && !named {
		w.t.Errorf("%s %s, %s: errors name %q, want %q", s.method, s.path, s.what, fields, s.field)
	}
}

// TestScopesAreThoseOfTheDocument tries every operation with no token, a wrong one, and one of each scope.
func TestScopesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	for _, op := range w.doc.Operations {
		path := w.path(op, nobody)
		if len(op.Scopes) == 0 {
			continue
		}
		for what, header := range map[string][]string{"no token": nil, "a wrong token": {"Authorization", "Bearer " + strings.Repeat("x", 32)}} {
			w.refuses(&sent{what: what, method: op.Method, path: path, header: header, status: []int{401}})
		}
		for scope, token := range map[string]string{"scim": "directory", "sessions": "portal", "check": "gateway", "revoke": "soc", "admin": "ops", "changes": "edge", "metrics": "meter"} {
			header := []string{"Authorization", "Bearer " + secretOf(token)}
			if !forPeople(op) && slices.Contains(op.Scopes, scope) || !forPeople(op) && scope == "admin" && !slices.Contains(op.Scopes, "scim") || token == "portal" && slices.Contains(op.Scopes, "changes") {
				if got := w.do(op.Method, path, "", header...); got.status == 401 || got.status == 403 {
					t.Errorf("%s with scope %s: got %d, and the document lets it in", op.ID, scope, got.status)
				}
				continue
			}
			w.refuses(&sent{what: "scope " + scope, method: op.Method, path: path, header: header, status: []int{403}})
		}
	}
}

// eachBody calls try in a world of its own for every operation that takes JSON, with each of its examples.
func eachBody(t *testing.T, try func(t *testing.T, w *world, op *apitest.Operation, schema string, examples []any)) {
	t.Helper()
	described := makeWorld(t).doc.Operations
	for _, op := range described {
		media := object(object(op.Body["content"])["application/json"])
		if media == nil || strings.HasPrefix(op.Path, "/scim/") || forPeople(op) {
			continue
		}
		var examples []any
		for _, name := range apitest.Names(object(media["examples"])) {
			examples = append(examples, object(object(media["examples"])[name])["value"])
		}
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			try(t, makeWorld(t), op, op.BodySchema("application/json"), examples)
		})
	}
}

func asJSON(op *apitest.Operation) []string {
	return []string{"Authorization", "Bearer " + secretOf(tokenFor(op)), "Content-Type", "application/json"}
}

// TestBadMembersAreRefused puts what hurts into every member of every body.
func TestBadMembersAreRefused(t *testing.T) {
	t.Parallel()
	eachBody(t, func(t *testing.T, w *world, op *apitest.Operation, schema string, examples []any) {
		path, _ := w.known(op)
		tried := map[string]bool{}
		var allowed []sent
		for _, example := range examples {
			for _, p := range placesIn(t, w.doc, example, nil, schema) {
				if key := p.field() + p.schema + p.closed; tried[key] {
					continue
				} else {
					tried[key] = true
				}
				allowed = append(allowed, w.tryPlace(op, path, schema, &p)...)
			}
		}
		for _, s := range allowed { // bundle.send holds the answers against the document
			if got := w.do(s.method, s.path, s.body, s.header...); got.status >= 500 || got.status == 400 || got.status == 415 {
				t.Errorf("%s %s, %s: got %d %s, and the document allows it", s.method, s.path, s.what, got.status, shows(got.body))
			}
		}
		if len(tried) == 0 {
			t.Error("nothing was tried")
		}
	})
}

// tryPlace puts what hurts into one place, and returns what the document allows all the same.
func (w *world) tryPlace(op *apitest.Operation, path, schema string, p *place) (allowed []sent) {
	w.t.Helper()
	header := asJSON(op)
	if p.closed != "" { // an object that takes no other members
		for _, name := range []string{"zzz", "Reason", "__proto__", "ﬁeld", ""} {
			body, err := jsonText(put(p.body, append(slices.Clone(p.path), name), 1))
			if err != nil {
				w.t.Fatal(err)
			}
			field := strings.TrimPrefix(p.field()+"."+name, ".")
			w.refuses(&sent{what: "a member " + field, method: op.Method, path: path, body: body, header: header, status: w.nowhere(op, 422, 400), field: field}) // 400 where it is there in small letters
		}
		return nil
	}
	if p.required {
		w.refuses(&sent{what: "without " + p.field(), method: op.Method, path: path, body: string(p.without()), header: header, status: w.nowhere(op, 422), field: p.field()})
	}
	for _, bad := range bads(most(w.doc, p.schema)) {
		body := p.with(bad.raw)
		s := &sent{what: p.field() + " is " + shows(bad.raw), method: op.Method, path: path, body: string(body), header: header, status: w.nowhere(op, bad.status), field: p.field()}
		if strings.HasSuffix(s.field, "app") && tokenFor(op) == "portal" { // another app's name is not for this token to send
			s.status = append(s.status, 403)
		}
		switch value := any(nil); {
		case bad.status == 422 && w.doc.Validate(p.schema, strings.Repeat("a", 64<<10+1)) == nil:
			s.field = "*"
			w.refuses(s)
		case bad.status != 0:
			w.refuses(s)
		default:
			value = read(w.t, body)
			own, whole := w.doc.Validate(p.schema, at(value, p.path)), w.doc.Validate(schema, value)
			switch s.status[0] = 422; {
			case own != nil:
				w.refuses(s)
			case whole != nil: // it does not go with the others, one of which is named
				s.field = "*"
				w.refuses(s)
			default:
				allowed = append(allowed, *s)
			}
		}
	}
	return allowed
}

// TestBadBodiesAreRefused sends what is not the JSON that is asked for.
func TestBadBodiesAreRefused(t *testing.T) {
	t.Parallel()
	eachBody(t, func(t *testing.T, w *world, op *apitest.Operation, schema string, examples []any) {
		path, _ := w.known(op)
		sound, err := jsonText(examples[0])
		if err != nil {
			t.Fatal(err)
		}
		header := asJSON(op)
		for what, body := range map[string]string{
			"nothing": "", "blanks": " \n", "half of it": sound[:len(sound)/2], "two of them": sound + sound, "text behind": sound + "x", "a byte order mark": "\ufeff" + sound,
			"UTF-16": "\xff\xfe{\x00}\x00", "an XML": "<x/>", "a form": "a=b", "a NUL behind": sound + "\x00", "deep": strings.Repeat("[", 100_000),
		} {
			if body == "" && op.Body["required"] != true {
				continue
			}
			w.refuses(&sent{what: what, method: op.Method, path: path, body: body, header: header, status: w.nowhere(op, 400)})
		}
		for _, body := range []string{"null", "7", `"x"`, "true", "[]", "{}", "[[]]", "[1]"} {
			if w.doc.Validate(schema, read(t, []byte(body))) == nil {
				continue
			}
			w.refuses(&sent{what: "of another kind", method: op.Method, path: path, body: body, header: header, status: w.nowhere(op, 422), field: "*"})
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-16", "application/merge-patch+json", ";;;", "multipart/form-data; boundary=x"} {
			w.refuses(&sent{what: kind, method: op.Method, path: path, body: sound, header: []string{header[0], header[1], "Content-Type", kind}, status: w.nowhere(op, 415)})
		}
		for _, coding := range []string{"gzip", "br", "deflate", "identity, gzip", "x"} {
			w.refuses(&sent{what: coding, method: op.Method, path: path, body: sound, header: append(slices.Clone(header), "Content-Encoding", coding), status: w.nowhere(op, 415)})
		}
		w.refuses(&sent{what: "over 1 MiB", method: op.Method, path: path, body: `{"a": "` + strings.Repeat("a", 1<<20) + `"}`, header: header, status: []int{413}})
		w.sameAtOnce(&sent{what: "many at once", method: op.Method, path: path, body: `{"zzz": 1}`, header: header, status: w.nowhere(op, 422), field: "*"})
	})
}

// sameAtOnce sends a bad request many times at once: each answer is the same, and nothing has changed.
func (w *world) sameAtOnce(s *sent) {
	w.t.Helper()
	before := w.dump()
	answers := make([]reply, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.do(s.method, s.path, s.body, s.header...) })
	}
	all.Wait()
	for _, got := range answers {
		w.judge(s, got)
	}
	if w.dump() != before {
		w.t.Errorf("%s: %s %s changed the store", s.what, s.method, s.path)
	}
}

// TestExamplesAreTrue sends every example of a body, again, and many times at once: it is carried out as the document says.
func TestExamplesAreTrue(t *testing.T) {
	t.Parallel()
	eachBody(t, func(t *testing.T, w *world, op *apitest.Operation, _ string, examples []any) {
		path, there := w.known(op)
		for i, example := range examples {
			body, err := jsonText(example)
			if err != nil {
				t.Fatal(err)
			}
			first := w.do(op.Method, path, body, asJSON(op)...)
			invented := strings.Contains(body, "019ab00a-17c0") // an id of the example's own story
			if first.status >= 300 && there && !invented {
				t.Errorf("example %d %s: got %d %s", i, body, first.status, first.body)
			}
			if again := w.do(op.Method, path, body, asJSON(op)...); again.status >= 500 || again.status == 422 != (first.status == 422) {
				t.Errorf("example %d again: got %d %s", i, again.status, again.body)
			}
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if got := w.do(op.Method, path, body, asJSON(op)...); got.status >= 500 {
						w.t.Errorf("example %d at once: got %d %s", i, got.status, got.body)
					}
				})
			}
			all.Wait()
		}
	})
}
