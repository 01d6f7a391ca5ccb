package demo

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

const (
	mailPath  = "/mail"  // a system that is slow
	doorsPath = "/doors" // one that fails
)

// What a whole school has in its settings beside what the story needs. The brake is tight, as a small school's would be.
const (
	schoolSettings = `brake: {users: 20}
password_url: https://id.example.edu/password
`
	schoolSources = `
  edr:
    type: custom
    verify: {hmac: {header: %[1]s, secrets: [%[2]q]}}
    map:
      - {when: 'body.type == "account.taken_over"', signal: credential-compromised, email: body.user, occurred_at: body.at, id: body.id, reason: '"the account was taken over"'}
      - {when: 'body.type == "laptop.lost"', signal: device-lost, email: body.user, device_id: body.device, occurred_at: body.at, id: body.id, reason: '"a laptop was reported lost"'}
      - {when: 'body.type == "malware.found"', signal: risk-high, email: body.user, occurred_at: body.at, id: body.id, reason: '"malware was found"'}
    ignore: 'body.type == "agent.updated"'
  register:
    type: custom
    verify: {hmac: {header: %[1]s, secrets: [%[3]q]}}
    split: body.pupils
    map: [{when: 'body.type == "pupil.left"', signal: deactivated, email: body.pupil, id: body.id, reason: '"left the school"'}]`
	schoolTargets = `
  mail: {type: webhook, url: %[2]q, secret: %[1]q, concurrency: 4}
  doors: {type: webhook, url: %[3]q, secret: %[1]q}`
)

// dawdle is how long the slow system takes to answer: less than Curfew waits, four at a time.
const dawdle = 3000 * time.Millisecond

// systems are two that a real school would have beside its library. They are well until they are told to ail.
type systems struct {
	people []*person
	ail    atomic.Bool
}

// mail does what it is told after a while.
func (s *systems) mail(w http.ResponseWriter, r *http.Request) {
	if s.ail.Load() {
		timer := time.NewTimer(dawdle)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// doors is down, and will never want to hear of the juniors, who were given no badge.
func (s *systems) doors(w http.ResponseWriter, r *http.Request) {
	var told struct {
		Data struct{ Subject struct{ Email string } }
	}
	about := func(p *person) bool { return p.group == juniors && p.login == told.Data.Subject.Email }
	switch err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAnswer)).Decode(&told); {
	case !s.ail.Load():
		w.WriteHeader(http.StatusNoContent)
	case err == nil && slices.ContainsFunc(s.people, about):
		http.Error(w, "this person has no badge", http.StatusUnprocessableEntity)
	default:
		http.Error(w, "the door server is being serviced", http.StatusServiceUnavailable)
	}
}
