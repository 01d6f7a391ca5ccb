package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

type policyCommand struct {
	List   policyListCommand   `cmd:"" help:"List what is asked of sessions."`
	Show   policyShowCommand   `cmd:"" help:"Show what is asked of one kind of session."`
	Set    policySetCommand    `cmd:"" help:"Ask something of sessions of a kind, in place of what was asked before."`
	Remove policyRemoveCommand `cmd:"" help:"Ask nothing any more; what was ended stays dead."`
}

// policy is what the server says of one, and what it is told.
type policy struct {
	Kind  string `json:"kind,omitempty"`
	Group *struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"group,omitempty"`
	Allowed         bool   `json:"allowed"`
	MaxAge          string `json:"max_age,omitempty"`
	Idle            string `json:"idle,omitempty"`
	DefaultLifetime string `json:"default_lifetime,omitempty"`
	Reason          string `json:"reason,omitempty"`
	SetAt           string `json:"set_at,omitempty"`
	DryRun          bool   `json:"dry_run,omitempty"`
	Covers          *int   `json:"covers,omitempty"`
}

func policyHead() []string {
	return []string{"KIND", "GROUP", "ALLOWED", "MAX AGE", "IDLE", "DEFAULT LIFETIME", "SET", "REASON"}
}

func (p *policy) row() []string {
	group, allowed := "everybody", "yes"
	if p.Group != nil {
		group = p.Group.Name
		if group == "" {
			group = p.Group.ID + " (gone)"
		}
	}
	if !p.Allowed {
		allowed = "no"
	}
	return []string{p.Kind, group, allowed, p.MaxAge, p.Idle, p.DefaultLifetime, p.SetAt, p.Reason}
}

// policyKey names one.
type policyKey struct {
	Kind  string `arg:"" values:"kinds" help:"The kind of session: ${kinds}."`
	Group string `help:"Only the members of this SCIM group, by its name or id."`
}

func (k policyKey) path() (path string, query url.Values) {
	if k.Group != "" {
		query = url.Values{"group": {k.Group}}
	}
	return "/v1/policies/" + url.PathEscape(k.Kind), query
}

// policy makes one request about one and prints the answer.
func (sh *shell) policy(ctx context.Context, method string, k policyKey, body any) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	path, query := k.path()
	var raw json.RawMessage
	if _, err := r.call(ctx, method, path, query, body, &raw); err != nil {
		return err
	}
	return answered(sh, raw, func(p *policy) error {
		switch {
		case p.Covers == nil:
		case p.DryRun:
			sh.note("would end %s now; nothing has changed", number(*p.Covers, "live session"))
		case *p.Covers > 0:
			sh.note("ended %s", number(*p.Covers, "live session"))
		}
		return sh.table(policyHead(), p.row())
	})
}

type policyListCommand struct{}

// Help shows an example.
func (policyListCommand) Help() string { return "  curfew policy list" }

// Run lists policies.
func (policyListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	var all page[json.RawMessage] // of a length that people set by hand: it comes whole
	if _, err := r.call(ctx, http.MethodGet, "/v1/policies", nil, nil, &all); err != nil {
		return err
	}
	return answeredList(sh, all.Items, policyHead(), (*policy).row)
}

type policyShowCommand struct{ policyKey }

// Help shows an example.
func (policyShowCommand) Help() string {
	return "  curfew policy show mobile\n  curfew policy show browser --group \"Year 9\""
}

// Run shows one policy.
func (c policyShowCommand) Run(ctx context.Context, sh *shell) error {
	return sh.policy(ctx, http.MethodGet, c.policyKey, nil)
}

type policySetCommand struct {
	policyKey
	NotAllowed      bool   `help:"Refuse such sessions, and end those that exist."`
	MaxAge          string `placeholder:"SPAN" help:"How old a session may become, such as 60d."`
	Idle            string `placeholder:"SPAN" help:"How long a session may lie unused, such as 15m."`
	DefaultLifetime string `placeholder:"SPAN" help:"How long a session lives whose application names no end, such as 30d."`
	Reason          string `required:"" help:"Why, in words for the audit log."`
	DryRun          bool   `help:"Say how many live sessions would end now, and change nothing."`
	Confirm         *int   `placeholder:"N" help:"Go on only if exactly so many live sessions would end now."`
}

// Help says what it does, and shows examples.
func (policySetCommand) Help() string {
	return `It is written whole: what is left out is asked no more. A stricter policy holds for sessions that exist as well, and the number of those that end at
once is typed, or given with --confirm; a looser one holds for what is registered afterwards. Where several cover a session the strictest counts.

  curfew policy set mobile --not-allowed --reason "no phones during the exams" --dry-run
  curfew policy set browser --idle 15m --max-age 12h --group Students --reason "shared computers"`
}

// Run sets a policy.
func (c policySetCommand) Run(ctx context.Context, sh *shell) error {
	if err := needReason(c.Reason); err != nil {
		return err
	}
	if !c.NotAllowed && c.MaxAge+c.Idle+c.DefaultLifetime == "" {
		return usage("say what is asked: --not-allowed, --max-age, --idle or --default-lifetime; curfew policy remove asks nothing any more")
	}
	ask := struct {
		policy
		Confirm *int `json:"confirm,omitempty"`
	}{policy{Allowed: !c.NotAllowed, MaxAge: c.MaxAge, Idle: c.Idle, DefaultLifetime: c.DefaultLifetime, Reason: c.Reason, DryRun: c.DryRun}, c.Confirm}
	if !c.DryRun && c.Confirm == nil {
		if err := sh.confirmPolicy(ctx, c.policyKey, ask.policy); err != nil {
			return err
		}
	}
	return sh.policy(ctx, http.MethodPut, c.policyKey, ask)
}

// confirmPolicy has somebody type how many live sessions a policy ends, where there are any. Like an order, the policy that follows
// does not name the number.
func (sh *shell) confirmPolicy(ctx context.Context, k policyKey, p policy) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	p.DryRun = true
	path, query := k.path()
	var would policy
	if _, err := r.call(ctx, http.MethodPut, path, query, p, &would); err != nil {
		return err
	}
	switch {
	case would.Covers == nil:
		return fmt.Errorf("the answer of %s is not Curfew's: it says no number", r.base)
	case *would.Covers == 0:
		return nil
	case !sh.asking:
		return exitError{exitRefused, fmt.Errorf("nothing was done: this ends %s now, and nobody is here to ask; add --confirm %d if that is meant",
			number(*would.Covers, "live session"), *would.Covers)}
	default:
		return sh.confirm(ctx, fmt.Sprintf("This ends %s now. Type %d to go on: ", number(*would.Covers, "live session"), *would.Covers), fmt.Sprint(*would.Covers))
	}
}

type policyRemoveCommand struct {
	policyKey
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (policyRemoveCommand) Help() string {
	return `  curfew policy remove mobile --reason "the exams are over"`
}

// Run removes a policy.
func (c policyRemoveCommand) Run(ctx context.Context, sh *shell) error {
	if err := needReason(c.Reason); err != nil {
		return err
	}
	return sh.policy(ctx, http.MethodDelete, c.policyKey, map[string]string{"reason": c.Reason})
}
