// Package demo tells the story of one suspension against a real Curfew server: an imitation identity provider speaks SCIM
// and sends Okta event hooks, an imitation application signs a student's devices in and asks Curfew on every request, and
// every step is what was observed over HTTP, with the time it took. Nothing here looks into the server.
package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"curfew/revoke"
)

// Config names everything a Demo depends on.
type Config struct {
	Client   *http.Client // for every call to Curfew and to the application; both are on the loopback interface
	Clock    revoke.Clock // measures
	Out      io.Writer    // where the story is told; it needs no terminal
	Once     bool         // end after the story
	Terminal bool         // a person watches: secrets may be shown
	School   bool         // after the story bring a whole school, with systems that are slow and failing
	Coloured bool         // the terminal shows colours
	Folder   string       // where the settings and the log lie
	Command  string       // what starts a curfew command against this server, such as "curfew --config FILE"
	// Links makes one-time links for the terminal. It is needed unless Once is set.
	Links    func(ctx context.Context, student string) (Links, error)
	Patience time.Duration // how long to wait for the application to be told; 10 s when zero
}

// Links let somebody look around without a password, once each.
type Links struct{ Devices, Console, Approver string }

// Demo is an imitation provider and an imitation application, ready to be told about by a server that starts after them.
type Demo struct {
	cfg      Config
	secrets  secrets
	listener net.Listener
	app      *application
	devices  []*device
	people   []*person // beside the student
	systems  *systems
}

// secrets are made anew for every demo.
type secrets struct{ directory, portal, ops, okta, hook, apps, edr, register revoke.Secret }

// student is whom the story is about.
const student = "sally@example.edu"

// Open makes the secrets and begins to listen for the application, on a free port: a server's configuration needs both
// before it starts. It is followed by Run or Close.
func Open(ctx context.Context, cfg Config) (*Demo, error) {
	if cfg.Client == nil || cfg.Clock == nil || cfg.Out == nil {
		return nil, errors.New("demo.Open: Client, Clock and Out are needed")
	}
	if cfg.Patience == 0 {
		cfg.Patience = 10 * time.Second
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the imitation application: %w", err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand.Read never fails (Go 1.24)
	s := secrets{
		directory: newSecret(), portal: newSecret(), ops: newSecret(), okta: newSecret(),
		apps: newSecret(), edr: newSecret(), register: newSecret(),
		hook: revoke.NewSecret(hookPrefix + base64.StdEncoding.EncodeToString(key)),
	}
	d := &Demo{
		cfg: cfg, secrets: s, listener: listener,
		app: newApplication(cfg.Client, cfg.Clock, s.portal, key),
		devices: []*device{
			{name: "iPhone", kind: revoke.Mobile, platform: "iOS"},
			{name: "iPad", kind: revoke.Mobile, platform: "iPadOS"},
			{name: "laptop", kind: revoke.Browser, platform: "macOS"},
		},
	}
	if cfg.School {
		d.people = invent()
	}
	d.systems = &systems{people: d.people}
	return d, nil
}

func newSecret() revoke.Secret { return revoke.NewSecret(rand.Text() + rand.Text()) }

// Configuration returns the part of a configuration file that the story needs: its tokens, its source and its target. The
// caller adds listen, public_url and database. It holds secrets: write it with mode 0600.
func (d *Demo) Configuration() string {
	s := d.secrets
	tokens := fmt.Sprintf(`
  - {name: directory, scopes: [scim], ids: okta, secret: %q}
  - {name: portal, scopes: [sessions], app: portal, secret: %q}
  - {name: ops, scopes: [admin], secret: %q}`, s.directory.Reveal(), s.portal.Reveal(), s.ops.Reveal())
	sources := fmt.Sprintf(`
  okta: {type: okta, ids: okta, secrets: [%q]}`, s.okta.Reveal())
	targets := fmt.Sprintf(`
  portal: {type: webhook, url: %q, secret: %q}`, d.address()+hookPath, s.hook.Reveal())
	text := ""
	if d.cfg.School {
		tokens += fmt.Sprintf(`
  - {name: apps, scopes: [sessions], app: "*", secret: %q}`, s.apps.Reveal())
		sources += fmt.Sprintf(schoolSources, signatureHeader, s.edr.Reveal(), s.register.Reveal())
		targets += fmt.Sprintf(schoolTargets, s.hook.Reveal(), d.address()+mailPath, d.address()+doorsPath)
		text = schoolSettings
	}
	return text + "tokens:" + tokens + "\nsources:" + sources + "\ntargets:" + targets + "\n"
}

func (d *Demo) address() string { return "http://" + d.listener.Addr().String() }

// Close stops listening. It is for a demo whose Run is never called.
func (d *Demo) Close() error { return d.listener.Close() }

// Run serves the application and tells the story to the ready Curfew server at base, such as http://127.0.0.1:8080. The
// error names the first step that was not observed. Without Once it then goes on serving, so that a person can try what
// they like, until ctx ends; that is no error.
func (d *Demo) Run(ctx context.Context, base string) error {
	d.app.curfew = base
	mux := d.app.handler(d.address(), d.devices)
	mux.HandleFunc("POST "+mailPath, d.systems.mail)
	mux.HandleFunc("POST "+doorsPath, d.systems.doors)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(d.listener) }()
	err := d.show(ctx, base)
	if closing := server.Close(); err == nil && closing != nil {
		err = fmt.Errorf("close the imitation application: %w", closing)
	}
	if serving := <-served; err == nil && !errors.Is(serving, http.ErrServerClosed) {
		err = fmt.Errorf("serve the imitation application: %w", serving)
	}
	return err
}

// show tells the story, and unless that is all brings the school and says what there is to try.
func (d *Demo) show(ctx context.Context, base string) error {
	t := d.tell(base)
	if err := t.story(ctx); err != nil || d.cfg.Once {
		return err
	}
	if d.cfg.School {
		if err := t.fill(ctx); err != nil {
			return err
		}
	}
	if err := d.invite(ctx, base); err != nil {
		return err
	}
	return t.live(ctx)
}

// The marks of a terminal (ECMA-48 section 8.3.117).
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

func (d *Demo) marked(mark, text string) string {
	if !d.cfg.Coloured {
		return text
	}
	return "\x1b[" + mark + "m" + text + "\x1b[0m"
}

func (d *Demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.cfg.Out, format, args...) }
