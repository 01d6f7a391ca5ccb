package demo

import (
	"encoding/json"
	"net/http"
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
  mail: {type: webhook, url: %[2]q, secret: %[1]q, concurrency: 2}
  doors: {type: webhook, url: %[3]q, secret: %[1]q}`
)

// dawdle is how long the slow system takes to answer: less than Curfew waits.
const dawdle = 2500 * time.Millisecond

// slow imitates a system that does what it is told after a while.
func slow(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(dawdle)
	defer timer.Stop()
	select {
	case <-timer.C:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

// failing imitates a door server that is down, and that will never hear of the juniors, who were given no badge.
func failing(people []*person) http.HandlerFunc {
	badgeless := map[string]bool{}
	for _, p := range people {
		badgeless[p.login] = p.group == juniors
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var told struct {
			Data struct{ Subject struct{ Email string } }
		}
		if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAnswer)).Decode(&told) == nil && badgeless[told.Data.Subject.Email] {
			http.Error(w, "this person has no badge", http.StatusUnprocessableEntity)
			return
		}
		http.Error(w, "the door server is being serviced", http.StatusServiceUnavailable)
	}
}
