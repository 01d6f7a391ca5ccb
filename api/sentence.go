package api

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"curfew/revoke"
)

// saidView is the event that a decision followed from, in short.
type saidView struct {
	Source     string         `json:"source"`
	Type       string         `json:"type"`
	ReceivedAt revoke.Instant `json:"received_at"`
	OccurredAt revoke.Instant `json:"occurred_at,omitzero"` // as sent
	Note       string         `json:"note,omitempty"`
}

func viewSaid(e *revoke.Event) *saidView {
	return &saidView{e.Source, e.Type, e.ReceivedAt, e.OccurredAt, e.Note}
}

// told is what revocations followed from and what targets made of them.
type told struct {
	said map[revoke.ID]*saidView
	owed map[revoke.ID][]deliveryView
}

// tell reads what belongs to these revocations with two questions, however many they are.
func (a *App) tell(ctx context.Context, org string, rows []revoke.Revocation) (told, error) {
	out := told{said: map[revoke.ID]*saidView{}, owed: map[revoke.ID][]deliveryView{}}
	var ids, events []revoke.ID
	for i := range rows {
		ids, events = append(ids, rows[i].ID), append(events, rows[i].Event)
	}
	found, err := a.cfg.Store.EventsWith(ctx, org, events)
	if err != nil {
		return out, fmt.Errorf("read what revocations followed from: %w", err)
	}
	for i := range found {
		out.said[found[i].ID] = viewSaid(&found[i])
	}
	deliveries, err := a.cfg.Store.DeliveriesOf(ctx, org, ids)
	if err != nil {
		return out, fmt.Errorf("read what targets made of revocations: %w", err)
	}
	for i := range deliveries {
		d := &deliveries[i]
		out.owed[d.Revocation] = append(out.owed[d.Revocation], viewDelivery(d))
	}
	return out, nil
}

// explained says a revocation in one sentence: what ended or was blocked or lifted, when, why, and how far targets are.
func explained(v *revocationView, who string) string {
	return whatEnded(v, cmp.Or(who, "somebody unknown")) + " at " + clockOf(v.CreatedAt) + " because " + whyEnded(v) + "; " + howFar(&v.Progress) + "."
}

func whatEnded(v *revocationView, who string) string {
	switch v.Kind {
	case revoke.RevocationLift:
		return "The block on " + who + " was lifted"
	case revoke.RevocationBlock:
		return who + " was blocked and every session of theirs ended"
	case revoke.RevocationEnd:
	}
	switch v.Scope {
	case revoke.ScopeEveryone:
		return "All sessions of everyone ended"
	case revoke.ScopeKindOf:
		return "All " + v.SessionKind + " sessions of everyone ended"
	case revoke.ScopeApp:
		return "All sessions in " + v.App + " ended"
	case revoke.ScopeUserKind:
		return "All " + v.SessionKind + " sessions of " + who + " ended"
	case revoke.ScopeUserApp:
		return "All sessions of " + who + " in " + v.App + " ended"
	case revoke.ScopeDevice:
		return "All sessions on one device ended"
	case revoke.ScopeUserDevice:
		return "All sessions of " + who + " on one device ended"
	case revoke.ScopeSession:
		return "One session of " + who + " ended"
	case revoke.ScopeUser:
	}
	return "All sessions of " + who + " ended"
}

func whyEnded(v *revocationView) string {
	reason := ""
	if v.Reason != "" {
		reason = ": " + v.Reason
	}
	switch {
	case v.Actor.Kind == "source" && v.Said != nil:
		at := v.Said.OccurredAt
		text := v.Actor.Name + " reported " + cmp.Or(v.Said.Type, string(v.Signal))
		if at != 0 {
			text += " at " + clockOf(at)
		}
		return text + ", which means " + string(v.Signal) + reason
	case v.Actor.Kind == "source":
		return v.Actor.Name + " reported " + string(v.Signal) + reason
	case v.Actor.Kind == "person":
		return cmp.Or(v.Actor.Name, "the person") + " asked for it" + reason
	case v.Actor.Kind == "schedule":
		return "the schedule " + v.Actor.Name + " came due" + reason
	}
	return cmp.Or(v.Actor.Name, "an operator") + " ordered it" + reason
}

// howFar says how many targets have done what they were told.
func howFar(p *progress) string {
	all := p.Due + p.Paused + p.Claimed + p.Done + p.Parked + p.Dropped
	switch {
	case all == 0:
		return "no target had to be told"
	case p.Done == all && all == 1:
		return "the target is done"
	case p.Done == all:
		return fmt.Sprintf("all %d targets are done", all)
	}
	var open []string
	for _, each := range []struct {
		n    int
		word string
	}{{p.Due + p.Claimed, "still owed"}, {p.Paused, "paused"}, {p.Parked, "parked and waiting for a person"}, {p.Dropped, "dropped"}} {
		if each.n > 0 {
			open = append(open, fmt.Sprintf("%d %s", each.n, each.word))
		}
	}
	return fmt.Sprintf("%d of %d targets are done, %s", p.Done, all, strings.Join(open, ", "))
}

// clockOf is an instant as people read it in a sentence.
func clockOf(at revoke.Instant) string { return at.Time().UTC().Format("2006-01-02 15:04:05.000 UTC") }

// nameOf is what people call a user; empty where nobody is meant or known.
func (a *App) nameOf(ctx context.Context, user revoke.ID) (string, error) {
	if user.IsZero() {
		return "", nil
	}
	people, err := a.cfg.Store.People(ctx, []revoke.ID{user})
	if err != nil || len(people) == 0 {
		return user.String(), err
	}
	return called(&people[0]), nil
}

// called is what people call a user, or else the id.
func called(p *revoke.Person) string {
	return cmp.Or(p.Name(revoke.NamespaceUserName), p.Name(revoke.NamespaceEmail), p.User.ID.String())
}
