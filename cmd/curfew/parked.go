package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
)

type parkedCommand struct {
	List  parkedListCommand  `cmd:"" help:"List deliveries that wait for a person."`
	Show  parkedShowCommand  `cmd:"" help:"Show one delivery with every attempt and what the target said."`
	Retry parkedRetryCommand `cmd:"" help:"Try parked deliveries again."`
}

type parkedListCommand struct {
	Target string `help:"Only this target's."`
	Limit  int    `default:"100" help:"At most so many; 0 for all."`
}

// Help shows an example.
func (parkedListCommand) Help() string { return "  curfew parked list --target portal" }

// Run lists what is parked.
func (c parkedListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	query := url.Values{"state": {"parked"}}
	if c.Target != "" {
		query.Set("target", c.Target)
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/deliveries", query, c.Limit)
	if err != nil {
		return err
	}
	if sh.json {
		return sh.printItems(raw)
	}
	table := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "DELIVERY\tTARGET\tUSER\tATTEMPTS\tOWED SINCE\tLAST ERROR")
	for _, each := range raw {
		var d struct {
			ID, Target, User string
			Attempts         int
			FirstAt          string `json:"first_at"`
			LastError        string `json:"last_error"`
		}
		if err := json.Unmarshal(each, &d); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, d.Target, d.User, d.Attempts, d.FirstAt, plainText(d.LastError))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type parkedRetryCommand struct {
	Delivery string `arg:"" optional:"" help:"One delivery, as the list names it."`
	Target   string `help:"Every parked one of this target."`
	All      bool   `help:"Every parked one."`
}

// Help shows an example.
func (parkedRetryCommand) Help() string {
	return "  curfew parked retry --target portal\n  curfew parked retry 019aaf3c-5b40-7000-8000-000000000000:portal"
}

// Run makes parked deliveries due.
func (c parkedRetryCommand) Run(ctx context.Context, sh *shell) error {
	chosen := 0
	for _, is := range []bool{c.Delivery != "", c.Target != "", c.All} {
		if is {
			chosen++
		}
	}
	if chosen != 1 {
		return usage("name one delivery, or give --target, or --all")
	}
	r, err := sh.remote()
	if err != nil {
		return err
	}
	if c.Delivery != "" {
		var raw json.RawMessage
		if _, err := r.call(ctx, http.MethodPost, "/v1/deliveries/"+url.PathEscape(c.Delivery)+"/retry", nil, nil, &raw); err != nil {
			return err
		}
		return sh.showRetried(1, raw)
	}
	body := map[string]string{"state": "parked"}
	if c.Target != "" {
		body["target"] = c.Target
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, http.MethodPost, "/v1/deliveries/retry", nil, body, &raw); err != nil {
		return err
	}
	var done struct{ Retried int }
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return sh.showRetried(done.Retried, raw)
}

func (sh *shell) showRetried(n int, raw json.RawMessage) error {
	if sh.json {
		return sh.printJSON(raw)
	}
	_, err := fmt.Fprintf(sh.out, "%d deliveries are due now\n", n)
	return err
}
