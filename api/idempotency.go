package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

const (
	idempotencyKey = "Idempotency-Key"
	longestKey     = 255
	keyLife        = 24 * time.Hour
	// keyPatience is how long a request may be under way before its key is taken to be a dead process's. It is longer than any
	// of ours.
	keyPatience = 60 * time.Second
)

var (
	errKeySpelling = &problem{status: 400, word: "invalid", title: "Unusable Idempotency-Key", detail: "Send one Idempotency-Key of 1 to 255 printable ASCII characters, such as a UUID, or none."}
	errKeyReused   = &problem{status: 409, word: "conflict", title: "Contradicts what is recorded", detail: "This Idempotency-Key was sent with another request: send a new key with each new request."}
	errKeyUnderWay = &problem{status: 409, word: "conflict", title: "Contradicts what is recorded", detail: "The first request with this Idempotency-Key is under way: ask again in a second.", retry: time.Second}
)

// stored is an answer as it is kept beside a key.
type stored struct {
	Body     json.RawMessage `json:"body,omitempty"` // none of an empty answer, and of one that is made anew when it is asked for again
	Location string          `json:"location,omitempty"`
	Held     string          `json:"held,omitempty"`
	Again    string          `json:"again,omitempty"` // what a route needs to make its answer anew
}

type (
	onceKey  struct{}
	againKey struct{}
)

// post adds a POST that is carried out once for each Idempotency-Key; a second request with the key is answered like the first.
func (a *App) post(path string, needs scopes, handle func(*fiber.Ctx, *token) error) {
	a.on(fiber.MethodPost, path, needs, a.once(handle, nil))
}

// postAnew is [App.post] for a route whose answer says who is live: that is not kept, because it may not be true any more, but
// made anew by again, which finds what [remember] noted.
func (a *App) postAnew(path string, needs scopes, handle func(*fiber.Ctx, *token) error, again func(*fiber.Ctx, *token, string) error) {
	a.on(fiber.MethodPost, path, needs, a.once(handle, again))
}

// remember notes what a route that is asked for its answer again will need.
func remember(c *fiber.Ctx, what string) { c.Context().SetUserValue(againKey{}, what) }

// once carries out handle for the first request with a key. A refusal changes nothing, so its key is free again; after a failure
// the same request is carried out anew, and the core knows what it has done already by [once].
func (a *App) once(handle func(*fiber.Ctx, *token) error, again func(*fiber.Ctx, *token, string) error) func(*fiber.Ctx, *token) error {
	return func(c *fiber.Ctx, t *token) error {
		name, err := keyOf(c)
		if err != nil {
			return err
		}
		if name == "" {
			return handle(c, t)
		}
		ctx, cancel := a.committing(c, t)
		defer cancel()
		key, answered, err := a.takeKey(ctx, c, t, name)
		if err != nil {
			return err
		}
		if answered != nil {
			return a.replay(c, t, key.Status, answered, again)
		}
		nonce := key.Answer
		c.Context().SetUserValue(onceKey{}, nonce)
		err = handle(c, t)
		if key.Status = c.Response().StatusCode(); err != nil {
			key.Status = errInternal.status
			if p := problemOf(err); p != nil {
				key.Status = p.status
			}
		}
		if key.Answer = nonce; key.Status < 300 {
			kept := stored{Location: string(c.Response().Header.Peek(fiber.HeaderLocation)), Held: string(c.Response().Header.Peek("Curfew-Held"))}
			if again == nil {
				kept.Body = c.Response().Body()
			} else {
				kept.Again, _ = c.Context().UserValue(againKey{}).(string)
			}
			text, bad := json.Marshal(kept)
			if bad != nil {
				return fmt.Errorf("keep the answer to an idempotency key: %w", bad)
			}
			key.Answer = string(text)
		}
		ctx, cancel = a.committing(c, t)
		defer cancel()
		if bad := a.cfg.Store.AnswerKey(ctx, key); bad != nil { // the request was carried out; asked again, it is so once more
			a.cfg.Log.Warn("the answer to an idempotency key is not kept", "err", bad, "request_id", a.requestID(c.Context()))
		}
		return err
	}
}

// keyOf returns the key that a request carries, empty when there is none.
func keyOf(c *fiber.Ctx) (string, error) {
	sent := c.Request().Header.PeekAll(idempotencyKey)
	switch {
	case len(sent) == 0:
		return "", nil
	case len(sent) > 1 || len(sent[0]) == 0 || len(sent[0]) > longestKey:
		return "", errKeySpelling
	case bytes.ContainsFunc(sent[0], func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errKeySpelling
	}
	return string(sent[0]), nil
}

// takeKey makes the key this request's, or returns the answer that belongs to it. While a request is under way the key's answer
// is a nonce of its own, which passes to whoever has to carry it out again.
func (a *App) takeKey(ctx context.Context, c *fiber.Ctx, t *token, name string) (revoke.Key, *stored, error) {
	now := a.cfg.Clock.Now()
	key := revoke.Key{Org: t.voice.Org, Source: t.holder(), Name: name, Request: requestHash(c), Answer: revoke.NewID(now).String(), At: now}
	have, taken, err := a.cfg.Store.TakeKey(ctx, key, now.Add(-keyLife))
	for err == nil && !taken {
		same := have.Request == key.Request
		switch {
		case have.Status >= 400 && have.Status < 500: // it was refused and changed nothing
		case !same:
			return key, nil, errKeyReused
		case have.Status >= 200 && have.Status < 300:
			var answered stored
			if err := json.Unmarshal([]byte(have.Answer), &answered); err != nil {
				return key, nil, fmt.Errorf("read the answer to an idempotency key: %w", err)
			}
			return have, &answered, nil
		case have.Status == 0 && now.Sub(have.At) < keyPatience:
			return key, nil, errKeyUnderWay
		default:
			key.Answer = have.Answer
		}
		before := have.At
		key.At = max(now, before+1) // so that of two who take it over one finds it taken
		if have, taken, err = a.cfg.Store.TakeKey(ctx, key, before); !taken && have.At == before {
			break // it is not ours to take
		}
	}
	if err != nil {
		return key, nil, fmt.Errorf("take an idempotency key: %w", err)
	}
	if !taken {
		return key, nil, errKeyUnderWay
	}
	return key, nil, nil
}

// requestHash tells requests apart: the method, the address and the body.
func requestHash(c *fiber.Ctx) [sha256.Size]byte {
	body := sha256.Sum256(c.BodyRaw())
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%s\n", c.Method(), c.Request().RequestURI())
	_, _ = h.Write(body[:])
	return [sha256.Size]byte(h.Sum(nil))
}

// replay answers as the first request with the key was answered.
func (a *App) replay(c *fiber.Ctx, t *token, status int, kept *stored, again func(*fiber.Ctx, *token, string) error) error {
	c.Set("Idempotency-Replayed", "true")
	if kept.Location != "" {
		c.Location(kept.Location)
	}
	if kept.Held != "" {
		c.Set("Curfew-Held", kept.Held)
	}
	if again != nil {
		if err := again(c, t, kept.Again); err != nil {
			return err
		}
		c.Status(status)
		return nil
	}
	if len(kept.Body) == 0 {
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Status(status)
		return nil
	}
	return answer(c, status, kept.Body)
}

// eventID is by what an event is known that a request with an Idempotency-Key makes: carried out again, the request is a
// duplicate to the core. Without a key it is empty.
func eventID(c *fiber.Ctx) string {
	nonce, _ := c.Context().UserValue(onceKey{}).(string)
	if nonce == "" {
		return ""
	}
	return "idempotency:" + nonce
}
