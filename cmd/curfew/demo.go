package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"curfew/internal/demo"
	"curfew/internal/outbound"
	"curfew/revoke"
)

type demoCommand struct {
	Once bool `help:"End after the story: exit code 0 only if all of it was observed."`
}

// Help shows an example.
func (demoCommand) Help() string {
	return `An imitation identity provider and an imitation application against the real server, in a throw-away folder on free ports;
then a school of 500 people to look at, with links to its pages and six things to try.

  curfew demo
  curfew demo --once`
}

// Run tells the story of a suspension.
func (c demoCommand) Run(ctx context.Context, sh *shell) (err error) {
	ctx, left := signal.NotifyContext(ctx, syscall.SIGHUP) // a terminal that is closed leaves no folder behind
	defer left()
	folder, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, defaultFile)
	log := sh.err
	if !c.Once { // systems that fail on purpose would fill the screen with what is wrong
		into, err := os.Create(filepath.Join(folder, "curfew.log")) //nolint:gosec // in the folder that was just made
		if err != nil {
			return fmt.Errorf("make the demo's log: %w", err)
		}
		defer func() { _ = into.Close() }()
		log = into
	}
	story, err := demo.Open(ctx, demo.Config{
		Client: outbound.NewMaker(outbound.Config{Version: thisVersion().Version}).Configured(), Clock: &revoke.ProcessClock{},
		Out: sh.out, Once: c.Once, School: !c.Once, Terminal: sh.terminal, Coloured: sh.coloured(sh.terminal),
		Folder: folder, Command: demoCommandLine(ctx, file),
		Links: func(ctx context.Context, student string) (demo.Links, error) {
			return demoLinks(ctx, file, student)
		},
	})
	if err != nil {
		return err
	}
	s, err := openDemo(ctx, file, story.Configuration(), log)
	if err != nil {
		return errors.Join(err, story.Close())
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	var parts sync.WaitGroup
	parts.Go(func() {
		ended <- s.run(serving, nil)
		stop() // a story without a server is over
	})
	err = story.Run(serving, s.publicURL)
	stop()
	parts.Wait()
	if err = errors.Join(err, <-ended, s.close()); err != nil { //nolint:contextcheck // closing must happen although ctx has ended
		return fmt.Errorf("the story did not happen as told: %w", err)
	}
	return nil
}

// demoLinks makes the links that curfew link makes, for who looks at the demo.
func demoLinks(ctx context.Context, file, student string) (links demo.Links, err error) {
	l, err := loadDemo(file)
	if err != nil {
		return links, err
	}
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, student)
	for _, link := range []struct {
		url  *string
		who  revoke.Subject
		role revoke.Role
	}{{&links.Devices, who, ""}, {&links.Console, nil, revoke.RoleAdmin}, {&links.Approver, nil, revoke.RoleApprover}} {
		made, err := makeLink(ctx, l, link.who, link.role)
		if err != nil {
			return links, err
		}
		*link.url = made.URL
	}
	return links, nil
}

func loadDemo(file string) (*Loaded, error) {
	return load(settingsInput{file: file, lookup: func(string) (string, bool) { return "", false }})
}

// demoCommandLine is what a person types to run this program against the demo: a script where the machine runs one, for it
// is short.
func demoCommandLine(ctx context.Context, file string) string {
	script := filepath.Join(filepath.Dir(file), "curfew")
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' --config '%s' \"$@\"\n", thisCommand(), file)
	if os.WriteFile(script, []byte(text), 0o700) != nil || exec.CommandContext(ctx, script, "version").Run() != nil { //nolint:gosec // it is to be run, by its owner alone
		return thisCommand() + " --config " + file
	}
	return script
}

// thisCommand is what a person types to run this program: its name where the shell finds it by that, else its file.
func thisCommand() string {
	itself, err := os.Executable()
	if err != nil {
		return "curfew"
	}
	if found, err := exec.LookPath("curfew"); err == nil && found == itself {
		return "curfew"
	}
	return itself
}

// openDemo starts the real wiring on a free port. The file then says which, so that the commands find it.
func openDemo(ctx context.Context, file, configuration string, log io.Writer) (*server, error) {
	write := func(listen string) error {
		text := fmt.Sprintf("listen: %s\ndatabase: %q\nlog: {level: warn}\n%s", listen, "sqlite:"+filepath.Join(filepath.Dir(file), "curfew.db"), configuration)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the demo's configuration: %w", err)
		}
		return nil
	}
	if err := write("127.0.0.1:0"); err != nil {
		return nil, err
	}
	loaded, err := loadDemo(file)
	if err != nil {
		return nil, err
	}
	s, err := openServer(ctx, loaded, loaded.Log.logger(log))
	if err != nil {
		return nil, err
	}
	if err := write(s.listener.Addr().String()); err != nil {
		return nil, errors.Join(err, s.close()) //nolint:contextcheck // closing must happen although ctx has ended
	}
	return s, nil
}
