package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"curfew/api/apitest"
)

// badTexts are what hurts in a query or a path, percent-encoded. A text that is not UTF-8 is no text.
func badTexts() []string {
	return []string{
		"", "%20", "x", "0", "-1", "1001", "1e3", "0x10", "99999999999999999999", "1.5", "true", "null", "[]", "%7B%7D", "%7B%22a%22:", "..%2F..%2Fhealthz", "a%2Fb", "%2e%2e", "a%0Ab", "a%00b", "%00",
		"%E2%80%AEgnp", "%E2%80%A8", "%EF%BB%BF", "%F0%9D%95%8A", "%FF", "%C0%80", "%ED%A0%80", "'%3B%20DROP%20TABLE%20users", "%3Cscript%3E", "$%7Bjndi%7D", "+", "a%2Bb", nobody, nobody + "%0A",
		strings.ToUpper(nobody), "%7B019aaf3c-5b40-7000-8000-00000000dead%7D", nobody + ":", ":canvas", strings.Repeat("9", 5000), strings.Repeat("a", 40_000), "MDAw", "eyJiIjoi4oCu", "e30", "W10", "bnVsbA", "IjAi",
	}
}

// guardedOperation reports whether an operation is one of ours below /v1, which all read queries and paths alike.
func guardedOperation(op *apitest.Operation) bool {
	return strings.HasPrefix(op.Path, "/v1/") && !forPeople(op)
}

// forPeople reports whether an operation takes somebody who signed in, so that every token gets 403 whatever it says.
func forPeople(op *apitest.Operation) bool { return strings.HasPrefix(op.Path, "/v1/held/") }

// soundBody is an example of an operation's body as a request sends it.
func soundBody(tb testing.TB, op *apitest.Operation) string {
	tb.Helper()
	examples := object(object(object(op.Body["content"])["application/json"])["examples"])
	if len(examples) == 0 {
		return ""
	}
	body, err := jsonText(object(examples[apitest.Names(examples)[0]])["value"])
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// TestBadQueriesAreRefused puts what hurts into every parameter of every query, and parameters that nobody knows.
func TestBadQueriesAreRefused(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	for _, op := range w.doc.Operations {
		if !guardedOperation(op) {
			continue
		}
		path, _ := w.known(op)
		try := func(what, query, field string, status ...int) {
			t.Helper()
			w.refuses(&sent{what: what, method: op.Method, path: path + "?" + query, body: soundBody(t, op), header: asJSON(op), status: w.nowhere(op, status...), field: field})
		}
		try("a parameter nobody knows", "zzz=1", "zzz", 422)
		try("a parameter in capitals", "LIMIT=1", "LIMIT", 422)
		try("a list as PHP has them", "limit[]=1", "limit[]", 422)
		try("a query that is none", "%zz", "*", 400)
		for i := range op.Parameters {
			if op.Parameters[i].In == "query" {
				w.tryParameter(op, path, &op.Parameters[i])
			}
		}
	}
}

func (w *world) tryParameter(op *apitest.Operation, path string, p *apitest.Parameter) {
	w.t.Helper()
	ask := func(text string, status []int, field string) {
		w.t.Helper()
		if p.Name == "app" { // another app's name is not for this token to ask about
			status = append(status, 403)
		}
		w.refuses(&sent{what: p.Name, method: op.Method, path: path + "?" + text, header: asJSON(op), status: w.nowhere(op, status...), field: field})
	}
	ask(p.Name+"=a&"+p.Name+"=a", []int{422}, p.Name)
	ask(p.Name+"=%z", []int{400}, "*")
	for _, raw := range badTexts() {
		text, err := url.QueryUnescape(raw)
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.ToValidUTF8(text, "") != text || w.doc.ValidateText(p.Schema, text) != nil {
			ask(p.Name+"="+raw, []int{422}, p.Name)
			continue
		}
		if got := w.do(op.Method, path+"?"+p.Name+"="+raw, "", asJSON(op)...); got.status >= 500 || got.status == 400 {
			w.t.Errorf("%s %s?%s=%s: got %d %s, and the document allows it", op.Method, path, p.Name, shows(raw), got.status, shows(got.body))
		}
	}
}

// TestBadPathsAreRefused puts what hurts into every path.
func TestBadPathsAreRefused(t *testing.T) {
	t.Parallel()
	for _, op := range makeWorld(t).doc.Operations {
		if !guardedOperation(op) || !strings.Contains(op.Path, "{") {
			continue
		}
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			in := op.Parameters[slices.IndexFunc(op.Parameters, func(p apitest.Parameter) bool { return p.In == "path" })]
			for _, raw := range append(badTexts(), "%zz", "%", "%u0041") {
				path := regexpBraces.ReplaceAllString(op.Path, strings.ReplaceAll(raw, "$", "$$"))
				if raw == "" || strings.Contains(raw, "[") { // another path, or nothing that a client can send
					continue
				}
				text, err := url.PathUnescape(raw)
				if err != nil {
					w.refuses(&sent{what: "an escape that is none", method: op.Method, opaque: path, body: soundBody(t, op), header: asJSON(op), status: []int{400}})
					continue
				}
				if w.doc.ValidateText(in.Schema, text) != nil || strings.ToValidUTF8(text, "") != text {
					w.refuses(&sent{what: "no id", method: op.Method, opaque: path, body: soundBody(t, op), header: asJSON(op), status: []int{404}})
				} else if got := w.ask(op.Method, path, soundBody(t, op), asJSON(op)); got.status >= 500 {
					t.Errorf("%s %s: got %d %s", op.Method, shows(path), got.status, got.body)
				}
			}
		})
	}
}

// TestBadKeysAreRefused sends keys that are none to every operation that takes one.
func TestBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	tried := 0
	for _, op := range w.doc.Operations {
		at := slices.IndexFunc(op.Parameters, func(p apitest.Parameter) bool { return p.Name == onceHeader })
		if at < 0 || op.Body["content"] != nil && soundBody(t, op) == "" {
			continue
		}
		tried++
		path, _ := w.known(op)
		for _, key := range []string{"", strings.Repeat("a", 256), "schlüssel", "a\tb", "\u202ekey", "\u00a0"} {
			if key != "" && w.doc.ValidateText(op.Parameters[at].Schema, key) == nil {
				t.Errorf("%s: the document allows the key %q", op.ID, key)
			}
			w.refuses(&sent{what: "the key " + shows(key), method: op.Method, path: path, body: soundBody(t, op), header: append(asJSON(op), onceHeader, key), status: []int{400}})
		}
		w.refuses(&sent{what: "two keys", method: op.Method, path: path, body: soundBody(t, op), header: append(asJSON(op), onceHeader, "a", onceHeader, "b"), status: []int{400}})
	}
	if tried < 10 {
		t.Errorf("only %d operations take a key", tried)
	}
}

// TestOtherOrgsAreNotThere tries with an admin of another org everything that there is.
func TestOtherOrgsAreNotThere(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	header := []string{"Authorization", "Bearer " + secretOf("abroad"), "Content-Type", "application/json"}
	tried := 0
	for _, op := range w.doc.Operations {
		path, there := w.known(op)
		if !guardedOperation(op) || !there {
			continue
		}
		tried++
		if op.Method == "GET" && path == op.Path { // a list, in which nothing of the world stands
			got := w.do(op.Method, path, "", header...)
			for kind, id := range w.ids {
				if strings.Contains(got.body, `"`+id+`"`) || strings.Contains(got.body, "example.edu") {
					t.Errorf("%s shows another org %s%s: %s", op.ID, kind, id, got.body)
				}
			}
		}
		if path == op.Path {
			continue
		}
		if op.ID == "retireSource" { // takes any name: what is gone is in no configuration
			continue
		}
		w.refuses(&sent{what: "another org", method: op.Method, path: path, body: soundBody(t, op), header: header, status: []int{404}})
		if twice := w.do(op.Method, path, soundBody(t, op), header...); strings.Contains(twice.body, "example.edu") {
			t.Errorf("%s tells another org who is who: %s", op.ID, twice.body)
		}
	}
	if tried < 20 {
		t.Errorf("only %d operations were tried", tried)
	}
}

// TestOtherAppsAreNotThere tries with another app's token what is the portal's.
func TestOtherAppsAreNotThere(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	header := []string{"Authorization", "Bearer " + secretOf("library"), "Content-Type", "application/json"}
	named, said := 0, 0
	for _, op := range w.doc.Operations {
		path, _ := w.known(op)
		if !guardedOperation(op) || !slices.Contains(op.Scopes, "sessions") {
			continue
		}
		if strings.Contains(op.Path, "{") {
			named++
			w.refuses(&sent{what: "another app's session", method: op.Method, path: path, body: soundBody(t, op), header: header, status: []int{404}})
			w.refuses(&sent{what: "another app", method: op.Method, path: path + "?app=portal", body: soundBody(t, op), header: header, status: []int{403}})
		}
		for _, p := range op.Parameters {
			if p.Name == "app" && p.In == "query" && !strings.Contains(op.Path, "{") {
				said++
				w.refuses(&sent{what: "another app", method: op.Method, path: path + "?app=portal", header: header, status: []int{403}})
			}
		}
		schema := op.BodySchema("application/json")
		if op.Body == nil || w.doc.At(schema) == nil {
			continue
		}
		example := read(t, []byte(soundBody(t, op)))
		for _, p := range placesIn(t, w.doc, example, nil, schema) {
			if last := len(p.path) - 1; last >= 0 && p.path[last] == "app" && p.closed == "" {
				said++
				w.refuses(&sent{what: "another app in " + p.field(), method: op.Method, path: path, body: string(p.with(`"portal"`)), header: header, status: []int{403}})
			}
		}
	}
	if named < 2 || said < 4 {
		t.Errorf("only %d sessions and %d apps were tried", named, said)
	}
}

// TestBadFormsAreRefused sends to the OAuth paths what is no form, and forms that mean nothing.
func TestBadFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	for _, path := range []string{"/oauth2/introspect", "/oauth2/revoke"} {
		token := []string{"Authorization", "Bearer " + secretOf("portal")}
		form := append(slices.Clone(token), "Content-Type", "application/x-www-form-urlencoded")
		for what, body := range map[string]string{
			"nothing": "", "another parameter": "tokens=pad-1-token", "no value": "token=", "twice": "token=pad-1-token&token=pad-1-token", "twice, one empty": "token=&token=pad-1-token",
			"in capitals": "TOKEN=pad-1-token", "JSON": `{"token":"pad-1-token"}`,
		} {
			w.refuses(&sent{what: what, method: "POST", path: path, body: body, header: form, status: []int{400}})
		}
		w.refuses(&sent{what: "in the query", method: "POST", path: path + "?token=pad-1-token", header: form, status: []int{400}})
		for _, kind := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x", "x"} {
			w.refuses(&sent{what: kind, method: "POST", path: path, body: "token=pad-1-token", header: append(slices.Clone(token), "Content-Type", kind), status: []int{415}})
		}
		w.refuses(&sent{what: "gzip", method: "POST", path: path, body: "token=pad-1-token", header: append(slices.Clone(form), "Content-Encoding", "gzip"), status: []int{415}})
		w.refuses(&sent{what: "over 1 MiB", method: "POST", path: path, body: "token=" + strings.Repeat("a", 1<<20), header: form, status: []int{413}})
		for _, raw := range append(badTexts(), "%zz", "\xff", "\x00", strings.Repeat("%00", 10_000), "pad-1-token%00", "pad-1-token+", "toms-token") {
			if raw != "" {
				w.refuses(&sent{what: "a token that is none", method: "POST", path: path, body: "token=" + raw, header: form, status: []int{200}})
			}
		}
	}
	if got := w.form("portal", "/oauth2/introspect", "token=pad-1-token"); got.member("active") != true {
		t.Errorf("after all that: %s", got.body)
	}
}
