package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const bulkPath = "/scim/v2/Bulk"

// statuses are those of the operations that were answered.
func statuses(r reply) []string {
	var out []string
	list, _ := r.json["Operations"].([]any)
	for _, each := range list {
		op, _ := each.(map[string]any)
		out = append(out, fmt.Sprint(op["method"], " ", op["status"]))
	}
	return out
}

func TestItem48Bulk(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	sally := b.sally()
	phone := b.login("sally@example.edu")
	got := b.do("POST", bulkPath, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
		{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"New","members":[{"value":"bulkId:u"},{"value":"`+sally+`"}]}},
		{"method":"post","path":"/Users","bulkId":"u","data":{"userName":"new@example.edu"}},
		{"method":"PATCH","path":"/Users/bulkId:u","data":{"Operations":[{"op":"replace","path":"title","value":"t"}]}},
		{"method":"PATCH","path":"/Users/`+sally+`","version":"W/\"1\"","data":{"Operations":[{"op":"Replace","path":"active","value":"False"}]}},
		{"method":"DELETE","path":"/Users/00000000-0000-7000-8000-000000000001"},
		{"method":"POST","path":"/Users","data":{"userName":"sally@example.edu","active":true}},
		{"method":"PATCH","path":"/Users/bulkId:never","data":{"Operations":[{"op":"replace","path":"title","value":"t"}]}},
		{"method":"GET","path":"/Users"},{"method":"POST","path":"/Bulk","data":{}},{"method":"POST","path":"https://example.edu/Users","data":{}}]}`).must(t, 200)
	want := []string{"POST 201", "POST 201", "PATCH 200", "PATCH 200", "DELETE 404", "POST 201", "PATCH 404", "GET 400", "POST 400", "POST 400"}
	if diff := cmp.Diff(want, statuses(got)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s\n%s", diff, got.text)
	}
	b.mustBe(phone, false, "deactivated in a bulk request")
	first, _ := got.json["Operations"].([]any)[0].(map[string]any)
	if first["bulkId"] != "g" || first["version"] != `W/"1"` || !strings.HasPrefix(first["location"].(string), "https://curfew.example.edu/scim/v2/Groups/") || first["response"] != nil {
		t.Errorf("the group: %v", first)
	}
	group := b.do("GET", strings.TrimPrefix(first["location"].(string), "https://curfew.example.edu"), nil).must(t, 200)
	if n := len(memberIDs(group)); n != 2 {
		t.Errorf("the group has %d members: %s", n, group.text)
	}
	for body, want := range map[string]int{
		`{}`: 400, `[]`: 400, `{"Operations":[]}`: 400, `{"failOnErrors":"x","Operations":[{}]}`: 400,
		`{"Operations":[` + strings.Repeat(`{},`, 1000) + `{}]}`: 413, `{"Operations":[{}]}`: 200,
	} {
		b.do("POST", bulkPath, body).must(t, want)
	}
	b.do("GET", bulkPath, nil).must(t, 405)
}

// Items 23 and 48: what stands behind the point where a bulk request stops deactivates all the same.
func TestItem48StopsButNotForLeavers(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for name, leaver := range map[string]string{
		"patched":  `{"method":"PATCH","path":"/Users/%s","data":{"Operations":[{"op":"replace","value":{"Active":"false"}}]}}`,
		"replaced": `{"method":"PUT","path":"/Users/%s","data":{"userName":"x","active":false}}`,
		"deleted":  `{"method":"DELETE","path":"/Users/%s"}`,
	} {
		address := name + "@example.edu"
		id := b.do("POST", users, user(address, name)).must(t, 201).id()
		phone := b.login(address)
		got := b.do("POST", bulkPath, `{"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","data":{}},`+fmt.Sprintf(leaver, id)+`,{"method":"POST","path":"/Users","data":{"userName":"behind-`+name+`"}}]}`).must(t, 200)
		method := map[string]string{"patched": "PATCH", "replaced": "PUT", "deleted": "DELETE"}[name]
		if diff := cmp.Diff([]string{"POST 400", method + " 400"}, statuses(got)); diff != "" || !strings.Contains(got.text, "carried out all the same") {
			t.Errorf("%s: statuses (-want +got):\n%s", name, diff)
		}
		b.mustBe(phone, false, name+" behind the stop")
		b.do("GET", users+"/"+id, nil).must(t, 200)
		if found := b.do("GET", users+"?filter=userName+eq+%22behind-"+name+"%22", nil); len(ids(found)) != 0 {
			t.Errorf("%s: what stood behind the stop was created", name)
		}
	}
}
