package targets_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"curfew/revoke"
)

// application is an application as docs/targets/webhook.md asks for one: it has sessions, checks each message with the
// standard's own library, acts once on each id, and ends what the message covers.
type application struct {
	secret   string
	anyTime  bool // the test owns the clock, so that the age of a message says nothing
	mu       sync.Mutex
	sessions map[string]*appSession
	blocked  map[string]bool
	taken    []taken
	forged   int
	faults   []string // what no sender may do
}

type appSession struct {
	email, device string
	kind          revoke.Kind
	born          revoke.Instant
	over          bool
}

// taken is a message as it came, duplicates included.
type taken struct {
	id, timestamp, signature string
	body                     []byte
}

// told is the message as an application reads it.
type told struct {
	Type      string         `json:"type"`
	Timestamp revoke.Instant `json:"timestamp"`
	Data      struct {
		Scope       string
		Identifiers []revoke.Identifier
		Device      string
		Session     string
		Kind        revoke.Kind
		App         string
		Cutoff      revoke.Instant
		Blocked     bool
	} `json:"data"`
}

func newApplication(t *testing.T, secret string) *application {
	t.Helper()
	a := &application{secret: secret, sessions: map[string]*appSession{}, blocked: map[string]bool{}}
	t.Cleanup(func() {
		for _, fault := range a.faults {
			t.Error(fault)
		}
	})
	return a
}

// SignIn obeys revoketest.System.
func (a *application) SignIn(email string, kind revoke.Kind, device string, at revoke.Instant) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.blocked[email] {
		return "", false
	}
	id := fmt.Sprintf("s-%d", len(a.sessions)+1)
	a.sessions[id] = &appSession{email: email, device: device, kind: kind, born: at}
	return id, true
}

// Live obeys revoketest.System.
func (a *application) Live(session string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.sessions[session]
	return s != nil && !s.over
}

// ServeHTTP obeys [http.Handler].
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.verified(body, r.Header) {
		a.forged++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a.wantStandard(r, body)
	var m told
	if err := json.Unmarshal(body, &m); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	if !a.take(r.Header, body, m) {
		a.act(m)
	}
	w.Header().Set("X-Request-Id", "req-1")
	w.WriteHeader(http.StatusNoContent)
}

func (a *application) verified(body []byte, h http.Header) bool {
	hook, err := standardwebhooks.NewWebhook(a.secret)
	if err != nil {
		panic(err)
	}
	if a.anyTime {
		return hook.VerifyIgnoringTimestamp(body, h) == nil
	}
	return hook.Verify(body, h) == nil
}

// wantStandard notes what the standard and DESIGN section 6 forbid.
func (a *application) wantStandard(r *http.Request, body []byte) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		a.faults = append(a.faults, fmt.Sprintf("a message came by %s as %q", r.Method, r.Header.Get("Content-Type")))
	}
	if bytes.ContainsRune([]byte(r.Header.Get("webhook-id")), '.') {
		a.faults = append(a.faults, "webhook-id "+r.Header.Get("webhook-id")+" holds a point")
	}
	if len(body) > 20_000 {
		a.faults = append(a.faults, fmt.Sprintf("a message of %d bytes", len(body)))
	}
}

// take notes a message and reports whether its id was seen before. The same id must always carry the same body, and one
// person's messages must come in the order in which they were decided.
func (a *application) take(h http.Header, body []byte, m told) (seen bool) {
	now := taken{id: h.Get("webhook-id"), timestamp: h.Get("webhook-timestamp"), signature: h.Get("webhook-signature"), body: body}
	for _, before := range a.taken {
		if before.id != now.id {
			var earlier told
			_ = json.Unmarshal(before.body, &earlier)
			if cmp.Equal(earlier.Data.Identifiers, m.Data.Identifiers) && earlier.Timestamp > m.Timestamp && !seen {
				a.faults = append(a.faults, fmt.Sprintf("%s of %v came after %s of %v", m.Type, m.Timestamp, earlier.Type, earlier.Timestamp))
			}
			continue
		}
		seen = true
		if !bytes.Equal(before.body, body) {
			a.faults = append(a.faults, "two bodies under one webhook-id: "+cmp.Diff(string(before.body), string(body)))
		}
	}
	a.taken = append(a.taken, now)
	return seen
}

// act ends the sessions that the message covers and were born at or before its cutoff.
func (a *application) act(m told) {
	about := map[string]bool{}
	for _, id := range m.Data.Identifiers {
		if id.Namespace == revoke.NamespaceEmail {
			about[id.Value] = true
			switch m.Type {
			case "user.blocked", "user.lifted":
				a.blocked[id.Value] = m.Data.Blocked
			}
		}
	}
	for id, s := range a.sessions {
		covered := len(m.Data.Identifiers) == 0 || about[s.email]
		switch m.Data.Scope {
		case "session":
			covered = id == m.Data.Session
		case "device":
			covered = covered && s.device == m.Data.Device
		}
		covered = covered && (m.Data.Kind == "" || m.Data.Kind == s.kind)
		s.over = s.over || covered && s.born <= m.Data.Cutoff
	}
}

// came returns every message that was taken.
func (a *application) came() []taken {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]taken(nil), a.taken...)
}
