package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/alecthomas/kong"

	"curfew/api/signin"
	"curfew/revoke"
	"curfew/store"
)

type linkCommand struct {
	User string `placeholder:"E" help:"The e-mail address of whose devices are shown; a link for nobody in particular when absent."`
	Role string `placeholder:"ROLE" help:"The role that the link gives: viewer, operator, approver, admin or auditor; admin when no --user is named."`
	kong.Plugins
}

// Help shows an example.
func (linkCommand) Help() string {
	return `Writes a link that lets whoever opens it first sign in, once, within 30 minutes. It is for whoever can read the database: it
needs no running server and no identity provider. Each one is in the audit log and raises an alarm.

  curfew link
  curfew link --role approver
  curfew link --user sally@example.edu`
}

type madeLink struct {
	URL       string         `json:"url"`
	ExpiresAt revoke.Instant `json:"expires_at"`
	Role      revoke.Role    `json:"role,omitempty"`
}

// Run makes a link.
func (c linkCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	role := revoke.Role(c.Role)
	if role == "" && c.User == "" {
		role = revoke.RoleAdmin
	}
	if role != "" && !slices.Contains(revoke.Roles(), role) {
		return usage("%q is not a role: use viewer, operator, approver, admin or auditor", role)
	}
	var who revoke.Subject
	if c.User != "" {
		if who.Add(revoke.NamespaceEmail, c.User); len(who) == 0 {
			return usage("--user takes an e-mail address, for example sally@example.edu")
		}
	}
	l, err := sh.load(flags)
	if err != nil {
		return err
	}
	made, err := makeLink(ctx, l, who, role)
	if err != nil {
		return err
	}
	if sh.json {
		return sh.printJSON(made)
	}
	_, err = fmt.Fprintln(sh.out, made.URL)
	sh.note("it works once, until %s", made.ExpiresAt)
	return err
}

// makeLink writes a link beside a server, or while none runs.
func makeLink(ctx context.Context, l *Loaded, who revoke.Subject, role revoke.Role) (madeLink, error) {
	now := revoke.MachineClock{}.Now()
	link, secret := revoke.NewLink(revoke.Link{Org: mainOrg, Subject: who, Role: role, ExpiresAt: now.Add(revoke.LinkLife)})
	about := "for the role " + string(role)
	if role == "" {
		about = "for a person's own devices"
	}
	entry, err := json.Marshal(map[string]any{"role": role, "expires_at": link.ExpiresAt, "actor": revoke.Actor{Kind: "operator", Name: "curfew link"}})
	if err != nil {
		return madeLink{}, fmt.Errorf("write the audit entry: %w", err)
	}
	person, err := json.Marshal(map[string]any{"subject": who})
	if err != nil {
		return madeLink{}, fmt.Errorf("write the audit entry: %w", err)
	}
	audit := revoke.AuditEntry{Org: mainOrg, At: now, Kind: "link", Entry: entry, Person: person}
	alarm := revoke.NewAlarm(revoke.AlarmKey{Org: mainOrg, Kind: revoke.AlarmBreakGlass, About: "link"}, "a one-time link was made on the host "+about, now)
	if alarm.ID.IsZero() {
		alarm.ID = revoke.NewID(now)
	}
	if err := store.AddLink(ctx, store.Config{URL: l.Database.value}, link, audit, alarm); err != nil {
		return madeLink{}, fmt.Errorf("make a link in %s: %w", l.Database, err)
	}
	return madeLink{URL: string(l.PublicURL) + signin.LinkPath + secret, ExpiresAt: link.ExpiresAt, Role: role}, nil
}
