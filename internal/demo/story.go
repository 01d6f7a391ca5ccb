package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// storyWithin bounds the whole story; it takes about a second.
const storyWithin = 25 * time.Second

// step is one thing that happens. It prints what was seen and returns what was not as an error.
type step struct {
	title string
	play  func(context.Context) error
}

// tale is the story while it is told.
type tale struct {
	*Demo
	provider *provider
	sent     revoke.Instant // when the step's request left
}

// tell returns the story of a demo, untold.
func (d *Demo) tell(base string) *tale {
	return &tale{Demo: d, provider: &provider{
		client: d.cfg.Client, clock: d.cfg.Clock, curfew: base, scim: d.secrets.directory, okta: d.secrets.okta,
	}}
}

// story tells it step by step, and stops at the first that is not observed.
func (t *tale) story(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storyWithin)
	defer cancel()
	t.say("Sally has an iPhone, an iPad and a laptop. Her school's identity provider and\n" +
		"its library application are imitations; Curfew is the real program. Times are\n" +
		"measured, from the moment a request was sent.\n\n")
	began := t.cfg.Clock.Now()
	for i, s := range t.steps() {
		t.say("%2d  %s\n", i+1, t.marked(bold, s.title))
		t.sent = t.cfg.Clock.Now()
		if err := s.play(ctx); err != nil {
			t.say("      %s %s\n", t.marked(red, "NOT OBSERVED:"), err)
			return fmt.Errorf("step %d (%s) was not observed: %w", i+1, s.title, err)
		}
	}
	t.say("\nAll of it was observed, in %.2f s.\n", t.cfg.Clock.Now().Sub(began).Seconds())
	return nil
}

func (t *tale) steps() []step {
	return []step{
		{"The identity provider creates Sally, over SCIM", t.create},
		{"Sally signs in on three devices", t.signInEverywhere},
		{"An Okta event comes with a wrong secret: refused, and nothing changes", t.forge},
		{"Sally ends her laptop's session, and only that one", t.endOne},
		{"The provider suspends Sally, over SCIM (active: false)", t.suspend(t.deactivate)},
		{"Sally tries to sign in while she is suspended: refused", t.knock},
		{"The provider reactivates her, over SCIM: what was refused stays refused", t.restore(t.reactivate)},
		{"Sally signs in again on all three: new sessions work", t.signInEverywhere},
		{"Okta says that Sally is suspended, by event hook", t.suspend(t.oktaSuspends)},
		{"Okta says that she is not any more: what was refused stays refused", t.restore(t.oktaUnsuspends)},
		{"Sally signs in again on all three: new sessions work", t.signInEverywhere},
	}
}

func (t *tale) create(ctx context.Context) error {
	if err := t.provider.create(ctx); err != nil {
		return err
	}
	t.saw("created", t.since())
	return nil
}

func (t *tale) signInEverywhere(ctx context.Context) error {
	for _, d := range t.devices {
		if err := t.app.signIn(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return t.look(ctx, "iPhone", "iPad", "laptop")
}

func (t *tale) forge(ctx context.Context) error {
	if err := t.provider.shakeHands(ctx); err != nil {
		return err
	}
	t.sent = t.cfg.Clock.Now()
	got, err := t.provider.send(ctx, newSecret(), oktaSuspend)
	if err == nil && got != 401 {
		err = fmt.Errorf("curfew answered %d, wanted 401", got)
	}
	if err != nil {
		return err
	}
	t.saw("refused with 401", t.since())
	return t.look(ctx, "iPhone", "iPad", "laptop")
}

func (t *tale) endOne(ctx context.Context) error {
	heard, laptop := t.app.heard(), t.devices[2]
	if err := t.app.signOut(ctx, laptop); err != nil {
		return err
	}
	t.saw("acknowledged", t.since())
	if err := t.look(ctx, "iPhone", "iPad"); err != nil {
		return err
	}
	return t.hear(ctx, heard, "session.revoked", laptop.session)
}

func (t *tale) deactivate(ctx context.Context) error { return t.provider.setActive(ctx, false) }
func (t *tale) reactivate(ctx context.Context) error { return t.provider.setActive(ctx, true) }

func (t *tale) oktaSuspends(ctx context.Context) error { return t.provider.tell(ctx, oktaSuspend) }

func (t *tale) oktaUnsuspends(ctx context.Context) error { return t.provider.tell(ctx, oktaUnsuspend) }

// suspend expects that, once the request is answered, no device is served any more and the application hears of it.
func (t *tale) suspend(send func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		heard := t.app.heard()
		if err := send(ctx); err != nil {
			return err
		}
		t.saw("acknowledged", t.since())
		if err := t.look(ctx); err != nil {
			return err
		}
		return t.hear(ctx, heard, "user.blocked", student)
	}
}

// restore expects that an end of the block serves none of the old sessions.
func (t *tale) restore(send func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		heard := t.app.heard()
		if err := send(ctx); err != nil {
			return err
		}
		t.saw("acknowledged", t.since())
		if err := t.look(ctx); err != nil {
			return err
		}
		return t.hear(ctx, heard, "user.lifted", student)
	}
}

func (t *tale) knock(ctx context.Context) error {
	visitor := *t.devices[0]
	switch err := t.app.signIn(ctx, &visitor); {
	case errors.Is(err, errBlocked):
		t.saw("refused with 403", t.since())
		return nil
	case err != nil:
		return err
	default:
		return errors.New("curfew let her sign in")
	}
}

// look lets every device ask the application once. Exactly the named ones must be served: the first question after an
// answer counts, so nothing is asked again.
func (t *tale) look(ctx context.Context, in ...string) error {
	states := make([]string, len(t.devices))
	var wrong []string
	for i, d := range t.devices {
		served, err := d.ask(ctx, t.cfg.Client, t.address())
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		states[i] = d.name + " " + map[bool]string{true: "in", false: "out"}[served]
		switch want := slices.Contains(in, d.name); {
		case served && !want:
			wrong = append(wrong, "the "+d.name+" is still in")
		case want && !served:
			wrong = append(wrong, "the "+d.name+" is out, and nothing should have ended it")
		}
	}
	t.saw(fmt.Sprintf("%-11s  %-9s  %s", states[0], states[1], states[2]), t.since())
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// hear waits until the application was told.
func (t *tale) hear(ctx context.Context, after int, kind, about string) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Patience)
	defer cancel()
	m, err := t.app.await(ctx, after, kind, about)
	if err != nil {
		return err
	}
	t.saw("the application was told: "+kind, m.at.Sub(t.sent))
	return nil
}

func (t *tale) since() time.Duration { return t.cfg.Clock.Now().Sub(t.sent) }

// saw prints one observation with its time.
func (t *tale) saw(what string, after time.Duration) {
	t.say("      %-52s %s\n", what, t.marked(dim, fmt.Sprintf("%8.1f ms", float64(after.Microseconds())/1000)))
}
