package revoke

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// useBatch is how long uses of sessions are gathered before they are written: what a crash can lose of them.
const useBatch = 30 * time.Second

// unused reports whether s was used by nobody for longer than limit, zero being none, as far as its row and a later use that we know of tell. Two batches of
// uses may not have been written yet.
func (s *Session) unused(limit time.Duration, used, now Instant) bool {
	if limit == 0 {
		return false
	}
	last := max(s.IssuedAt, s.RegisteredAt, s.UsedAt, used)
	return now.Sub(last) > limit+2*useBatch
}

// lastUse is when a session was used last, and until when that is written.
type lastUse struct{ at, written atomic.Int64 }

// uses are those of sessions that are remembered no more and were not written yet.
type uses struct {
	sync.Mutex
	waiting map[ID]Use
}

func (u *uses) add(s *Session, last *lastUse) {
	if at := last.at.Load(); at > last.written.Load() {
		u.keep(Use{Org: s.Org, Session: s.ID, At: Instant(at)})
	}
}

// keep keeps the later of a use and what waits for its session.
func (u *uses) keep(use Use) {
	u.Lock()
	defer u.Unlock()
	if use.At > u.waiting[use.Session].At {
		u.waiting[use.Session] = use
	}
}

// usesAtOnce is how many uses one statement writes.
const usesAtOnce = 1000

// WriteUses writes down when sessions were used last. [Service.Run] does it every half minute and at its end; what a crash loses
// lets a session with an idle limit live two batches longer at most.
func (s *Service) WriteUses(ctx context.Context) error {
	s.uses.Lock()
	waiting := s.uses.waiting
	s.uses.waiting = map[ID]Use{}
	s.uses.Unlock()
	batch := make([]Use, 0, len(waiting))
	for _, use := range waiting {
		batch = append(batch, use)
	}
	var written []*lastUse
	s.known.each(func(k *knownSession) {
		if at := k.used.at.Load(); at > k.used.written.Load() {
			batch = append(batch, Use{Org: k.session.Org, Session: k.session.ID, At: Instant(at)})
			written = append(written, k.used)
		}
	})
	for from := 0; from < len(batch); from += usesAtOnce {
		if err := s.store.Used(ctx, batch[from:min(from+usesAtOnce, len(batch))]); err != nil {
			for _, use := range waiting { // those of the remembered stay unwritten by themselves
				s.uses.keep(use)
			}
			return fmt.Errorf("write %d last uses of sessions: %w", len(batch), err)
		}
	}
	for i, use := range written {
		use.written.Store(int64(batch[len(batch)-len(written)+i].At))
	}
	return nil
}

// endIdle ends a session that nobody used for longer than it may lie idle, if its row, read afresh, says so too. It reports
// whether it did.
func (s *Service) endIdle(ctx context.Context, session *Session, used Instant) (bool, error) {
	row, err := s.store.FindSession(ctx, SessionRef{Org: session.Org, ID: session.ID})
	if err != nil {
		return false, fmt.Errorf("look up session: %w", err)
	}
	v := s.view.Load()
	if v == nil {
		return false, ErrNotFresh
	}
	limit := v.idleLimit(&row)
	if !row.unused(limit, used, s.store.Clock().Now()) {
		return false, nil
	}
	need := Need{Org: row.Org, Sessions: []SessionRef{{Org: row.Org, ID: row.ID}}}
	err = s.decide(ctx, need, func(f *Facts) (Effects, error) {
		src := Source{Name: AdminAuthority, Org: row.Org, Authority: AdminAuthority}
		d := newDecision(f, input{source: src, actor: Actor{"schedule", "idle limit"}, targets: *s.targets.Load()})
		d.event.Type = "idle limit"
		d.sessions(Signal{Kind: SessionsCleared, Session: need.Sessions[0], Command: true, Reason: fmt.Sprintf("not used for %s", limit)}, ID{})
		e, _ := d.close()
		return e, nil
	})
	return err == nil, err
}
