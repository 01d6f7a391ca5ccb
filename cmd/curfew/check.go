package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type checkCommand struct {
	kong.Plugins
	Targets bool `help:"Also connect to every target, and see whether it would take what is owed."`
	Sources bool `help:"Also ask the running server when it heard each source, and see whether the addresses that they send to answer."`
}

// Help shows an example.
func (checkCommand) Help() string {
	return `Reads the settings as serve would, starts nothing and writes nothing. Without --sources and --targets it makes no call.
Addresses are called from this machine: what a sender or the server can reach may differ.

  curfew check
  curfew check --sources --targets
  curfew check --config /etc/curfew.yaml --json`
}

// checked is what check prints as JSON.
type checked struct {
	OK       bool           `json:"ok"`
	File     string         `json:"file,omitempty"`
	Settings []setKey       `json:"settings,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Unbuilt  []string       `json:"unbuilt,omitempty"`
	Problems []checkProblem `json:"problems,omitempty"`
	Sources  []checkSource  `json:"sources,omitempty"`
	Targets  []checkTarget  `json:"targets,omitempty"`
}

type checkSource struct {
	Source    string `json:"source"`
	OK        bool   `json:"ok"`
	Problem   string `json:"problem,omitempty"`
	LastHeard string `json:"last_heard,omitempty"`
}

type checkTarget struct {
	Target  string `json:"target"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
}

type checkProblem struct {
	At      string `json:"at"`
	Key     string `json:"key,omitempty"`
	Problem string `json:"problem"`
	Example string `json:"example,omitempty"`
}

// Run checks the configuration.
func (c checkCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	loaded, err := sh.load(flags)
	if bad, ok := errors.AsType[badConfig](err); ok && sh.json {
		var out checked
		for _, p := range bad {
			out.Problems = append(out.Problems, checkProblem{p.at.String(), p.key, p.what, p.example})
		}
		if err := sh.printJSON(out); err != nil {
			return err
		}
		return exitError{exitFailed, fmt.Errorf("%d mistakes in the configuration", len(bad))}
	}
	if err != nil {
		return err
	}
	out := checked{File: loaded.File, Settings: loaded.Effective(), Warnings: loaded.Warnings, Unbuilt: loaded.Unbuilt}
	if c.Sources {
		if out.Sources, err = sh.hear(ctx, loaded); err != nil {
			return err
		}
	}
	if c.Targets {
		if out.Targets, err = loaded.probe(ctx); err != nil {
			return err
		}
	}
	var silent []string
	for _, s := range out.Sources {
		if !s.OK {
			silent = append(silent, "source "+s.Source)
		}
	}
	for _, t := range out.Targets {
		if !t.OK {
			silent = append(silent, "target "+t.Target)
		}
	}
	if out.OK = len(silent) == 0; sh.json {
		if err := sh.printJSON(out); err != nil {
			return err
		}
	} else if err := sh.showChecked(&out); err != nil {
		return err
	}
	if len(silent) > 0 {
		return exitError{exitFailed, fmt.Errorf("not well: %s", strings.Join(silent, ", "))}
	}
	return nil
}

func (sh *shell) showChecked(c *checked) error {
	var rows [][]string
	for _, s := range c.Settings {
		rows = append(rows, []string{s.Key, s.Value, s.Origin})
	}
	if err := sh.table(rows...); err != nil {
		return err
	}
	for _, w := range c.Warnings {
		sh.note("%s", sh.red("warning: "+w))
	}
	if len(c.Warnings) == 0 {
		sh.note("the configuration is good")
	}
	for _, s := range c.Sources {
		switch {
		case !s.OK:
			sh.note("%s", sh.red("source "+s.Source+": "+s.Problem))
		case s.LastHeard == "":
			sh.note("source %s: its address answers, and nothing was heard from it yet", s.Source)
		default:
			sh.note("source %s: its address answers, and it was heard at %s", s.Source, s.LastHeard)
		}
	}
	for _, t := range c.Targets {
		if t.OK {
			sh.note("target %s can be reached", t.Target)
		} else {
			sh.note("%s", sh.red(t.Problem))
		}
	}
	return nil
}

// red colours text on a terminal that wants colour.
func (sh *shell) red(text string) string {
	if !sh.coloured(sh.watched) {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

// coloured reports whether colour is wanted (no-color.org) where it goes to a terminal.
func (sh *shell) coloured(terminal bool) bool {
	_, plain := sh.lookup("NO_COLOR")
	term, _ := sh.lookup("TERM")
	return terminal && !plain && term != "dumb"
}

// note tells the person at the keyboard something that is not data.
func (sh *shell) note(format string, args ...any) {
	_, _ = fmt.Fprintf(sh.err, format+"\n", args...)
}

func (sh *shell) printJSON(v any) error {
	encoder := json.NewEncoder(sh.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
