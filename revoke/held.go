package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Held is what of an event waits for a person, or waited: it was stored and answered like any other, and nothing follows from it yet.
type Held struct {
	ID        ID // of its event
	Org       string
	Source    string
	Authority string
	User      ID // whom it is about; zero for an order for many
	Cause     HeldCause
	Why       string
	Actor     Actor // who asked, and so never approves
	HeldAt    Instant
	ByItself  bool // carried out by itself after the brake's wait: lifecycle events of a directory
	Verdict   HeldVerdict
	DecidedAt Instant // zero while it waits
	DecidedBy string
	Reason    string
	Said      HeldSaid
}

// HeldSaid is what is decided on approval.
type HeldSaid struct {
	Source  Source // without its rules, which were applied
	Signals []HeldSignal
}

// HeldSignal is a signal whose person was found and whose instants were decided at receipt.
type HeldSignal struct {
	Signal Signal
	Rule   Rule
	User   ID
}

// HeldCause says why something waits. The set is closed.
type HeldCause string

// The causes.
const (
	HeldByBrake     HeldCause = "brake"     // it would hit one person too many
	HeldByApprovals HeldCause = "approvals" // an order for many, with approvals: 2
)

// HeldVerdict is what became of what was held. The set is closed.
type HeldVerdict string

// The verdicts.
const (
	HeldWaits    HeldVerdict = ""
	HeldApproved HeldVerdict = "approved"
	HeldRejected HeldVerdict = "rejected"
	HeldCarried  HeldVerdict = "carried out" // by itself, after the brake's wait
)

// HeldQuery asks for what is held, newest first; empty members match all.
type HeldQuery struct {
	Org     string
	IDs     []ID
	Source  string
	User    ID
	Waiting bool // only what nobody has decided about
	Before  ID   // only those with a smaller id: where a list goes on
	Limit   int
}

// Holds is what the brake needs of a store.
type Holds interface {
	// Held returns what is held.
	Held(ctx context.Context, q HeldQuery) ([]Held, error)
	// HeldLong returns what waits since before an instant and is carried out by itself, of all orgs, the longest waiting first.
	HeldLong(ctx context.Context, before Instant, limit int) ([]Held, error)
	// DropHits forgets whom voices hit last before an instant, at most a few thousand at a time, and says how many.
	DropHits(ctx context.Context, before Instant) (int, error)
}

// ErrOwnRequest says that who asked for something never approves it.
var ErrOwnRequest = errors.New("who asked never approves")

// AddWaiting adds what is held about a user here.
func (f *Facts) AddWaiting(h Held) {
	rows := slices.DeleteFunc(slices.Clone(f.waiting[h.User]), func(have Held) bool { return have.ID == h.ID })
	if h.DecidedAt == 0 {
		rows = append(rows, h)
	}
	f.waiting[h.User] = rows
}

// heldAt is the latest instant of what the authority said about a person and waits: what it says now without a time came later.
func (d *decision) heldAt(user ID) (at Instant) {
	for _, member := range d.f.members(user) {
		for _, h := range d.f.waiting[member] {
			if h.Authority != d.in.source.Authority {
				continue
			}
			for _, s := range h.Said.Signals {
				at = max(at, s.Signal.OccurredAt)
			}
		}
	}
	return at
}

// waitsForSecond holds an order for many where it takes two people. It reports whether it did.
func (d *decision) waitsForSecond(sig Signal, rule Rule, user ID) bool {
	if d.in.brake == nil || d.in.brake.Approvals < 2 || sig.Wide == "" && !sig.Mass {
		return false
	}
	d.holdSignal(HeldByApprovals, "an order for many takes a second person", sig, rule, user)
	return true
}

// holdSignal keeps a signal for a person, with the instants that it has at receipt.
func (d *decision) holdSignal(cause HeldCause, why string, sig Signal, rule Rule, user ID) {
	if sig.OccurredAt == 0 && !user.IsZero() {
		blocked, lifted := d.instants(user, rule.Class.lifted()...)
		sig.OccurredAt = max(d.f.Now, d.f.newest(user).Born, blocked+1, lifted+1, d.heldAt(user)+1)
		if sig.OccurredAt.wholeSecond() != sig.OccurredAt {
			sig.OccurredAt++ // ours is exact, and is not to be read as a sender's whole second
		}
	}
	if d.held == nil {
		src := d.in.source
		src.Rules, src.Zone = nil, nil
		d.held = &Held{
			ID: d.event.ID, Org: src.Org, Source: src.Name, Authority: src.Authority, User: user, Cause: cause, Why: why, Actor: d.in.actor,
			ByItself: true, Said: HeldSaid{Source: src},
		}
	}
	d.held.ByItself = d.held.ByItself && cause == HeldByBrake && d.in.source.Learns && sig.Kind.lifecycle()
	d.held.Said.Signals = append(d.held.Said.Signals, HeldSignal{sig, rule, user})
	d.settle(EventHeld, why)
	about, text := d.in.source.Name, "the brake holds what "+d.in.source.Name+" says: "+why
	if cause == HeldByApprovals {
		about, text = d.in.actor.Name, "an order of "+d.in.actor.Name+" waits for a second person"
	} else if d.in.actor.Kind == "operator" {
		about, text = d.in.actor.Name, "the brake holds what "+d.in.actor.Name+" orders: "+why
	}
	d.raiseAbout(AlarmHeld, about, text+"; approve or reject it among what is held")
	d.audit("held", map[string]any{
		"event": d.event.ID, "cause": cause, "why": why, "signal": sig.Kind, "user": user, "at": sig.OccurredAt, "authority": d.in.source.Authority,
	}, map[string]any{"identifiers": d.f.subject(user)})
}

// lifecycle reports whether a signal says that somebody comes or goes.
func (k SignalKind) lifecycle() bool {
	switch k {
	case Deactivated, Suspended, Deleted, Terminated, Reactivated:
		return true
	case CredentialChanged, CredentialCompromised, RiskHigh, SessionsCleared, DeviceLost, DeviceNoncompliant, DeviceUnenrolled, Locked, Unlocked,
		IdentifierChanged, RiskRaised, AccessChanged:
		return false
	}
	return false
}

// Held lists what is held, newest first.
func (s *Service) Held(ctx context.Context, q HeldQuery) ([]Held, error) { return s.store.Held(ctx, q) }

// heldAtOnce is about how many held events one decision decides.
const heldAtOnce = 64

// Approve carries out what is held, as somebody who signed in says, who must have [RoleApprover] and never be the one who asked, else
// it is [ErrOwnRequest]. What was approved already is nothing to do; what was rejected is [ErrConflict], and what is not there
// [ErrNotFound]. It returns how many were carried out now. The chunks before an error are.
func (s *Service) Approve(ctx context.Context, who SignIn, ids []ID, reason string) (int, error) {
	return s.verdict(ctx, who, ids, HeldApproved, reason)
}

// Reject lets nothing follow from what is held, under the conditions of [Service.Approve].
func (s *Service) Reject(ctx context.Context, who SignIn, ids []ID, reason string) (int, error) {
	return s.verdict(ctx, who, ids, HeldRejected, reason)
}

func (s *Service) verdict(ctx context.Context, who SignIn, ids []ID, verdict HeldVerdict, reason string) (int, error) {
	if !who.Has(RoleApprover) {
		return 0, fmt.Errorf("%s is no approver: %w", who.Name, ErrUnverified)
	}
	done := 0
	for some := range slices.Chunk(ids, heldAtOnce) {
		n, err := s.settleHeld(ctx, who.Org, some, verdict, who.Actor(), reason)
		done += n
		if err != nil {
			return done, fmt.Errorf("decide about what is held: %w", err)
		}
	}
	return done, nil
}

// carryHeld carries out by itself what has waited for as long as the brake says.
func (s *Service) carryHeld(ctx context.Context) error {
	wait := s.brake.Load().Wait
	if wait <= 0 {
		return nil
	}
	for {
		long, err := s.store.HeldLong(ctx, s.store.Clock().Now().Add(-wait), heldAtOnce)
		if err != nil {
			return fmt.Errorf("read what is held for long: %w", err)
		}
		byOrg := map[string][]ID{}
		for _, h := range long {
			byOrg[h.Org] = append(byOrg[h.Org], h.ID)
		}
		for org, ids := range byOrg {
			if _, err := s.settleHeld(ctx, org, ids, HeldCarried, Actor{"schedule", "brake.wait"}, "nobody decided within "+short(wait)); err != nil {
				return fmt.Errorf("carry out what is held: %w", err)
			}
		}
		if len(long) < heldAtOnce {
			return nil
		}
	}
}

// settleHeld gives a verdict on some of what is held, in one transaction.
func (s *Service) settleHeld(ctx context.Context, org string, ids []ID, verdict HeldVerdict, by Actor, reason string) (int, error) {
	rows, err := s.store.Held(ctx, HeldQuery{Org: org, IDs: ids, Limit: len(ids)})
	if err != nil {
		return 0, err
	}
	if len(rows) < len(ids) {
		return 0, ErrNotFound
	}
	need := Need{Org: org}
	priors := map[ID]Event{}
	for _, h := range rows {
		if h.Actor == by && verdict == HeldApproved && h.DecidedAt == 0 {
			return 0, ErrOwnRequest
		}
		if priors[h.ID], err = s.Event(ctx, org, h.ID); err != nil {
			return 0, err
		}
		in := s.heldInput(ctx, h, priors[h.ID])
		need.add(in.need())
		need.Held = append(need.Held, h.ID)
		for _, said := range h.Said.Signals {
			if !said.User.IsZero() {
				need.Users = append(need.Users, said.User)
			}
		}
		if prior := priors[h.ID]; prior.SenderID != "" {
			need.Events = append(need.Events, prior.Key())
		}
	}
	done := 0
	err = s.decide(ctx, need, func(f *Facts) (Effects, error) {
		var all []Effects
		done = 0
		for _, h := range rows {
			now := f.Held[h.ID]
			switch {
			case now.DecidedAt == 0:
			case verdict == HeldCarried, now.Verdict == verdict, now.Verdict == HeldCarried && verdict == HeldApproved:
				continue // by somebody else, or before
			default:
				return Effects{}, fmt.Errorf("it was %s by %s: %w", now.Verdict, now.DecidedBy, ErrConflict)
			}
		}
		for _, h := range rows {
			now := f.Held[h.ID]
			if now.DecidedAt != 0 {
				continue
			}
			now.Verdict, now.DecidedAt, now.DecidedBy, now.Reason = verdict, f.Now, by.Name, reason
			d := s.heldInput(ctx, now, priors[h.ID]).again(f, priors[h.ID])
			all = append(all, d.judged(now, priors[h.ID], by))
			done++
			f.Now++ // each has an instant of its own
		}
		return Merge(all...), nil
	})
	if err != nil {
		return 0, err
	}
	return done, s.clearHeld(ctx, rows)
}

func (s *Service) heldInput(ctx context.Context, h Held, prior Event) input {
	in := s.input(ctx, h.Actor, h.Said.Source, prior)
	in.brake, in.event.Signals = nil, nil
	for _, said := range h.Said.Signals {
		in.event.Signals = append(in.event.Signals, said.Signal)
	}
	return in
}

// judged carries out or drops what was held, and records who said so.
func (d *decision) judged(h Held, prior Event, by Actor) Effects {
	d.write(Effects{Held: []Held{h}})
	d.decided = prior.Decided
	d.event.Note = joinNotes(prior.Note, string(h.Verdict)+" by "+h.DecidedBy)
	d.audit("verdict", map[string]any{
		"event": h.ID, "verdict": h.Verdict, "by": by, "cause": h.Cause, "source": h.Source, "user": h.User,
	}, map[string]any{"reason": h.Reason})
	d.event.State = ""
	if h.Verdict == HeldRejected {
		if d.event.State = prior.State; prior.State == EventHeld {
			d.event.State = EventIgnored
		}
	} else {
		for _, said := range h.Said.Signals {
			if said.Signal.Wide != "" {
				d.wide(said.Signal)
				continue
			}
			d.carryOut(said.Signal, said.Rule, said.User)
		}
	}
	e, _ := d.close()
	last := &e.Events[len(e.Events)-1].Decided
	last.Revocations = slices.Concat(prior.Decided.Revocations, last.Revocations)
	last.Changes = slices.Concat(prior.Decided.Changes, last.Changes)
	return e
}

// clearHeld takes the alarms back about whom nothing waits any more.
func (s *Service) clearHeld(ctx context.Context, rows []Held) error {
	seen := map[string]bool{}
	for _, h := range rows {
		about := h.Source
		if h.Actor.Kind == "operator" {
			about = h.Actor.Name
		}
		if seen[about] {
			continue
		}
		seen[about] = true
		left, err := s.store.Held(ctx, HeldQuery{Org: h.Org, Source: h.Source, Waiting: true, Limit: 1})
		if err != nil {
			return fmt.Errorf("look for what is still held: %w", err)
		}
		if len(left) > 0 {
			continue
		}
		if err := s.decide(ctx, Need{Org: h.Org}, func(*Facts) (Effects, error) {
			return Effects{Cleared: []AlarmKey{{h.Org, AlarmHeld, cmp.Or(about, h.Source)}}}, nil
		}); err != nil {
			return fmt.Errorf("clear the alarm about what is held: %w", err)
		}
	}
	return nil
}

// retireHeld moves what waits of a retired authority to another, or rejects it. It returns how much.
func (d *decision) retireHeld(user ID, to, reason string) (n int) {
	for _, h := range slices.Clone(d.f.waiting[user]) {
		if h.Authority != d.in.source.Authority {
			continue
		}
		if h.Authority, h.Said.Source.Authority = to, to; to == "" {
			h.Authority, h.Said.Source.Authority = d.in.source.Authority, d.in.source.Authority
			h.Verdict, h.DecidedAt, h.DecidedBy, h.Reason = HeldRejected, d.f.Now, d.in.actor.Name, reason
		}
		d.write(Effects{Held: []Held{h}})
		n++
	}
	return n
}
