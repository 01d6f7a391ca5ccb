package targets

import (
	"fmt"
	"net/http"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Fate says what an answer's status means for what is owed: nil for 2xx, else an error in one of the forms of
// [revoke.Target]. The rule behind the table is that trying again is the default, since a revocation given up is a session
// left alive: only what the same call can never mend is [revoke.Permanent]. A type overrides what its system means otherwise.
//
//   - 3xx: Permanent. We never follow, so nothing but a new address helps.
//   - 401, 403: our credential or our right; everything waits for its repair and nothing is parked.
//   - 404, 405, 410: the address leads nowhere, which a deployment or a repaired setting mends. A type whose calls name a
//     person reads them as "unknown there" instead. 410 turns no target off: somebody would stay signed in, unseen.
//   - 400: again, though it says "malformed": many receivers answer it to a signature that they do not accept, and then
//     parking would ask a person to release every delivery after the secret was repaired.
//   - 413, 414, 415, 422, 431: Permanent. The call was understood, and refused for what it is.
//   - 408, 409, 412, 425, 5xx and whatever else: again.
//   - 429 and every 5xx, 408 and 425 with Retry-After: not before that time; 429 and 503 keep the target's other calls back.
func (l *Line) Fate(a outbound.Answer) error {
	s := a.Status
	switch {
	case s >= 200 && s < 300:
		return nil
	case s >= 300 && s < 400:
		return revoke.Permanent(l.says(s, "redirects us, which we never follow: put the address that it moved to into its url"))
	}
	switch s {
	case http.StatusUnauthorized:
		return revoke.RefusedCredential{Err: l.says(s, "refused our credential: save the one that it expects in its settings")}
	case http.StatusForbidden:
		return revoke.RefusedCredential{Err: l.says(s, "refused us the right: give our credential there the rights that this type's page names")}
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return l.says(s, "has nothing at this address that takes our call: check its url, or wait until it is deployed")
	case http.StatusBadRequest:
		return l.says(s, "did not understand the call: look into its log; a wrong secret is often answered so")
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return revoke.Permanent(l.says(s, "will never take this call: look into its log"))
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return l.later(a, l.says(s, "asks us to come back later"))
	}
	if s >= 500 {
		return l.later(a, l.says(s, "has a fault of its own: it is called again"))
	}
	return l.says(s, "did not carry out the call: it is called again")
}

func (l *Line) says(status int, what string) error {
	return fmt.Errorf("%s answered %d, it %s", l.name, status, what)
}

// later obeys what the answer asks us to wait, if it does.
func (l *Line) later(a outbound.Answer, err error) error {
	wait := outbound.RetryAfter(a.Header, l.clock.Now().Time())
	if wait == 0 {
		return err
	}
	if a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		l.hold(wait)
	}
	return revoke.RetryAfter(err, wait)
}
