package revoke

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The ways in which the core says no. Adapters translate their drivers' and vendors' errors into these at their edge and
// compare with errors.Is.
var (
	// ErrNotFound: there is no such thing, or it is not the caller's to see.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what was asked contradicts what is recorded.
	ErrConflict = errors.New("conflict")
	// ErrUnverified: the sender did not prove who it is. Nothing more is ever said to it.
	ErrUnverified = errors.New("unverified")
	// ErrBlocked: a block on the user stands, so no session may be registered.
	ErrBlocked = errors.New("blocked")
	// ErrKindNotAllowed: a policy refuses sessions of this kind.
	ErrKindNotAllowed = errors.New("kind not allowed")
	// ErrOver: the session was born at or before a cutoff that covers it; the person must sign in again.
	ErrOver = errors.New("over")
	// ErrNotFresh: we cannot know at this moment; ask again. It is never an answer about a session.
	ErrNotFresh = errors.New("not fresh")
	// ErrUnavailable: the store does not answer; nothing was done.
	ErrUnavailable = errors.New("store unavailable")
	// ErrUnknownCommit: the store stopped answering while it committed, so the change may or may not be there.
	ErrUnknownCommit = errors.New("commit outcome unknown")
	// ErrLeaseLost: a delivery's lease went to somebody else, whose result counts.
	ErrLeaseLost = errors.New("lease lost")
)

// Invalid is input that has no meaning: which field, what is wrong with it, and what to write instead.
type Invalid struct {
	Field   string // a dotted path with indexes, empty for the whole
	Problem string // "is not a time"
	Fix     string // `write RFC 3339 such as "2026-11-23T10:00:00Z"`
}

// Error returns one sentence.
func (e Invalid) Error() string {
	text := strings.TrimSpace(e.Field + " " + e.Problem)
	if e.Fix != "" {
		text += ": " + e.Fix
	}
	return text
}

// permanent and retryAfter are how a target says what its plain errors mean.
type (
	permanent  struct{ error }
	retryAfter struct {
		error
		after time.Duration
	}
)

func (e permanent) Unwrap() error  { return e.error }
func (e retryAfter) Unwrap() error { return e.error }

// Permanent says that the same call can never work; the delivery is parked for a person. Refused credentials are not
// permanent: the revocation is still owed once they are repaired.
func Permanent(err error) error { return permanent{err} }

// IsPermanent reports whether err carries [Permanent].
func IsPermanent(err error) bool {
	_, ok := errors.AsType[permanent](err)
	return ok
}

// RetryAfter says that the system asked us to come back no sooner than after d.
func RetryAfter(err error, d time.Duration) error { return retryAfter{err, d} }

// AskedToWait returns the wait that [RetryAfter] put into err, zero when there is none.
func AskedToWait(err error) time.Duration {
	if e, ok := errors.AsType[retryAfter](err); ok {
		return e.after
	}
	return 0
}

// RefusedCredential marks a target's error as "our credential is refused": one alarm for the whole target, nothing parked.
type RefusedCredential struct{ Err error }

// Error returns the target's sentence.
func (e RefusedCredential) Error() string { return fmt.Sprintf("credential refused: %v", e.Err) }

// Unwrap returns the target's error.
func (e RefusedCredential) Unwrap() error { return e.Err }
