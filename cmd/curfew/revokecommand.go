package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"slices"
	"strings"
)

type revokeCommand struct {
	User     string `xor:"what" help:"All sessions of this person: an e-mail address, user name, external id or Curfew's user id."`
	Device   string `xor:"what" help:"All sessions on this device, by the id that its application uses."`
	Session  string `xor:"what" help:"Exactly this session."`
	Everyone bool   `xor:"what" help:"All sessions of everybody."`
	Kind     string `values:"kinds" help:"All sessions of this kind (${kinds}); with --user that person's."`
	App      string `help:"All sessions in this application; with --user that person's, with --session whose id it is."`
	Reason   string `required:"" help:"Why, in words for the audit log."`
	Block    bool   `help:"With --user: let the person have no session until the block is lifted."`
	Until    string `placeholder:"TIME" help:"With --block: when the block ends by itself, such as 2027-01-31T18:00:00Z."`
	DryRun   bool   `help:"Say how many live sessions would end, and change nothing."`
	Confirm  *int   `placeholder:"N" help:"Go on only if exactly so many live sessions would end."`
}

// Help shows an example.
func (revokeCommand) Help() string {
	return `What was ended stays dead; who is not blocked may sign in again. What ends the sessions of many asks at a terminal for
their number; a script gives it with --confirm.

  curfew revoke --user sally@example.edu --reason "lost her phone"
  curfew revoke --user sally@example.edu --kind mobile --reason "lost her phone"
  curfew revoke --user sally@example.edu --block --until 2027-01-31T18:00:00Z --reason "suspended"
  curfew revoke --everyone --dry-run --reason "the identity provider was broken into"
  curfew revoke --app portal --confirm 1042 --reason "its database was copied"`
}

// order is the body of POST /v1/revocations.
type order struct {
	Scope   string            `json:"scope"`
	Subject map[string]string `json:"subject,omitempty"`
	Device  map[string]string `json:"device,omitempty"`
	Session string            `json:"session,omitempty"`
	Kind    string            `json:"kind,omitempty"`
	App     string            `json:"app,omitempty"`
	Reason  string            `json:"reason"`
	Block   bool              `json:"block,omitempty"`
	Until   string            `json:"until,omitempty"`
	DryRun  bool              `json:"dry_run,omitempty"`
	Confirm *int              `json:"confirm,omitempty"`
}

// ordered is the answer to an order.
type ordered struct {
	ID, Held, At, State, Until string
	Covers                     *int
	Known, Blocked             bool
	DryRun                     bool `json:"dry_run"`
}

// scope is the one thing that the flags name.
func (c *revokeCommand) scope() string {
	for _, s := range []struct {
		scope string
		named bool
	}{{"user", c.User != ""}, {"device", c.Device != ""}, {"session", c.Session != ""}, {"everyone", c.Everyone}, {"kind", c.Kind != ""}, {"app", c.App != ""}} {
		if s.named {
			return s.scope
		}
	}
	return ""
}

// check refuses flags that do not go together.
func (c *revokeCommand) check() error {
	scope := c.scope()
	switch {
	case scope == "":
		return usage("say whose sessions end: --user, --device, --session, --kind, --app or --everyone")
	case c.Kind != "" && c.App != "":
		return usage("--kind and --app do not go together: leave one of them out")
	case c.Kind != "" && scope != "kind" && scope != "user":
		return usage("--kind goes alone or with --user")
	case c.App != "" && scope != "app" && scope != "user" && scope != "session":
		return usage("--app goes alone, with --user or with --session")
	case c.Block && scope != "user":
		return usage("--block goes with --user: a block is one person's")
	case c.Block && c.Kind+c.App != "":
		return usage("--block goes without --kind and --app: it keeps the person out everywhere")
	case c.Until != "" && !c.Block:
		return usage("--until goes with --block: it is when the block ends")
	case c.Confirm != nil && *c.Confirm < 0:
		return usage("--confirm is the number of live sessions that --dry-run prints")
	default:
		return needReason(c.Reason)
	}
}

// Run revokes.
func (c revokeCommand) Run(ctx context.Context, sh *shell) error {
	if err := c.check(); err != nil {
		return err
	}
	o := order{
		Scope: c.scope(), Session: c.Session, Kind: c.Kind, App: c.App, Reason: c.Reason, Block: c.Block, Until: c.Until, DryRun: c.DryRun, Confirm: c.Confirm,
	}
	mustAsk := o.ofMany() && !c.DryRun && c.Confirm == nil
	if mustAsk && !sh.asking {
		return exitError{exitRefused, fmt.Errorf("nothing was done: this ends the sessions of many people, and nobody is here to ask; type\n"+
			"  curfew revoke %s --dry-run --reason ...\nfor their number, and then the same with --confirm NUMBER in the place of --dry-run", o.flag())}
	}
	r, err := sh.remote()
	if err != nil {
		return err
	}
	if c.User != "" {
		if o.Subject, err = r.subject(ctx, c.User); err != nil {
			return err
		}
	}
	if c.Device != "" {
		o.Device = map[string]string{"id": c.Device}
	}
	if mustAsk {
		if err := sh.confirmCount(ctx, r, o); err != nil {
			return err
		}
	}
	var raw json.RawMessage
	status, err := r.call(ctx, http.MethodPost, "/v1/revocations", nil, o, &raw)
	if err != nil {
		return err
	}
	return sh.showOrder(status, raw)
}

func (o *order) ofMany() bool {
	return slices.Contains([]string{"everyone", "kind", "app"}, o.Scope)
}

// flag is how an order about many was typed.
func (o *order) flag() string {
	return strings.TrimSpace("--" + o.Scope + " " + o.Kind + o.App)
}

// confirmCount shows a person at the terminal how many sessions would end, and has the number typed. The order that
// follows does not name it: where people sign in all the time it is another one by then, and an order in an emergency
// must not fail for that. Nor must it fail where so many sessions are there that counting them takes too long.
func (sh *shell) confirmCount(ctx context.Context, r *remote, o order) error {
	o.DryRun = true
	var would ordered
	_, err := r.call(ctx, http.MethodPost, "/v1/revocations", nil, o, &would)
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		word := cmp.Or(o.Kind, o.App, "everyone")
		return sh.confirm(ctx, fmt.Sprintf("%s ends so many sessions that they were not counted in time. Type %s to go on: ", o.flag(), word), word)
	}
	if err != nil {
		return err
	}
	if would.Covers == nil {
		return fmt.Errorf("the server does not say how many sessions %s would end; nothing was done", o.flag())
	}
	return sh.confirm(ctx, fmt.Sprintf("%s ends %s. Type %d to go on: ", o.flag(), number(*would.Covers, "live session"), *would.Covers), fmt.Sprint(*would.Covers))
}

// number writes a count with its noun.
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (sh *shell) showOrder(status int, raw json.RawMessage) error {
	var done ordered
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if sh.json {
		if err := sh.printJSON(raw); err != nil {
			return err
		}
	}
	if status == http.StatusAccepted {
		return exitError{exitRefused, fmt.Errorf("held as %s until a person approves it; nothing has ended yet", done.Held)}
	}
	if sh.json {
		return nil
	}
	if _, err := fmt.Fprintln(sh.out, done.sentence()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if done.State == "held" {
		sh.note("it would be held until a person approves it")
	}
	if !done.Known && (done.DryRun || done.ID != "") {
		sh.note("nobody is known by that yet; what comes later and is covered will be refused")
	}
	return nil
}

func (done *ordered) sentence() string {
	block := ""
	if done.Blocked {
		block = ", blocked"
	}
	if done.Until != "" {
		block += " until " + done.Until
	}
	switch {
	case done.DryRun && done.Covers != nil:
		return "would cover " + number(*done.Covers, "live session") + block + "; nothing has changed"
	case done.ID == "":
		return "nothing was left to end"
	case done.Covers != nil:
		return "revocation " + done.ID + " at " + done.At + ", covers " + number(*done.Covers, "live session") + block
	default:
		return "revocation " + done.ID + " at " + done.At + block
	}
}

// subject names a person as RFC 9493 does. An address is sent as it is, so that somebody nobody has seen can be revoked
// too; whom only the directory's names lead to is named by our own id.
func (r *remote) subject(ctx context.Context, name string) (map[string]string, error) {
	id, err := r.findUser(ctx, name)
	_, notAddress := mail.ParseAddress(name)
	switch {
	case err != nil && isRefusal(err, http.StatusForbidden) && notAddress == nil: // the token may revoke and not look
		return map[string]string{"format": "email", "email": name}, nil
	case err != nil:
		return nil, err
	case id != "":
		return map[string]string{"format": "opaque", "id": id}, nil
	case notAddress == nil:
		return map[string]string{"format": "email", "email": name}, nil
	default:
		return nil, exitError{exitNotFound, fmt.Errorf("nobody is known as %s; an e-mail address can be revoked before anybody has it", name)}
	}
}

// confirm asks the person at the terminal. Ctrl-C is an answer too, though reading goes on until the program has ended.
func (sh *shell) confirm(ctx context.Context, question, word string) error {
	_, _ = fmt.Fprint(sh.err, question)
	typed := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(sh.in).ReadString('\n')
		if err != nil {
			line = ""
		}
		typed <- strings.TrimSpace(line)
	}()
	select {
	case line := <-typed:
		if line == word {
			return nil
		}
	case <-ctx.Done():
	}
	return exitError{exitRefused, fmt.Errorf("nothing was done: %s was not typed", word)}
}
