package revoke

import "encoding/json"

// Resource is what a directory wrote over SCIM. What it shows is what that connector wrote, never the overall state.
type Resource struct {
	ID         ID
	Org        string
	Authority  string
	Type       string // TypeUser or TypeGroup
	User       ID
	UserName   string // as sent; a group's displayName
	ExternalID string // as sent, compared exactly
	Active     bool
	Emails     []ResourceEmail
	Profile    json.RawMessage // every attribute but passwords, in canonical names
	Version    int64           // counts from 1
	CreatedAt  Instant
	UpdatedAt  Instant
	DeletedAt  Instant
	Named      bool    // it answers to its userName; an inactive one loses it to another person
	RefusedAt  Instant // a deactivation was carried out although its request was refused; the next accepted active:true lifts
}

// ResourceEmail is one address of a resource, for filters.
type ResourceEmail struct {
	Type  string `json:"type,omitempty"`
	Value string `json:"value"`
}

// Deleted reports whether the resource is gone.
func (r *Resource) Deleted() bool { return r.DeletedAt != 0 }

// ResourceQuery is one page of the resources of an authority, by creation then id.
type ResourceQuery struct {
	Org       string
	Authority string
	Type      string
	Filter    Filter
	Offset    int // resources to pass over
	Limit     int // at most so many; zero only counts
}

// MemberQuery asks for members, by group and resource after the cursor.
type MemberQuery struct {
	Org       string
	Group     ID   // those of that group
	Resources []ID // or the memberships of these resources
	After     MemberKey
	Limit     int
}

// Filter is a conjunction of equalities on what stores index. The full grammar of RFC 7644 section 3.4.2.2 comes with
// its own compiler; what a Filter cannot say is refused before it reaches a store.
type Filter []Condition

// Condition compares one attribute. Attribute is "id", "userName", "externalId", "emails.value" or "emails.type"; those of
// emails in one Filter are about the same address. userName and emails compare without case.
type Condition struct {
	Attribute string
	Value     string
}

// Fold returns the form in which names are compared without case, in every store.
func Fold(s string) string { return foldCase(s) }
