package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type userCommand struct {
	Show  userShowCommand  `cmd:"" help:"Who is that, what is alive, and what stands against it."`
	Block userBlockCommand `cmd:"" help:"End all sessions of a person and let it have no new one until that is lifted."`
	Lift  userLiftCommand  `cmd:"" help:"Take back every block on a person, whoever set it."`
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
	Blocks   []block   `json:"blocks"`
}

type block struct {
	Authority string `json:"authority"`
	BlockedAt string `json:"blocked_at"`
	LiftedAt  string `json:"lifted_at"`
	Until     string `json:"until"`
}

// ended says whether and when a block ends. One that was set anew stands, whatever lifted it before.
func (b *block) ended() string {
	set, _ := time.Parse(time.RFC3339, b.BlockedAt)
	lifted, _ := time.Parse(time.RFC3339, b.LiftedAt)
	switch {
	case lifted.After(set):
		return "lifted " + b.LiftedAt
	case b.Until != "":
		return "until " + b.Until
	default:
		return "not lifted"
	}
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
	return sh.aboutUser(ctx, http.MethodGet, c.User, "", nil)
}

type userBlockCommand struct {
	User   string `arg:"" help:"An e-mail address, user name, external id or Curfew's user id."`
	Reason string `required:"" help:"Why, in words for the audit log."`
	Until  string `placeholder:"TIME" help:"When the block ends by itself, such as 2027-01-31T18:00:00Z; never, when this is not given."`
}

// Help shows an example.
func (userBlockCommand) Help() string {
	return `Somebody whom nobody has seen yet is blocked by address: curfew revoke --user ADDRESS --block.

  curfew user block sally@example.edu --reason "left the school"
  curfew user block 1042 --reason "suspended" --until 2027-01-31T18:00:00Z`
}

// Run blocks one person.
func (c userBlockCommand) Run(ctx context.Context, sh *shell) error {
	body := map[string]string{"reason": c.Reason}
	if c.Until != "" {
		body["until"] = c.Until
	}
	return sh.actOnUser(ctx, c.User, "/block", body)
}

type userLiftCommand struct {
	User   string `arg:"" help:"An e-mail address, user name, external id or Curfew's user id."`
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (userLiftCommand) Help() string {
	return `What was ended stays dead; the person may sign in again. A directory that says again that it is out blocks it again.

  curfew user lift sally@example.edu --reason "came back"`
}

// Run lifts the blocks on one person.
func (c userLiftCommand) Run(ctx context.Context, sh *shell) error {
	return sh.actOnUser(ctx, c.User, "/lift", map[string]string{"reason": c.Reason})
}

func (sh *shell) actOnUser(ctx context.Context, name, verb string, body map[string]string) error {
	if err := needReason(body["reason"]); err != nil {
		return err
	}
	return sh.aboutUser(ctx, http.MethodPost, name, verb, body)
}

// aboutUser makes a request about the person that name leads to, and shows the person that the server answers with.
func (sh *shell) aboutUser(ctx context.Context, method, name, verb string, body map[string]string) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	id, err := r.findUser(ctx, name)
	if err != nil {
		return err
	}
	if id == "" {
		return exitError{exitNotFound, fmt.Errorf("nobody is known as %s", name)}
	}
	var content any
	if body != nil {
		content = body
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, method, "/v1/users/"+id+verb, nil, content, &raw); err != nil {
		return err
	}
	return answered(sh, raw, sh.showPerson)
}

func (sh *shell) showPerson(p *person) error {
	state := "not blocked"
	if p.Blocked && p.Because != nil {
		state = "blocked: " + p.Because.Sentence
	}
	rows := [][]string{{"user", p.ID}, {"state", state}, {"live sessions", strconv.Itoa(p.Live)}}
	for _, i := range p.Identifiers {
		note := ""
		if i.ReleasedAt != "" {
			note = " (released " + i.ReleasedAt + ")"
		}
		rows = append(rows, []string{i.Namespace, i.Value + note})
	}
	for _, m := range p.Members {
		rows = append(rows, []string{"one person with", m})
	}
	for _, b := range p.Blocks {
		rows = append(rows, []string{"block by " + b.Authority, "set " + b.BlockedAt + ", " + b.ended()})
	}
	if err := sh.table(rows...); err != nil {
		return err
	}
	if len(p.Sessions) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(sh.out)
	if p.More {
		sh.note("only the newest sessions are shown: curfew session list --user %s has them all", p.ID)
	}
	rows = [][]string{sessionHead()}
	for i := range p.Sessions {
		rows = append(rows, p.Sessions[i].row())
	}
	return sh.table(rows...)
}
