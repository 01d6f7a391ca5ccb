package main

import (
	"maps"
	"slices"
	"testing"
)

// scimRule is one thing that our SCIM must do, or one request that a client is known to send.
type scimRule struct{ name, says string }

// scimRules is all of them. Each must be proved over HTTP against the whole server, by a conversation or by one of scimCases.
func scimRules() []scimRule {
	return []scimRule{
		{"item 1", "no request ends the process; filters on whole attributes are answered"},
		{"item 2", "everything below the base is application/scim+json, and a refusal is an Error that says what to do"},
		{"item 3", "credential and scope are judged first; secrets can be changed; a SCIM token opens nothing else"},
		{"item 4", "media types, sizes and malformed JSON; what is malformed hides no deactivation"},
		{"item 5", "unknown parameters, slashes and letter case of a path are forgiven"},
		{"item 6", "405 with Allow, HEAD, OPTIONS, 501"},
		{"item 7", "filters are bounded, and never look at what is never returned"},
		{"item 8", "only a flood is told to wait, and never a deactivation"},
		{"item 9", "an answer comes within a minute, a list in 600 ms"},
		{"item 10", "a creation answers the whole user, under an id of ours"},
		{"item 11", "a creation ignores what is the server's, unknown, empty or null"},
		{"item 12", "twice the same is 409; an inactive one is restored; another externalId is another person"},
		{"item 13", "created inactive stays inactive"},
		{"item 14", "a userName is needed"},
		{"item 15", "inactive users are shown, with a boolean"},
		{"item 16", "nothing found is an empty list"},
		{"item 17", "the filters that clients send"},
		{"item 18", "a PUT of what was got changes nothing; active is kept where it is not said"},
		{"item 19", "every way to write a PATCH"},
		{"item 20", "text is read as a boolean only where one is due"},
		{"item 21", "elements that a value filter names are made; one is primary"},
		{"item 22", "active is never removed"},
		{"item 23", "a PATCH is whole or not at all, but a deactivation in it is carried out"},
		{"item 24", "what is the server's is ignored, another id refused"},
		{"item 25", "a PATCH answers the whole user with its version"},
		{"item 26", "a password is heard and not kept"},
		{"item 27", "a deleted user is gone, and can be created again"},
		{"item 28", "what is acknowledged is committed"},
		{"item 29", "a repeated deactivation revokes again only when somebody signed in since"},
		{"item 30", "a reactivation lifts this authority's block alone and revives nothing"},
		{"item 31", "requests take effect in their order, and older events of the same authority lift nothing"},
		{"item 32", "renaming keeps id and sessions; both names lead to the person"},
		{"item 33", "who leaves stays a member"},
		{"item 34", "what is refused for other reasons ends the sessions"},
		{"item 35", "everything is audited, with source, request and names of attributes"},
		{"item 36", "groups without members, with another schema, once per name"},
		{"item 37", "groups without members shown, and found by them"},
		{"item 38", "every way to change members"},
		{"item 39", "what a group's PATCH, PUT and DELETE answer"},
		{"item 40", "concurrent changes of one resource are all kept"},
		{"item 41", "leaving a group revokes nothing unless a rule says so"},
		{"item 41a", "a suspension and a password reset at Okta act through its hook alone"},
		{"item 42", "the numbers of a list"},
		{"item 43", "attributes and excludedAttributes, also where something is written"},
		{"item 44", "discovery, and its truth"},
		{"item 45", "versions: 412, 304, and a deactivation that needs none"},
		{"item 46", "POST .search"},
		{"item 47", "sorting, and pages by cursor"},
		{"item 48", "Bulk"},
		{"item 49", "a token has its own resources, and one school's news never reach another"},
		{"item 50", "what the public conformance suites ask for"},

		{"okta: first page of two", "GET /Users?startIndex=1&count=2"},
		{"okta: userName in upper case", "a filter in other letters finds"},
		{"okta: creates with placeholders", "POST with groups, password, locale"},
		{"okta: creates an active one twice", "409"},
		{"okta: creates an inactive one again", "201, the same id"},
		{"okta oin: deactivates without a path", "all sessions are over"},
		{"okta aiw: puts back with active false", "all sessions are over"},
		{"okta aiw: puts a list", "400"},
		{"okta: syncs a password", "sessions are over, nothing is kept"},
		{"okta: renames a group with its id", "the id is ignored"},
		{"okta: removes and adds members at once", "both are done"},
		{"okta: pushes an empty group", "nobody is a member"},
		{"okta: looks for a group by name", "200, empty when there is none"},
		{"okta: unlinks a group", "204"},
		{"okta: suspends without SCIM", "its hook ends the sessions"},
		{"entra: asks for nobody", "200, empty"},
		{"entra: groups without members", "excludedAttributes before and behind the filter"},
		{"entra: creates with nulls", "201"},
		{"entra: deactivates with False", "all sessions are over"},
		{"entra: reactivates with True", "old sessions stay dead"},
		{"entra: adds a missing e-mail address", "the element is made"},
		{"entra: capital sub-attributes", "one key, ours"},
		{"entra: manager in four forms", "set or cleared"},
		{"entra: role by primary True", "a boolean is kept"},
		{"entra: adds a role again", "it is there once"},
		{"entra with flag: dotted and long keys", "200"},
		{"entra: probes for id and another", "200"},
		{"entra: removes members by value", "only those"},
		{"entra: deletes a month later", "204, then 404"},
		{"entra: flag on every route", "it means nothing"},
		{"onelogin: puts with version 1 names", "200"},
		{"onelogin: filter with a trailing ampersand", "200"},
		{"jumpcloud: test user and group", "2xx, also the second time"},
		{"ping: creates disabled, removes either way", "201 inactive; 204 or 200"},
		{"sailpoint: discovery first", "200 each"},
		{"keycloak: active as text without a path", "all sessions are over"},
		{"microsoft validator: replaces the primary one", "a boolean is kept"},
		{"microsoft validator: deletes an absent group", "404"},
		{"microsoft collection: a member as text", "204, a member"},
		{"microsoft collection: filter without quotes", "200"},
		{"attacker: filter on a whole attribute", "the process lives"},
		{"attacker: filter on a password", "400"},
	}
}

// TestEveryRuleOfSCIMIsProved: each has a conversation or a case, and none of them claims what is no rule.
func TestEveryRuleOfSCIMIsProved(t *testing.T) {
	t.Parallel()
	proofs := map[string][]string{}
	for _, r := range scimRules() {
		if _, twice := proofs[r.name]; twice {
			t.Errorf("%s stands twice in the table", r.name)
		}
		proofs[r.name] = nil
	}
	claim := func(by string, rules []string) {
		if len(rules) == 0 {
			t.Errorf("%s says nothing of what it proves", by)
		}
		for _, name := range rules {
			if _, ok := proofs[name]; !ok {
				t.Errorf("%s proves %q, which is no rule", by, name)
			}
			proofs[name] = append(proofs[name], by)
		}
	}
	conversations, names := readConversations(t), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(conversations)) {
		claim(name, conversations[name].Proves)
		names[schoolName(name)] = true
	}
	for _, c := range scimCases() {
		claim(c.name, c.proves)
		if names[schoolName(c.name)] {
			t.Errorf("two are called %s", c.name)
		}
		names[schoolName(c.name)] = true
	}
	for _, each := range provedElsewhere() {
		if each.test == nil {
			t.Errorf("%s is no test", each.name)
		}
		claim(each.name, each.proves)
	}
	for _, r := range scimRules() {
		if len(proofs[r.name]) == 0 {
			t.Errorf("nothing proves %s: %s", r.name, r.says)
		}
	}
}
