package revoketest

import (
	"slices"

	"curfew/revoke"
)

// tick is a moment of the model. Below zero it is so many hours before the run, as a sender states it; above zero it is a
// step of the run, so that later steps are later. Zero is never.
type tick int

// model is DESIGN section 3 in small: who is one person, which blocks stand, what is cut, and which sessions are over.
// Once a session is over nothing here makes it live again, so the model need not know how Curfew sees to that.
type model struct {
	step     tick
	names    map[string]*node // by identifier
	sessions []*modelSession
	wide     map[revoke.Scope]tick // everyone, kind, app, device
	devices  map[string]bool       // the names of devices that a session or a signal named
}

// node is a user: one that was met under a name that led to nobody known.
type node struct {
	group  *group
	over   tick // an admin's lift
	blocks map[string]*twoInstants
	cuts   map[modelCut]tick
}

// group is everybody who is one person.
type group struct{ nodes []*node }

type twoInstants struct{ blocked, lifted tick }

// Blocks of an authority that nothing lifts but their own end are the model's authorities by themselves.
const (
	timed   = "admin, for a time"
	locker  = "okta's lock"
	planner = "plans"
)

// modelCut is what of a person's sessions a cutoff covers; empty members cover all.
type modelCut struct {
	kind        revoke.Kind
	app, device string
}

type modelSession struct {
	id     string
	node   *node
	kind   revoke.Kind
	app    string
	device string
	token  revoke.TokenHash
	born   tick
	dead   bool
	why    string // what ended it

	registered tick
}

func newModel() *model {
	return &model{names: map[string]*node{}, wide: map[revoke.Scope]tick{}, devices: map[string]bool{}}
}

// find returns whom the names lead to, strongest first, and remembers somebody nobody has seen.
func (m *model) find(names []string) *node {
	for _, name := range names {
		if n := m.names[name]; n != nil {
			return n
		}
	}
	n := &node{blocks: map[string]*twoInstants{}, cuts: map[modelCut]tick{}}
	n.group = &group{nodes: []*node{n}}
	for _, name := range names {
		m.names[name] = n
	}
	return n
}

// learn is find for a directory.
func (m *model) learn(names []string) *node { return m.learnAbout(m.find(names), names) }

// learnAbout gives names to somebody: one that leads elsewhere joins the two, unless an admin keeps the other one out.
func (m *model) learnAbout(n *node, names []string) *node {
	for _, name := range names {
		other := m.names[name]
		switch {
		case other == nil:
			m.names[name] = n
		case other.group != n.group && !m.standsOf(other.group, revoke.AdminAuthority) && !m.standsOf(other.group, timed):
			m.join(n, other)
		}
	}
	return n
}

func (m *model) join(a, b *node) {
	cut := m.stands(a.group) || m.stands(b.group)
	a.group.nodes = append(a.group.nodes, b.group.nodes...)
	for _, n := range b.group.nodes {
		n.group = a.group
	}
	if cut {
		m.cut(a, modelCut{}, m.step)
	}
}

// stands reports whether any block keeps the person out.
func (m *model) stands(g *group) bool {
	return slices.ContainsFunc(g.nodes, func(n *node) bool {
		for authority := range n.blocks {
			if m.standsOf(g, authority) {
				return true
			}
		}
		return false
	})
}

// standsOf reports whether the authority keeps the person out: an admin's block on each user by itself, a source's by the
// later instants of all of them, and none that is older than its user's lift by an admin.
func (m *model) standsOf(g *group, authority string) bool {
	lifted := tick(0)
	for _, n := range g.nodes {
		if b := n.blocks[authority]; b != nil && authority != revoke.AdminAuthority && authority != timed {
			lifted = latest(lifted, b.lifted)
		}
	}
	return slices.ContainsFunc(g.nodes, func(n *node) bool {
		b := n.blocks[authority]
		return b != nil && b.blocked != 0 && (n.over == 0 || b.blocked >= n.over) && (b.lifted == 0 || b.blocked >= b.lifted) && (lifted == 0 || b.blocked >= lifted)
	})
}

// latest returns the later of two moments, where zero is never.
func latest(a, b tick) tick {
	if a == 0 || b != 0 && b > a {
		return b
	}
	return a
}

func (n *node) block(authority string) *twoInstants {
	if n.blocks[authority] == nil {
		n.blocks[authority] = &twoInstants{}
	}
	return n.blocks[authority]
}

// deactivate blocks at a moment, and cuts what was born by then.
func (m *model) deactivate(n *node, authority string, at tick) {
	b := n.block(authority)
	b.blocked = latest(b.blocked, at)
	m.cut(n, modelCut{}, at)
	m.past(n, authority)
}

// deactivateAgain is deactivate where the sender may only repeat itself: then it counts if a session was registered since.
func (m *model) deactivateAgain(n *node, authority string, repeated bool) {
	var blocked, registered tick
	for _, each := range n.group.nodes {
		if b := each.blocks[authority]; b != nil {
			blocked = latest(blocked, b.blocked)
		}
	}
	for _, s := range m.sessions {
		if s.node.group == n.group {
			registered = latest(registered, s.registered)
		}
	}
	if !repeated || blocked == 0 || registered > blocked {
		m.deactivate(n, authority, m.step)
	}
}

// reactivate lifts one authority's block; whatever was born while it stood is over.
func (m *model) reactivate(n *node, authority string, at tick) {
	stood := m.standsOf(n.group, authority)
	for _, each := range n.group.nodes {
		b := each.block(authority)
		b.lifted = latest(b.lifted, at)
	}
	if stood && !m.standsOf(n.group, authority) {
		m.cut(n, modelCut{}, m.step)
	}
	m.past(n, authority)
}

// liftAll is an admin's lift of everything.
func (m *model) liftAll(n *node) {
	stood := m.stands(n.group)
	for _, each := range n.group.nodes {
		each.over = m.step
	}
	if stood {
		m.cut(n, modelCut{}, m.step)
	}
	m.past(n, revoke.AdminAuthority)
}

// past cuts at the end of a block that is over, in whatever order its two ends became known.
func (m *model) past(n *node, authority string) {
	var all twoInstants
	for _, each := range n.group.nodes {
		b := each.blocks[authority]
		if b == nil {
			continue
		}
		all.blocked, all.lifted = latest(all.blocked, b.blocked), latest(all.lifted, b.lifted)
		if b.blocked != 0 && each.over != 0 && b.blocked < each.over {
			m.cut(n, modelCut{}, each.over)
		}
	}
	if all.blocked != 0 && all.lifted != 0 && all.lifted > all.blocked {
		m.cut(n, modelCut{}, all.lifted)
	}
}

func (m *model) cut(n *node, what modelCut, at tick) { n.cuts[what] = latest(n.cuts[what], at) }

// covered returns the latest moment that ends what of the person's sessions looks like s, zero when none does.
func (m *model) covered(s *modelSession) (at tick) {
	for _, n := range s.node.group.nodes {
		for what, cut := range n.cuts {
			if (what.kind == "" || what.kind == s.kind) && (what.app == "" || what.app == s.app) && (what.device == "" || what.device == s.device) {
				at = latest(at, cut)
			}
		}
	}
	for scope, cut := range m.wide {
		if scope.Kind == revoke.ScopeEveryone || scope.Kind == revoke.ScopeKindOf && scope.Key == string(s.kind) ||
			scope.Kind == revoke.ScopeApp && scope.Key == s.app || scope.Kind == revoke.ScopeDevice && s.device != "" && scope.Key == s.device {
			at = latest(at, cut)
		}
	}
	return at
}

// takeBack lifts what an authority set on each user by itself: as it was never there, but for what it ended.
func (m *model) takeBack(n *node, authority string) {
	stood := m.standsOf(n.group, authority)
	for _, each := range n.group.nodes {
		if b := each.blocks[authority]; b != nil && b.lifted <= b.blocked {
			b.lifted = b.blocked + 1
		}
	}
	if stood {
		m.cut(n, modelCut{}, m.step)
	}
}

// timeIsUp ends the timed block of one user.
func (m *model) timeIsUp(n *node) {
	b := n.blocks[timed]
	if b == nil || b.blocked == 0 || b.lifted > b.blocked {
		return
	}
	if b.blocked >= n.over {
		m.cut(n, modelCut{}, m.step)
	}
	b.lifted = m.step
}

// settle ends every session that a block or a cutoff covers by now.
func (m *model) settle(why string) {
	for _, s := range m.sessions {
		at := m.covered(s)
		if !s.dead && (m.stands(s.node.group) || at != 0 && s.born <= at) {
			s.dead, s.why = true, why
		}
	}
}
