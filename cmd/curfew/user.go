package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

type userCommand struct {
	Show userShowCommand `cmd:"" help:"Who is that, what is alive, and what stands against it."`
}

type userShowCommand struct {
	User string `arg:"" help:"An e-mail address, user name, external id or Curfew's user id."`
}

// Help shows an example.
func (userShowCommand) Help() string {
	return "  curfew user show sally@example.edu\n  curfew user show 1042 --json"
}

// person is what the server says of one.
type person struct {
	ID          string   `json:"id"`
	UserName    string   `json:"user_name"`
	Email       string   `json:"email"`
	Members     []string `json:"members"`
	Blocked     bool     `json:"blocked"`
	Because     *because `json:"because"`
	Live        int      `json:"live"`
	Identifiers []struct {
		Namespace  string `json:"namespace"`
		Value      string `json:"value"`
		ReleasedAt string `json:"released_at"`
	} `json:"identifiers"`
	Sessions []session `json:"sessions"`
	More     bool      `json:"more_sessions"`
	Blocks   []struct {
		Authority string `json:"authority"`
		Class     string `json:"class"`
		BlockedAt string `json:"blocked_at"`
		LiftedAt  string `json:"lifted_at"`
	} `json:"blocks"`
}

type because struct {
	Sentence   string `json:"sentence"`
	Scope      string `json:"scope"`
	At         string `json:"at"`
	Revocation string `json:"revocation"`
}

var ourID = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// findUser returns the id of the one person that name leads to, empty when nobody is known by it.
func (r *remote) findUser(ctx context.Context, name string) (string, error) {
	if ourID.MatchString(name) {
		return strings.ToLower(name), nil
	}
	for _, by := range []string{"email", "user_name", "external_id"} {
		var found page[person]
		if _, err := r.call(ctx, http.MethodGet, "/v1/users", url.Values{by: {name}}, nil, &found); err != nil {
			if isRefusal(err, http.StatusUnprocessableEntity) {
				continue // not a value of that form
			}
			return "", err
		}
		if len(found.Items) == 0 {
			continue
		}
		first := found.Items[0]
		for _, other := range found.Items[1:] {
			if !slices.Contains(first.Members, other.ID) {
				return "", usage("%s is several people: name one by Curfew's id, such as %s or %s", name, first.ID, other.ID)
			}
		}
		return first.ID, nil
	}
	return "", nil
}

// Run shows one person.
func (c userShowCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	id, err := r.findUser(ctx, c.User)
	if err != nil {
		return err
	}
	if id == "" {
		return exitError{exitNotFound, fmt.Errorf("nobody is known as %s", c.User)}
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, http.MethodGet, "/v1/users/"+id, nil, nil, &raw); err != nil {
		return err
	}
	if sh.json {
		return sh.printJSON(raw)
	}
	var p person
	if err := json.Unmarshal(raw, &p); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return sh.showPerson(&p)
}

func (sh *shell) showPerson(p *person) error {
	table := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	state := "not blocked"
	if p.Blocked && p.Because != nil {
		state = "blocked: " + plainText(p.Because.Sentence)
	}
	_, _ = fmt.Fprintf(table, "user\t%s\nstate\t%s\nlive sessions\t%d\n", p.ID, state, p.Live)
	for _, i := range p.Identifiers {
		note := ""
		if i.ReleasedAt != "" {
			note = " (released " + i.ReleasedAt + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s%s\n", plainText(i.Namespace), plainText(i.Value), note)
	}
	for _, m := range p.Members {
		_, _ = fmt.Fprintf(table, "one person with\t%s\n", m)
	}
	for _, b := range p.Blocks {
		lifted := "never lifted"
		if b.LiftedAt != "" {
			lifted = "lifted " + b.LiftedAt
		}
		_, _ = fmt.Fprintf(table, "block by %s\tset %s, %s\n", plainText(b.Authority), b.BlockedAt, lifted)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if len(p.Sessions) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(sh.out)
	if p.More {
		sh.note("only the newest sessions are shown: curfew session list --user %s has them all", p.ID)
	}
	return sh.showSessions(p.Sessions)
}
