package revoke

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Answer is what is known about one session.
type Answer struct {
	Session  *Session // not to be changed
	UserName string
	Email    string
	Verdict
}

// Ask answers about the session that ref points at, and counts as its use when it is asked for by token and lives. Only what
// lives is answered from memory; anything else is looked up anew, so that an unknown token, an ended one and another
// application's take the same time. An unknown one is [ErrNotFound]; when we cannot know it is [ErrNotFresh].
func (s *Service) Ask(ctx context.Context, ref SessionRef) (Answer, error) {
	for {
		// The view keeps the end of a single session only until every cached session was read again, and a view that was read
		// anew starts without any. So what we know of the session must be as young as the view that judges it.
		generation := s.known.generation.Load()
		now := s.store.Clock().Now()
		if k, ok := s.known.get(ref, now); ok {
			if a, ok := s.answer(k, now); ok && s.known.generation.Load() == generation {
				return a, nil
			}
		}
		if s.view.Load() == nil {
			return Answer{}, ErrNotFresh
		}
		session, err := s.store.FindSession(ctx, ref)
		if err != nil {
			return Answer{}, fmt.Errorf("look up session: %w", err)
		}
		a := Answer{Session: &session}
		if a.Verdict, err = s.Judge(ctx, &session); err != nil || !a.Live {
			return a, err
		}
		k := knownSession{session: &session, at: now, used: &lastUse{}}
		k.used.at.Store(int64(s.known.lastUse(&session)))
		k.used.written.Store(int64(session.UsedAt))
		if k.userName, k.email, err = s.called(ctx, session.User); err != nil {
			return Answer{}, err
		}
		if s.known.generation.Load() != generation {
			continue
		}
		if a, ok := s.answer(k, now); ok {
			if !ref.Token.IsZero() {
				s.known.put(k, generation, &s.uses)
			}
			return a, nil
		}
	}
}

// answer answers from memory, if the session lives and is surely not idle.
func (s *Service) answer(k knownSession, now Instant) (Answer, bool) {
	v := s.view.Load()
	if v == nil {
		return Answer{}, false
	}
	verdict := Live(k.session, v, now)
	if !verdict.Live || k.session.unused(v.idleLimit(k.session), Instant(k.used.at.Load()), now) {
		return Answer{}, false
	}
	k.used.at.Store(int64(now))
	return Answer{Session: k.session, UserName: k.userName, Email: k.email, Verdict: verdict}, true
}

// Judge answers about a session that was just read from the store. One that lay idle for too long is ended before the answer.
func (s *Service) Judge(ctx context.Context, session *Session) (Verdict, error) {
	for {
		v := s.view.Load()
		if v == nil {
			return Verdict{}, ErrNotFresh
		}
		now := s.store.Clock().Now()
		used := s.known.lastUse(session)
		verdict := Live(session, v, now)
		if !verdict.Live || !session.unused(v.idleLimit(session), used, now) {
			return verdict, nil
		}
		ended, err := s.endIdle(ctx, session, used)
		if err != nil {
			return Verdict{}, err
		}
		if !ended {
			return verdict, nil
		}
	}
}

// Members returns the users who are one person with user, user itself first.
func (s *Service) Members(user ID) ([]ID, error) {
	v := s.view.Load()
	if v == nil {
		return nil, ErrNotFresh
	}
	return v.Members(user), nil
}

func (s *Service) called(ctx context.Context, user ID) (userName, email string, err error) {
	people, err := s.store.People(ctx, []ID{user})
	if err != nil {
		return "", "", fmt.Errorf("read user %s: %w", user, err)
	}
	for _, p := range people {
		userName, email = p.Name(NamespaceUserName), p.Name(NamespaceEmail)
	}
	return userName, email, nil
}

// Name returns the value that the person carries in a namespace, else one it held last.
func (p *Person) Name(namespace string) string {
	var released string
	for _, h := range p.Holdings {
		switch {
		case h.Namespace != namespace:
		case h.ReleasedAt == 0:
			return h.Value
		default:
			released = h.Value
		}
	}
	return released
}

// known remembers sessions by token. A session is a fact, so that only its names and its end can have changed: names are
// read again after keepNames, and ends are in the view. Absence is never remembered.
type known struct {
	generation atomic.Uint64 // counts how often all was forgotten
	shards     [64]knownShard
}

type knownKey struct {
	org   string
	token TokenHash
}

type knownShard struct {
	sync.RWMutex
	sessions map[knownKey]knownSession
}

type knownSession struct {
	session         *Session
	userName, email string
	at              Instant
	used            *lastUse
}

const (
	keepNames     = time.Minute
	knownPerShard = 4096 // 262,144 sessions in all, about 150 MB
)

func newKnown() *known {
	k := &known{}
	k.forget(nil)
	return k
}

// forget forgets everything but the uses that are not written yet.
func (k *known) forget(unwritten *uses) {
	k.generation.Add(1)
	for i := range k.shards {
		k.shards[i].Lock()
		for _, s := range k.shards[i].sessions {
			unwritten.add(s.session, s.used)
		}
		k.shards[i].sessions = map[knownKey]knownSession{}
		k.shards[i].Unlock()
	}
}

func (k *known) shard(token TokenHash) *knownShard { return &k.shards[int(token[0])%len(k.shards)] }

func (k *known) get(ref SessionRef, now Instant) (knownSession, bool) {
	if ref.Token.IsZero() {
		return knownSession{}, false
	}
	shard := k.shard(ref.Token)
	shard.RLock()
	s, ok := shard.sessions[knownKey{ref.Org, ref.Token}]
	shard.RUnlock()
	return s, ok && now.Sub(s.at) < keepNames && ref.Matches(s.session)
}

// lastUse returns when a session was used last as far as we remember.
func (k *known) lastUse(session *Session) Instant {
	if session.Token.IsZero() {
		return 0
	}
	shard := k.shard(session.Token)
	shard.RLock()
	defer shard.RUnlock()
	if s, ok := shard.sessions[knownKey{session.Org, session.Token}]; ok {
		return Instant(s.used.at.Load())
	}
	return 0
}

// put remembers a session that was read in the generation.
func (k *known) put(s knownSession, generation uint64, unwritten *uses) {
	shard := k.shard(s.session.Token)
	shard.Lock()
	defer shard.Unlock()
	if k.generation.Load() != generation {
		unwritten.add(s.session, s.used)
		return
	}
	key := knownKey{s.session.Org, s.session.Token}
	if have, ok := shard.sessions[key]; ok {
		s.used.at.Store(max(s.used.at.Load(), have.used.at.Load()))
	}
	if len(shard.sessions) >= knownPerShard {
		spare := knownPerShard / 8 // map order is as good as random
		maps.DeleteFunc(shard.sessions, func(_ knownKey, s knownSession) bool {
			if spare--; spare >= 0 {
				unwritten.add(s.session, s.used)
			}
			return spare >= 0
		})
	}
	shard.sessions[key] = s
}

// each calls visit with every session that is remembered.
func (k *known) each(visit func(*knownSession)) {
	for i := range k.shards {
		k.shards[i].RLock()
		for _, s := range k.shards[i].sessions {
			visit(&s)
		}
		k.shards[i].RUnlock()
	}
}
