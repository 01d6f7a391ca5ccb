package revoketest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// System is an imitation of what a type of target revokes in. It keeps sessions and enforces the real one's rules. It is
// safe for concurrent use.
type System interface {
	http.Handler
	// SignIn gives a person a session of a kind on a device, born at an instant, and returns its id there; ok is false
	// while the system lets the person in no more.
	SignIn(email string, kind revoke.Kind, device string, at revoke.Instant) (session string, ok bool)
	// Live reports whether the session still opens the system.
	Live(session string) bool
}

// Fate is what becomes of a delivery after an answer.
type Fate string

// The fates of a delivery.
const (
	FateDone    Fate = "done"    // a receipt
	FateRetried Fate = "retried" // a plain error
	FateWaits   Fate = "waits"   // a refused credential: alarmed once, tried again, never parked
	FateParked  Fate = "parked"  // a permanent error
)

// TargetFixture is how the battery meets one type of target.
type TargetFixture struct {
	// System returns a fresh system with nobody in it.
	System func(t *testing.T) System
	// Target opens a target whose system answers at url, with Secrets as its credentials.
	Target func(t *testing.T, url string, log *slog.Logger) revoke.Target
	// Secrets are what no error, receipt or log line may show.
	Secrets []string
	// Fate states what the type makes of a status that the system never means well: every one from 300 to 599.
	Fate func(status int) Fate
	// Page is what the type makes of a 2xx that is a web page for people, at its first attempt and at its hundredth.
	Page [2]Fate
}

// RunTarget is the battery that every type of target must pass (TARGETS.md A and C, SECURITY.md F13 to F15, T14).
func RunTarget(t *testing.T, f TargetFixture) {
	if f.System == nil || f.Target == nil || f.Fate == nil || len(f.Secrets) == 0 {
		t.Fatal("a fixture needs System, Target, Fate and Secrets")
	}
	for name, test := range map[string]func(*testing.T, *targetBench){
		"sessions gone": sessionsGone, "one session": oneSession, "one device": oneDevice, "everyone": everyoneGone,
		"unknown user": unknownUser, "twice is harmless": revokedTwice, "many at once": manyAtOnce,
		"block and lift": blockAndLift, "block and lift in one call": blockThenLift,
		"check changes nothing": checkChangesNothing, "statuses": everyStatusHasAFate, "throttled": throttledCall, "redirects": redirectedCall,
		"hangs": hangingSystem, "cancelled": cancelledCall, "breaks off": breaksOff, "answers too much": answersTooMuch,
		"a page for people": pageForPeople, "shows no secret": showsNoSecret, "not there": notThere,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newTargetBench(t, f))
		})
	}
}

// targetBench is one target with its system, which can be made to misbehave.
type targetBench struct {
	TargetFixture
	system System
	front  *targetFront
	url    string
	log    *targetLog
	target revoke.Target
}

// The instants of the battery: everybody signs in before what is revoked at cutAt.
const (
	signedInAt = Start + 1_000_000
	cutAt      = Start + 2_000_000
	laterAt    = Start + 60_000_000
)

func newTargetBench(t *testing.T, f TargetFixture) *targetBench {
	t.Helper()
	b := &targetBench{TargetFixture: f, system: f.System(t), log: &targetLog{}}
	b.front = &targetFront{system: b.system, reached: make(chan struct{}, 1024)}
	server := httptest.NewServer(b.front)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.reopen(t)
	return b
}

// reopen starts the target anew, as after a restart: what the system asked it to wait is forgotten.
func (b *targetBench) reopen(t *testing.T) {
	t.Helper()
	b.target = b.Target(t, b.url, slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { b.hunt(t, b.log.String(), fmt.Sprintf("%v %+v %#v", b.target, b.target, b.target)) })
}

// hunt fails the test if a text shows a secret.
func (b *targetBench) hunt(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range b.Secrets {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is shown in %q", text)
			}
		}
	}
}

func (b *targetBench) signIn(t *testing.T, email string, kind revoke.Kind, device string, at revoke.Instant) string {
	t.Helper()
	session, ok := b.system.SignIn(email, kind, device, at)
	if !ok {
		t.Fatalf("%s cannot sign in", email)
	}
	return session
}

func (b *targetBench) wantLive(t *testing.T, want bool, sessions ...string) {
	t.Helper()
	for _, s := range sessions {
		if got := b.system.Live(s); got != want {
			t.Errorf("session %s is live: %v, want %v", s, got, want)
		}
	}
}

// call revokes under a deadline and fails the test if the target outstays it by far.
func (b *targetBench) call(t *testing.T, deadline time.Duration, owed revoke.Owed) (revoke.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return b.callUnder(t, ctx, owed)
}

func (b *targetBench) callUnder(t *testing.T, ctx context.Context, owed revoke.Owed) (revoke.Receipt, error) { //nolint:revive // t goes first in a helper
	t.Helper()
	type result struct {
		receipt revoke.Receipt
		err     error
	}
	done := make(chan result, 1)
	go func() {
		receipt, err := b.target.Revoke(ctx, owed)
		done <- result{receipt, err}
	}()
	select {
	case r := <-done:
		b.hunt(t, fmt.Sprintf("%v %+v %#v", r.err, r.err, r.receipt))
		return r.receipt, r.err
	case <-time.After(ample):
		t.Fatalf("the call outlived its context by far")
		return revoke.Receipt{}, nil
	}
}

const (
	ample   = 20 * time.Second       // for what must end; no test waits for it
	briefly = 300 * time.Millisecond // for what must be given up
)

// revoke carries out what must go well.
func (b *targetBench) revoke(t *testing.T, owed revoke.Owed) revoke.Receipt {
	t.Helper()
	receipt, err := b.call(t, ample, owed)
	if err != nil {
		t.Fatalf("revoke: %v", err)
	}
	switch receipt.Evidence {
	case revoke.Confirmed:
		if !b.target.Covers().Verify {
			t.Errorf("receipt %+v is confirmed by a target that cannot read back", receipt)
		}
	case revoke.Accepted, revoke.NothingThere:
	default:
		t.Errorf("receipt %+v has no evidence", receipt)
	}
	if receipt.At == 0 {
		t.Errorf("receipt %+v has no time", receipt)
	}
	return receipt
}

// wantFate checks what an error says about the delivery.
func wantFate(t *testing.T, err error, want Fate) {
	t.Helper()
	got := FateRetried
	var refused revoke.RefusedCredential
	switch {
	case err == nil:
		got = FateDone
	case errors.As(err, &refused):
		got = FateWaits
	case revoke.IsPermanent(err):
		got = FateParked
	}
	if got != want {
		t.Errorf("the delivery is %s, want %s (%v)", got, want, err)
	}
	if err != nil && len(err.Error()) > 400 {
		t.Errorf("an error of %d bytes: %.80q…", len(err.Error()), err.Error())
	}
}

func oweTo(email string, items ...revoke.OwedItem) revoke.Owed {
	owed := revoke.Owed{Target: "battery", Org: "main", Items: items}
	if email != "" {
		owed.User = revoke.NameID(email)
		owed.Identifiers.Add(revoke.NamespaceUserName, email)
		owed.Identifiers.Add(revoke.NamespaceEmail, email)
	}
	for i := range owed.Items {
		item := &owed.Items[i]
		r := &item.Revocation
		r.Scope.User = owed.User
		r.Org, r.Scope.Org, r.CreatedAt = "main", "main", cutAt+revoke.Instant(i)
		r.ID = revoke.NameID(email, fmt.Sprint(i), string(r.Kind), string(r.Scope.Kind), item.Session, item.Device)
		item.Delivery = revoke.Delivery{
			Revocation: r.ID, Target: "battery", Org: "main", User: owed.User, Ord: r.CreatedAt, FirstAt: r.CreatedAt,
			Attempts: item.Delivery.Attempts,
		}
	}
	return owed
}

func oweEnd(scope revoke.ScopeKind) revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationEnd, Signal: revoke.SessionsCleared, Scope: revoke.Scope{Kind: scope}, At: cutAt, Reason: "stolen laptop",
	}}
}

func oweBlock() revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationBlock, Signal: revoke.Suspended, Scope: revoke.Scope{Kind: revoke.ScopeUser}, At: cutAt, Blocked: true,
	}}
}

func oweLift() revoke.OwedItem {
	return revoke.OwedItem{Revocation: revoke.Revocation{
		Kind: revoke.RevocationLift, Signal: revoke.Reactivated, Scope: revoke.Scope{Kind: revoke.ScopeUser}, At: cutAt + 1,
	}}
}

const targetSally, targetPat = "sally@example.edu", "pat@example.edu"

func sessionsGone(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	laptop := b.signIn(t, targetSally, revoke.Browser, "laptop", signedInAt)
	other := b.signIn(t, targetPat, revoke.Mobile, "phone", signedInAt)
	b.revoke(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	b.wantLive(t, false, phone, laptop)
	b.wantLive(t, true, other)
	b.wantLive(t, true, b.signIn(t, targetSally, revoke.Mobile, "phone", laterAt))
}

func oneSession(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	laptop := b.signIn(t, targetSally, revoke.Browser, "laptop", signedInAt)
	item := oweEnd(revoke.ScopeSession)
	item.Session = phone
	b.revoke(t, oweTo(targetSally, item))
	b.wantLive(t, false, phone)
	b.wantLive(t, b.target.Covers().OneSession, laptop) // where one cannot be ended, all are
}

func oneDevice(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	laptop := b.signIn(t, targetSally, revoke.Browser, "laptop", signedInAt)
	other := b.signIn(t, targetPat, revoke.Mobile, "phone", signedInAt)
	item := oweEnd(revoke.ScopeUserDevice)
	item.Device = "phone"
	b.revoke(t, oweTo(targetSally, item))
	b.wantLive(t, false, phone)
	b.wantLive(t, b.target.Covers().OneDevice, laptop)
	b.wantLive(t, true, other)
}

func everyoneGone(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	other := b.signIn(t, targetPat, revoke.Mobile, "phone", signedInAt)
	if !b.target.Covers().Everyone {
		_, err := b.call(t, ample, oweTo("", oweEnd(revoke.ScopeEveryone)))
		wantFate(t, err, FateParked) // it is expanded into people before; nobody may take it for done
		return
	}
	b.revoke(t, oweTo("", oweEnd(revoke.ScopeEveryone)))
	b.wantLive(t, false, phone, other)
}

func unknownUser(t *testing.T, b *targetBench) {
	other := b.signIn(t, targetPat, revoke.Mobile, "phone", signedInAt)
	receipt := b.revoke(t, oweTo("nobody@example.edu", oweEnd(revoke.ScopeUser)))
	if b.target.Covers().Verify && receipt.Evidence != revoke.NothingThere {
		t.Errorf("receipt %+v, want %q", receipt, revoke.NothingThere)
	}
	b.wantLive(t, true, other)
}

func revokedTwice(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	other := b.signIn(t, targetPat, revoke.Mobile, "phone", signedInAt)
	owed := oweTo(targetSally, oweEnd(revoke.ScopeUser))
	b.revoke(t, owed)
	b.revoke(t, owed)
	b.reopen(t)
	b.revoke(t, owed)
	b.wantLive(t, false, phone)
	b.wantLive(t, true, other)
}

func manyAtOnce(t *testing.T, b *targetBench) {
	var calls sync.WaitGroup
	var gone []string
	for i := range 30 {
		email := fmt.Sprintf("user%d@example.edu", i)
		gone = append(gone, b.signIn(t, email, revoke.Mobile, "phone", signedInAt))
		calls.Go(func() {
			if _, err := b.target.Revoke(t.Context(), oweTo(email, oweEnd(revoke.ScopeUser))); err != nil {
				t.Errorf("revoke %s: %v", email, err)
			}
		})
	}
	calls.Wait()
	b.wantLive(t, false, gone...)
}

func blockAndLift(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	b.revoke(t, oweTo(targetSally, oweBlock()))
	b.wantLive(t, false, phone)
	if _, ok := b.system.SignIn(targetSally, revoke.Mobile, "phone", laterAt); ok && b.target.Covers().Block {
		t.Error("she can sign in although she is blocked")
	}
	b.revoke(t, oweTo(targetSally, oweLift()))
	b.wantLive(t, false, phone)
	b.wantLive(t, true, b.signIn(t, targetSally, revoke.Mobile, "phone", laterAt))
}

func blockThenLift(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	b.revoke(t, oweTo(targetSally, oweBlock(), oweLift()))
	b.wantLive(t, false, phone)
	b.wantLive(t, true, b.signIn(t, targetSally, revoke.Mobile, "phone", laterAt))
}

func checkChangesNothing(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	if err := b.target.Check(t.Context()); err != nil {
		t.Errorf("check of a healthy system: %v", err)
	}
	b.wantLive(t, true, phone)
}

// targetLog is where the target's log goes.
type targetLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write obeys [io.Writer].
func (b *targetLog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *targetLog) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// everyStatus is every status that the battery answers with.
func everyStatus() []int {
	return slices.Concat(statusesUpTo(300, 309), statusesUpTo(400, 452), statusesUpTo(500, 512), []int{520, 521, 522, 523, 524, 529, 530, 599})
}

func statusesUpTo(from, to int) []int {
	var out []int
	for s := from; s < to; s++ {
		out = append(out, s)
	}
	return out
}
