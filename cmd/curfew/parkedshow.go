package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type parkedShowCommand struct {
	Delivery string `arg:"" help:"A delivery, as the list names it, in whatever state it is."`
}

// Help shows an example.
func (parkedShowCommand) Help() string {
	return "  curfew parked show 019aaf3c-5b40-7000-8000-000000000000:portal"
}

// delivery is one revocation owed to one target, with every call that was made for it.
type delivery struct {
	ID         string   `json:"id"`
	Revocation string   `json:"revocation"`
	Target     string   `json:"target"`
	User       string   `json:"user"`
	State      string   `json:"state"`
	DueAt      string   `json:"due_at"`
	FirstAt    string   `json:"first_at"`
	DoneAt     string   `json:"done_at"`
	Halt       string   `json:"halt"`
	Attempts   attempts `json:"attempts"`
	Receipt    *receipt `json:"receipt"`
}

// attempts are every call, or in short answers only how many there were.
type attempts []attempt

// UnmarshalJSON obeys [json.Unmarshaler].
func (a *attempts) UnmarshalJSON(text []byte) error {
	if text[0] != '[' {
		return nil
	}
	return json.Unmarshal(text, (*[]attempt)(a))
}

type attempt struct {
	Number  int      `json:"number"`
	At      string   `json:"at"`
	TookMS  int64    `json:"took_ms"`
	Error   string   `json:"error"`
	Receipt *receipt `json:"receipt"`
}

type receipt struct {
	Evidence  string `json:"evidence"`
	RequestID string `json:"request_id"`
	Status    int    `json:"status"`
	Ended     int    `json:"ended"`
}

// Run shows one delivery.
func (c parkedShowCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if _, err := r.call(ctx, http.MethodGet, "/v1/deliveries/"+url.PathEscape(c.Delivery), nil, nil, &raw); err != nil {
		return err
	}
	return answered(sh, raw, sh.showDelivery)
}

func (sh *shell) showDelivery(d *delivery) error {
	if err := sh.table(known([]string{"delivery", d.ID}, []string{"revocation", d.Revocation}, []string{"target", d.Target}, []string{"user", d.User},
		[]string{"owed since", d.FirstAt}, []string{"state", d.state()})...); err != nil {
		return err
	}
	if len(d.Attempts) == 0 {
		sh.note("no attempt was made yet")
		return nil
	}
	rows := [][]string{{"ATTEMPT", "AT", "TOOK", "WHAT IT SAID"}}
	for _, a := range d.Attempts {
		said := a.Receipt.words()
		if a.Error != "" {
			said = a.Error
		}
		rows = append(rows, []string{strconv.Itoa(a.Number), a.At, fmt.Sprintf("%d ms", a.TookMS), said})
	}
	_, _ = fmt.Fprintln(sh.out)
	return sh.table(rows...)
}

// state says where a delivery stands and what happens next.
func (d *delivery) state() string {
	switch d.State {
	case "parked":
		return "parked: it waits until somebody types curfew parked retry " + d.ID
	case "due":
		return "due at " + d.DueAt
	case "claimed":
		if d.Halt == "drop" {
			return "under way, and dropped unless that ends well"
		}
		return "under way"
	case "paused":
		return "paused: it waits until somebody lets its revocation go on"
	case "dropped":
		return "dropped: the target is not told"
	case "done":
		return "done at " + d.DoneAt + ": " + d.Receipt.words()
	default:
		return d.State
	}
}

// words says what a target's receipt is worth.
func (r *receipt) words() string {
	if r == nil {
		return "nothing"
	}
	said := map[string]string{
		"confirmed":     "confirmed, it was read back there",
		"accepted":      "accepted, and the target cannot be asked",
		"nothing there": "nothing was there to end",
	}[r.Evidence]
	if said == "" {
		said = r.Evidence
	}
	parts := []string{said}
	if r.Ended > 0 {
		parts = append(parts, fmt.Sprintf("%d ended", r.Ended))
	}
	if r.Status > 0 {
		parts = append(parts, fmt.Sprintf("status %d", r.Status))
	}
	if r.RequestID != "" {
		parts = append(parts, "its request "+r.RequestID)
	}
	return strings.Join(parts, ", ")
}
