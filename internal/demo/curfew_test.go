package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"curfew/revoke"
)

// fault is what an imitation of Curfew gets wrong.
type fault string

const (
	sound           fault = "sound"
	alwaysLive      fault = "always says live"
	neverTells      fault = "tells the application nothing"
	signsWrongly    fault = "signs what it tells with another key"
	believesForgery fault = "believes an event with a wrong secret"
	endsAll         fault = "ends all sessions where one was meant"
	revives         fault = "lets a reactivation bring sessions back"
	admitsBlocked   fault = "registers a session for a blocked person"
	neverLifts      fault = "keeps the block after the reactivation"
	deafToOkta      fault = "answers Okta's event and does nothing"
	doesNotKnow     fault = "answers 503 to every question"
	forgetsEcho     fault = "answers the handshake without the challenge"
)

// curfew imitates the server, as far as the story meets it.
type curfew struct {
	t     *testing.T
	fault fault
	demo  *Demo

	mu       sync.Mutex
	blocked  map[string]bool // by authority
	sessions map[string]string
	live     map[string]bool // by token
	wasLive  map[string]bool
	told     int
	telling  sync.WaitGroup
}

func newCurfew(t *testing.T, f fault, d *Demo) *curfew {
	t.Helper()
	return &curfew{t: t, fault: f, demo: d, blocked: map[string]bool{}, sessions: map[string]string{}, live: map[string]bool{}, wasLive: map[string]bool{}}
}

func (c *curfew) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.demo.secrets
	ctx := context.WithoutCancel(r.Context()) // what is told is told after the answer
	has := func(token revoke.Secret) bool { return r.Header.Get("Authorization") == "Bearer "+token.Reveal() }
	switch {
	case r.URL.Path == "/verify":
		c.verify(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	case r.URL.Path == "/hooks/okta" && r.Method == http.MethodGet:
		challenge := r.Header.Get("X-Okta-Verification-Challenge")
		if c.fault == forgetsEcho {
			challenge = ""
		}
		_, _ = fmt.Fprintf(w, `{"verification": %q}`, challenge)
	case r.URL.Path == "/hooks/okta":
		if r.Header.Get("Authorization") != s.okta.Reveal() && c.fault != believesForgery {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		c.hook(ctx, r)
		w.WriteHeader(http.StatusNoContent)
	case strings.HasPrefix(r.URL.Path, "/scim/v2/Users") && has(s.directory):
		c.scim(ctx, w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/sessions") && has(s.portal):
		c.session(ctx, w, r)
	default:
		c.t.Errorf("%s %s with a wrong token", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (c *curfew) verify(w http.ResponseWriter, token string) {
	switch {
	case c.fault == doesNotKnow:
		w.WriteHeader(http.StatusServiceUnavailable)
	case c.live[token] || c.fault == alwaysLive:
		w.Header().Set("X-Curfew-Email", student)
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func (c *curfew) hook(ctx context.Context, r *http.Request) {
	var body struct {
		Data struct {
			Events []struct{ EventType, Published string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Data.Events) != 1 {
		c.t.Errorf("the event hook's body: %v, %d events, want 1", err, len(body.Data.Events))
		return
	}
	if c.fault != deafToOkta {
		c.block(ctx, "okta", body.Data.Events[0].EventType == oktaSuspend)
	}
}

func (c *curfew) scim(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id": "u1"}`)
		return
	}
	var body struct {
		Operations []struct{ Value struct{ Active bool } }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Operations) != 1 || r.URL.Path != "/scim/v2/Users/u1" {
		c.t.Errorf("PATCH %s: %v, %d operations, want 1 on /scim/v2/Users/u1", r.URL.Path, err, len(body.Operations))
	}
	c.block(ctx, "directory", !body.Operations[0].Value.Active)
	_, _ = io.WriteString(w, `{}`)
}

func (c *curfew) session(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		id := strings.TrimPrefix(r.URL.Path, "/v1/sessions/")
		if c.fault == endsAll {
			clear(c.live)
		}
		delete(c.live, c.sessions[id])
		c.tell(ctx, "session.revoked", id)
		return
	}
	if (c.blocked["okta"] || c.blocked["directory"]) && c.fault != admitsBlocked {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"type": "/problems/blocked"}`)
		return
	}
	id := "s" + strconv.Itoa(len(c.sessions))
	c.sessions[id] = "token of " + id
	c.live[c.sessions[id]] = true
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id, "token": c.sessions[id]})
}

func (c *curfew) block(ctx context.Context, authority string, on bool) {
	if on {
		c.wasLive, c.live = c.live, map[string]bool{}
		c.blocked[authority] = true
		c.tell(ctx, "user.blocked", student)
		return
	}
	if c.fault == revives {
		c.live = c.wasLive
	}
	c.blocked[authority] = c.fault == neverLifts
	c.tell(ctx, "user.lifted", student)
}

// tell sends a signed message to the application, after the answer to whoever caused it.
func (c *curfew) tell(ctx context.Context, kind, about string) {
	if c.fault == neverTells {
		return
	}
	c.told++
	id := "msg_" + strconv.Itoa(c.told)
	body := fmt.Sprintf(`{"type": %q, "data": {"about": %q}}`, kind, about)
	at := strconv.FormatInt(c.demo.cfg.Clock.Now().Time().Unix(), 10)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.demo.secrets.hook.Reveal(), hookPrefix))
	if err != nil {
		c.t.Errorf("the webhook's secret: %v", err)
	}
	if c.fault == signsWrongly {
		key[0]++
	}
	c.telling.Go(func() {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.demo.address()+hookPath, strings.NewReader(body))
		if err != nil {
			c.t.Errorf("tell the application: %v", err)
			return
		}
		r.Header.Set("Webhook-Id", id)
		r.Header.Set("Webhook-Timestamp", at)
		r.Header.Set("Webhook-Signature", "v1,AAAA v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		resp, err := c.demo.cfg.Client.Do(r)
		if err != nil {
			return // the story has ended and taken the application with it
		}
		_ = resp.Body.Close()
	})
}
