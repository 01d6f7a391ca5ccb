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

// Ask answers about the session that ref points at: from memory for a token seen before, else from the store. An unknown one
// is [ErrNotFound]; when we cannot know it is [ErrNotFresh].
func (s *Service) Ask(ctx context.Context, ref SessionRef) (Answer, error) {
	for {
		// The view keeps the end of a single session only until every cached session was read again, and a view that was read
		// anew starts without any. So what we know of the session must be as young as the view that judges it.
		generation := s.known.generation.Load()
		now := s.store.Clock().Now()
		k, ok := s.known.get(ref.Token, now)
		if !ok {
			if s.view.Load() == nil {
				return Answer{}, ErrNotFresh
			}
			session, err := s.store.FindSession(ctx, ref)
			if err != nil {
				return Answer{}, fmt.Errorf("look up session: %w", err)
			}
			k = knownSession{session: &session, at: now}
			if k.userName, k.email, err = s.names(ctx, session.User); err != nil {
				return Answer{}, err
			}
		}
		v := s.view.Load()
		if v == nil {
			return Answer{}, ErrNotFresh
		}
		if s.known.generation.Load() != generation {
			continue
		}
		if !ok {
			s.known.put(k, generation)
		}
		return Answer{Session: k.session, UserName: k.userName, Email: k.email, Verdict: Live(k.session, v, now)}, nil
	}
}

// Judge answers about a session that was just read from the store.
func (s *Service) Judge(session *Session) (Verdict, error) {
	v := s.view.Load()
	if v == nil {
		return Verdict{}, ErrNotFresh
	}
	return Live(session, v, s.store.Clock().Now()), nil
}

// Members returns the users who are one person with user, user itself first.
func (s *Service) Members(user ID) ([]ID, error) {
	v := s.view.Load()
	if v == nil {
		return nil, ErrNotFresh
	}
	return v.Members(user), nil
}

func (s *Service) names(ctx context.Context, user ID) (userName, email string, err error) {
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

type knownShard struct {
	sync.RWMutex
	sessions map[TokenHash]knownSession
}

type knownSession struct {
	session         *Session
	userName, email string
	at              Instant
}

const (
	keepNames     = time.Minute
	knownPerShard = 4096 // 262,144 sessions in all, about 150 MB
)

func newKnown() *known {
	k := &known{}
	k.forget()
	return k
}

func (k *known) forget() {
	k.generation.Add(1)
	for i := range k.shards {
		k.shards[i].Lock()
		k.shards[i].sessions = map[TokenHash]knownSession{}
		k.shards[i].Unlock()
	}
}

func (k *known) get(token TokenHash, now Instant) (knownSession, bool) {
	if token.IsZero() {
		return knownSession{}, false
	}
	shard := &k.shards[int(token[0])%len(k.shards)]
	shard.RLock()
	s, ok := shard.sessions[token]
	shard.RUnlock()
	return s, ok && now.Sub(s.at) < keepNames
}

// put remembers a session that was read in the generation.
func (k *known) put(s knownSession, generation uint64) {
	token := s.session.Token
	if token.IsZero() {
		return
	}
	shard := &k.shards[int(token[0])%len(k.shards)]
	shard.Lock()
	defer shard.Unlock()
	if k.generation.Load() != generation {
		return
	}
	if len(shard.sessions) >= knownPerShard {
		spare := knownPerShard / 8 // map order is as good as random
		maps.DeleteFunc(shard.sessions, func(TokenHash, knownSession) bool { spare--; return spare >= 0 })
	}
	shard.sessions[token] = s
}
