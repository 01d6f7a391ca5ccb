package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"curfew/scim"
)

// Items 8, 23 and 48: whatever a whole bulk request is refused for, its leavers leave, and nobody else does.
func TestItem48RefusedAsAWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body   string
		header string
		want   int
	}{
		"bytes behind":       {body: `{"Operations":[%s]} x`, want: 400},
		"member twice":       {body: `{"Operations":[{"method":"POST","METHOD":"POST"},%s]}`, want: 400},
		"operations twice":   {body: `{"Operations":[{}],"operations":[%s]}`, want: 400},
		"not UTF-8":          {body: "{\"x\":\"\xff\",\"Operations\":[%s]}", want: 400},
		"failOnErrors":       {body: `{"failOnErrors":"x","Operations":[%s]}`, want: 400},
		"another media type": {body: `{"Operations":[%s]}`, header: "text/plain", want: 415},
	} {
		b := newBundle(t)
		id := b.sally()
		b.do("POST", users, user("bob@example.edu", "b")).must(t, 201)
		phone, bobs := b.login("sally@example.edu"), b.login("bob@example.edu")
		header := "application/json"
		if c.header != "" {
			header = c.header
		}
		send := func(operations string) reply {
			return b.do("POST", bulkPath, fmt.Sprintf(c.body, operations), "Content-Type", header).must(t, c.want)
		}
		// Neither a deletion of everybody nor a deactivation without whom.
		got := send(`{"method":"DELETE","path":"/Users","data":{"userName":"bob@example.edu"}},{"method":"PATCH","path":"/Users","data":{"userName":"bob@example.edu","active":false}},{"method":"PATCH","path":"/Groups/` + id + `","data":{"active":false}}`)
		b.mustBe(phone, true, name+", nobody meant")
		if strings.Contains(got.text, "carried out") {
			t.Errorf("%s, nobody meant: %s", name, got.text)
		}
		got = send(`{"method":"PATCH","path":"/Users/` + id + `","data":{"Operations":[{"op":"Replace","path":"Active","value":"False"}]}}`)
		b.mustBe(phone, false, name)
		b.mustBe(bobs, true, name+", another one")
		if !strings.Contains(got.text, "carried out all the same") {
			t.Errorf("%s: %s", name, got.text)
		}
	}
}

// A deletion without whom, behind the point where a bulk request stops, is no deactivation of whoever its data names.
func TestItem48NobodyMeant(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.sally()
	phone := b.login("sally@example.edu")
	for _, method := range []string{"DELETE", "PATCH", "PUT"} {
		got := b.do("POST", bulkPath, `{"failOnErrors":1,"Operations":[{"method":"POST","path":"/Users","data":{}},{"method":"`+method+`","path":"/Users","data":{"userName":"sally@example.edu","active":false}}]}`).must(t, 200)
		if diff := cmp.Diff([]string{"POST 400"}, statuses(got)); diff != "" {
			t.Errorf("%s: statuses (-want +got):\n%s", method, diff)
		}
		b.mustBe(phone, true, method+" of no user")
	}
}

// Clients write the path of an operation with the flag of the tenant's URL, without a slash, or whole.
func TestItem48Paths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/Users/%s?aadOptscim062020", "Users/%s", "/users/%s/", "https://curfew.example.edu/scim/v2/Users/%s"} {
		b := newBundle(t)
		id := b.sally()
		phone := b.login("sally@example.edu")
		got := b.do("POST", bulkPath, `{"Operations":[{"method":"PATCH","path":"`+fmt.Sprintf(path, id)+`","data":{"Operations":[{"op":"replace","path":"active","value":false}]}}]}`).must(t, 200)
		if diff := cmp.Diff([]string{"PATCH 200"}, statuses(got)); diff != "" {
			t.Errorf("%s: statuses (-want +got):\n%s", path, diff)
		}
		b.mustBe(phone, false, path)
	}
}

// Items 8 and 48: what deactivates somebody is not told to wait, alone or in a bulk request.
func TestItem48NotThrottled(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.door = b.handler(scim.Config{Service: b.service, Store: b.store, Rate: 1})
	id := b.sally()
	phone := b.login("sally@example.edu")
	for b.do("GET", users, nil).StatusCode != 429 {
	}
	b.do("POST", bulkPath, `{"Operations":[{"method":"POST","path":"/Users","data":{"userName":"x"}}]}`).must(t, 429)
	got := b.do("POST", bulkPath, `{"Operations":[{"method":"DELETE","path":"/Users/`+id+`"}]}`).must(t, 200)
	if diff := cmp.Diff([]string{"DELETE 204"}, statuses(got)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	b.mustBe(phone, false, "deleted while throttled")
}

// What refers to what comes behind it, and to nothing at all, is looked at once: to look again after each creation took minutes.
func TestItem48References(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var operations []string
	const n = 900
	for i := range n {
		operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"b%d","data":{"x":[%s""],"displayName":"g%d","members":[{"value":"bulkId:b%d"}]}}`,
			i, strings.Repeat(`"bulkId:none",`, 60), i, i+1))
	}
	operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"b%d","data":{"displayName":"g"}}`, n))
	body := `{"Operations":[` + strings.Join(operations, ",") + `]}`
	if len(body) < 800_000 || len(body) > 1<<20 {
		t.Fatalf("the body has %d bytes", len(body))
	}
	got := b.do("POST", bulkPath, body).must(t, 200)
	if diff := cmp.Diff(slices.Repeat([]string{"POST 201"}, n+1), statuses(got)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

// Two that refer to each other cannot be made one after the other; who leaves beside such a reference leaves.
func TestItem48Circle(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	phone := b.login("sally@example.edu")
	got := b.do("POST", bulkPath, `{"Operations":[
		{"method":"POST","path":"/Groups","bulkId":"a","data":{"displayName":"A","members":[{"value":"bulkId:b"}]}},
		{"method":"POST","path":"/Groups","bulkId":"b","data":{"displayName":"B","members":[{"value":"bulkId:a"}]}},
		{"method":"PUT","path":"/Users/`+id+`","data":{"userName":"sally@example.edu","title":"bulkId:a","active":"FALSE"}}]}`).must(t, 200)
	if diff := cmp.Diff([]string{"POST 400", "POST 400", "PUT 400"}, statuses(got)); diff != "" || !strings.Contains(got.text, "carried out all the same") {
		t.Errorf("statuses (-want +got):\n%s\n%s", diff, got.text)
	}
	b.mustBe(phone, false, "deactivated beside what is never created")
}
