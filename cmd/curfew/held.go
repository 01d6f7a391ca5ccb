package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
)

type heldCommand struct {
	List    heldListCommand    `cmd:"" help:"List what waits for a person: whom it is about is still signed in."`
	Approve heldApproveCommand `cmd:"" help:"Carry out what is held; takes a person who signed in."`
	Reject  heldRejectCommand  `cmd:"" help:"Let nothing follow from what is held; takes a person who signed in."`
}

// heldRow is what the server says of something that is held.
type heldRow struct {
	ID, Source, Why, User, Name, Scope, Reason, Verdict string

	AskedBy   string `json:"asked_by"`
	HeldAt    string `json:"held_at"`
	ByItself  bool   `json:"by_itself"`
	DecidedBy string `json:"decided_by"`
	Signals   []string
}

func (h *heldRow) row() []string {
	what := strings.Join(h.Signals, ", ")
	if h.Scope != "" {
		what += " for " + h.Scope
	}
	state := "waits"
	switch {
	case h.Verdict != "":
		state = h.Verdict + " by " + h.DecidedBy
	case h.ByItself:
		state = "waits, then by itself"
	}
	return []string{h.ID, what, h.Name, h.AskedBy, h.HeldAt, state, h.Why}
}

type heldListCommand struct {
	Source string `help:"Only what this source said."`
	All    bool   `help:"Also what was decided about."`
	Limit  int    `default:"100" help:"At most so many; 0 for all."`
}

// Help shows an example.
func (heldListCommand) Help() string {
	return "  curfew held list\n  curfew held list --source okta --all"
}

// Run lists what is held.
func (c heldListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.Source != "" {
		query.Set("source", c.Source)
	}
	if c.All {
		query.Set("all", "true")
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/held", query, c.Limit)
	if err != nil {
		return err
	}
	return answeredList(sh, raw, []string{"HELD", "WHAT", "WHO", "ASKED BY", "SINCE", "STATE", "WHY"}, (*heldRow).row)
}

// heldOrder names what a verdict is about.
type heldOrder struct {
	IDs    []string `arg:"" optional:"" name:"held" help:"What is held, as the list names it."`
	Source string   `help:"All that waits of this source."`
	Reason string   `required:"" help:"Why, in words for the audit log."`
}

// decide asks for a verdict. The server gives it only to somebody who signed in, and so refuses it to a token with where to go: whoever
// holds a token may be the one whose flood is held.
func (sh *shell) decide(ctx context.Context, verdict string, o heldOrder) error {
	about := map[string]any{"ids": o.IDs}
	switch {
	case (len(o.IDs) == 0) == (o.Source == ""):
		return usage("name what is held, or give --source for all of one source")
	case o.Source != "":
		about = map[string]any{"source": o.Source}
	}
	raw, err := sh.order(ctx, "/v1/held/"+verdict, o.Reason, about)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(done *struct {
		Verdict string
		Decided int
	},
	) error {
		sh.note("%s: %d", done.Verdict, done.Decided)
		return nil
	})
}

type heldApproveCommand struct{ heldOrder }

// Help says who may, and shows an example.
func (heldApproveCommand) Help() string {
	return `A token is refused, whatever its scopes: approving takes a person who signed in as an approver and is not the one who asked. The console's page
/console/held is for that; where nobody can sign in at the provider, curfew link --role approver on the server lets one in.

  curfew held approve --source okta --reason "the school year ended"`
}

// Run approves.
func (c heldApproveCommand) Run(ctx context.Context, sh *shell) error {
	return sh.decide(ctx, "approve", c.heldOrder)
}

type heldRejectCommand struct{ heldOrder }

// Help says who may, and shows an example.
func (heldRejectCommand) Help() string {
	return `Takes a person who signed in, as curfew held approve does.

  curfew held reject 019aaf3c-5b40-7000-8000-000000000000 --reason "a mistake in the directory"`
}

// Run rejects.
func (c heldRejectCommand) Run(ctx context.Context, sh *shell) error {
	return sh.decide(ctx, "reject", c.heldOrder)
}
