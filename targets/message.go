package targets

import (
	"slices"
	"strings"

	"curfew/revoke"
)

// message is the body of a webhook (DESIGN section 6). Every member is always there, null where it has nothing to say.
// It is made of recorded facts only, so that a retry sends the same; but for identifiers, which are sent as they are known.
type message struct {
	Type      string         `json:"type"`
	Timestamp revoke.Instant `json:"timestamp"`
	Data      messageData    `json:"data"`
}

type messageData struct {
	Revocation  revoke.ID           `json:"revocation"`
	Org         string              `json:"org"`
	Scope       string              `json:"scope"`
	Subject     *subject            `json:"subject"`
	Identifiers []revoke.Identifier `json:"identifiers"`
	Device      *string             `json:"device"`
	Session     *string             `json:"session"`
	Kind        *string             `json:"kind"`
	App         *string             `json:"app"`
	Cutoff      *revoke.Instant     `json:"cutoff"`
	Blocked     bool                `json:"blocked"`
	Reason      *string             `json:"reason"`
	Signal      string              `json:"signal"`
}

func newMessage(owed revoke.Owed, item *revoke.OwedItem) message {
	r := &item.Revocation
	m := message{
		Type:      messageType(r.Kind),
		Timestamp: r.CreatedAt,
		Data: messageData{
			Revocation: r.ID, Org: r.Org, Subject: subjectOf(owed),
			Identifiers: owed.Identifiers, Device: member(item.Device), Session: member(item.Session),
			Blocked: r.Blocked, Reason: member(r.Reason), Signal: string(r.Signal),
		},
	}
	if m.Data.Identifiers == nil {
		m.Data.Identifiers = []revoke.Identifier{}
	}
	if r.At != 0 {
		m.Data.Cutoff = &r.At
	}
	m.Data.Scope, m.Data.Kind, m.Data.App = narrowing(r.Scope)
	return m
}

func messageType(kind revoke.RevocationKind) string {
	switch kind {
	case revoke.RevocationBlock:
		return "user.blocked"
	case revoke.RevocationLift:
		return "user.lifted"
	case revoke.RevocationEnd:
		return "session.revoked"
	}
	return "session.revoked"
}

// narrowing says a scope in the words of POST /v1/revocations: a person's kind or app is scope user beside a kind or an
// app, and a person's device is scope device beside a subject. An application that reads the scope alone ends too much
// rather than nothing.
func narrowing(s revoke.Scope) (scope string, kind, app *string) {
	switch s.Kind {
	case revoke.ScopeUserKind:
		return string(revoke.ScopeUser), member(s.Key), nil
	case revoke.ScopeUserApp:
		return string(revoke.ScopeUser), nil, member(s.Key)
	case revoke.ScopeUserDevice:
		return string(revoke.ScopeDevice), nil, nil
	case revoke.ScopeKindOf:
		return string(s.Kind), member(s.Key), nil
	case revoke.ScopeApp:
		return string(s.Kind), nil, member(s.Key)
	case revoke.ScopeSession:
		if name, _, pending := strings.Cut(s.Key, "\n"); pending {
			app = member(name) // of a session that nobody has registered
		}
		return string(s.Kind), nil, app
	case revoke.ScopeEveryone, revoke.ScopeUser, revoke.ScopeDevice:
	}
	return string(s.Kind), nil, nil
}

// subject is an RFC 9493 subject identifier.
type subject struct {
	Format string `json:"format"`
	Email  string `json:"email,omitempty"`
	Iss    string `json:"iss,omitempty"`
	Sub    string `json:"sub,omitempty"`
	URI    string `json:"uri,omitempty"`
	Phone  string `json:"phone_number,omitempty"`
	ID     string `json:"id,omitempty"`
}

// spoken is the order in which we name a person whom we know by several names: what any application is likely to know
// first. Ids whose namespace a subject identifier cannot tell follow, and our own is the last resort.
var spoken = []string{
	revoke.NamespaceEmail, revoke.NamespaceIssuer, revoke.NamespaceAccount, revoke.NamespacePhone,
	revoke.NamespaceUserName, revoke.NamespaceExternalID,
}

// subjectOf returns one name of the person, nil where the revocation is about nobody in particular.
func subjectOf(owed revoke.Owed) *subject {
	for _, namespace := range spoken {
		if value, ok := owed.Identifiers.Has(namespace); ok {
			return subjectIn(namespace, value)
		}
	}
	own := slices.IndexFunc(owed.Identifiers, func(id revoke.Identifier) bool { return !strings.Contains(id.Namespace, ":") })
	switch {
	case own >= 0:
		return subjectIn(owed.Identifiers[own].Namespace, owed.Identifiers[own].Value)
	case !owed.User.IsZero():
		return subjectIn(revoke.NamespaceCurfew, owed.User.String())
	default:
		return nil
	}
}

func subjectIn(namespace, value string) *subject {
	switch namespace {
	case revoke.NamespaceEmail:
		return &subject{Format: "email", Email: value}
	case revoke.NamespaceIssuer:
		iss, sub, _ := strings.Cut(value, " ")
		return &subject{Format: "iss_sub", Iss: iss, Sub: sub}
	case revoke.NamespaceAccount:
		return &subject{Format: "account", URI: "acct:" + value}
	case revoke.NamespacePhone:
		return &subject{Format: "phone_number", Phone: value}
	default:
		return &subject{Format: "opaque", ID: value}
	}
}

// member returns text as a member of a message, null when it is empty.
func member(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
