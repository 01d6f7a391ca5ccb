package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

type targetCommand struct {
	List   targetListCommand   `cmd:"" help:"List where Curfew revokes, and how it goes there."`
	Check  targetCheckCommand  `cmd:"" help:"Let the server ask targets whether they would take what is owed."`
	Pause  targetPauseCommand  `cmd:"" help:"Make a target wait; what is owed to it is kept."`
	Resume targetResumeCommand `cmd:"" help:"Let a target go on."`
}

// system is a target, as the server knows it.
type system struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Org         string `json:"org"`
	Built       bool   `json:"built"`
	Paused      string `json:"paused"`
	Due         int    `json:"due"`
	Claimed     int    `json:"claimed"`
	Parked      int    `json:"parked"`
	Oldest      string `json:"oldest"`
	LastSuccess string `json:"last_success"`
	Refused     bool   `json:"refused"`
	LastError   *struct {
		At    string `json:"at"`
		Error string `json:"error"`
	} `json:"last_error"`
}

// state says how it goes there.
func (s *system) state() string {
	switch {
	case !s.Built:
		return "this version lacks its type"
	case s.Paused != "":
		return "paused since " + s.Paused
	case s.Refused:
		return "refuses our credential"
	case s.LastError != nil && s.LastError.At > s.LastSuccess: // both are UTC, to the same length
		return "failed at " + s.LastError.At + ": " + s.LastError.Error
	case s.LastSuccess != "":
		return "took the last one at " + s.LastSuccess
	default:
		return "not called since the start"
	}
}

func systemHead() []string {
	return []string{"TARGET", "TYPE", "ORG", "DUE", "UNDER WAY", "PARKED", "OLDEST", "STATE"}
}

func (s *system) row() []string {
	return []string{s.Name, s.Type, s.Org, strconv.Itoa(s.Due), strconv.Itoa(s.Claimed), strconv.Itoa(s.Parked), s.Oldest, s.state()}
}

type targetListCommand struct{}

// Help shows an example.
func (targetListCommand) Help() string { return "  curfew target list" }

// Run lists the targets.
func (targetListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/targets", url.Values{}, 0)
	if err != nil {
		return err
	}
	return answeredList(sh, raw, systemHead(), (*system).row)
}

type targetPauseCommand struct {
	Name   string `arg:"" help:"The target."`
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (targetPauseCommand) Help() string {
	return `It is not called until somebody resumes it. A call that is under way ends.

  curfew target pause canvas --reason "maintenance until noon"`
}

// Run makes a target wait.
func (c targetPauseCommand) Run(ctx context.Context, sh *shell) error {
	return sh.orderTarget(ctx, c.Name, "/pause", c.Reason)
}

type targetResumeCommand struct {
	Name   string `arg:"" help:"The target."`
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (targetResumeCommand) Help() string {
	return `What is due is tried at once.

  curfew target resume canvas --reason "maintenance is over"`
}

// Run lets a target go on.
func (c targetResumeCommand) Run(ctx context.Context, sh *shell) error {
	return sh.orderTarget(ctx, c.Name, "/resume", c.Reason)
}

func (sh *shell) orderTarget(ctx context.Context, name, verb, reason string) error {
	raw, err := sh.order(ctx, "/v1/targets/"+url.PathEscape(name)+verb, reason, nil)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(s *system) error { return sh.table(systemHead(), s.row()) })
}

type targetCheckCommand struct {
	Names []string `arg:"" optional:"" name:"name" help:"The targets; all of them when none is named."`
}

// Help shows an example.
func (targetCheckCommand) Help() string {
	return `Probes credential and rights from where the server runs, and changes nothing there. curfew check --targets does it from here.

  curfew target check
  curfew target check canvas`
}

// probed is what came of asking a target.
type probed struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error"`
	TookMS int    `json:"took_ms"`
}

// Run asks targets.
func (c targetCheckCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	if len(c.Names) == 0 {
		all, err := list[system](ctx, r, "/v1/targets", url.Values{}, 0)
		if err != nil {
			return err
		}
		for _, s := range all {
			c.Names = append(c.Names, s.Name)
		}
	}
	silent := 0
	var all []json.RawMessage
	for _, name := range c.Names {
		var raw json.RawMessage
		if _, err := r.call(ctx, http.MethodPost, "/v1/targets/"+url.PathEscape(name)+"/check", nil, nil, &raw); err != nil {
			return fmt.Errorf("check target %s: %w", name, err)
		}
		var p probed
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if all = append(all, raw); !p.OK {
			silent++
		}
	}
	if err := answeredList(sh, all, []string{"TARGET", "TOOK", "WHAT IT SAID"}, func(p *probed) []string {
		said := "it would take what is owed"
		if !p.OK {
			said = p.Error
		}
		return []string{p.Target, strconv.Itoa(p.TookMS) + " ms", said}
	}); err != nil {
		return err
	}
	if silent > 0 {
		return exitError{exitFailed, fmt.Errorf("%d of %d targets would not take what is owed to them", silent, len(all))}
	}
	return nil
}
