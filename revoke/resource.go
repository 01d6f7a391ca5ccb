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
	Profile    json.RawMessage // every attribute but passwords, in canonical names
	Version    int64           // counts from 1
	CreatedAt  Instant
	UpdatedAt  Instant
	DeletedAt  Instant
	Named      bool    // it answers to its userName; an inactive one loses it to another person
	SameValues bool    // of a write: of its values only those in columns changed
	RefusedAt  Instant // a deactivation was carried out although its request was refused; the next accepted active:true lifts
}

// Deleted reports whether the resource is gone.
func (r *Resource) Deleted() bool { return r.DeletedAt != 0 }

// ResourceQuery is one page of the resources of an authority, by creation then id.
type ResourceQuery struct {
	Org        string
	Authority  string
	Type       string
	Filter     Filter
	SortBy     string // a path as in [Value]; empty: by creation. What has no such value comes last, or first when descending
	Descending bool
	After      *ResourceCursor // where a page in the order of creation goes on
	Offset     int             // resources to pass over
	Limit      int             // at most so many; zero only counts
	Count      bool            // how many there are in all, too
}

// ResourceCursor is where a list in the order of creation goes on.
type ResourceCursor struct {
	CreatedAt Instant
	ID        ID
}

// MemberQuery asks for members, by group and resource after the cursor.
type MemberQuery struct {
	Org       string
	Group     ID   // those of that group
	Groups    []ID // or all of these groups, whatever the limit
	Resources []ID // or the memberships of these resources
	After     MemberKey
	Limit     int
}

// Fold returns the form in which names are compared without case, in every store.
func Fold(s string) string { return foldCase(s) }
