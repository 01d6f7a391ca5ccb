package api_test

import (
	"testing"

	"curfew/api"
)

// branch adds a second org with an application of its own.
func branch(cfg *api.Config) {
	college := tokens()[1]
	college.Name, college.Hashes, college.App = "college-portal", hashesOf("college-portal"), "college-portal"
	college.Source.Name, college.Source.Authority, college.Source.Org = "college-portal", "college-portal", "college"
	cfg.Tokens = append(cfg.Tokens, college)
}

// A proxy names no org, so forward-auth knows the sessions of all of them, and names the person of the right one.
func TestForwardAuthKnowsEveryOrg(t *testing.T) {
	t.Parallel()
	b := start(t, branch)
	sallys := b.register("sally@example.edu", "browser", "at-school")
	namesake := b.want("register", b.as("college-portal", "POST", "/v1/sessions", `{"subject": `+sally+`, "kind": "browser", "token": "at-college"}`), 201).text("id")
	for range 2 { // from the store, then from memory
		for token, session := range map[string]string{"at-school": sallys, "at-college": namesake} {
			got := b.want(token, b.do("GET", "/verify", "", "Authorization", "Bearer "+token), 200)
			if got.header.Get("X-Curfew-Org") != map[string]string{"at-school": "main", "at-college": "college"}[token] {
				t.Errorf("%s: of org %q", token, got.header.Get("X-Curfew-Org"))
			}
			if got.header.Get("X-Curfew-Session") != session || got.header.Get("X-Curfew-Email") != "sally@example.edu" {
				t.Errorf("%s: names %v, want session %s", token, got.header, session)
			}
		}
	}
	school := b.do("GET", "/verify", "", "Authorization", "Bearer at-school").header.Get("X-Curfew-User")
	if college := b.do("GET", "/verify", "", "Authorization", "Bearer at-college").header.Get("X-Curfew-User"); college == school || college == "" {
		t.Errorf("people of two orgs with one address are users %q and %q, want two", school, college)
	}
	b.want("nobody's", b.do("GET", "/verify", "", "Authorization", "Bearer nobodys"), 401, "unauthenticated")
	b.want("suspend at college", b.as("college-portal", "POST", "/v1/signals", `{"signal": "suspended", "subject": `+sally+`}`), 201)
	b.want("at college", b.do("GET", "/verify", "", "Authorization", "Bearer at-college"), 401, "unauthenticated")
	b.want("at school", b.do("GET", "/verify", "", "Authorization", "Bearer at-school"), 200)
}

// An application of another org that registers a token of which it knows that its session was ended brings nobody back.
func TestForwardAuthIsNotFooledByAnotherOrg(t *testing.T) {
	t.Parallel()
	for i, atHome := range []string{"portal", "college-portal", "portal", "college-portal"} {
		b := start(t, branch)
		foreign := map[string]string{"portal": "college-portal", "college-portal": "portal"}[atHome]
		registration := `{"subject": ` + sally + `, "kind": "browser", "token": "stolen"}`
		id := b.want("register", b.as(atHome, "POST", "/v1/sessions", registration), 201).text("id")
		if i < 2 { // else nobody has asked about it so far
			b.want("before", b.do("GET", "/verify", "", "Authorization", "Bearer stolen"), 200)
		}
		b.want("end", b.as(atHome, "DELETE", "/v1/sessions/"+id, ""), 200)
		b.want("register it elsewhere", b.as(foreign, "POST", "/v1/sessions", registration), 201)
		for range 2 {
			b.want("a token that "+atHome+" ended", b.do("GET", "/verify", "", "Authorization", "Bearer stolen"), 401, "unauthenticated")
		}
	}
}
