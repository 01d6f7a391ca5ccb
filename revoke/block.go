package revoke

import "slices"

// block sets the authority's block and ends everything that was born by then.
func (d *decision) block(sig Signal, rule Rule, user ID) {
	blocked, lifted := d.instants(user, rule.Class)
	if sig.Repeated && blocked != 0 && d.f.newest(user).Registered <= blocked {
		d.settle(EventIgnored, "the user was already blocked and has signed in nowhere since")
		return
	}
	at := sig.OccurredAt
	if at == 0 {
		at = max(d.f.Now, blocked+1, lifted+1, d.heldAt(user)+1)
	}
	d.blockFrom(at, sig, rule, user)
}

// blockFrom sets the authority's block from an instant, and ends everything that was born by the signal's time.
func (d *decision) blockFrom(at Instant, sig Signal, rule Rule, user ID) {
	cut := d.cutAt(sig.OccurredAt, d.f.newest(user).Born)
	if rule.Cut == AtReceipt {
		cut = d.cutAt(0, d.f.newest(user).Born)
	}
	scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}
	r := d.revocation(sig, RevocationBlock, scope, cut)
	key := BlockKey{User: user, Authority: d.in.source.Authority, Class: rule.Class}
	d.write(Effects{
		Blocks:  []Block{{BlockKey: key, BlockedAt: at, Until: sig.Until, Revocation: r.ID}},
		Cutoffs: []Cutoff{{Scope: scope, At: cut, Revocation: r.ID}},
	})
	if !d.f.blockedBy(user, d.in.source.Authority, rule.Class) {
		r.Kind = RevocationEnd // an older block that a newer lift is over already: it cuts, and keeps nobody out
	}
	d.over(user, rule.Class, r.ID)
	d.owe(d.record(r), PrioritySingle)
}

// lift takes back what the authority blocked; an admin's takes back everything stamped until now. Where that ends a
// standing block, whatever was born by now is over: a lift never revives.
func (d *decision) lift(sig Signal, rule Rule, user ID) {
	authority := d.in.source.Authority
	var stood bool
	if d.in.source.Admin {
		_, stood = d.f.blocked(user)
		d.liftOver(user)
	} else {
		classes := rule.Class.lifted()
		stood = d.f.blockedBy(user, authority, classes...)
		blocked, lifted := d.instants(user, classes...)
		at := sig.OccurredAt
		if at == 0 {
			at = max(d.f.Now, blocked+1, lifted+1, d.heldAt(user)+1)
		}
		for _, member := range d.f.members(user) {
			key := BlockKey{User: member, Authority: authority, Class: rule.Class}
			d.write(Effects{Blocks: []Block{{BlockKey: key, LiftedAt: at}}})
		}
		if rule.Class == ClassPlain {
			d.outrun(user, at)
		}
		stood = stood && !d.f.blockedBy(user, authority, classes...)
	}
	if !stood {
		for _, class := range rule.Class.lifted() {
			d.over(user, class, ID{})
		}
		d.settle(EventDecided, "no block of "+authority+" was lifted")
		return
	}
	r := d.lifted(sig, user)
	for _, class := range rule.Class.lifted() {
		d.over(user, class, r.ID)
	}
}

// lifted records that a block which stood was lifted, and ends whatever was born by now: a lift never revives.
func (d *decision) lifted(sig Signal, user ID) Revocation {
	at := max(d.f.Now, d.f.newest(user).Born)
	scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}
	r := d.record(d.revocation(sig, RevocationLift, scope, at))
	d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: at, Revocation: r.ID}}})
	if _, still := d.f.blocked(user); !still {
		d.owe(r, PrioritySingle) // a target is told only when nobody blocks the person any more
	}
	return r
}

// liftOver is an admin's lift: one instant over every authority, those not heard of yet included, on each user joined now.
// A block stamped at or ahead of it is lifted on its own, one microsecond after it was set.
func (d *decision) liftOver(user ID) {
	for _, member := range d.f.members(user) {
		u := d.f.Users[member]
		u.ID, u.LiftedOver = member, d.f.Now
		d.write(Effects{Users: []User{u}})
		for _, b := range d.f.blocks[member] {
			if b.BlockedAt >= d.f.Now {
				d.write(Effects{Blocks: []Block{{BlockKey: b.BlockKey, LiftedAt: b.BlockedAt + 1}}})
			}
		}
	}
}

// over cuts at the end of every block of the authority that is over: whatever was born while it stood stays dead, in
// whatever order its two ends became known.
func (d *decision) over(user ID, class Class, by ID) {
	blocked, _ := d.instants(user, class)
	_, lifted := d.instants(user, class.liftedBy()...)
	at := Instant(0)
	if blocked != 0 && lifted > blocked {
		at = min(lifted, d.f.Now)
	}
	for _, member := range d.f.members(user) {
		u := d.f.Users[member]
		for _, b := range d.f.blocks[member] {
			if b.Authority == d.in.source.Authority && b.Class == class && b.BlockedAt != 0 && b.BlockedAt < u.LiftedOver {
				at = max(at, u.LiftedOver)
			}
		}
	}
	scope := Scope{Org: d.in.source.Org, Kind: ScopeUser, User: user}
	if at > 0 {
		d.write(Effects{Cutoffs: []Cutoff{{Scope: scope, At: at, Revocation: by}}})
	}
}

// instants returns the later blocked_at and lifted_at of the authority's blocks of some classes on everybody who is the person.
func (d *decision) instants(user ID, classes ...Class) (blocked, lifted Instant) {
	for _, member := range d.f.members(user) {
		for _, b := range d.f.blocks[member] {
			if b.Authority == d.in.source.Authority && slices.Contains(classes, b.Class) {
				blocked, lifted = max(blocked, b.BlockedAt), max(lifted, b.LiftedAt)
			}
		}
	}
	return blocked, lifted
}
