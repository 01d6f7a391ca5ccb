package scim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestItem45Versions(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	at := users + "/" + id
	b.do("GET", at, nil, "If-None-Match", `W/"1"`).must(t, 304)
	b.do("GET", at, nil, "If-None-Match", `W/"2", "1"`).must(t, 304)
	b.do("GET", at, nil, "If-None-Match", `W/"2"`).must(t, 200)
	title := func(to string) string {
		return fmt.Sprintf(`{"Operations":[{"op":"replace","path":"title","value":%q}]}`, to)
	}
	b.do("PATCH", at, title("a"), "If-Match", `W/"1"`).must(t, 200)
	if got := b.do("PATCH", at, title("b"), "If-Match", `W/"1"`).must(t, 412); !strings.Contains(got.text, `W/\"2\"`) {
		t.Errorf("a stale version: %s", got.text)
	}
	b.do("PATCH", at, title("c"), "If-Match", "*").must(t, 200)
	b.do("DELETE", users+"/"+b.do("POST", users, `{"userName":"bob"}`).id(), nil, "If-Match", `W/"1"`).must(t, 204)
	if got := b.do("GET", at, nil); got.json["title"] != "c" {
		t.Errorf("title %v, want c", got.json["title"])
	}
	// A deactivation is never lost, not for a version either.
	phone := b.login("sally@example.edu")
	got := b.do("PATCH", at, `{"Operations":[{"op":"replace","path":"active","value":false}]}`, "If-Match", `W/"1"`).must(t, 412)
	b.mustBe(phone, false, "a stale deactivation")
	if !strings.Contains(got.text, "carried out all the same") {
		t.Errorf("a stale deactivation is answered %s", got.text)
	}
	b.do("PATCH", at, `{"Operations":[{"op":"replace","path":"active","value":true}]}`).must(t, 200)
	tablet := b.login("sally@example.edu")
	b.do("DELETE", at, nil, "If-Match", `W/"1"`).must(t, 412)
	b.mustBe(tablet, false, "a stale deletion")
	b.do("GET", at, nil).must(t, 200)
}

func TestItem43Projection(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	body := user("sally@example.edu", "00u1")
	body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = map[string]any{"department": "Maths", "costCenter": "7"}
	id := b.do("POST", users+"?attributes=userName", body).must(t, 201)
	if len(id.json) != 3 || id.json["userName"] == nil {
		t.Errorf("a creation that asks for userName is answered %s", id.text)
	}
	at := users + "/" + id.id()
	for query, want := range map[string][]string{
		"attributes=userName": {"id", "schemas", "userName"}, "attributes=USERNAME,nosuch": {"id", "schemas", "userName"}, "attributes=": nil,
		"attributes=name.givenName": {"id", "name", "schemas"}, "attributes=urn:ietf:params:scim:schemas:core:2.0:User:active": {"active", "id", "schemas"},
		"attributes=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": {"id", "schemas", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"},
	} {
		got := b.do("GET", at+"?"+query, nil).must(t, 200)
		if want == nil {
			if got.json["emails"] == nil {
				t.Errorf("%q shows %s", query, got.text)
			}
			continue
		}
		if diff := cmp.Diff(want, sortedNames(got.json)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
		if strings.Contains(got.text, "familyName") || strings.Contains(got.text, "costCenter") {
			t.Errorf("%q shows more than was asked for: %s", query, got.text)
		}
	}
	got := b.do("GET", at+"?excludedAttributes=emails.type,name,id,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", nil).must(t, 200)
	if got.json["id"] == nil || got.json["name"] != nil || !strings.Contains(got.text, `"value":"sally@example.edu"`) || strings.Contains(got.text, `"type":"work"`) || strings.Contains(got.text, "costCenter") || !strings.Contains(got.text, "Maths") {
		t.Errorf("without some: %s", got.text)
	}
	list := b.do("GET", users+"?attributes=userName&filter="+url.QueryEscape(`userName pr`), nil).must(t, 200)
	if strings.Contains(list.text, "emails") || !strings.Contains(list.text, "sally") {
		t.Errorf("a list of names: %s", list.text)
	}
}

func sortedNames(doc map[string]any) []string {
	var out []string
	for name := range doc {
		out = append(out, name)
	}
	return sorted(out)
}

func TestItem46Search(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(5)
	b.do("POST", groups, `{"displayName":"G"}`).must(t, 201)
	got := b.do("POST", users+"/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"attributes":["userName"],"filter":"userName sw \"m\"","sortBy":"userName","sortOrder":"descending","startIndex":2,"count":2}`).must(t, 200)
	if diff := cmp.Diff([]any{5.0, 2.0, 2.0}, []any{got.json["totalResults"], got.json["startIndex"], got.json["itemsPerPage"]}); diff != "" || strings.Contains(got.text, "active") || !strings.Contains(got.text, "m3@") {
		t.Errorf("a search: %s", got.text)
	}
	if got := b.do("POST", groups+"/.search", `{"filter":"displayName eq \"g\""}`).must(t, 200); len(ids(got)) != 1 {
		t.Errorf("a search for groups: %s", got.text)
	}
	b.do("POST", users+"/.search", `{"filter":"nosuch pr"}`).must(t, 400)
	b.do("POST", users+"/.search", `[]`).must(t, 400)
	b.do("GET", users+"/.search", nil).must(t, 405)
	_ = p
}

func TestItem47Cursor(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	p := b.people(7)
	for _, query := range []string{"", "&sortBy=userName", "&filter=" + url.QueryEscape(`userName co "m"`)} {
		var seen []string
		cursor, pages := "", 0
		for {
			got := b.do("GET", users+"?count=3&cursor="+url.QueryEscape(cursor)+query, nil).must(t, 200)
			seen = append(seen, ids(got)...)
			pages++
			next, more := got.json["nextCursor"].(string)
			if !more {
				break
			}
			if strings.ContainsAny(next, "+/=") {
				t.Errorf("the cursor %q needs escaping", next)
			}
			cursor = next
		}
		if diff := cmp.Diff(p, sorted(seen)); diff != "" || pages != 3 || len(seen) != 7 {
			t.Errorf("%q in %d pages (-want +got):\n%s", query, pages, diff)
		}
		other := okta()
		other.Authority = "entra"
		for _, got := range []reply{
			b.do("GET", users+"?cursor="+cursor+"&filter=active+eq+true"+"&sortOrder=ascending", nil), b.as(other, "GET", users+"?cursor="+cursor+query, nil), b.do("GET", users+"?cursor=B"+cursor[1:]+query, nil),
			b.do("GET", groups+"?cursor="+cursor+query, nil),
		} {
			if got.StatusCode != 400 || got.json["scimType"] != "invalidCursor" && got.json["scimType"] != "invalidFilter" && got.json["scimType"] != "invalidPath" {
				t.Errorf("a cursor elsewhere: %d %s", got.StatusCode, got.text)
			}
		}
	}
	next := b.do("GET", users+"?count=3&cursor=", nil).json["nextCursor"].(string)
	b.store.Moving().Advance(2 * 3600 * 1e9)
	if got := b.do("GET", users+"?count=3&cursor="+next, nil).must(t, 400); got.json["scimType"] != "expiredCursor" {
		t.Errorf("an old cursor: %s", got.text)
	}
}
