package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"curfew/store"
)

// collectAt lets the heap grow to five times what lives before it is collected: what lives is small, and at Go's own 100 the
// collector runs all the time. An operator's GOGC is obeyed.
const collectAt = 400

type serveCommand struct {
	kong.Plugins
}

// Help shows an example.
func (serveCommand) Help() string {
	return `Answers until SIGTERM or SIGINT, then finishes what is under way. Without file, flag and variable it starts on
127.0.0.1:8080 with SQLite in this folder and writes curfew.yaml with the tokens that it makes. SIGHUP reads tokens, sources,
targets, brake, alarms and log again; the log says what came of it, and what else has changed and needs a restart.

  curfew serve
  curfew serve --config /etc/curfew.yaml --log-format json`
}

// Run serves.
func (serveCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	first, err := sh.firstStart(flags)
	if err != nil {
		return err
	}
	loaded, err := sh.load(flags)
	if err != nil {
		return err
	}
	log := loaded.Log.logger(sh.err)
	loaded.warn(log)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // before the start, which one would end otherwise
	if _, set := sh.lookup("GOGC"); !set {
		debug.SetGCPercent(collectAt)
	}
	s, err := openServer(ctx, loaded, log)
	if err != nil {
		return err
	}
	log.Info("listening", "address", s.listener.Addr().String(), "public_url", s.publicURL, "database", loaded.Database.String(), "version", thisVersion().Version)
	if first {
		sh.welcome(loaded, s.publicURL)
	}
	s.read = func() (*Loaded, error) {
		return load(settingsInput{file: cmp.Or(loaded.File, sh.config), flags: flags.given(), lookup: sh.lookup})
	}
	err = s.run(ctx, hangup)
	return errors.Join(err, s.close()) //nolint:contextcheck // closing must happen although ctx has ended
}

// firstStart writes a configuration where there is none and nobody said anything: no file, no flag, no variable. It reports
// whether it did.
func (sh *shell) firstStart(flags *settingFlags) (bool, error) {
	if sh.config != "" || len(flags.given()) > 0 {
		return false, nil
	}
	for _, k := range flags.keys {
		if _, set := sh.lookup(k.variable()); set {
			return false, nil
		}
	}
	file, err := os.OpenFile(defaultFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write %s in this folder: %w; start in a folder of your own, or name a file with --config", defaultFile, err)
	}
	_, err = io.WriteString(file, firstConfig())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return false, fmt.Errorf("write %s: %w", defaultFile, errors.Join(err, os.Remove(defaultFile)))
	}
	return true, nil
}

// firstConfig is a configuration with tokens of its own.
func firstConfig() string {
	line := func(c tokenCommand) string { return c.line(`secret: "` + newToken() + `"`) }
	return strings.Join([]string{
		"# Written by `curfew serve` at its first start. docs/configuration.md says what else can stand here;",
		"# `curfew check` says whether it is right. Keep this file to yourself: it holds the tokens.",
		"listen: 127.0.0.1:8080",
		"database: sqlite:curfew.db",
		"tokens:",
		"  # for your identity provider: SCIM 2.0 at http://127.0.0.1:8080/scim/v2",
		line(tokenCommand{Name: "directory", Scope: []string{"scim"}}),
		"  # for your application: it registers sessions and asks whether they live",
		line(tokenCommand{Name: "portal", Scope: []string{"sessions"}, App: "portal"}),
		"  # for you and the curfew commands",
		line(tokenCommand{Name: "ops", Scope: []string{"admin"}}),
		"",
	}, "\n")
}

// welcome says what to do first. Secrets are shown only to a terminal: anything else is likely a log.
func (sh *shell) welcome(l *Loaded, publicURL string) {
	portal := "$PORTAL_TOKEN"
	file, err := filepath.Abs(defaultFile)
	if err != nil {
		file = defaultFile
	}
	_, _ = fmt.Fprintf(sh.out, "\nCurfew is ready at %s. Its settings and tokens are in %s.\n", publicURL, file)
	_, _ = fmt.Fprintf(sh.out, "Your identity provider's SCIM address: %s/scim/v2\n", publicURL)
	if sh.terminal {
		for _, t := range l.Tokens {
			_, _ = fmt.Fprintf(sh.out, "  token %-10s %s\n", t.Name, t.Secret.Reveal())
			if t.Name == "portal" {
				portal = t.Secret.Reveal()
			}
		}
	} else {
		_, _ = fmt.Fprintf(sh.out, "The tokens are not shown here; in the command below, PORTAL_TOKEN is the one named portal in that file.\n")
	}
	_, _ = fmt.Fprintf(sh.out, `Register a session, then look at its person:
  curl -H "Authorization: Bearer %s" -H "Content-Type: application/json" \
    -d '{"subject": {"format": "email", "email": "sally@example.edu"}, "kind": "browser", "token": "new"}' %s/v1/sessions
  curfew user show sally@example.edu

`, portal, publicURL)
}

type migrateCommand struct {
	kong.Plugins
}

// Help shows an example.
func (migrateCommand) Help() string {
	return `serve does the same at its start; this is for those who change schemas in a step of their own.

  curfew migrate --database postgres://curfew@db.example.edu/curfew`
}

// Run brings the schema up to date.
func (migrateCommand) Run(ctx context.Context, sh *shell, flags *settingFlags) error {
	loaded, err := sh.load(flags)
	if err != nil {
		return err
	}
	err = store.Migrate(ctx, store.Config{URL: loaded.Database.value, Log: loaded.Log.logger(sh.err), ProgramVersion: thisVersion().Version})
	if err != nil {
		return fmt.Errorf("migrate %s: %w", loaded.Database, err)
	}
	if sh.json {
		return sh.printJSON(map[string]string{"database": loaded.Database.String(), "schema": "current"})
	}
	sh.note("the schema of %s is this version's", loaded.Database)
	return nil
}
