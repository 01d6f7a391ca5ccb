package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"curfew/internal/demo"
	"curfew/internal/outbound"
	"curfew/revoke"
)

type demoCommand struct {
	Once bool `help:"End after the story: exit code 0 only if all of it was observed."`
}

// Help shows an example.
func (demoCommand) Help() string {
	return `An imitation identity provider and an imitation application against the real server, in a throw-away folder on free ports.

  curfew demo
  curfew demo --once`
}

// Run tells the story of a suspension.
func (c demoCommand) Run(ctx context.Context, sh *shell) (err error) {
	folder, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, defaultFile)
	story, err := demo.Open(ctx, demo.Config{
		Client: outbound.NewMaker(outbound.Config{Version: thisVersion().Version}).Configured(), Clock: &revoke.ProcessClock{},
		Out: sh.out, Once: c.Once, Terminal: sh.terminal, Command: thisCommand() + " --config " + file,
		Links: func(ctx context.Context, student string) (string, string, error) {
			return demoLinks(ctx, file, student)
		},
	})
	if err != nil {
		return err
	}
	s, err := openDemo(ctx, sh, file, story.Configuration())
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
func demoLinks(ctx context.Context, file, student string) (devices, console string, err error) {
	l, err := loadDemo(file)
	if err != nil {
		return "", "", err
	}
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, student)
	own, err := makeLink(ctx, l, who, "")
	if err != nil {
		return "", "", err
	}
	admin, err := makeLink(ctx, l, nil, revoke.RoleAdmin)
	return own.URL, admin.URL, err
}

func loadDemo(file string) (*Loaded, error) {
	return load(settingsInput{file: file, lookup: func(string) (string, bool) { return "", false }})
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
func openDemo(ctx context.Context, sh *shell, file, configuration string) (*server, error) {
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
	s, err := openServer(ctx, loaded, loaded.Log.logger(sh.err))
	if err != nil {
		return nil, err
	}
	if err := write(s.listener.Addr().String()); err != nil {
		return nil, errors.Join(err, s.close()) //nolint:contextcheck // closing must happen although ctx has ended
	}
	return s, nil
}
