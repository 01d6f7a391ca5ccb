package webhooks

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// The bounds of a published key set (RFC 7517).
const (
	maxKeySet    = 256 << 10       // bytes of the document
	maxKeys      = 100             // in it
	leastRSA     = 2048            // bits (RFC 7518 section 3.3)
	keysFresh    = time.Hour       // how long it is used without looking again
	keysUsable   = 24 * time.Hour  // how long it is used when it cannot be read again
	keysCoolDown = time.Minute     // how long after a read an unknown key starts no other one
	keysRetry    = 5 * time.Second // how long after a read that failed nothing starts another one
	keysWithin   = 5 * time.Second // how long a read may take
	maxWaiting   = 64              // requests that wait for a read; more are asked to come again
)

// keySet is a sender's published keys, read from the address that stands in the configuration and from nowhere else. What a token
// says about keys of its own counts for nothing, and a flood of unknown ones costs one read a minute. It is safe for concurrent
// use.
type keySet struct {
	url    string
	client *http.Client

	reading chan struct{} // holds one token while somebody reads
	waiting chan struct{} // holds one token for each who waits for that

	mu      sync.RWMutex
	keys    []jose.JSONWebKey
	readAt  revoke.Instant // when keys were read; zero: never
	triedAt revoke.Instant // when a read began last
	failed  error          // how that ended
}

func newKeySet(url string, client *http.Client) *keySet {
	return &keySet{url: url, client: client, reading: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting)}
}

// find returns the keys that may have signed as kid, all of them where it names none. No key and no error says that the owner
// publishes no such key. [revoke.ErrUnavailable] says that the keys could not be read.
func (s *keySet) find(kid string, now revoke.Instant) ([]jose.JSONWebKey, error) {
	if found, due := s.look(kid, now); due {
		s.refresh(len(found) == 0, func() {
			if _, still := s.look(kid, now); still { // nobody before us brought them
				s.read(now)
			}
		})
	}
	found, _ := s.look(kid, now)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.readAt == 0 || now.Sub(s.readAt) > keysUsable || len(found) == 0 && s.failed != nil {
		return nil, fmt.Errorf("the sender's keys cannot be read: %w", errors.Join(s.failed, revoke.ErrUnavailable))
	}
	return found, nil
}

// look finds keys among those that were read, and says whether it is time to read again.
func (s *keySet) look(kid string, now revoke.Instant) (found []jose.JSONWebKey, due bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range s.keys {
		if kid == "" || k.KeyID == kid {
			found = append(found, k)
		}
	}
	pause := keysCoolDown
	if s.failed != nil {
		pause = keysRetry
	}
	if s.triedAt != 0 && now.Sub(s.triedAt) < pause {
		return found, false
	}
	return found, len(found) == 0 || now.Sub(s.readAt) > keysFresh
}

// refresh lets one at a time read. Whoever has keys that will do does not wait for another, and neither does anybody where many
// wait already.
func (s *keySet) refresh(must bool, read func()) {
	queue := s.waiting
	if !must {
		queue = nil // it is never sent to
	}
	select {
	case s.reading <- struct{}{}:
	default:
		select {
		case queue <- struct{}{}:
			defer func() { <-queue }()
			s.reading <- struct{}{}
		default:
			return
		}
	}
	defer func() { <-s.reading }()
	read()
}

func (s *keySet) read(now revoke.Instant) {
	ctx, cancel := context.WithTimeout(context.Background(), keysWithin) // not a request's: what one began serves all
	defer cancel()
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.triedAt, s.failed = now, err; err == nil {
		s.keys, s.readAt = keys, now
	}
}

func (s *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, errors.New("the address is none")
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := outbound.Do(s.client, r, maxKeySet)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the server %w", err)
	case answer.Status != http.StatusOK:
		return nil, fmt.Errorf("the server answered %d", answer.Status)
	}
	return parseKeys(answer.Body)
}

// parseKeys reads the keys of a set that can verify. Those that we cannot use are passed over (RFC 7517 section 5): shared
// secrets, which nobody publishes, private keys, keys for encryption, and RSA keys that are too short.
func parseKeys(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := checkJSON(bytes.TrimSpace(document)); err != nil {
		return nil, errors.New("the answer is not JSON")
	}
	if err := json.Unmarshal(document, &set); err != nil || set.Keys == nil || len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the answer is not a set of at most %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := json.Unmarshal(raw, &k); err != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if r, ok := k.Key.(*rsa.PublicKey); ok && r.N.BitLen() < leastRSA {
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errors.New("the answer holds no key that can verify")
	}
	return keys, nil
}
