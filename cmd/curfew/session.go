package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

type sessionCommand struct {
	List sessionListCommand `cmd:"" help:"List sessions."`
	Show sessionShowCommand `cmd:"" help:"Show one session."`
	End  sessionEndCommand  `cmd:"" help:"End exactly one session."`
	Why  sessionWhyCommand  `cmd:"" help:"Say in one sentence why a session is dead, or that it is live."`

	Import sessionImportCommand `cmd:"" help:"Register the sessions of a file."`
}

type session struct {
	ID        string   `json:"curfew_id"`
	OwnID     string   `json:"id"` // the application's own, or the same
	App       string   `json:"app"`
	Kind      string   `json:"kind"`
	User      string   `json:"user"`
	IssuedAt  string   `json:"issued_at"`
	ExpiresAt string   `json:"expires_at"`
	Live      bool     `json:"live"`
	Because   *because `json:"because"`
	Device    *struct {
		Name string `json:"name"`
		ID   string `json:"id"`
	} `json:"device"`
}

type sessionListCommand struct {
	User  string `help:"Only this person's: an e-mail address, user name, external id or Curfew's user id."`
	Limit int    `default:"100" help:"At most so many; 0 for all."`
}

// Help shows an example.
func (sessionListCommand) Help() string { return "  curfew session list --user sally@example.edu" }

// Run lists sessions.
func (c sessionListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	query := url.Values{}
	if c.User != "" {
		id, err := r.findUser(ctx, c.User)
		if err != nil {
			return err
		}
		if id == "" {
			return exitError{exitNotFound, fmt.Errorf("nobody is known as %s", c.User)}
		}
		query.Set("id", id)
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/sessions", query, c.Limit)
	if err != nil {
		return err
	}
	return answeredList(sh, raw, sessionHead(), (*session).row)
}

func sessionHead() []string { return []string{"SESSION", "APP", "KIND", "DEVICE", "ISSUED", "STATE"} }

func (s *session) row() []string {
	device := ""
	if s.Device != nil {
		device = cmp.Or(s.Device.Name, s.Device.ID)
	}
	return []string{s.ID, s.App, s.Kind, device, s.IssuedAt, s.state()}
}

func (s *session) state() string {
	switch {
	case s.Live:
		return "live"
	case s.Because != nil:
		return "dead: " + s.Because.Sentence
	default:
		return "dead"
	}
}

type oneSession struct {
	Session string `arg:"" help:"Curfew's id of the session, or the application's own."`
	App     string `help:"The application, where two of them use the same id."`
}

// call makes a request about the session.
func (c *oneSession) call(ctx context.Context, sh *shell, method string) (json.RawMessage, error) {
	r, err := sh.remote()
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if c.App != "" {
		query.Set("app", c.App)
	}
	var raw json.RawMessage
	_, err = r.call(ctx, method, "/v1/sessions/"+url.PathEscape(c.Session), query, nil, &raw)
	return raw, err
}

type sessionShowCommand struct{ oneSession }

// Help shows an example.
func (sessionShowCommand) Help() string {
	return "  curfew session show 019aaf3c-5b40-7000-8000-000000000000"
}

// Run shows one session.
func (c sessionShowCommand) Run(ctx context.Context, sh *shell) error {
	raw, err := c.call(ctx, sh, http.MethodGet)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(s *session) error {
		return sh.table(known([]string{"session", s.ID}, []string{"own id", s.OwnID}, []string{"app", s.App}, []string{"kind", s.Kind},
			[]string{"user", s.User}, []string{"issued", s.IssuedAt}, []string{"expires", s.ExpiresAt}, []string{"state", s.state()})...)
	})
}

type sessionEndCommand struct{ oneSession }

// Help shows an example.
func (sessionEndCommand) Help() string {
	return "Ending it twice is harmless.\n\n  curfew session end 019aaf3c-5b40-7000-8000-000000000000"
}

// Run ends one session.
func (c sessionEndCommand) Run(ctx context.Context, sh *shell) error {
	raw, err := c.call(ctx, sh, http.MethodDelete)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(s *session) error {
		_, err := fmt.Fprintln(sh.out, plainText(s.ID+" "+s.state()))
		return err
	})
}

type sessionWhyCommand struct{ oneSession }

// Help shows an example.
func (sessionWhyCommand) Help() string {
	return "  curfew session why 019aaf3c-5b40-7000-8000-000000000000"
}

// Run says why.
func (c sessionWhyCommand) Run(ctx context.Context, sh *shell) error {
	raw, err := c.call(ctx, sh, http.MethodGet)
	if err != nil {
		return err
	}
	var s session
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if sh.json {
		return sh.printJSON(map[string]any{"id": s.ID, "live": s.Live, "because": s.Because})
	}
	sentence := "the session is live"
	if s.Because != nil {
		sentence = plainText(s.Because.Sentence)
	}
	_, err = fmt.Fprintln(sh.out, sentence)
	return err
}
