package revoke

import (
	"fmt"
	"testing"
)

// What is remembered of names stays bounded, keeps the newest, and forgets what was written or doubted, also what was read
// before that and comes to be remembered after it.
func TestNamesAreRememberedInBounds(t *testing.T) {
	t.Parallel()
	n := newNames()
	read := n.versions()
	id := func(i int) Identifier {
		return Identifier{Org: "main", Namespace: NamespaceEmail, Value: fmt.Sprint(i)}
	}
	shard, newest := &n.shards[0], Identifier{}
	for i, put := 0, 0; put < namesPerShard+100; i++ { // all in one shard
		if newest = id(i); n.index(&newest) != 0 {
			continue
		}
		n.put(newest, lead{user: NewID(Instant(i))}, &read)
		if put++; len(shard.known) > namesPerShard {
			t.Fatalf("a shard remembers %d names, want at most %d", len(shard.known), namesPerShard)
		}
	}
	if len(shard.known) < namesPerShard*3/4 || !n.holds(newest) {
		t.Errorf("only %d names are remembered, the newest %t", len(shard.known), n.holds(newest))
	}

	last := newest
	read = n.versions()
	n.drop([]Holding{{Identifier: last}})
	if _, ok := n.get(last); ok {
		t.Error("what was written is remembered still")
	}
	if n.put(last, lead{}, &read); n.holds(last) {
		t.Error("what was read before the write is remembered after it")
	}
	read = n.versions()
	n.forget()
	if n.put(last, lead{}, &read); n.holds(last) || n.holds(id(0)) {
		t.Error("what was read before a doubt is remembered after it")
	}
	read = n.versions()
	if n.put(last, lead{}, &read); !n.holds(last) {
		t.Error("what was read after it is not remembered")
	}
}

func (n *names) holds(id Identifier) bool {
	_, ok := n.get(id)
	return ok
}
