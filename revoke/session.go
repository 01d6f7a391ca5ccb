package revoke

import (
	"crypto/sha256"
	"time"
)

// Kind is what sort of session it is. The set is closed.
type Kind string

// The kinds of session.
const (
	Browser    Kind = "browser"
	Mobile     Kind = "mobile"
	Desktop    Kind = "desktop"
	API        Kind = "api"
	DeviceKind Kind = "device" // a long-lived device token
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Browser, Mobile, Desktop, API, DeviceKind} }

// DefaultLifetime is how long a session lives whose application names no end, where no policy says otherwise.
const DefaultLifetime = 60 * 24 * time.Hour

// TokenHash is all we keep of a session token.
type TokenHash [sha256.Size]byte

// HashToken returns what we keep of a token.
func HashToken(token string) TokenHash { return sha256.Sum256([]byte(token)) }

// IsZero reports whether no token belongs to the session.
func (h TokenHash) IsZero() bool { return h == TokenHash{} }

// Session is an immutable fact, but for its end: whose, of which app, kind and device, proved when, ending when.
type Session struct {
	ID           ID
	Org          string
	App          string
	ClientID     string // the application's own id for it, empty when it gave none
	User         ID     // for ever the user it was registered with; joins are followed by Live
	Kind         Kind
	Device       ID     // zero when none was named
	SID          string // the provider's session id
	Token        TokenHash
	IssuedAt     Instant
	AuthTime     Instant // zero when not stated
	BornAt       Instant // min(IssuedAt, AuthTime): a refresh does not make an old proof new
	ExpiresAt    Instant
	Idle         time.Duration // zero: no idle limit
	Spared       bool          // its user was a break-glass person
	Facts        SessionFacts
	RegisteredAt Instant
	EndedAt      Instant // zero: not ended by itself
	EndedBy      ID      // the revocation that ended it
	UsedAt       Instant // its last use that is stored, zero before the first
}

// SessionFacts is what people recognise a session by. Nothing is decided by it.
type SessionFacts struct {
	DeviceID    string  `json:"device_id,omitempty"` // as the application names the device
	DeviceName  string  `json:"device_name,omitempty"`
	Platform    string  `json:"platform,omitempty"`
	IP          string  `json:"ip,omitempty"`
	UserAgent   string  `json:"user_agent,omitempty"`
	ExpiresSent Instant `json:"expires_sent,omitzero"` // the end that was stated, where a policy set an earlier one
	IssuedSent  bool    `json:"issued_sent,omitempty"` // issued_at was stated, so a repeat with another one is a conflict
}

// Name returns the id that the application knows the session by.
func (s *Session) Name() string {
	if s.ClientID != "" {
		return s.ClientID
	}
	return s.ID.String()
}

// SessionRef points at sessions from outside: our id, an app's own id, a token, or a provider's session id.
type SessionRef struct {
	ID       ID
	Org      string
	App      string // with ClientID; empty means any app
	ClientID string
	Token    TokenHash
	SID      string
}

// unregistered is where the end of a session is kept that nobody has registered yet.
func (r SessionRef) unregistered() (Scope, bool) {
	switch {
	case r.ClientID != "" && r.App != "":
		return Scope{Org: r.Org, Kind: ScopeSession, Key: SessionKey(r.App, r.ClientID)}, true
	case r.SID != "":
		return Scope{Org: r.Org, Kind: ScopeSession, Key: SessionKey("", r.SID)}, true // no app has an empty name
	default:
		return Scope{}, false
	}
}

// IsZero reports whether r points at nothing.
func (r SessionRef) IsZero() bool {
	return r.ID.IsZero() && r.ClientID == "" && r.Token.IsZero() && r.SID == ""
}

// Matches reports whether r points at s.
func (r SessionRef) Matches(s *Session) bool {
	if r.Org != s.Org || r.App != "" && r.App != s.App {
		return false
	}
	return !r.ID.IsZero() && r.ID == s.ID || r.ClientID != "" && r.ClientID == s.ClientID ||
		!r.Token.IsZero() && r.Token == s.Token || r.SID != "" && r.SID == s.SID
}
