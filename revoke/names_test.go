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
	const many = namesPerShard*64 + 100_000
	for i := range many {
		n.put(id(i), lead{user: NewID(Instant(i))}, &read)
	}
	all := 0
	for i := range n.shards {
		if size := len(n.shards[i].known); size > namesPerShard {
			t.Fatalf("shard %d remembers %d names, want at most %d", i, size, namesPerShard)
		} else {
			all += size
		}
	}
	if all < namesPerShard*64*3/4 {
		t.Errorf("only %d names are remembered", all)
	}
	if _, ok := n.get(id(many - 1)); !ok {
		t.Error("the newest is not remembered")
	}

	last := id(many - 1)
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
