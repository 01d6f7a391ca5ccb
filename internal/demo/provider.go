package demo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// The two events of Okta's that the story needs (Okta's event catalogue, user lifecycle).
const (
	oktaSuspend   = "user.lifecycle.suspend"
	oktaUnsuspend = "user.lifecycle.unsuspend"
)

// provider imitates an identity provider with two connections to Curfew: it provisions over SCIM 2.0 and sends Okta event
// hooks. It is used by one goroutine.
type provider struct {
	client    *http.Client
	clock     revoke.Clock
	curfew    string
	scim      revoke.Secret
	okta      revoke.Secret
	resource  string         // the student's SCIM id
	published revoke.Instant // of the last event
}

// create provisions the student (RFC 7644 section 3.3).
func (p *provider) create(ctx context.Context) error {
	answer, err := call(ctx, p.client, http.MethodPost, p.curfew+"/scim/v2/Users", bearer(p.scim), sally().resourceOf())
	if err := status("curfew", answer, err, http.StatusCreated); err != nil {
		return err
	}
	var made struct{ ID string }
	if err := json.Unmarshal(answer.Body, &made); err != nil || made.ID == "" {
		return fmt.Errorf("curfew created the user without saying its id")
	}
	p.resource = made.ID
	return nil
}

// setActive writes the student's active as Okta does: a PATCH without a path (RFC 7644 section 3.5.2).
func (p *provider) setActive(ctx context.Context, active bool) error {
	answer, err := call(ctx, p.client, http.MethodPatch, p.curfew+"/scim/v2/Users/"+p.resource, bearer(p.scim), map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []map[string]any{{"op": "replace", "value": map[string]bool{"active": active}}},
	})
	if err == nil && answer.Status == http.StatusNoContent { // the RFC leaves the choice to the server
		return nil
	}
	return status("curfew", answer, err, http.StatusOK)
}

// shakeHands proves to Okta's side that the hook's address is Curfew's: one GET whose challenge comes back (Okta, "Event
// hooks", one-time verification request).
func (p *provider) shakeHands(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.curfew+"/hooks/okta", nil)
	if err != nil {
		return err
	}
	challenge := rand.Text()
	r.Header.Set("X-Okta-Verification-Challenge", challenge)
	answer, err := outbound.Do(p.client, r, maxAnswer)
	if err := status("the hook's handshake", answer, err, http.StatusOK); err != nil {
		return err
	}
	var said struct{ Verification string }
	if err := json.Unmarshal(answer.Body, &said); err != nil || said.Verification != challenge {
		return fmt.Errorf("the hook's handshake did not return the challenge")
	}
	return nil
}

// send posts one event about the student under the given secret and returns the status.
func (p *provider) send(ctx context.Context, secret revoke.Secret, eventType string) (int, error) {
	// Okta writes milliseconds. Two events of one millisecond would have no order, and at equal instants a block stands.
	p.published = max(p.clock.Now(), p.published+1000) / 1000 * 1000
	return p.post(ctx, secret, oktaEvent(eventType, eventType, p.published, sally()))
}

// post sends events as Okta does. It signs nothing: the secret stands in Authorization as it is.
func (p *provider) post(ctx context.Context, secret revoke.Secret, events ...map[string]any) (int, error) {
	answer, err := call(ctx, p.client, http.MethodPost, p.curfew+"/hooks/okta", secret.Reveal(), map[string]any{
		"eventType": "com.okta.event_hook", "eventTypeVersion": "1.0", "cloudEventsVersion": "0.1",
		"contentType": "application/json", "eventId": rand.Text(), "eventTime": oktaTime(p.clock.Now()),
		"source": "https://school.example.edu/api/v1/eventHooks/who1demo",
		"data":   map[string]any{"events": events},
	})
	if err != nil {
		return 0, fmt.Errorf("curfew %w", err)
	}
	return answer.Status, nil
}

// oktaEvent is an entry of Okta's System Log about somebody.
func oktaEvent(eventType, words string, at revoke.Instant, about *person) map[string]any {
	user := map[string]any{"id": about.okta, "type": "User", "alternateId": about.login, "displayName": about.name()}
	return map[string]any{
		"uuid": rand.Text(), "published": oktaTime(at), "eventType": eventType, "version": "0", "severity": "INFO",
		"displayMessage": words, "outcome": map[string]any{"result": "SUCCESS"},
		"actor":  map[string]any{"id": "00uAdmin", "type": "User", "alternateId": "head@example.edu", "displayName": "Head Teacher"},
		"target": []map[string]any{user},
	}
}

func oktaTime(at revoke.Instant) string { return at.Time().Format("2006-01-02T15:04:05.000Z") }

// tell sends an event under the right secret. The wait that Okta allows is 3 s.
func (p *provider) tell(ctx context.Context, eventType string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	got, err := p.send(ctx, p.okta, eventType)
	if err == nil && got/100 != 2 {
		err = fmt.Errorf("curfew answered %d to the event, wanted 2xx", got)
	}
	return err
}
