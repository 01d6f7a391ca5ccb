package revoke_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

var opsVoice = revoke.Source{Name: "ops", Org: "main", Type: "token", Authority: revoke.AdminAuthority, IDs: revoke.NamespaceCurfew, Admin: true, Devices: true}

func setPolicy(t *testing.T, s *revoke.Service, key revoke.PolicyKey, terms revoke.Terms) revoke.Policy {
	t.Helper()
	p, err := s.SetPolicy(t.Context(), someone, opsVoice, revoke.PolicyOrder{Key: key, Terms: terms, Reason: "a test"})
	if err != nil {
		t.Fatalf("set the policy %+v of %+v: %v", terms, key, err)
	}
	return p
}

func removePolicy(t *testing.T, s *revoke.Service, key revoke.PolicyKey) {
	t.Helper()
	if _, err := s.SetPolicy(t.Context(), someone, opsVoice, revoke.PolicyOrder{Key: key, Remove: true, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
}

func registerKind(t *testing.T, s *revoke.Service, kind revoke.Kind, token string, more ...func(*revoke.Registration)) (revoke.Session, error) {
	t.Helper()
	r := revoke.Registration{Subject: by("sally@example.edu"), App: "portal", Kind: kind, Token: revoke.HashToken(token)}
	for _, change := range more {
		change(&r)
	}
	out, err := s.Register(t.Context(), portalApp, r)
	return out.Session, err
}

func token(text string) revoke.SessionRef {
	return revoke.SessionRef{Org: "main", Token: revoke.HashToken(text)}
}

// W24: a kind that is not allowed is refused, what exists is dead and stays dead when the kind is allowed again; others are untouched.
func TestAKindThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	mobile := revoke.PolicyKey{Kind: revoke.Mobile}
	for kind, name := range map[revoke.Kind]string{revoke.Mobile: "phone", revoke.Browser: "browser"} {
		if _, err := registerKind(t, s, kind, name); err != nil {
			t.Fatal(err)
		}
	}
	question := revoke.Question{Subject: by("sally@example.edu"), Kind: revoke.Mobile, App: "portal"}
	check := func(when string, want bool) {
		t.Helper()
		got, err := s.Check(t.Context(), portalApp, []revoke.Question{question})
		if err != nil || got[0].Live != want {
			t.Errorf("%s: a stateless token = %+v, %v; want live %v", when, got, err, want)
		}
	}
	order := revoke.PolicyOrder{Key: mobile, Terms: revoke.Terms{Refused: true}}
	if n, err := s.PreviewPolicy(t.Context(), opsVoice, order); n != 1 || err != nil {
		t.Errorf("preview = %d, %v; want 1", n, err)
	}
	setPolicy(t, s, mobile, revoke.Terms{Refused: true})
	store.Moving().Advance(10 * time.Second)
	question.IssuedAt = store.Clock().Now()
	for _, serving := range []*revoke.Service{s, restart(t, store)} {
		wantLive(t, serving, token("phone"), false, "not allowed")
		wantLive(t, serving, token("browser"), true, "the browser")
		if _, err := registerKind(t, serving, revoke.Mobile, "again"); !errors.Is(err, revoke.ErrKindNotAllowed) {
			t.Errorf("registered where it is not allowed: %v", err)
		}
	}
	check("not allowed", false)
	store.Moving().Advance(10 * time.Second)
	removePolicy(t, s, mobile)
	check("issued while it was not allowed", false)
	wantLive(t, s, token("phone"), false, "allowed again")
	if _, err := registerKind(t, s, revoke.Mobile, "fresh"); err != nil {
		t.Errorf("a fresh login once it is allowed again: %v", err)
	}
	wantLive(t, s, token("fresh"), true, "a fresh login")
	if owed := len(store.AllDeliveries()); owed != 1 {
		t.Errorf("%d deliveries, want 1 for the order and none for taking it back", owed)
	}
}

// W1, W32: what names no end gets the default lifetime, max_age caps the rest, and what existed ends when it is that old, also once the
// policy is gone.
func TestAgesOfSessions(t *testing.T) {
	t.Parallel()
	s, store := serving(t)
	key := revoke.PolicyKey{Kind: revoke.Mobile}
	day := 24 * time.Hour
	if _, err := registerKind(t, s, revoke.Mobile, "old"); err != nil {
		t.Fatal(err)
	}
	if _, err := registerKind(t, s, revoke.Browser, "browser"); err != nil {
		t.Fatal(err)
	}
	store.Moving().Advance(4 * day)
	if _, err := registerKind(t, s, revoke.Mobile, "young"); err != nil {
		t.Fatal(err)
	}
	setPolicy(t, s, key, revoke.Terms{MaxAge: 3 * day, DefaultLifetime: 2 * day})
	wantLive(t, s, token("old"), false, "older than max_age")
	wantLive(t, s, token("young"), true, "younger than max_age")
	now := store.Clock().Now()
	short, err := registerKind(t, s, revoke.Mobile, "short")
	if got := short.ExpiresAt.Sub(short.BornAt); err != nil || got != 2*day {
		t.Errorf("without an end: lives %s, %v; want two days", got, err)
	}
	far := func(r *revoke.Registration) { r.ExpiresAt = now.Add(300 * day) }
	long, err := registerKind(t, s, revoke.Mobile, "long", far)
	if got := long.ExpiresAt.Sub(long.BornAt); err != nil || got != 3*day {
		t.Errorf("with a far end: lives %s, %v; want three days", got, err)
	}
	if again, err := registerKind(t, s, revoke.Mobile, "long", far); err != nil || again.ID != long.ID {
		t.Errorf("the same registration again: %v", err)
	}
	aged := func(r *revoke.Registration) { r.AuthTime = now.Add(-3 * day) }
	if _, err := registerKind(t, s, revoke.Mobile, "aged", aged); !errors.Is(err, revoke.ErrOver) {
		t.Errorf("proved three days ago: %v, want ErrOver", err)
	}
	question := []revoke.Question{{Subject: by("sally@example.edu"), Kind: revoke.Mobile, App: "portal", IssuedAt: now.Add(time.Minute)}}
	store.Moving().Advance(time.Hour)
	removePolicy(t, s, key)
	wantLive(t, s, token("young"), true, "not old enough yet")
	store.Moving().Advance(3*day - time.Hour - time.Minute)
	wantLive(t, s, token("young"), true, "a minute before its time")
	store.Moving().Advance(2 * time.Minute)
	for _, serving := range []*revoke.Service{s, restart(t, store)} {
		wantLive(t, serving, token("young"), false, "as old as the policy let it become")
		wantLive(t, serving, token("browser"), true, "another kind")
		if got, err := serving.Check(t.Context(), portalApp, question); err != nil || got[0].Live {
			t.Errorf("a stateless token issued while the policy stood = %+v, %v; want dead", got, err)
		}
	}
}

// W25: unused for the limit and two batches it is dead; used, it lives until its greatest age.
func TestIdleSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := revoketest.NewMemory()
		s := restart(t, store)
		key := revoke.PolicyKey{Kind: revoke.Browser}
		if _, err := registerKind(t, s, revoke.Browser, "before"); err != nil {
			t.Fatal(err)
		}
		setPolicy(t, s, key, revoke.Terms{Idle: 15 * time.Minute, MaxAge: time.Hour})
		for _, name := range []string{"used", "left"} {
			if _, err := registerKind(t, s, revoke.Browser, name); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			store.Moving().Advance(15*time.Minute + 30*time.Second)
			wantLive(t, s, token("used"), true, "used every quarter of an hour")
			if err := s.WriteUses(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		wantLive(t, s, token("left"), false, "used by nobody")
		wantLive(t, s, token("before"), false, "registered before the policy, and used by nobody")
		removePolicy(t, s, key)
		wantLive(t, s, token("before"), false, "after the policy is gone")
		store.Moving().Advance(15 * time.Minute)
		wantLive(t, s, token("used"), false, "as old as may be")
	})
}
