package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
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
	if sh.json {
		return sh.printItems(raw)
	}
	sessions := make([]session, len(raw))
	for i := range raw {
		if err := json.Unmarshal(raw[i], &sessions[i]); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
	return sh.showSessions(sessions)
}

// printItems prints a list in the form of the API.
func (sh *shell) printItems(items []json.RawMessage) error {
	if items == nil {
		items = []json.RawMessage{}
	}
	return sh.printJSON(map[string]any{"items": items, "next": nil})
}

func (sh *shell) showSessions(sessions []session) error {
	table := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SESSION\tAPP\tKIND\tDEVICE\tISSUED\tSTATE")
	for _, s := range sessions {
		device := ""
		if s.Device != nil {
			if device = s.Device.Name; device == "" {
				device = s.Device.ID
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, plainText(s.App), s.Kind, plainText(device), s.IssuedAt, s.state())
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (s *session) state() string {
	switch {
	case s.Live:
		return "live"
	case s.Because != nil:
		return "dead: " + plainText(s.Because.Sentence)
	default:
		return "dead"
	}
}

// plainText keeps what others named from moving the cursor.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

type oneSession struct {
	Session string `arg:"" help:"Curfew's id of the session, or the application's own."`
	App     string `help:"The application, where two of them use the same id."`
}

// call makes a request about the session and returns the answer in both forms.
func (c *oneSession) call(ctx context.Context, sh *shell, method string) (session, json.RawMessage, error) {
	var s session
	r, err := sh.remote()
	if err != nil {
		return s, nil, err
	}
	query := url.Values{}
	if c.App != "" {
		query.Set("app", c.App)
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, method, "/v1/sessions/"+url.PathEscape(c.Session), query, nil, &raw); err != nil {
		return s, nil, err
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, nil, fmt.Errorf("read the answer: %w", err)
	}
	return s, raw, nil
}

type sessionShowCommand struct{ oneSession }

// Help shows an example.
func (sessionShowCommand) Help() string {
	return "  curfew session show 019aaf3c-5b40-7000-8000-000000000000"
}

// Run shows one session.
func (c sessionShowCommand) Run(ctx context.Context, sh *shell) error {
	s, raw, err := c.call(ctx, sh, http.MethodGet)
	if err != nil {
		return err
	}
	if sh.json {
		return sh.printJSON(raw)
	}
	table := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"session", s.ID}, {"own id", s.OwnID}, {"app", s.App}, {"kind", s.Kind}, {"user", s.User}, {"issued", s.IssuedAt}, {"expires", s.ExpiresAt}, {"state", s.state()},
	} {
		if row[1] != "" {
			_, _ = fmt.Fprintf(table, "%s\t%s\n", row[0], plainText(row[1]))
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type sessionEndCommand struct{ oneSession }

// Help shows an example.
func (sessionEndCommand) Help() string {
	return "Ending it twice is harmless.\n\n  curfew session end 019aaf3c-5b40-7000-8000-000000000000"
}

// Run ends one session.
func (c sessionEndCommand) Run(ctx context.Context, sh *shell) error {
	s, raw, err := c.call(ctx, sh, http.MethodDelete)
	if err != nil {
		return err
	}
	if sh.json {
		return sh.printJSON(raw)
	}
	_, err = fmt.Fprintf(sh.out, "%s %s\n", s.ID, s.state())
	return err
}

type sessionWhyCommand struct{ oneSession }

// Help shows an example.
func (sessionWhyCommand) Help() string {
	return "  curfew session why 019aaf3c-5b40-7000-8000-000000000000"
}

// Run says why.
func (c sessionWhyCommand) Run(ctx context.Context, sh *shell) error {
	s, _, err := c.call(ctx, sh, http.MethodGet)
	if err != nil {
		return err
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
