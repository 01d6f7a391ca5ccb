package revoke

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Namespaces that mean the same for every source. Any other namespace holds somebody's own user ids, named by `ids:`.
const (
	NamespaceUserName   = "user_name"
	NamespaceEmail      = "email"
	NamespacePhone      = "phone"
	NamespaceExternalID = "external_id"
	NamespaceIssuer     = "iss_sub" // the value is the issuer, a blank and the subject
	NamespaceAccount    = "account" // an acct: URI (RFC 7565) without its scheme
	NamespaceCurfew     = "curfew"  // our own user ids
	namespaceSCIM       = "scim:"   // followed by the authority; SCIM resource ids
)

// maxIdentifier bounds a value in bytes. RFC 5321 ends an address at 254, and no directory's id comes near.
const maxIdentifier = 512

// Identifier is one name of a person: a value in a namespace of an org.
type Identifier struct {
	Org       string `json:"-"`
	Namespace string `json:"namespace"`
	Value     string `json:"value"` // folded where the namespace compares without case
}

// NewIdentifier folds value as its namespace compares: email and user_name without case, phone without blanks and
// punctuation. An empty, over-long or unprintable value is [Invalid].
func NewIdentifier(namespace, value string) (Identifier, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return Identifier{}, Invalid{Field: namespace, Problem: "is empty", Fix: "leave it out or give a value"}
	}
	if len(value) > maxIdentifier || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return Identifier{}, Invalid{Field: namespace, Problem: "is longer than 512 bytes or holds unprintable characters", Fix: "give the plain value"}
	}
	switch namespace {
	case NamespaceEmail, NamespaceUserName, NamespaceAccount:
		value = foldCase(value)
	case NamespacePhone:
		value = strings.Map(func(r rune) rune {
			if r == ' ' || r == '-' || r == '.' || r == '(' || r == ')' || r == '/' {
				return -1
			}
			return r
		}, value)
	}
	return Identifier{Namespace: namespace, Value: value}, nil
}

// foldCase is the one folding of names, done here because the databases' own differ.
func foldCase(s string) string { return strings.ToLower(s) }

// Subject is how a sender names one person: identifiers that all mean the same user.
type Subject []Identifier

// Add appends an identifier, leaving out values that are empty or unusable: a sender's odd phone number must not lose the
// deactivation that its id carries.
func (s *Subject) Add(namespace, value string) {
	id, err := NewIdentifier(namespace, value)
	if err == nil && !slices.Contains(*s, id) {
		*s = append(*s, id)
	}
}

// Has reports whether s carries a value in the namespace, and which.
func (s Subject) Has(namespace string) (string, bool) {
	for _, id := range s {
		if id.Namespace == namespace {
			return id.Value, true
		}
	}
	return "", false
}

// In returns s with every identifier in org.
func (s Subject) In(org string) Subject {
	out := slices.Clone(s)
	for i := range out {
		out[i].Org = org
	}
	return out
}

// LooksLikeAddress reports whether a user name can also be an e-mail address.
func LooksLikeAddress(name string) bool {
	at := strings.IndexByte(name, '@')
	return at > 0 && at < len(name)-1 && !strings.ContainsAny(name, " \t")
}

// ParseSubject reads an RFC 9493 subject identifier: email, iss_sub, opaque, account, phone_number or aliases. An opaque id
// is one of the sender's own, so it lands in the namespace ids. Errors are [Invalid] with a field below "subject".
func ParseSubject(raw json.RawMessage, ids string) (Subject, error) {
	return parseSubject(raw, ids, "subject", true)
}

func parseSubject(raw json.RawMessage, ids, field string, aliases bool) (Subject, error) {
	var in struct {
		Format, Email, Iss, Sub, ID, URI string
		PhoneNumber                      string `json:"phone_number"`
		Identifiers                      []json.RawMessage
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, Invalid{field, "is missing or not an object", `give {"format": "email", "email": "sally@example.edu"}`}
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, Invalid{field, "has a member that is not text", `give {"format": "email", "email": "sally@example.edu"}`}
	}
	one := func(namespace, member, value string) (Subject, error) {
		id, err := NewIdentifier(namespace, value)
		if err != nil {
			return nil, Invalid{field + "." + member, "is missing, empty, over 512 bytes or unprintable", "give the value that the format " + in.Format + " names"}
		}
		return Subject{id}, nil
	}
	switch in.Format {
	case "email":
		return one(NamespaceEmail, "email", in.Email)
	case "phone_number":
		return one(NamespacePhone, "phone_number", in.PhoneNumber)
	case "opaque":
		return one(ids, "id", in.ID)
	case "account":
		_, account, ok := strings.Cut(in.URI, "acct:")
		if !ok {
			return nil, Invalid{field + ".uri", "is not an acct: URI", `give "acct:sally@example.edu"`}
		}
		return one(NamespaceAccount, "uri", account)
	case "iss_sub":
		if u, err := url.Parse(in.Iss); err != nil || u.Scheme == "" || strings.ContainsAny(in.Iss, " \t") || strings.TrimSpace(in.Sub) == "" {
			return nil, Invalid{field + ".iss", "and sub must name an issuer's URL and its subject", `give "iss": "https://id.example.edu", "sub": "1042"`}
		}
		return one(NamespaceIssuer, "sub", in.Iss+" "+in.Sub)
	case "aliases":
		if !aliases || len(in.Identifiers) == 0 || len(in.Identifiers) > 20 {
			return nil, Invalid{field + ".identifiers", "must hold 1 to 20 subject identifiers, none of them aliases", "list the person's identifiers there"}
		}
		var all Subject
		for _, each := range in.Identifiers {
			s, err := parseSubject(each, ids, field+".identifiers", false)
			if err != nil {
				return nil, err
			}
			all = append(all, s...)
		}
		return all, nil
	default:
		return nil, Invalid{field + ".format", "is missing or not one we know", "use email, iss_sub, opaque, account, phone_number or aliases (RFC 9493)"}
	}
}

// User is the person in our registry that subjects lead to.
type User struct {
	ID         ID
	Org        string
	SparedAt   Instant // since when a break-glass person; zero: never
	UnsparedAt Instant // since when not any more
	LiftedOver Instant // an admin's lift of everything stamped before it
	CreatedAt  Instant
}

// Spared reports whether u is a break-glass person now: blocked only by an admin, and hit by no order for many.
func (u User) Spared() bool { return u.SparedAt > u.UnsparedAt }

// join returns the later of each instant of both.
func (u User) join(other User) User {
	u.SparedAt, u.UnsparedAt = max(u.SparedAt, other.SparedAt), max(u.UnsparedAt, other.UnsparedAt)
	u.LiftedOver = max(u.LiftedOver, other.LiftedOver)
	return u
}

// MainOrg is the org of whoever names none.
const MainOrg = "main"

// Holding says that a user holds an identifier from an instant on. A released one still leads to its last holder.
type Holding struct {
	Identifier
	User       ID
	HeldFrom   Instant
	ReleasedAt Instant // zero while it is carried
	Authority  string  // who taught it; empty when a pointing source or a registration first used it
	Event      ID
}

// Join says that two users were found to be one person. Live follows it until it is split.
type Join struct {
	A, B    ID // A sorts before B
	At      Instant
	SplitAt Instant
	Event   ID
}
