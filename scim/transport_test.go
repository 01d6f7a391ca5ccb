package scim_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/scim"
)

func TestItem1FiltersThatMakeTheLibraryPanic(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	body := user("sally@example.edu", "00u1")
	body["addresses"] = []any{map[string]any{"type": "work", "locality": "La Jolla"}}
	id := b.do("POST", users, body).must(t, 201).id()
	for _, filter := range []string{
		`emails eq "x"`, `members eq "x"`, `name eq "x"`, `addresses eq "x"`, `emails co "x"`, `meta eq "x"`,
		`emails`, `emails[`, `emails[]`, `emails[type eq "work"`, `emails[type eq "work"].`, `emails[type eq "work"].value`, `)`, `"`, `eq eq eq`, `not`,
		`emails[value pr]`, `emails[emails[value eq "x"]]`, `urn: eq "x"`, `urn:x:y eq "x"`, "userName eq \"\x00\"", `userName eq "\u"`, `userName eq "\`,
	} {
		got := b.do("GET", users+"?filter="+url.QueryEscape(filter), nil).must(t, 200, 400)
		if got.StatusCode == 400 && got.json["scimType"] != "invalidFilter" {
			t.Errorf("filter %s: scimType %v, want invalidFilter", filter, got.json["scimType"])
		}
		b.do("GET", users+"/"+id, nil).must(t, 200)
	}
}

// panicking is a service and store that panics, with something in the panic that must not be seen.
type panicking struct{ scim.Service }

func (panicking) CreateResource(context.Context, revoke.Actor, revoke.Source, revoke.Draft) (revoke.Provisioned, error) {
	panic("secret of the body")
}

func (panicking) Resource(context.Context, string, string, revoke.ID) (revoke.Resource, error) {
	panic("secret of the body")
}

func (panicking) Resources(context.Context, revoke.ResourceQuery) ([]revoke.Resource, int, error) {
	panic("secret of the body")
}

func (panicking) Members(context.Context, revoke.MemberQuery) ([]revoke.Member, error) {
	panic("secret of the body")
}

func TestItem1AnyOtherPanicIs500InAFixedSentence(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.door = b.handler(scim.Config{Service: panicking{b.service}, Store: panicking{}})
	for _, got := range []reply{
		b.do("GET", users+"/00000000-0000-7000-8000-000000000001", nil), b.do("GET", users, nil),
		b.do("POST", users, user("sally@example.edu", "00u1")),
	} {
		got.must(t, 500)
		if strings.Contains(got.text, "secret") {
			t.Errorf("the panic's text leaves the process: %s", got.text)
		}
	}
	inactive := user("sally@example.edu", "00u1")
	inactive["active"] = false
	b.do("POST", users, inactive).must(t, 500)
	if !b.blocked("sally@example.edu") {
		t.Error("a deactivation in a request that broke was lost")
	}
}

// failing is a service and store whose database does not answer, or worse.
type failing struct {
	scim.Service
	err error
}

func (f failing) Members(context.Context, revoke.MemberQuery) ([]revoke.Member, error) {
	return nil, f.err
}

func (f failing) UpdateResource(context.Context, revoke.Actor, revoke.Source, revoke.ID, func(revoke.Resource) (revoke.Draft, error)) (revoke.Provisioned, error) {
	return revoke.Provisioned{}, f.err
}

func (f failing) DeactivateRefused(context.Context, revoke.Actor, revoke.Source, revoke.ID, string) error {
	return f.err
}

func (f failing) Resource(context.Context, string, string, revoke.ID) (revoke.Resource, error) {
	return revoke.Resource{}, f.err
}

func (f failing) Resources(context.Context, revoke.ResourceQuery) ([]revoke.Resource, int, error) {
	return nil, 0, f.err
}

func TestItem2TheTrueStatusOfEachError(t *testing.T) {
	t.Parallel()
	const target = users + "/00000000-0000-7000-8000-000000000001"
	for _, each := range []struct {
		err      error
		want     int
		scimType any
		again    string
	}{
		{revoke.ErrUnavailable, 503, nil, "5"},
		{revoke.ErrUnknownCommit, 503, nil, "5"},
		{revoke.ErrNotFresh, 503, nil, "5"},
		{context.DeadlineExceeded, 503, nil, "5"},
		{revoke.ErrNotFound, 404, nil, ""},
		{revoke.ErrConflict, 409, "uniqueness", ""},
		{revoke.Invalid{Field: "userName", Problem: "is taken", Fix: "take another"}, 400, "invalidValue", ""},
		{errors.New("dial tcp 10.0.0.7: password=hunter2"), 500, nil, ""},
	} {
		b := newBundle(t)
		b.door = b.handler(scim.Config{Service: failing{b.service, each.err}, Store: failing{b.service, each.err}})
		for _, got := range []reply{
			b.do("GET", target, nil), b.do("GET", users, nil),
			b.do("PATCH", target, patch(op("replace", "title", "Dr"))), b.do("PUT", target, user("x", "")),
		} {
			if got.StatusCode != each.want || got.json["scimType"] != each.scimType || got.Header.Get("Retry-After") != each.again {
				t.Errorf("%v: answered %d %s with Retry-After %q, want %d, %v, %q",
					each.err, got.StatusCode, got.text, got.Header.Get("Retry-After"), each.want, each.scimType, each.again)
			}
			if strings.Contains(got.text, "hunter2") {
				t.Errorf("an inner error's text leaves the process: %s", got.text)
			}
		}
		// What could not be carried out is never answered as if it had been, so that the sender tries again.
		if got := b.do("PATCH", target, patch(op("replace", "nosuch", 1), op("replace", "active", false))); errors.Is(each.err, revoke.ErrUnavailable) && got.StatusCode != 503 {
			t.Errorf("a refused deactivation that could not be stored: %d, want 503", got.StatusCode)
		}
	}
}

func TestItem3NobodyIsServedUnproved(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, target := range []string{users, users + "/x", "/scim/v2/Groups", "/scim/v2/nosuch", "/scim/v2", "/scim/v2/ServiceProviderConfig"} {
		for _, method := range []string{"GET", "POST", "PATCH", "BREW"} {
			got := b.send(request(t, method, target, nil)).must(t, 401)
			if !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s %s: WWW-Authenticate %q, want Bearer", method, target, got.Header.Get("WWW-Authenticate"))
			}
		}
	}
}

func TestItem4Bodies(t *testing.T) {
	t.Parallel()
	good := `{"userName":"u@example.edu","active":true}`
	for name, each := range map[string]struct {
		body    string
		headers []string
		want    int
	}{
		"scim+json":               {good, nil, 201},
		"json":                    {good, []string{"Content-Type", "application/json"}, 201},
		"charset in odd case":     {good, []string{"Content-Type", "Application/SCIM+JSON; Charset=UTF-8"}, 201},
		"quoted charset":          {good, []string{"Content-Type", `application/json; charset="utf-8"`}, 201},
		"no type":                 {good, []string{"Content-Type", ""}, 201},
		"byte order mark":         {"\xef\xbb\xbf" + good, nil, 201},
		"text":                    {good, []string{"Content-Type", "text/plain"}, 415},
		"another charset":         {good, []string{"Content-Type", "application/json; charset=latin1"}, 415},
		"form":                    {"userName=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"gzip":                    {good, []string{"Content-Encoding", "gzip"}, 415},
		"identity":                {good, []string{"Content-Encoding", "identity"}, 201},
		"too large":               {`{"userName":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413},
		"trailing bytes":          {good + "x", nil, 400},
		"two values":              {good + good, nil, 400},
		"blanks behind":           {good + " \n", nil, 201},
		"duplicate":               {`{"userName":"u@example.edu","userName":"u@example.edu"}`, nil, 400},
		"duplicate in other case": {`{"userName":"u@example.edu","USERNAME":"v@example.edu"}`, nil, 400},
		"inner duplicate":         {`{"userName":"u@example.edu","name":{"givenName":"a","givenname":"b"}}`, nil, 400},
		"two names for one":       {`{"userName":"u@example.edu","title":"a","urn:ietf:params:scim:schemas:core:2.0:User:title":"b"}`, nil, 400},
		"too deep":                {`{"userName":"u@example.edu","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, nil, 400},
		"far too deep":            {strings.Repeat("[", 500000), nil, 400},
		"not JSON":                {`{"userName":`, nil, 400},
		"not UTF-8":               {"{\"userName\":\"\xff\"}", nil, 400},
		"empty":                   {"", nil, 400},
		"an array":                {"[]", nil, 400},
		"null":                    {"null", nil, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			b.do("POST", users, each.body, each.headers...).must(t, each.want)
		})
	}
}

// A request that is refused for its form still deactivates (items 4 and 23).
func TestItem4DuplicatesDoNotHideADeactivation(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		method, body string
		headers      []string
		want         int
	}{
		"duplicates, false last":  {"PUT", `{"userName":"sally@example.edu","active":true,"Active":false}`, nil, 400},
		"duplicates, false first": {"PUT", `{"userName":"sally@example.edu","active":"False","active":true}`, nil, 400},
		"in an operation":         {"PATCH", `{"Operations":[{"op":"replace","path":"active","value":false,"Value":true}]}`, nil, 400},
		"two names":               {"PUT", `{"userName":"sally@example.edu","active":true,"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false}}`, nil, 400},
		"two names in a value":    {"PATCH", `{"Operations":[{"op":"replace","value":{"active":false,"urn:ietf:params:scim:schemas:core:2.0:User:active":true}}]}`, nil, 400},
		"two depths in a value":   {"PATCH", `{"Operations":[{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:User":{"active":false},"active":true}}]}`, nil, 400},
		"two lists of operations": {"PATCH", `{"Operations":[{"op":"replace","path":"title","value":"x"}],"operations":[{"op":"replace","path":"active","value":false}]}`, nil, 400},
		"trailing bytes":          {"PUT", `{"userName":"sally@example.edu","active":false} x`, nil, 400},
		"too deep":                {"PUT", `{"userName":"sally@example.edu","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"active":false}`, nil, 400},
		"not UTF-8":               {"PUT", "{\"userName\":\"\xff\",\"active\":false}", nil, 400},
		"type text/plain":         {"PUT", `{"userName":"sally@example.edu","active":false}`, []string{"Content-Type", "text/plain"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			id := b.sally()
			token := b.login("sally@example.edu")
			got := b.do(each.method, users+"/"+id, each.body, each.headers...).must(t, each.want)
			b.mustBe(token, false, "a refused deactivation")
			if !strings.Contains(got.text, "carried out") {
				t.Errorf("the refusal does not say what was done: %s", got.text)
			}
			if b.show(id)["active"] != true {
				t.Error("the resource does not keep active true")
			}
		})
	}
}

func TestItem5PathsAreForgiving(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	for _, target := range []string{
		"/scim/v2/Users/", "/scim/v2/users", "/SCIM/V2/USERS", "/scim/v2/Users?", "/scim/v2/Users?&", "/scim/v2/Users?aadOptscim062020", "/v2/Users",
		"/scim//v2/Users", "/scim/v2/Users?filter=userName+eq+%22sally@example.edu%22&", "/scim/v2/Users?aadOptscim062020&filter=userName+eq+%22sally%40example.edu%22",
	} {
		if got := b.do("GET", target, nil).must(t, 200); got.json["totalResults"] != 1.0 {
			t.Errorf("GET %s: %s", target, got.text)
		}
	}
	for _, target := range []string{"/scim/v2/Users/" + id + "/", "/scim/v2/users/" + id, "/scim/v2/users/" + id + "?aadOptscim062020"} {
		got := b.do("PATCH", target, patch(op("replace", "title", "Dr"))).must(t, 200)
		if meta, _ := got.json["meta"].(map[string]any); meta["location"] != "https://curfew.example.edu/scim/v2/Users/"+id {
			t.Errorf("PATCH %s: location %v is not the canonical one", target, meta["location"])
		}
	}
	for _, target := range []string{"/scim/v2/Users/" + id + "/emails", "/scim/v2/nosuch", "/scim/v1/Users", "/scim/Users", "/scim", "/", "/scim/v2/ServiceProviderConfig/x"} {
		b.do("GET", target, nil).must(t, 404)
	}
}

func TestItem6MethodsAndWhatIsNotBuilt(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	for target, want := range map[string]string{
		users: "GET, HEAD, POST, OPTIONS", users + "/" + id: "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
		"/scim/v2/ServiceProviderConfig": "GET, HEAD, OPTIONS", "/scim/v2/Schemas": "GET, HEAD, OPTIONS", "/scim/v2/ResourceTypes/User": "GET, HEAD, OPTIONS",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"} {
			if strings.Contains(want, method) {
				continue
			}
			if got := b.do(method, target, nil).must(t, 405); got.Header.Get("Allow") != want {
				t.Errorf("%s %s: Allow %q, want %q", method, target, got.Header.Get("Allow"), want)
			}
		}
		if got := b.do("OPTIONS", target, nil).must(t, 204); got.Header.Get("Allow") != want || got.text != "" {
			t.Errorf("OPTIONS %s: Allow %q and body %q", target, got.Header.Get("Allow"), got.text)
		}
		if got := b.do("HEAD", target, nil).must(t, 200); got.text != "" {
			t.Errorf("HEAD %s: body %q", target, got.text)
		}
	}
	b.do("HEAD", users+"/"+"00000000-0000-7000-8000-000000000001", nil).must(t, 404)
	for _, target := range []string{
		"/scim/v2/Me", "/scim/v2/me/",
	} {
		for _, method := range []string{"GET", "POST"} {
			b.do(method, target, nil).must(t, 501)
		}
	}
}

func TestItem7FilterLimits(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	allowed := `not (userName eq "a")` + strings.Repeat(` and userName eq "a"`, 19)
	b.do("GET", users+"?filter="+url.QueryEscape(allowed), nil).must(t, 200)
	many := allowed + ` and userName eq "a"`
	for name, filter := range map[string]string{
		"long":  `userName eq "` + strings.Repeat("x", 3000) + `"`,
		"deep":  strings.Repeat("(", 60) + `userName eq "a"` + strings.Repeat(")", 60),
		"terms": many,
		"open":  strings.Repeat("(", 5) + strings.Repeat(`userName eq "a" and (`, 5),
	} {
		got := b.do("GET", users+"?filter="+url.QueryEscape(filter), nil).must(t, 400)
		if kind := got.json["scimType"]; kind != "invalidFilter" && kind != "tooMany" {
			t.Errorf("%s: scimType %v", name, kind)
		}
	}
}

func TestItem8OnlyAFloodIsThrottled(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.door = b.handler(scim.Config{Service: b.service, Store: b.store, Rate: 25})
	id := b.sally()
	token := b.login("sally@example.edu")
	for i := range 5 * 25 { // a burst, less what made Sally
		status := b.do("GET", users+"/"+id, nil).StatusCode
		if last := i == 5*25-1; last != (status == http.StatusTooManyRequests) {
			t.Fatalf("request %d: %d", i+1, status)
		}
	}
	if got := b.do("PATCH", users+"/"+id, patch(op("replace", "title", "Dr"))).must(t, 429); got.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q, want 1", got.Header.Get("Retry-After"))
	}
	b.do("GET", "/scim/v2/Schemas", nil).must(t, 429)
	other := okta()
	other.Name = "another"
	b.as(other, "GET", users+"/"+id, nil).must(t, 200)
	b.do("PATCH", users+"/"+id, patch(op("replace", "active", false))).must(t, 200)
	b.mustBe(token, false, "a deactivation in a flood")
	b.do("DELETE", users+"/"+id, nil).must(t, 204)
	for range 40 { // a second later 25 more
		b.store.Moving().Advance(25 * time.Millisecond)
	}
	for range 25 {
		b.do("GET", users, nil).must(t, 200)
	}
	b.do("GET", users, nil).must(t, 429)
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, cfg := range map[string]scim.Config{
		"nothing": {}, "no address": {Service: b.service, Store: b.store, Clock: b.store.Clock()},
	} {
		if _, err := scim.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A client that leaves does not undo what it asked for.
func TestCommitOutlastsTheClient(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	token := b.login("sally@example.edu")
	r := request(t, "PATCH", users+"/"+id, patch(op("replace", "active", false)))
	ctx, cancel := context.WithCancel(revoke.WithSource(r.Context(), b.source))
	cancel()
	b.door.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	b.mustBe(token, false, "a deactivation by a client that left")
}
