package revoke

import "context"

// Registration is a session as an application reports it. Zero members were not sent.
type Registration struct {
	Subject   Subject
	App       string
	Kind      Kind
	ClientID  string
	Token     TokenHash
	Device    DeviceIdentifier // zero when none was named
	SID       string
	IssuedAt  Instant
	AuthTime  Instant
	ExpiresAt Instant
	Facts     SessionFacts
}

// Registered is what came of it.
type Registered struct {
	Session Session
	Created bool // false: the same session had been registered before
}

// Register records a session. The same id or token again is the session as it was first registered; with other facts it is
// [ErrConflict]. A person under a block is [ErrBlocked]; a session born at or before a cutoff that covers it is [ErrOver].
func (s *Service) Register(ctx context.Context, src Source, r Registration) (Registered, error) {
	panic("todo")
}
