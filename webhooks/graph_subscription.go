package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"curfew/revoke"
)

// subscriptionLife is how long a subscription to users may live: Graph takes at most 41,760 minutes, and warns that it will refuse more.
const subscriptionLife = 41_760*time.Minute - time.Hour

// graphSubscription is a subscription as Graph answers it.
type graphSubscription struct {
	ID      maybe[string] `json:"id"`
	Expires maybe[string] `json:"expirationDateTime"`
	URL     maybe[string] `json:"notificationUrl"`
	For     maybe[string] `json:"resource"`
}

// subscribed is what is kept of the subscription between two turns of upkeep.
type subscribed struct {
	ID     string         `json:"id"`
	As     string         `json:"as"` // the address and the secret that it was made with, as a digest too short to guess from
	Until  revoke.Instant `json:"until"`
	MadeAt revoke.Instant `json:"made_at"`
}

// subscription keeps one subscription to the directory's users alive: it is renewed every hour, which also answers what Graph calls
// reauthorization, and made anew when it is gone.
type subscription struct {
	*graph
	state revoke.Secret // clientState of a new one
}

// Upkeep renews, or makes, the subscription.
func (s *subscription) Upkeep(ctx context.Context, u Upkeep) (Kept, error) {
	if len(s.Subscriptions) > 0 {
		return s.renewAll(ctx, u.Now)
	}
	if !strings.HasPrefix(s.deps.Hook, "https://") {
		return Kept{}, errors.New("where Graph is to send must be told to it: set public_url to this server's https address")
	}
	var kept subscribed
	if u.State != nil && json.Unmarshal(u.State, &kept) != nil {
		kept = subscribed{}
	}
	sum := sha256.Sum256([]byte(s.deps.Hook + "\n" + s.state.Reveal()))
	as := hex.EncodeToString(sum[:4])
	switch {
	case kept.ID != "" && kept.As == as:
		until, err := s.renew(ctx, kept.ID, u.Now)
		if !errors.Is(err, revoke.ErrNotFound) {
			if err == nil {
				kept.Until = until
			}
			return kept.upkept(err)
		}
	case kept.ID != "": // neither the address nor the secret of one can be changed, and Graph takes no second one
		if _, err := s.call(ctx, http.MethodDelete, "/subscriptions/"+kept.ID, nil, nil, http.StatusNotFound); err != nil {
			return kept.upkept(err)
		}
	}
	made, err := s.make(ctx, u.Now)
	if err != nil {
		return kept.upkept(err)
	}
	made.As, made.MadeAt = as, u.Now
	return made.upkept(nil)
}

// upkept says how it went.
func (k subscribed) upkept(err error) (Kept, error) {
	if k.ID == "" {
		return Kept{Health: "there is no subscription at Microsoft Graph yet"}, err
	}
	state, encoding := json.Marshal(k)
	return Kept{
		State: state, ExpiresAt: k.Until,
		Health: fmt.Sprintf("Graph's subscription is renewed every hour; it was made at %s, and what changed before that was not heard", k.MadeAt),
	}, errors.Join(err, encoding)
}

// renew moves the end of a subscription. [revoke.ErrNotFound] says that there is none.
func (g *graph) renew(ctx context.Context, id string, now revoke.Instant) (revoke.Instant, error) {
	var answer graphSubscription
	send := map[string]string{"expirationDateTime": now.Add(subscriptionLife).String()}
	status, err := g.call(ctx, http.MethodPatch, "/subscriptions/"+id, send, &answer, http.StatusNotFound)
	switch {
	case err != nil:
		return 0, err
	case status == http.StatusNotFound:
		return 0, fmt.Errorf("the subscription is gone at Microsoft Graph: %w", revoke.ErrNotFound)
	}
	return answer.end()
}

// end reads when a subscription ends; an answer without that is none.
func (s graphSubscription) end() (revoke.Instant, error) {
	until, ok := readTime(s.Expires.value, "rfc3339")
	if !ok || userID(s.ID.value) == "" {
		return 0, errors.New("ask Microsoft Graph: its answer does not say which subscription ends when")
	}
	return until, nil
}

// make subscribes. Graph calls the hook before it answers.
func (s *subscription) make(ctx context.Context, now revoke.Instant) (subscribed, error) {
	var answer graphSubscription
	send := map[string]string{
		"changeType": "updated,deleted", "resource": "users", "clientState": s.state.Reveal(),
		"notificationUrl": s.deps.Hook, "lifecycleNotificationUrl": s.deps.Hook, "expirationDateTime": now.Add(subscriptionLife).String(),
	}
	for again := false; ; again = true {
		status, err := s.call(ctx, http.MethodPost, "/subscriptions", send, &answer, http.StatusConflict)
		if err != nil {
			return subscribed{}, err
		}
		if status != http.StatusConflict {
			break
		}
		if again {
			return subscribed{}, errors.New("there is already a subscription to users by this application, at another address: remove it, or use an application of its own")
		}
		if err := s.removeOurs(ctx); err != nil {
			return subscribed{}, err
		}
	}
	until, err := answer.end()
	return subscribed{ID: answer.ID.value, Until: until}, err
}

// removeOurs removes subscriptions to this source that we do not remember: the database is older than they are.
func (s *subscription) removeOurs(ctx context.Context) error {
	var answer struct {
		Value maybe[[]maybe[graphSubscription]] `json:"value"`
	}
	if _, err := s.call(ctx, http.MethodGet, "/subscriptions", nil, &answer); err != nil {
		return err
	}
	for _, each := range answer.Value.value {
		id := userID(each.value.ID.value)
		if id == "" || each.value.URL.value != s.deps.Hook || !strings.EqualFold(strings.Trim(each.value.For.value, "/"), "users") {
			continue
		}
		if _, err := s.call(ctx, http.MethodDelete, "/subscriptions/"+id, nil, nil, http.StatusNotFound); err != nil {
			return err
		}
	}
	return nil
}

// renewAll renews what somebody else made; what is gone only they can make again.
func (g *graph) renewAll(ctx context.Context, now revoke.Instant) (Kept, error) {
	kept := Kept{Health: fmt.Sprintf("%d subscriptions at Microsoft Graph are renewed every hour", len(g.Subscriptions))}
	var wrong error
	for _, id := range g.Subscriptions {
		until, err := g.renew(ctx, id, now)
		if errors.Is(err, revoke.ErrNotFound) {
			err = fmt.Errorf("subscription %s is gone at Microsoft Graph: make it again and write its id", id)
		}
		if err == nil && (kept.ExpiresAt == 0 || until < kept.ExpiresAt) {
			kept.ExpiresAt = until
		}
		wrong = errors.Join(wrong, err)
	}
	return kept, wrong
}
