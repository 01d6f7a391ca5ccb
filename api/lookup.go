package api

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"curfew/revoke"
)

// lookUps are the ways to name people in a query.
func lookUps() []string {
	return []string{"email", "user_name", "external_id", "phone", "iss", "sub", "id", "q"}
}

// people returns the users that a query means, those who are one person with them included, and whether it named any.
// Naming somebody whom nobody knows is an empty list, which is not the same as naming nobody.
func (a *App) people(ctx context.Context, org string, q query) (users []revoke.ID, named bool, err error) {
	given := slices.DeleteFunc(lookUps(), func(name string) bool { _, ok := q[name]; return !ok })
	if len(given) == 0 {
		return nil, false, nil
	}
	if len(given) > 1 && !slices.Equal(given, []string{"iss", "sub"}) {
		return nil, true, meaningless(fieldError{given[len(given)-1], "stands beside " + given[0] + ": look up by one of them"})
	}
	switch given[0] {
	case "id":
		id, err := q.id("id")
		if err != nil {
			return nil, true, err
		}
		users = []revoke.ID{id}
	case "q":
		users, err = a.beginning(ctx, org, q["q"], revoke.ID{}, maxLimit)
		if len(users) == maxLimit {
			return nil, true, meaningless(fieldError{"q", "finds a thousand people or more: give more of the name"})
		}
	case "external_id":
		id, bad := revoke.NewIdentifier(revoke.NamespaceExternalID, q["external_id"])
		if bad != nil {
			return nil, true, bad
		}
		users, err = a.usersWith(ctx, revoke.UserQuery{Org: org, Namespace: revoke.AnyOwnID, Value: id.Value, Limit: maxLimit})
	default:
		id, bad := identifier(given, q)
		if bad != nil {
			return nil, true, bad
		}
		id.Org = org
		users, err = a.cfg.Store.Holders(ctx, []revoke.Identifier{id})
	}
	if err != nil {
		return nil, true, fmt.Errorf("look up people: %w", err)
	}
	users, err = a.together(users)
	return users, true, err
}

func identifier(given []string, q query) (revoke.Identifier, error) {
	namespace, value := "", q[given[0]]
	switch given[0] {
	case "email":
		namespace = revoke.NamespaceEmail
	case "user_name":
		namespace = revoke.NamespaceUserName
	case "phone":
		namespace = revoke.NamespacePhone
	default:
		if len(given) != 2 {
			return revoke.Identifier{}, meaningless(fieldError{given[0], "stands alone: iss and sub belong together"})
		}
		namespace, value = revoke.NamespaceIssuer, q["iss"]+" "+q["sub"]
	}
	id, err := revoke.NewIdentifier(namespace, value)
	if err != nil {
		return id, meaningless(fieldError{given[0], "is empty, too long or unprintable: give the plain value"})
	}
	return id, nil
}

// beginning returns users after one of them of whom a name or an id begins with text, at most n, by id.
func (a *App) beginning(ctx context.Context, org, text string, after revoke.ID, n int) ([]revoke.ID, error) {
	if utf8.RuneCountInString(text) < 2 {
		return nil, meaningless(fieldError{"q", "is too short: give the first two characters of a name or more"})
	}
	users, err := a.usersWith(ctx, revoke.UserQuery{Org: org, Prefix: revoke.Fold(text), After: after, Limit: n})
	if err == nil && revoke.Fold(text) != text { // names are kept without case, ids as they were sent
		var ids []revoke.ID
		ids, err = a.usersWith(ctx, revoke.UserQuery{Org: org, Prefix: text, After: after, Limit: n})
		users = append(users, ids...)
	}
	slices.SortFunc(users, revoke.ID.Compare)
	users = slices.Compact(users)
	return users[:min(n, len(users))], err
}

func (a *App) usersWith(ctx context.Context, q revoke.UserQuery) ([]revoke.ID, error) {
	found, err := a.cfg.Store.Users(ctx, q)
	if err != nil {
		return nil, err
	}
	var ids []revoke.ID
	for _, u := range found {
		ids = append(ids, u.ID)
	}
	return ids, nil
}

// together adds everybody who is one person with one of users.
func (a *App) together(users []revoke.ID) ([]revoke.ID, error) {
	var all []revoke.ID
	for _, user := range users {
		members, err := a.cfg.Service.Members(user)
		if err != nil {
			return nil, fmt.Errorf("find who is one person with user %s: %w", user, err)
		}
		for _, m := range members {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}
