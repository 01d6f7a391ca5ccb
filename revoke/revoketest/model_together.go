package revoketest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"curfew/revoke"
)

// together runs people who sign in, are suspended, come back and ask, all at the same time. A session whose registration
// was acknowledged before a suspension began is dead once that is acknowledged, and what anybody has seen dead is dead for
// everybody who asks later.
func together(t *testing.T, store revoke.Store) {
	svc, err := revoke.New(revoke.Config{Store: store, Log: slog.New(slog.DiscardHandler), Targets: []revoke.TargetName{{Name: "portal", Org: org}}})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := svc.Load(ctx); err != nil {
		t.Fatalf("load the view: %v", err)
	}
	const rounds, persons = 20, 3
	c := &crowd{svc: svc, sessions: make([][]*crowdSession, persons)}
	var all sync.WaitGroup
	for worker := range 4 * persons {
		person := worker % persons
		do := []func(context.Context, int, int) error{c.signIn, c.suspend, c.askAround, c.signIn}[worker/persons]
		all.Go(func() {
			for round := range rounds {
				if err := do(ctx, person, worker*rounds+round); err != nil {
					t.Errorf("worker %d in round %d: %v", worker, round, err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := svc.Load(ctx); err != nil {
		t.Fatalf("load the view: %v", err)
	}
	for person := range persons {
		if err := c.askAround(ctx, person, 0); err != nil {
			t.Errorf("after all of it, read anew: %v", err)
		}
	}
}

// crowd is what everybody knows of each person's sessions.
type crowd struct {
	svc      *revoke.Service
	mu       sync.Mutex
	sessions [][]*crowdSession
}

type crowdSession struct {
	token revoke.TokenHash
	over  bool
}

func crowdSubject(person int) revoke.Subject {
	return subject([]string{fmt.Sprintf("email:p%d", person)})
}

func (c *crowd) signIn(ctx context.Context, person, n int) error {
	token := revoke.HashToken(fmt.Sprint(n))
	src := revoke.Source{Name: "portal", Org: org, Authority: "portal", IDs: "portal"}
	_, err := c.svc.Register(ctx, src, revoke.Registration{Subject: crowdSubject(person), App: "portal", Kind: revoke.Mobile, Token: token})
	if errors.Is(err, revoke.ErrBlocked) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[person] = append(c.sessions[person], &crowdSession{token: token})
	return nil
}

// known returns a person's sessions as they are now, with what is known to be over.
func (c *crowd) known(person int) (sessions []*crowdSession, over []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions[person] {
		sessions, over = append(sessions, s), append(over, s.over)
	}
	return sessions, over
}

func (c *crowd) suspend(ctx context.Context, person, n int) error {
	before, _ := c.known(person)
	src := revoke.Source{Name: "hr", Org: org, Authority: "hr", IDs: "hr"}
	for _, kind := range []revoke.SignalKind{revoke.Suspended, revoke.Reactivated} {
		event := revoke.Event{SenderID: fmt.Sprintf("%s-%d", kind, n), Signals: []revoke.Signal{{Kind: kind, Subject: crowdSubject(person)}}}
		if _, err := c.svc.Receive(ctx, revoke.Actor{}, src, event); err != nil {
			return fmt.Errorf("receive %s: %w", kind, err)
		}
		for _, s := range before {
			answer, err := c.svc.Ask(ctx, revoke.SessionRef{Org: org, Token: s.token})
			if err != nil {
				return fmt.Errorf("ask: %w", err)
			}
			if answer.Live {
				return fmt.Errorf("a session registered before the suspension lives after the acknowledged %s", kind)
			}
			c.mu.Lock()
			s.over = true
			c.mu.Unlock()
		}
	}
	return nil
}

func (c *crowd) askAround(ctx context.Context, person, _ int) error {
	sessions, over := c.known(person)
	for i, s := range sessions {
		answer, err := c.svc.Ask(ctx, revoke.SessionRef{Org: org, Token: s.token})
		if err != nil {
			return fmt.Errorf("ask: %w", err)
		}
		if answer.Live && over[i] {
			return errors.New("a session that was seen dead lives again")
		}
		if !answer.Live {
			c.mu.Lock()
			s.over = true
			c.mu.Unlock()
		}
	}
	return nil
}
