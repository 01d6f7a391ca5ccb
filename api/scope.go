package api

import "strings"

const introspectPath = "/oauth2/introspect"

// rule says with which scopes a path can be used at all. A segment "*" is any one, a last "**" any further ones.
type rule struct {
	path  []string
	needs scopes
}

// addRule adds the scopes of a route to its path's rule.
func addRule(rules []rule, route string, needs scopes) []rule {
	path := strings.Split(strings.TrimPrefix(route, "/"), "/")
	for i := range path {
		if strings.HasPrefix(path[i], ":") {
			path[i] = "*"
		}
	}
	for i := range rules {
		if strings.Join(rules[i].path, "/") == strings.Join(path, "/") {
			rules[i].needs |= needs
			return rules
		}
	}
	return append(rules, rule{path, needs})
}

// unbuilt returns the rules of paths that the contract has and this version lacks: they answer 401 and 403 as they will,
// and 404 after that.
func unbuilt() []rule {
	var rules []rule
	for _, path := range []string{
		"/v1/revocations/*/**", "/v1/users/*/**", "/v1/events/**", "/v1/deliveries/**", "/v1/alarms/**", "/v1/coverage/**",
		"/v1/sources/**", "/v1/targets/**", "/v1/audit/**",
	} {
		rules = addRule(rules, path, scopeAdmin)
	}
	return addRule(rules, "/v1/changes", scopeChanges)
}

// needed returns the scopes of which a caller must have one. A path that nothing is known of takes any that is usable
// below its prefix: its 404 tells nobody else anything.
func (a *App) needed(d door, path []byte) scopes {
	switch {
	case d == doorSCIM:
		return scopeSCIM
	case d == doorMetrics:
		return scopeMetrics
	case string(path) == introspectPath:
		return scopeSessions | scopeCheck
	}
	for i := range a.rules {
		if a.rules[i].covers(path) {
			return a.rules[i].needs
		}
	}
	if d == doorOAuth {
		return usableOAuth
	}
	return usableV1
}

func (r *rule) covers(path []byte) bool {
	for len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	for i, want := range r.path {
		if want == "**" {
			return true
		}
		if len(path) == 0 || path[0] != '/' {
			return false
		}
		path = path[1:]
		end := 0
		for end < len(path) && path[end] != '/' {
			end++
		}
		if want != "*" && want != string(path[:end]) || end == 0 {
			return false
		}
		if path = path[end:]; i == len(r.path)-1 {
			return len(path) == 0
		}
	}
	return false
}
