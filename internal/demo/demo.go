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
	Command  string       // what starts a curfew command against this server, such as "curfew --config FILE"
	// Links makes one-time links to the student's own devices and to the console, for the terminal. It is needed unless Once is set.
	Links    func(ctx context.Context, student string) (devices, console string, err error)
	Patience time.Duration // how long to wait for the application to be told; 10 s when zero
}

// Demo is an imitation provider and an imitation application, ready to be told about by a server that starts after them.
type Demo struct {
	cfg      Config
	secrets  secrets
	listener net.Listener
	app      *application
	devices  []*device
}

// secrets are made anew for every demo.
type secrets struct{ directory, portal, ops, okta, hook revoke.Secret }

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
		hook: revoke.NewSecret(hookPrefix + base64.StdEncoding.EncodeToString(key)),
	}
	return &Demo{
		cfg: cfg, secrets: s, listener: listener,
		app: newApplication(cfg.Client, cfg.Clock, s.portal, key),
		devices: []*device{
			{name: "iPhone", kind: revoke.Mobile, platform: "iOS"},
			{name: "iPad", kind: revoke.Mobile, platform: "iPadOS"},
			{name: "laptop", kind: revoke.Browser, platform: "macOS"},
		},
	}, nil
}

func newSecret() revoke.Secret { return revoke.NewSecret(rand.Text() + rand.Text()) }

// Configuration returns the part of a configuration file that the story needs: its tokens, its source and its target. The
// caller adds listen, public_url and database. It holds secrets: write it with mode 0600.
func (d *Demo) Configuration() string {
	return fmt.Sprintf(`tokens:
  - {name: directory, scopes: [scim], ids: okta, secret: %q}
  - {name: portal, scopes: [sessions], app: portal, secret: %q}
  - {name: ops, scopes: [admin], secret: %q}
sources:
  okta: {type: okta, ids: okta, secrets: [%q]}
targets:
  portal: {type: webhook, url: %q, secret: %q}
`, d.secrets.directory.Reveal(), d.secrets.portal.Reveal(), d.secrets.ops.Reveal(), d.secrets.okta.Reveal(),
		d.address()+hookPath, d.secrets.hook.Reveal())
}

func (d *Demo) address() string { return "http://" + d.listener.Addr().String() }

// Close stops listening. It is for a demo whose Run is never called.
func (d *Demo) Close() error { return d.listener.Close() }

// Run serves the application and tells the story to the ready Curfew server at base, such as http://127.0.0.1:8080. The
// error names the first step that was not observed. Without Once it then goes on serving, so that a person can try what
// they like, until ctx ends; that is no error.
func (d *Demo) Run(ctx context.Context, base string) error {
	d.app.curfew = base
	server := &http.Server{Handler: d.app.handler(d.address(), d.devices), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(d.listener) }()
	err := d.story(ctx, base)
	if err == nil && !d.cfg.Once {
		if err = d.invite(ctx, base); err == nil {
			<-ctx.Done()
		}
	}
	if closing := server.Close(); err == nil && closing != nil {
		err = fmt.Errorf("close the imitation application: %w", closing)
	}
	if serving := <-served; err == nil && !errors.Is(serving, http.ErrServerClosed) {
		err = fmt.Errorf("serve the imitation application: %w", serving)
	}
	return err
}

// invite says what a person may try.
func (d *Demo) invite(ctx context.Context, base string) error {
	d.say("\nCurfew goes on at %s and the application at %s until Ctrl-C.\n", base, d.address())
	if d.cfg.Terminal {
		own, console, err := d.cfg.Links(ctx, student)
		if err != nil {
			return fmt.Errorf("make the links to look around by: %w", err)
		}
		d.say("The admin token is %s\nThe iPhone's session token is %s\n", d.secrets.ops.Reveal(), d.devices[0].token.Reveal())
		d.say("\nOpen in a browser, each once, within 30 minutes:\n  Sally's own devices  %s\n  the admin's console  %s\n", own, console)
	}
	d.say("\nTry, in another terminal:\n  curl %s%s\n", d.address(), devicesPath)
	for _, command := range []string{
		"user show " + student, "policy set mobile --not-allowed --reason \"no phones during the exams\" --dry-run",
		"revoke --user " + student + " --reason \"lost her bag\"", "user block " + student + " --reason \"suspended\"", "link --user " + student,
	} {
		d.say("  %s %s\n", d.cfg.Command, command)
	}
	return nil
}

func (d *Demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.cfg.Out, format, args...) }
