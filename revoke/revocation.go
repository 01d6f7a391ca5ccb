package revoke

// RevocationKind says what a revocation was. The set is closed.
type RevocationKind string

// The kinds of revocation.
const (
	RevocationEnd   RevocationKind = "end"
	RevocationBlock RevocationKind = "block"
	RevocationLift  RevocationKind = "lift"
)

// Actor is who or what caused something.
type Actor struct {
	Kind string // source, operator, person, schedule
	Name string
}

// Revocation is our decision to end what a cutoff or a block covers, or to lift.
type Revocation struct {
	ID        ID
	Event     ID
	Org       string
	Kind      RevocationKind
	Signal    SignalKind
	Scope     Scope
	Session   ID      // for a registered session that was ended by itself
	At        Instant // of the cutoff; zero when nothing is cut
	Blocked   bool    // a block stands after it
	Reason    string
	Actor     Actor
	CreatedAt Instant
}

// AuditEntry is one line of the audit log: what changed, in the bytes that its leaf will cover. Who it was about stands
// apart, so that it can be erased without breaking the tree.
type AuditEntry struct {
	Seq    int64
	Org    string
	At     Instant
	Kind   string // "revocation", "registration", "provision", "join", "delivery", ...
	Entry  []byte // canonical JSON without personal data
	Person []byte // canonical JSON of the personal part
}
