package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/targets"
)

type checkCommand struct {
	kong.Plugins
	Targets bool `help:"Also connect to every target, and see whether it would take what is owed."`
}

// Help shows an example.
func (checkCommand) Help() string {
	return `Reads the settings as serve would, starts nothing and writes nothing.

  curfew check
  curfew check --targets
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
	Targets  []checkTarget  `json:"targets,omitempty"`
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
	var reached []checkTarget
	if c.Targets {
		if reached, err = loaded.probe(ctx); err != nil {
			return err
		}
	}
	silent := slices.DeleteFunc(slices.Clone(reached), func(t checkTarget) bool { return t.OK })
	if sh.json {
		if err := sh.printJSON(checked{len(silent) == 0, loaded.File, loaded.Effective(), loaded.Warnings, loaded.Unbuilt, nil, reached}); err != nil {
			return err
		}
	} else if err := sh.showChecked(loaded, reached); err != nil {
		return err
	}
	if len(silent) > 0 {
		return exitError{exitFailed, fmt.Errorf("%d targets would not take what is owed to them", len(silent))}
	}
	return nil
}

func (sh *shell) showChecked(loaded *Loaded, reached []checkTarget) error {
	var rows [][]string
	for _, s := range loaded.Effective() {
		rows = append(rows, []string{s.Key, s.Value, s.Origin})
	}
	if err := sh.table(rows...); err != nil {
		return err
	}
	for _, w := range loaded.Warnings {
		sh.note("%s", sh.red("warning: "+w))
	}
	if len(loaded.Warnings) == 0 {
		sh.note("the configuration is good")
	}
	for _, t := range reached {
		if t.OK {
			sh.note("target %s can be reached", t.Target)
		} else {
			sh.note("%s", sh.red(t.Problem))
		}
	}
	return nil
}

const probeWithin = 15 * time.Second

// probe connects to every target, one after the other. It changes nothing there.
func (l *Loaded) probe(ctx context.Context) ([]checkTarget, error) {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	var out []checkTarget
	for _, name := range l.targetNames() {
		target, err := l.Targets[name.Name].open(name.Name, targets.Deps{Clients: calls, Clock: &revoke.ProcessClock{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		limited, cancel := context.WithTimeout(ctx, probeWithin)
		err = target.Check(limited)
		cancel()
		t := checkTarget{Target: name.Name, OK: err == nil}
		if err != nil {
			t.Problem = err.Error()
		}
		out = append(out, t)
	}
	return out, nil
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
