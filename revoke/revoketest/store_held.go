package revoketest

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"curfew/revoke"
)

// heldContract is about what the brake counts by, and what waits for a person.
func heldContract() map[string]func(*bench) {
	return map[string]func(*bench){
		"what the brake counts by": brakeCounts, "what is held": heldRows, "one limit for all who decide": oneLimit,
	}
}

func brakeCounts(b *bench) {
	voice := revoke.VoiceKey{Org: org, Voice: "source okta"}
	need := revoke.BrakeNeed{VoiceKey: voice, Spans: [3]time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}, Spare: time.Minute, Most: 10, Known: 3}
	var people []revoke.User
	for i := range 5 {
		people = append(people, b.person(email(fmt.Sprintf("%d@example.edu", i))))
	}
	now := b.now()
	hit := func(i int, voice revoke.VoiceKey, ago, spare time.Duration) revoke.Hit {
		h := revoke.Hit{HitKey: revoke.HitKey{VoiceKey: voice, Subject: people[i].ID}, At: now.Add(-ago)}
		if spare != 0 {
			h.SpareAt = now.Add(-spare)
		}
		return h
	}
	b.write(revoke.Effects{Hits: []revoke.Hit{
		hit(0, voice, time.Minute/2, time.Minute/2), hit(1, voice, 5*time.Minute, 5*time.Minute), hit(2, voice, 30*time.Minute, 0), hit(3, voice, 2*time.Hour, 0),
		hit(4, voice, 48*time.Hour, 0), hit(4, revoke.VoiceKey{Org: org, Voice: "operator okta"}, 0, 0),
	}})
	b.write(revoke.Effects{Hits: []revoke.Hit{hit(1, voice, 40*time.Minute, 0)}}) // an older one takes nothing back
	f := b.facts(revoke.Need{Users: []revoke.ID{people[1].ID, people[3].ID}, Brakes: []revoke.BrakeNeed{need}})
	tally := f.Tallies[voice]
	if tally.People != [3]int{2, 3, 4} || tally.Spared != [2]int{1, 2} || tally.Known != 3 {
		b.Errorf("counted %+v, want 2, 3 and 4 people, 1 and 2 to spare, and 3 known of 5", tally)
	}
	b.same("whom it hit", f.Hits, map[revoke.HitKey]revoke.Hit{
		{VoiceKey: voice, Subject: people[1].ID}: hit(1, voice, 5*time.Minute, 5*time.Minute), {VoiceKey: voice, Subject: people[3].ID}: hit(3, voice, 2*time.Hour, 0),
	})
	need.Most = 2
	if few := b.facts(revoke.Need{Brakes: []revoke.BrakeNeed{need}}).Tallies[voice]; few.People != [3]int{2, 2, 2} {
		b.Errorf("of the latest two: %+v", few)
	}
	if n, err := b.store.DropHits(b.deadline(), now.Add(-24*time.Hour)); n != 1 || err != nil {
		b.Errorf("forget what is older than a day: %d, %v; want 1", n, err)
	}
}

func heldRows(b *bench) {
	u, other := b.person(email("a@example.edu")), b.person(email("b@example.edu"))
	row := func(user revoke.ID, source string, at revoke.Instant) revoke.Held {
		return revoke.Held{
			ID: revoke.NewID(at), Org: org, Source: source, Authority: source, User: user, Cause: revoke.HeldByBrake, Why: "too many",
			Actor: revoke.Actor{Kind: "source", Name: source}, HeldAt: at, ByItself: source == "okta", Said: revoke.HeldSaid{
				Source: revoke.Source{Name: source, Org: org, Authority: source, Learns: true},
				Signals: []revoke.HeldSignal{{Signal: revoke.Signal{
					Kind: revoke.Suspended, OccurredAt: at, Subject: revoke.Subject{email("a@example.edu")}, Session: revoke.SessionRef{Token: revoke.HashToken("x")},
				}, Rule: revoke.DefaultRule(revoke.Suspended), User: user}},
			},
		}
	}
	const ms = 1000
	first, second, third := row(u.ID, "okta", 1*ms), row(other.ID, "okta", 2*ms), row(u.ID, "hr", 3*ms)
	b.write(revoke.Effects{Held: []revoke.Held{first, second, third}})
	list := func(q revoke.HeldQuery) []revoke.Held {
		b.Helper()
		q.Org = org
		if q.Limit == 0 {
			q.Limit = 100
		}
		got, err := b.store.Held(b.deadline(), q)
		if err != nil {
			b.Fatalf("list %+v: %v", q, err)
		}
		return got
	}
	b.same("all, newest first", list(revoke.HeldQuery{}), []revoke.Held{third, second, first})
	b.same("of a source", list(revoke.HeldQuery{Source: "okta", Waiting: true}), []revoke.Held{second, first})
	b.same("about a user", list(revoke.HeldQuery{User: u.ID}), []revoke.Held{third, first})
	b.same("a page", list(revoke.HeldQuery{Before: third.ID, Limit: 1}), []revoke.Held{second})
	b.same("some", list(revoke.HeldQuery{IDs: []revoke.ID{first.ID, b.id(), third.ID}}), []revoke.Held{third, first})
	long, err := b.store.HeldLong(b.deadline(), 3*ms, 10)
	if err != nil {
		b.Fatal(err)
	}
	b.same("for long", long, []revoke.Held{first, second})
	seen := b.facts(revoke.Need{Held: []revoke.ID{first.ID}, Users: []revoke.ID{u.ID}, Waiting: true})
	b.same("under its lock", seen.Held, map[revoke.ID]revoke.Held{first.ID: first})
	left, err := b.store.LeftBehind(b.deadline(), org, "hr", revoke.ID{}, 10)
	if err != nil {
		b.Fatal(err)
	}
	b.same("left behind by its authority", left, []revoke.ID{u.ID})
	first.Verdict, first.DecidedAt, first.DecidedBy, first.Reason = revoke.HeldApproved, 9, "ann", "known"
	b.write(revoke.Effects{Held: []revoke.Held{first}})
	b.same("with its verdict", list(revoke.HeldQuery{IDs: []revoke.ID{first.ID}}), []revoke.Held{first})
	b.same("it waits no more", list(revoke.HeldQuery{Waiting: true}), []revoke.Held{third, second})
	if long, err := b.store.HeldLong(b.deadline(), 3*ms, 10); err != nil || len(long) != 1 {
		b.Errorf("for long after a verdict: %+v, %v", long, err)
	}
}

// oneLimit lets two services decide at once on one store, as replicas do: together they let no more pass than one.
func oneLimit(b *bench) {
	const people, limit = 60, 7
	for i := range people {
		b.person(email(fmt.Sprintf("%d@example.edu", i)))
	}
	src := revoke.Source{Name: "okta", Org: org, Authority: "okta"}
	var services [2]*revoke.Service
	for i := range services {
		svc, err := revoke.New(revoke.Config{Store: b.store, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = svc.Load(b.deadline())
		}
		if err != nil {
			b.Fatal(err)
		}
		svc.SetBrake(revoke.Brake{On: true, Users: limit, Percent: 100, Window: time.Hour, Hour: 100, Day: 100, SparePer: time.Minute})
		services[i] = svc
	}
	var passed, held atomic.Int64
	b.allWell(people, func(ctx context.Context, i int) error {
		out, err := services[i%2].Receive(ctx, revoke.Actor{Kind: "source", Name: "okta"}, src, revoke.Event{Signals: []revoke.Signal{{
			Kind: revoke.Suspended, Subject: revoke.Subject{email(fmt.Sprintf("%d@example.edu", i))},
		}}})
		if err != nil {
			return err
		}
		if out[0].Held.IsZero() {
			passed.Add(1)
		} else {
			held.Add(1)
		}
		return nil
	})
	if passed.Load() != limit || held.Load() != people-limit {
		b.Errorf("%d passed and %d are held, want %d and %d", passed.Load(), held.Load(), limit, people-limit)
	}
	rows, err := b.store.Held(b.deadline(), revoke.HeldQuery{Org: org, Waiting: true, Limit: people})
	if err != nil || len(rows) != people-limit {
		b.Errorf("held rows: %d, %v", len(rows), err)
	}
}
