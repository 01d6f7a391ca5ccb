package scim_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestItem16And17Filters(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	sally := b.sally()
	body := user("Bob@Example.edu", "00U1")
	body["emails"] = []any{
		map[string]any{"value": "bob@work.example", "type": "work"}, map[string]any{"value": "bob@home.example", "type": "home"},
	}
	bob := b.do("POST", users, body).must(t, 201).id()
	quoted := user(`a"b\c`, "") // escapes in both directions
	odd := b.do("POST", users, quoted).must(t, 201).id()
	for filter, want := range map[string][]string{
		`userName eq "sally@example.edu"`: {sally}, `USERNAME EQ "SALLY@EXAMPLE.EDU"`: {sally}, `userName eq sally@example.edu`: {sally},
		`urn:ietf:params:scim:schemas:core:2.0:User:userName eq "bob@example.edu"`: {bob}, `  userName   eq   "bob@example.edu"  `: {bob},
		`(userName eq "bob@example.edu")`: {bob}, `userName eq "nobody"`: {}, `userName eq "5e0f2f4c-93a4-4b67-8b6b-5a3b6dcf9b8a"`: {},
		`externalId eq "00u1"`: {sally}, `externalId eq "00U1"`: {bob}, `externalId eq 00u1`: {sally}, `externalId eq "x"`: {},
		`id eq "` + sally + `"`: {sally}, `id eq "` + strings.ToUpper(sally) + `"`: {}, `id eq "x"`: {}, `id eq ` + bob: {bob},
		`id eq "` + sally + `" and userName eq "sally@example.edu"`: {sally}, `id eq "` + sally + `" and userName eq "bob@example.edu"`: {},
		`emails[type eq "work"].value eq "bob@work.example"`: {bob}, `emails[type eq "work"].value eq "bob@home.example"`: {},
		`emails[type eq "WORK"].Value eq bob@work.example`: {bob}, `emails[type eq work].value eq "BOB@work.example"`: {bob},
		`emails[type eq "home" and value eq "bob@home.example"]`: {bob}, `emails[value eq "bob@home.example"]`: {bob}, `emails[value eq "bob@home.example" and type eq "work"]`: {},
		`emails.value eq "bob@home.example"`: {bob}, `emails eq "bob@home.example"`: {bob}, `emails.value eq "x"`: {}, `emails.type eq "home"`: {bob},
		`emails[type eq "work"].value eq "bob@work.example" and userName eq "bob@example.edu"`: {bob},
		`(emails[type eq "work"].value eq "bob@work.example") and externalId eq "00U1"`:        {bob},
		`userName sw "S"`: {sally}, `userName sw s`: {sally}, `userName co "EXAMPLE"`: {sally, bob}, `userName ew ".edu"`: {sally, bob},
		`userName pr`: {sally, bob, odd}, `userName ne "sally@example.edu"`: {bob, odd}, `userName eq null`: {}, `title eq null`: {sally, bob, odd}, `userName ne null`: {sally, bob, odd},
		`displayName eq "x"`: {}, `active eq true`: {sally, bob, odd}, `active eq "True"`: {sally, bob, odd}, `active eq False`: {}, `active ne false`: {sally, bob, odd},
		`not (userName eq "bob@example.edu")`: {sally, odd}, `userName eq "bob@example.edu" or externalId eq "00u1"`: {sally, bob},
		`userName eq "x" or userName eq "bob@example.edu" and active eq true`: {bob}, `(userName sw "bob" or userName sw "sally") and not (externalId eq "00U1")`: {sally},
		`id eq "` + sally + `" and manager eq "y"`: {}, `meta.lastModified gt "2026-01-01T00:00:00Z"`: {sally, bob, odd}, `meta.created lt "2026-01-01T00:00:00+01:00"`: {},
		`meta.resourceType eq "User"`: {sally, bob, odd}, `emails.display eq "x"`: {}, `emails[value sw "bob@home"]`: {bob}, `emails[not (type eq "work")]`: {bob},
		`emails[type eq "work"] and emails[value eq "bob@home.example"]`: {bob}, `emails.value eq "bob@home.example" and emails.type eq "work"`: {bob},
		`emails[type eq "home" or primary eq true]`: {sally, bob, odd}, `emails[primary eq "True"]`: {sally, odd}, `emails co "home.example"`: {bob},
		`name.familyName eq "ride"`: {sally, bob, odd}, `name.familyName gt "q" and name.familyName lt "s"`: {sally, bob, odd}, `name pr`: {sally, bob, odd}, `addresses pr`: {},
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department pr`: {},
		`userName eq "a;b"`: {}, `userName eq "a\"b\\c"`: {odd}, `userName eq "a\u0022b\\c"`: {odd},
	} {
		got := b.do("GET", users+"?filter="+url.QueryEscape(filter), nil)
		if got.StatusCode != 200 {
			t.Errorf("%s: %d %s", filter, got.StatusCode, got.text)
			continue
		}
		if diff := cmp.Diff(want, ids(got)); diff != "" || got.json["totalResults"] != float64(len(want)) || !strings.Contains(got.text, `"Resources":[`) {
			t.Errorf("%s: %s", filter, got.text)
		}
	}
	for _, filter := range []string{
		`nosuch eq "x"`, `emails[nosuch eq "x"]`, `password eq "x"`, `PassWord co "x"`, `password pr`, `meta.version eq "x"`, `schemas eq "x"`, `name eq "x"`, `addresses eq "x"`,
		`urn:ietf:params:scim:schemas:core:2.0:User:password eq "x"`, `userName.x eq "y"`, `userName[value eq "x"]`, `name[givenName eq "x"]`, `active gt true`, `active eq 1`,
		`active co "t"`, `meta.created eq "yesterday"`, `meta.created co "2026"`, `userName gt null`, `userName xx "y"`, `emails[type eq "a" and emails[type eq "b"]]`,
	} {
		got := b.do("GET", users+"?filter="+url.QueryEscape(filter), nil)
		if got.StatusCode != 400 || got.json["scimType"] != "invalidFilter" {
			t.Errorf("%s: %d %s, want 400 invalidFilter", filter, got.StatusCode, got.text)
		}
	}
}

func TestItem42Pages(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	empty := b.do("GET", users, nil).must(t, 200)
	if !strings.Contains(empty.text, `"Resources":[]`) {
		t.Errorf("nobody is %s, want an empty list", empty.text)
	}
	var order []string
	for i := range 7 {
		order = append(order, b.do("POST", users, user(fmt.Sprintf("u%d@example.edu", 9-i), "")).must(t, 201).id())
		b.store.Moving().Advance(time.Second)
	}
	for query, want := range map[string]struct {
		start int
		ids   []string
	}{
		"": {1, order}, "startIndex=1&count=2": {1, order[:2]}, "startIndex=3&count=2": {3, order[2:4]}, "startIndex=6&count=100": {6, order[5:]},
		"startIndex=0&count=2": {1, order[:2]}, "startIndex=-5&count=2": {1, order[:2]}, "count=0": {1, []string{}}, "count=-3": {1, []string{}},
		"startIndex=8": {8, []string{}}, "startIndex=9000": {9000, []string{}}, "count=5000": {1, order}, "startindex=3&COUNT=2": {3, order[2:4]},
		"count=2&sortBy=userName&attributes=userName&unknown": {1, []string{order[6], order[5]}}, "count=2&sortBy=userName&sortOrder=descending": {1, order[:2]},
		"count=3&sortBy=meta.created&sortOrder=Descending": {1, []string{order[6], order[5], order[4]}}, "sortBy=emails&count=0": {1, []string{}}, "filter=&count=1": {1, order[:1]}, "startIndex=&count=": {1, order},
	} {
		got := b.do("GET", users+"?"+query, nil).must(t, 200)
		if diff := cmp.Diff(want.ids, ids(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
		numbers := []any{got.json["totalResults"], got.json["startIndex"], got.json["itemsPerPage"]}
		if diff := cmp.Diff([]any{7.0, float64(want.start), float64(len(want.ids))}, numbers); diff != "" {
			t.Errorf("%q: total, start and items per page (-want +got):\n%s", query, diff)
		}
	}
	for _, query := range []string{"filter=userName%20eq%20%22x%zz%22", "count=x", "startIndex=1.5", "count=99999999999999999999", "sortBy=nosuch", "sortBy=name", "sortBy=password", "cursor=x", "cursor=&count=0"} {
		b.do("GET", users+"?"+query, nil).must(t, 400)
	}
}

func TestItem42CountIsCapped(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for i := range 1002 {
		b.do("POST", users, fmt.Sprintf(`{"userName":"u%d"}`, i)).must(t, 201)
	}
	for query, want := range map[string]int{"": 100, "?count=5000": 1000, "?startIndex=1001&count=5000": 2} {
		got := b.do("GET", users+query, nil).must(t, 200)
		if n := len(ids(got)); n != want || got.json["itemsPerPage"] != float64(want) {
			t.Errorf("%q: %d users and itemsPerPage %v, want %d", query, n, got.json["itemsPerPage"], want)
		}
	}
}

func TestItem44DiscoveryTellsTheTruth(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	config := b.do("GET", "/scim/v2/ServiceProviderConfig", nil).must(t, 200).json
	for feature, want := range map[string]bool{"patch": true, "bulk": true, "filter": true, "changePassword": true, "sort": true, "etag": true} {
		if got := config[feature].(map[string]any)["supported"]; got != want {
			t.Errorf("%s.supported is %v, want %v", feature, got, want)
		}
	}
	if page, _ := config["pagination"].(map[string]any); page["cursor"] != true || page["index"] != true {
		t.Errorf("pagination %v", page)
	}
	types := b.do("GET", "/scim/v2/ResourceTypes", nil).must(t, 200)
	if diff := cmp.Diff([]string{"User", "Group"}, ids(types)); diff != "" {
		t.Errorf("resource types (-want +got):\n%s", diff)
	}
	schemas := b.do("GET", "/scim/v2/Schemas", nil).must(t, 200)
	if got := ids(schemas); !slices.Contains(got, core) || !slices.Contains(got, enterprise) || !slices.Contains(got, "urn:ietf:params:scim:schemas:core:2.0:Group") {
		t.Errorf("schemas %v", got)
	}
	all := []string{"/scim/v2/ServiceProviderConfig", "/scim/v2/ServiceProviderConfigs", "/scim/v2/serviceproviderconfig", "/scim/v2/ResourceTypes/User", "/scim/v2/resourcetypes/user/"}
	for _, uri := range ids(schemas) {
		all = append(all, "/scim/v2/Schemas/"+uri, "/scim/v2/schemas/"+strings.ToUpper(uri))
	}
	for _, target := range all {
		got := b.do("GET", target, nil).must(t, 200)
		meta, _ := got.json["meta"].(map[string]any)
		location, _ := meta["location"].(string)
		if meta["resourceType"] == nil || !strings.HasPrefix(location, "https://curfew.example.edu/scim/v2/") || got.json["schemas"] == nil {
			t.Errorf("%s: meta %v, schemas %v", target, meta, got.json["schemas"])
		}
		again := b.do("GET", strings.TrimPrefix(location, "https://curfew.example.edu"), nil).must(t, 200)
		if diff := cmp.Diff(got.json, again.json); diff != "" {
			t.Errorf("%s and its location differ:\n%s", target, diff)
		}
	}
	for _, target := range append(all, "/scim/v2/ResourceTypes", "/scim/v2/Schemas") {
		got := b.do("GET", target, nil)
		if where := emptyOrNull("", got.json); where != "" {
			t.Errorf("%s: %s is null or empty text", target, where)
		}
		b.do("GET", target+"?filter=id+pr", nil).must(t, 403)
	}
	for _, target := range []string{"/scim/v2/ResourceTypes/Device", "/scim/v2/Schemas/urn:x", "/scim/v2/ResourceTypes/"} {
		want := 404
		if strings.HasSuffix(target, "/") {
			want = 200
		}
		b.do("GET", target, nil).must(t, want)
	}
}

func emptyOrNull(at string, v any) string {
	switch v := v.(type) {
	case nil:
		return at
	case string:
		if v == "" {
			return at
		}
	case map[string]any:
		for name, each := range v {
			if where := emptyOrNull(at+"."+name, each); where != "" {
				return where
			}
		}
	case []any:
		for i, each := range v {
			if where := emptyOrNull(fmt.Sprintf("%s[%d]", at, i), each); where != "" {
				return where
			}
		}
	}
	return ""
}

// Item 11: nothing that RFC 7643 lets a server ignore stands in the way of a creation.
func TestItem11CreateIgnoresWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"Entra":                  `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"externalId":"e1","userName":"u","active":true,"addresses":null,"displayName":"U","emails":[{"type":"work","value":"u@example.edu","primary":true}],"meta":{"resourceType":"User"},"name":{"formatted":"U"},"phoneNumbers":null,"roles":[],"title":null,"urn:ietf:params:scim:schemas:extension:enterprise:2.0User":{"department":null,"manager":null,"employeeNumber":"7"}}`,
		"OneLogin":               `{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],"userName":"u","urn:scim:schemas:extension:enterprise:2.0":{"department":"Physics"}}`,
		"no schemas":             `{"userName":"u"}`,
		"strange schemas":        `{"schemas":"x","userName":"u"}`,
		"unknown things":         `{"userName":"u","nosuch":{"a":[1]},"urn:acme:2.0:User":{"badge":7},"id":"bulkId:1","meta":7,"groups":"x","password":{"a":1}}`,
		"odd case":               `{"USERNAME":"u","Active":true,"Name":{"GIVENNAME":"U"},"Emails":[{"Value":"u@example.edu","TYPE":"work"}]}`,
		"roles as objects":       `{"userName":"u","roles":[{"value":"a"},{"value":"b","primary":"True"}]}`,
		"roles as text":          `{"userName":"u","roles":["a","b"]}`,
		"roles empty":            `{"userName":"u","roles":[]}`,
		"manager as object":      `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7","displayName":"M"}}}`,
		"manager as text":        `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"7"}}`,
		"manager as list of one": `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":[{"value":"7","$ref":"x"}]}}`,
		"manager null":           `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":null}}`,
		"empty extension":        `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{}}`,
		"null extension":         `{"userName":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":null}`,
		"one e-mail as text":     `{"userName":"u","emails":"u@example.edu"}`,
		"null and empty values":  `{"userName":"u","emails":[null,"",{},{"value":null},{"value":"u@example.edu"}],"name":null,"externalId":""}`,
		"active null":            `{"userName":"u","active":null}`,
		"active as text":         `{"userName":"u","active":"True"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t)
			got := b.do("POST", users, body).must(t, 201)
			if got.json["active"] != true || got.json["userName"] != "u" || strings.Contains(got.id(), "bulkId") || got.json["password"] != nil || got.json["groups"] != nil {
				t.Errorf("created %s", got.text)
			}
			var sent map[string]any
			if err := json.Unmarshal([]byte(body), &sent); err != nil {
				t.Fatalf("the sample is not JSON: %v", err)
			}
			if where := emptyOrNull("", got.json); where != "" {
				t.Errorf("%s is null or empty text in %s", where, got.text)
			}
			if got := b.do("PUT", users+"/"+got.id(), got.json).must(t, 200); got.Header.Get("ETag") != `W/"1"` {
				t.Errorf("its echo is a change: %s", got.text)
			}
		})
	}
}
