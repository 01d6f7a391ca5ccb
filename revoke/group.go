package revoke

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The types of resource. A group's userName, the name that must be unique, is its displayName; it has no person and is always
// active.
const (
	TypeUser  = "User"
	TypeGroup = "Group"
)

// MemberKey names a membership: a resource of the same authority in a group.
type MemberKey struct {
	Org      string
	Group    ID
	Resource ID
}

func (k MemberKey) compare(other MemberKey) int {
	return cmp.Or(strings.Compare(k.Org, other.Org), k.Group.Compare(other.Group), k.Resource.Compare(other.Resource))
}

// unique is the name of the attribute that must be unique.
func (r *Resource) unique() string {
	if r.Type == TypeGroup {
		return "displayName"
	}
	return "userName"
}

// memberships returns those of a resource and those in it, sorted.
func (f *Facts) memberships(id ID) []MemberKey {
	var out []MemberKey
	for key := range f.Members {
		if key.Resource == id || key.Group == id {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, MemberKey.compare)
	return out
}

// Member is one membership of a group.
type Member struct {
	MemberKey
	User    ID // whose resource it is; zero for a group in a group
	AddedAt Instant
}

// MemberChange is what a request makes of a group's members, said one after the other; what is said later of a member counts. The
// zero MemberChange changes nothing.
type MemberChange struct {
	Clear bool // first all of those leave that are not added again
	comes map[ID]bool
	order []ID
}

func (c *MemberChange) say(id ID, comes bool) {
	if _, said := c.comes[id]; !said {
		c.order = append(c.order, id)
	}
	if c.comes == nil {
		c.comes = map[ID]bool{}
	}
	c.comes[id] = comes
}

// AddOne adds a member.
func (c *MemberChange) AddOne(id ID) { c.say(id, true) }

// RemoveOne removes a member.
func (c *MemberChange) RemoveOne(id ID) { c.say(id, false) }

// RemoveAll removes every member.
func (c *MemberChange) RemoveAll() { *c = MemberChange{Clear: true} }

// said returns who comes, or who leaves, in the order in which they were named first.
func (c *MemberChange) said(comes bool) (out []ID) {
	for _, id := range c.order {
		if c.comes[id] == comes {
			out = append(out, id)
		}
	}
	return out
}

// maxMembersAtOnce is how many members one request may add or remove.
const maxMembersAtOnce = 20000

// members makes the change to a group's members. It reports whether anything changed. A member that this directory never made is
// [Invalid]; one that is there already, and the removal of one that is not, change nothing.
func (d *decision) members(group ID, c MemberChange) (bool, error) {
	var gone []Member
	if c.Clear {
		for key, m := range d.f.Members {
			if key.Group == group && !c.comes[key.Resource] {
				gone = append(gone, m)
			}
		}
	}
	for _, id := range c.said(false) {
		if m, ok := d.f.Members[MemberKey{d.in.source.Org, group, id}]; ok {
			gone = append(gone, m)
		}
	}
	var come []Member
	for _, id := range c.said(true) {
		key := MemberKey{d.in.source.Org, group, id}
		if _, ok := d.f.Members[key]; ok {
			continue
		}
		r, err := d.own(id)
		if err != nil || id == group {
			return false, Invalid{"members", fmt.Sprintf("names %s, which is no resource of this directory", id), "create the user or the group first, or leave the member out"}
		}
		come = append(come, Member{MemberKey: key, User: r.User, AddedAt: d.f.Now})
	}
	slices.SortFunc(gone, func(a, b Member) int { return a.Resource.Compare(b.Resource) })
	e := Effects{Members: come}
	for _, m := range gone {
		e.Left = append(e.Left, m.MemberKey)
	}
	d.write(e)
	if len(gone)+len(come) > 0 {
		d.audit("members", map[string]any{"group": group, "added": resources(come), "removed": resources(gone), "authority": d.in.source.Authority}, nil)
	}
	for _, m := range gone {
		d.moved(m, false)
	}
	for _, m := range come {
		d.moved(m, true)
	}
	if d.in.source.Rule(AccessChanged).Acts() {
		for _, m := range gone {
			if !m.User.IsZero() {
				d.say(m.User, Signal{Kind: AccessChanged, Reason: "left a group"})
			}
		}
	}
	return len(gone)+len(come) > 0, nil
}

func resources(members []Member) []ID {
	out := make([]ID, len(members))
	for i, m := range members {
		out[i] = m.Resource
	}
	return out
}

// createGroup makes a group. A displayName that another group has is [ErrConflict].
func (d *decision) createGroup(draft Draft) (Provisioned, error) {
	if _, err := d.makeRoom(draft, ID{}); err != nil {
		return Provisioned{}, err
	}
	src := d.in.source
	r := draft.Resource
	r.ID, r.Org, r.Authority, r.User, r.Named, r.Active = d.newID(), src.Org, src.Authority, ID{}, true, true
	r.CreatedAt, r.UpdatedAt, r.Version, r.SameValues = d.f.Now, d.f.Now, 1, false
	if _, err := d.members(r.ID, draft.Members); err != nil {
		return Provisioned{}, err
	}
	d.write(Effects{Resources: []Resource{r}})
	d.auditResource("create", r, draft.Attributes)
	return Provisioned{Resource: r, Changed: true}, nil
}

// updateGroup changes a group and its members.
func (d *decision) updateGroup(r Resource, draft Draft) (Provisioned, error) {
	if _, err := d.makeRoom(draft, r.ID); err != nil {
		return Provisioned{}, err
	}
	was := r
	moved, err := d.members(r.ID, draft.Members)
	if err != nil {
		return Provisioned{}, err
	}
	r.UserName, r.ExternalID, r.Profile = draft.UserName, draft.ExternalID, draft.Profile
	r.SameValues = bytes.Equal(r.Profile, was.Profile)
	if !moved && !r.differs(was) {
		return Provisioned{Resource: was}, nil
	}
	r.Version, r.UpdatedAt = was.Version+1, d.f.Now
	d.write(Effects{Resources: []Resource{r}})
	if r.differs(was) {
		d.auditResource("change", r, draft.Attributes)
	}
	return Provisioned{Resource: r, Changed: true}, nil
}
