package revoke

import "context"

// Coverage is what a target can end, said once when its type registers.
type Coverage struct {
	WebSessions bool   `json:"web_sessions"`
	Tokens      bool   `json:"tokens"` // mobile and refresh tokens
	OneDevice   bool   `json:"one_device"`
	OneSession  bool   `json:"one_session"`
	Everyone    bool   `json:"everyone"` // by a call of its own
	Block       bool   `json:"block"`
	Verify      bool   `json:"verify"` // a receipt can be confirmed by reading back
	Note        string `json:"note,omitempty"`
}

// Target is a configured system in which we revoke. It is safe for concurrent use.
type Target interface {
	// Covers says what it can end. It makes no call.
	Covers() Coverage
	// Check probes credential and rights. It changes nothing there.
	Check(ctx context.Context) error
	// Revoke carries out what is owed to one person (or, with no user, to everyone) in the order of the owed deliveries,
	// and returns one receipt for all of them. Calling it again with the same ones is harmless. It retries nothing itself:
	// a plain error is tried again on the ladder, [RetryAfter] when it asked us to wait, [Permanent] parks,
	// [RefusedCredential] alarms once for the target. A person unknown there is a receipt.
	Revoke(ctx context.Context, owed Owed) (Receipt, error)
}

// Owed is everything that one target is owed for one person, in order.
type Owed struct {
	Target      string
	Org         string
	User        ID
	Identifiers Subject // of everybody who is this person
	Items       []OwedItem
}

// OwedItem is one delivery with its revocation.
type OwedItem struct {
	Delivery   Delivery
	Revocation Revocation
	Session    string // the application's id of a session that was ended by itself
	Device     string // the device as the application names it
}
