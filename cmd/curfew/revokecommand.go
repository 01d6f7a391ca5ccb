package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"strings"
)

type revokeCommand struct {
	User     string `xor:"what" required:"" help:"All sessions of this person: an e-mail address, user name, external id or Curfew's user id."`
	Device   string `xor:"what" required:"" help:"All sessions on this device, by the id that its application uses."`
	Session  string `xor:"what" required:"" help:"Exactly this session."`
	Everyone bool   `xor:"what" required:"" help:"All sessions of everybody."`
	Reason   string `required:"" help:"Why, in words for the audit log."`
	Block    bool   `help:"With --user: let the person have no session until the block is lifted."`
}

// Help shows an example.
func (revokeCommand) Help() string {
	return `What was ended stays dead; who is not blocked may sign in again.

  curfew revoke --user sally@example.edu --reason "lost her phone"
  curfew revoke --user sally@example.edu --block --reason "left the school"
  curfew revoke --everyone --reason "the identity provider was broken into"`
}

// order is the body of POST /v1/revocations.
type order struct {
	Scope   string            `json:"scope"`
	Subject map[string]string `json:"subject,omitempty"`
	Device  map[string]string `json:"device,omitempty"`
	Session string            `json:"session,omitempty"`
	Reason  string            `json:"reason"`
	Block   bool              `json:"block,omitempty"`
}

// Run revokes.
func (c revokeCommand) Run(ctx context.Context, sh *shell) error {
	switch {
	case c.Block && c.User == "":
		return usage("--block goes with --user: a block is one person's")
	case strings.TrimSpace(c.Reason) == "":
		return usage("--reason is empty: say why, for the audit log")
	}
	r, err := sh.remote()
	if err != nil {
		return err
	}
	o := order{Reason: c.Reason, Block: c.Block}
	switch {
	case c.User != "":
		o.Scope = "user"
		if o.Subject, err = r.subject(ctx, c.User); err != nil {
			return err
		}
	case c.Device != "":
		o.Scope, o.Device = "device", map[string]string{"id": c.Device}
	case c.Session != "":
		o.Scope, o.Session = "session", c.Session
	default:
		o.Scope = "everyone"
		if err := sh.confirm("This ends every session of everybody. Type everyone to go on: ", "everyone"); err != nil {
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

func (sh *shell) showOrder(status int, raw json.RawMessage) error {
	var done struct {
		ID, Held, At string
		Covers       *int
		Known        bool
		Blocked      bool
	}
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
	covers := ""
	if done.Covers != nil {
		covers = fmt.Sprintf(", covers %d live sessions", *done.Covers)
	}
	if _, err := fmt.Fprintf(sh.out, "revocation %s at %s%s\n", done.ID, done.At, covers); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if !done.Known {
		sh.note("nobody is known by that yet; what comes later and is covered will be refused")
	}
	return nil
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

// confirm asks a person at a terminal; a script has said what it wants.
func (sh *shell) confirm(question, word string) error {
	if !sh.asking {
		return nil
	}
	_, _ = fmt.Fprint(sh.err, question)
	line, err := bufio.NewReader(sh.in).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		return exitError{exitRefused, fmt.Errorf("nothing was done: %q was not typed", word)}
	}
	return nil
}
