package revoke

import (
	"encoding/binary"
	"testing"
)

// What makes room for others in the memory of sessions leaves its unwritten use behind, and no older one takes the place of a
// newer.
func TestForgottenSessionLeavesItsUse(t *testing.T) {
	t.Parallel()
	k, waiting := newKnown(), &uses{waiting: map[ID]Use{}}
	const many = knownPerShard + 1
	session := func(i int) knownSession {
		s := knownSession{session: &Session{ID: NewID(Instant(i + 1)), Org: "main"}, used: &lastUse{}}
		binary.BigEndian.PutUint32(s.session.Token[4:], uint32(i+1)) // all in the first shard
		s.used.at.Store(int64(i + 1))
		return s
	}
	for i := range many {
		k.put(session(i), k.generation.Load(), waiting)
	}
	left := 0
	k.each(func(*knownSession) { left++ })
	if left > knownPerShard || left+len(waiting.waiting) != many || len(waiting.waiting) == 0 {
		t.Fatalf("of %d sessions %d are remembered and %d uses wait", many, left, len(waiting.waiting))
	}
	late := session(0)
	k.put(late, k.generation.Load()-1, waiting)
	if _, ok := waiting.waiting[late.session.ID]; !ok {
		t.Error("the use of a session that was read before all was forgotten is lost")
	}
	waiting.keep(Use{Session: late.session.ID, At: 10})
	waiting.keep(Use{Session: late.session.ID, At: 5})
	if got := waiting.waiting[late.session.ID].At; got != 10 {
		t.Errorf("an older use took the place of a newer: %d", got)
	}
	written := session(1)
	written.used.written.Store(written.used.at.Load())
	delete(waiting.waiting, written.session.ID)
	waiting.add(written.session, written.used)
	if _, ok := waiting.waiting[written.session.ID]; ok {
		t.Error("a use that is written waits to be written")
	}
	k.forget(waiting)
	if len(waiting.waiting) < many {
		t.Errorf("after all was forgotten %d uses of %d wait", len(waiting.waiting), many)
	}
}
