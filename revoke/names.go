package revoke

import (
	"hash/maphash"
	"maps"
	"sync"
)

// names remembers to whom identifiers lead, those also that lead to nobody: what a stateless token is asked about by is the same
// few hundred thousand names all day. A commit that writes a holding makes its identifier unknown before anybody is answered.
type names struct {
	seed   maphash.Seed
	shards [64]nameShard
}

type nameShard struct {
	sync.RWMutex
	version uint64 // counts what was forgotten: what was read before that is not remembered
	known   map[Identifier]lead
}

// lead is where one identifier leads by itself.
type lead struct {
	user ID   // zero: nobody
	many bool // several have held it; the rules decide who is meant
}

const namesPerShard = 8192 // 524,288 in all, about 100 MB

func newNames() *names {
	n := &names{seed: maphash.MakeSeed()}
	n.forget()
	return n
}

func (n *names) index(id *Identifier) int {
	return int(maphash.String(n.seed, id.Value) % uint64(len(n.shards)))
}

func (n *names) get(id Identifier) (lead, bool) {
	shard := &n.shards[n.index(&id)]
	shard.RLock()
	l, ok := shard.known[id]
	shard.RUnlock()
	return l, ok
}

// versions says what put must be given that was read from now on.
func (n *names) versions() (at [64]uint64) {
	for i := range n.shards {
		n.shards[i].RLock()
		at[i] = n.shards[i].version
		n.shards[i].RUnlock()
	}
	return at
}

func (n *names) put(id Identifier, l lead, read *[64]uint64) {
	i := n.index(&id)
	shard := &n.shards[i]
	shard.Lock()
	defer shard.Unlock()
	if shard.version != read[i] {
		return
	}
	if len(shard.known) >= namesPerShard {
		spare := namesPerShard / 8 // map order is as good as random
		maps.DeleteFunc(shard.known, func(Identifier, lead) bool { spare--; return spare >= 0 })
	}
	shard.known[id] = l
}

// drop forgets identifiers whose holdings were written.
func (n *names) drop(written []Holding) {
	for i := range written {
		shard := &n.shards[n.index(&written[i].Identifier)]
		shard.Lock()
		shard.version++
		delete(shard.known, written[i].Identifier)
		shard.Unlock()
	}
}

func (n *names) forget() {
	for i := range n.shards {
		n.shards[i].Lock()
		n.shards[i].version++
		n.shards[i].known = map[Identifier]lead{}
		n.shards[i].Unlock()
	}
}
