package scim_test

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sample is a value of an attribute as its definition has it, in lower case so that filters can ask for the upper one.
func sample(def map[string]any) any {
	var one any
	switch def["type"] {
	case "complex":
		inner := map[string]any{}
		for _, each := range def["subAttributes"].([]any) {
			sub := each.(map[string]any)
			if sub["mutability"] != "readOnly" && sub["name"] != "primary" {
				inner[sub["name"].(string)] = sample(sub)
			}
		}
		one = inner
	case "boolean":
		one = true
	case "reference":
		one = "https://example.edu/x"
	case "binary":
		one = "eHl6"
	default:
		one = "abc"
	}
	if def["multiValued"] == true {
		return []any{one}
	}
	return one
}

// TestItem44SchemasAreTrue holds each characteristic that the schemas claim of an attribute against what the server does with one.
func TestItem44SchemasAreTrue(t *testing.T) {
	t.Parallel()
	for _, of := range []struct{ uri, endpoint, name string }{
		{"urn:ietf:params:scim:schemas:core:2.0:User", users, "userName"},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", users, "userName"},
		{"urn:ietf:params:scim:schemas:core:2.0:Group", "/scim/v2/Groups", "displayName"},
	} {
		b := newBundle(t)
		n := 0
		body := func(more map[string]any) map[string]any {
			n++
			out := map[string]any{of.name: fmt.Sprintf("n%d", n)}
			maps.Copy(out, more)
			return out
		}
		attributes := b.do("GET", "/scim/v2/Schemas/"+of.uri, nil).must(t, 200).json["attributes"].([]any)
		for _, each := range attributes {
			def := each.(map[string]any)
			name := def["name"].(string)
			if name == "members" {
				continue // needs ids; groups_test.go has them
			}
			what := of.uri + " " + name
			value := sample(def)
			sent := map[string]any{name: value}
			extension := strings.Contains(of.uri, "enterprise")
			if extension {
				sent = map[string]any{of.uri: sent}
			}
			made := b.do("POST", of.endpoint, body(sent)).must(t, 201)
			at := made.json
			if extension {
				at, _ = made.json[of.uri].(map[string]any)
			}
			kept := def["mutability"] == "readWrite" && def["returned"] == "default"
			if _, shown := at[name]; shown != kept {
				t.Errorf("%s is %s and returned %s, and POST shows it: %v", what, def["mutability"], def["returned"], shown)
			}
			if kept && cmp.Diff(value, at[name]) != "" {
				t.Errorf("%s was sent as %v and kept as %v", what, value, at[name])
			}
			again := b.do("POST", of.endpoint, body(sent))
			if got := again.StatusCode == 409; got != (def["uniqueness"] == "server") {
				t.Errorf("%s has uniqueness %v, and sent twice is answered %d", what, def["uniqueness"], again.StatusCode)
			}
			missing := body(nil)
			delete(missing, name)
			if got := b.do("POST", of.endpoint, missing).StatusCode == 400; got != (def["required"] == true) {
				t.Errorf("%s is required: %v, and left out is refused: %v", what, def["required"], got)
			}
			text, isText := value.(string)
			if !isText || !kept {
				continue
			}
			path := name
			if extension {
				path = of.uri + ":" + name
			}
			found := b.do("GET", of.endpoint+"?count=0&filter="+url.QueryEscape(path+` eq "`+strings.ToUpper(text)+`"`), nil).must(t, 200)
			if got := found.json["totalResults"] == float64(0); got != (def["caseExact"] == true) {
				t.Errorf("%s has caseExact %v, and the upper case finds %v", what, def["caseExact"], found.json["totalResults"])
			}
		}
	}
}

// TestItem44NumbersAreTrue holds the numbers of ServiceProviderConfig against the server: one more is too many.
func TestItem44NumbersAreTrue(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	config := b.do("GET", "/scim/v2/ServiceProviderConfig", nil).must(t, 200).json
	number := func(of, name string) int { return int(config[of].(map[string]any)[name].(float64)) }
	bulk := func(operations, bytes int) reply {
		body := `{"Operations":[` + strings.TrimSuffix(strings.Repeat(`{},`, operations), ",") + `]}`
		return b.do("POST", bulkPath, body+strings.Repeat(" ", max(bytes-len(body), 0)))
	}
	most, size := number("bulk", "maxOperations"), number("bulk", "maxPayloadSize")
	bulk(most, 0).must(t, 200)
	bulk(most+1, 0).must(t, 413)
	bulk(1, size).must(t, 200)
	bulk(1, size+1).must(t, 413)
	page := number("filter", "maxResults")
	if got := number("pagination", "maxPageSize"); got != page {
		t.Errorf("maxPageSize is %d, maxResults %d", got, page)
	}
	var operations []string
	for i := range page + 1 {
		operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"%d","data":{"userName":"u%d"}}`, i, i))
	}
	for len(operations) > 0 {
		some := min(len(operations), most)
		b.do("POST", bulkPath, `{"Operations":[`+strings.Join(operations[:some], ",")+`]}`).must(t, 200)
		operations = operations[some:]
	}
	for query, want := range map[string]int{
		"?count=100000": page, "": number("pagination", "defaultPageSize"), "?cursor=": number("pagination", "defaultPageSize"), "?cursor=&count=100000": page,
	} {
		if got := b.do("GET", users+query, nil).must(t, 200).json["itemsPerPage"]; got != float64(want) {
			t.Errorf("GET %s shows %v, want %d", query, got, want)
		}
	}
}
