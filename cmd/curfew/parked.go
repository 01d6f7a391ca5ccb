package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

type parkedCommand struct {
	List  parkedListCommand  `cmd:"" help:"List deliveries that wait for a person."`
	Show  parkedShowCommand  `cmd:"" help:"Show one delivery with every attempt and what the target said."`
	Retry parkedRetryCommand `cmd:"" help:"Try parked deliveries again."`
	Drop  parkedDropCommand  `cmd:"" help:"Give one delivery up: the target is not told, or not told again."`
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
	return answeredList(sh, raw, []string{"DELIVERY", "TARGET", "USER", "ATTEMPTS", "OWED SINCE", "LAST ERROR"}, func(d *struct {
		ID, Target, User string
		Attempts         int
		FirstAt          string `json:"first_at"`
		LastError        string `json:"last_error"`
	},
	) []string {
		return []string{d.ID, d.Target, d.User, strconv.Itoa(d.Attempts), d.FirstAt, d.LastError}
	})
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
		return answered(sh, raw, func(*struct{}) error { return sh.retried(1) })
	}
	body := map[string]string{"state": "parked"}
	if c.Target != "" {
		body["target"] = c.Target
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, http.MethodPost, "/v1/deliveries/retry", nil, body, &raw); err != nil {
		return err
	}
	return answered(sh, raw, func(done *struct{ Retried int }) error { return sh.retried(done.Retried) })
}

func (sh *shell) retried(n int) error {
	text := fmt.Sprintf("%d deliveries are due now", n)
	if n == 1 {
		text = "1 delivery is due now"
	}
	_, err := fmt.Fprintln(sh.out, text)
	return err
}

type parkedDropCommand struct {
	Delivery string `arg:"" help:"A delivery that is not done, as the list names it."`
	Reason   string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (parkedDropCommand) Help() string {
	return `What was ended here stays ended; whether it lives on there, nobody asks any more. A call that is under way ends first.

  curfew parked drop 019aaf3c-5b40-7000-8000-000000000000:portal --reason "the portal was switched off"`
}

// Run gives one delivery up.
func (c parkedDropCommand) Run(ctx context.Context, sh *shell) error {
	raw, err := sh.order(ctx, "/v1/deliveries/"+url.PathEscape(c.Delivery)+"/drop", c.Reason, nil)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(d *delivery) error { return sh.table([]string{d.ID, d.state()}) })
}
