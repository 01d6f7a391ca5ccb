package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"curfew/revoke"
)

// news is how far a sign-out has come, place by place.
type news struct {
	Sentence string     `json:"sentence"`
	Lines    []newsLine `json:"lines"`
	Open     int        `json:"open"` // places that have not confirmed, and still may
	Of       string     `json:"-"`
}

type newsLine struct {
	State string `json:"state"` // done, waiting or not
	Icon  string `json:"-"`
	Text  string `json:"text"`
}

// mostOwed is how many deliveries are looked at for one person.
const mostOwed = 1000

// told says how far the sign-out has come that an event was, or where the event is not given whatever is still owed.
func (v *visit) told(ctx context.Context, b *belongings, of string) (*news, error) {
	ev, given, err := v.mine(ctx, b, of)
	if err != nil {
		return nil, err
	}
	ours := map[revoke.ID]bool{}
	for _, r := range ev.Decided.Revocations {
		ours[r.ID] = given
	}
	byTarget := map[string][]revoke.Delivery{}
	for _, member := range b.members {
		for _, state := range v.states(given) {
			ask := revoke.DeliveryQuery{Org: v.who.Org, User: member, State: state, Limit: mostOwed}
			if given && len(ev.Decided.Revocations) == 1 {
				ask.Revocation = ev.Decided.Revocations[0].ID
			} else if given {
				ask.After = &revoke.DeliveryCursor{Revocation: ev.ID}
			}
			found, err := v.c.cfg.Store.Deliveries(ctx, ask)
			if err != nil {
				return nil, fmt.Errorf("list what is owed about %s: %w", member, err)
			}
			for _, d := range found {
				if !given || ours[d.Revocation] {
					byTarget[d.Target] = append(byTarget[d.Target], d)
				}
			}
		}
	}
	if !given && len(byTarget) == 0 {
		return nil, nil
	}
	n := &news{}
	if given {
		n.Of = ev.ID.String()
		n.Lines = append(n.Lines, newsLine{"done", "tick", "Every app that asks us: done " + v.clock(ev.ReceivedAt)})
	}
	targets := make([]string, 0, len(byTarget))
	for target := range byTarget {
		targets = append(targets, target)
	}
	slices.Sort(targets)
	for _, target := range targets {
		n.Lines = append(n.Lines, v.line(target, byTarget[target]))
	}
	n.sum()
	return n, nil
}

// states are those that are asked for: one by one where only what is open matters.
func (v *visit) states(given bool) []revoke.DeliveryState {
	if given {
		return []revoke.DeliveryState{""}
	}
	return []revoke.DeliveryState{revoke.DeliveryDue, revoke.DeliveryClaimed, revoke.DeliveryParked}
}

// line says how one place took it: as its slowest part did.
func (v *visit) line(target string, all []revoke.Delivery) newsLine {
	rank := func(d revoke.Delivery) int {
		switch d.State {
		case revoke.DeliveryParked:
			return 4
		case revoke.DeliveryDropped:
			return 3
		case revoke.DeliveryDue, revoke.DeliveryClaimed:
			return 2
		case revoke.DeliveryDone:
		}
		return 1
	}
	d := slices.MaxFunc(all, func(x, y revoke.Delivery) int {
		return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(x.DoneAt, y.DoneAt))
	})
	name := short(60, target)
	switch d.State {
	case revoke.DeliveryParked:
		return newsLine{"not", "warn", name + ": could not be confirmed. Your organisation has been told and looks into it"}
	case revoke.DeliveryDropped:
		return newsLine{"not", "warn", name + ": is not told, because your organisation decided so"}
	case revoke.DeliveryDue, revoke.DeliveryClaimed:
		switch wait := d.DueAt.Sub(v.c.cfg.Clock.Now()); {
		case d.Attempts == 0 && d.LastError == "":
			return newsLine{"waiting", "wait", name + ": is being told"}
		case d.State == revoke.DeliveryDue && wait > 0:
			return newsLine{"waiting", "wait", name + ": is not answering, next try in " + brief(wait)}
		default:
			return newsLine{"waiting", "wait", name + ": is being asked again"}
		}
	case revoke.DeliveryDone:
	}
	said := "done"
	if d.Receipt != nil {
		switch d.Receipt.Evidence {
		case revoke.Accepted:
			said = "has taken it, and cannot be asked again"
		case revoke.NothingThere:
			said = "nothing was left there"
		case revoke.Confirmed:
		}
	}
	return newsLine{"done", "tick", name + ": " + said + " " + v.clock(d.DoneAt)}
}

// sum says in one sentence what the lines say. That all is over is never said before every place has confirmed.
func (n *news) sum() {
	done, not := 0, 0
	for _, l := range n.Lines {
		switch l.State {
		case "done":
			done++
		case "not":
			not++
		}
	}
	n.Open = len(n.Lines) - done - not
	switch {
	case n.Open > 0:
		n.Sentence = fmt.Sprintf("Signing out: %d of %s confirmed.", done, plural(len(n.Lines), "place has", "places have"))
	case not > 0:
		n.Sentence = "Signed out, but " + plural(not, "place") + " could not confirm it."
	default:
		n.Sentence = "Signed out. Every place has confirmed."
	}
}

// clock says the time of day.
func (v *visit) clock(at revoke.Instant) string {
	return at.Time().In(v.c.cfg.Zone).Format("15:04:05 MST")
}

// latest answers how far a sign-out has come, for the script that keeps the page fresh.
func (v *visit) latest() error {
	ctx, cancel := v.reading()
	defer cancel()
	b := &belongings{}
	if !v.who.User.IsZero() {
		members, err := v.c.cfg.Service.Members(v.who.User)
		if err != nil {
			return fmt.Errorf("find who is one person with %s: %w", v.who.User, err)
		}
		b.members = members
	}
	n, err := v.told(ctx, b, v.r.URL.Query().Get("of"))
	if err != nil {
		return err
	}
	if n == nil {
		n = &news{Lines: []newsLine{}}
	}
	v.w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(v.w).Encode(n); err != nil {
		return fmt.Errorf("write the news: %w", err)
	}
	return nil
}
