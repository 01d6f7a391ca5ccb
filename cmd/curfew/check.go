package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

type checkCommand struct {
	kong.Plugins
}

// Help shows an example.
func (checkCommand) Help() string {
	return `Reads the settings as serve would, starts nothing and writes nothing.

  curfew check
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
}

type checkProblem struct {
	At      string `json:"at"`
	Key     string `json:"key,omitempty"`
	Problem string `json:"problem"`
	Example string `json:"example,omitempty"`
}

// Run checks the configuration.
func (checkCommand) Run(sh *shell, flags *settingFlags) error {
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
	if sh.json {
		return sh.printJSON(checked{true, loaded.File, loaded.Effective(), loaded.Warnings, loaded.Unbuilt, nil})
	}
	table := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	for _, s := range loaded.Effective() {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, s.Value, s.Origin)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	for _, w := range loaded.Warnings {
		sh.note("%s", sh.red("warning: "+w))
	}
	if len(loaded.Warnings) == 0 {
		sh.note("the configuration is good")
	}
	return nil
}

// red colours text on a terminal that wants colour (no-color.org).
func (sh *shell) red(text string) string {
	_, plain := sh.lookup("NO_COLOR")
	if term, _ := sh.lookup("TERM"); !sh.terminal || plain || term == "dumb" {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
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
