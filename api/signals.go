package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// news is the body of POST /v1/signals.
type news struct {
	Signal     string          `json:"signal" validate:"required"`
	Subject    json.RawMessage `json:"subject"`
	OccurredAt string          `json:"occurred_at" validate:"instant"`
	ID         string          `json:"id" validate:"max=512,plain"`
	Device     *device         `json:"device"`
	Session    string          `json:"session" validate:"max=512,plain"`
	Reason     string          `json:"reason" validate:"max=1000,plain"`
}

// signal takes an application's own news.
func (a *App) signal(c *fiber.Ctx, t *token) error {
	var in news
	if err := decode(c, &in); err != nil {
		return err
	}
	sig, wrong := a.readNews(&in, t)
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	if in.Session != "" {
		ref, err := a.sessionRef(ctx, t, in.Session, "")
		if err != nil {
			return err
		}
		sig.Session = ref
	}
	ev := revoke.Event{SenderID: cmp.Or(in.senderID(), eventID(c)), Type: in.Signal, OccurredAt: sig.OccurredAt, Body: bytes.Clone(c.BodyRaw()), Signals: []revoke.Signal{sig}}
	out, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, ev)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusCreated, viewOutcome(c, &out[0]))
}

// readNews makes a signal of news, but for the session that it may name.
func (a *App) readNews(in *news, t *token) (revoke.Signal, []fieldError) {
	wrong := a.check(in)
	kind := revoke.SignalKind(in.Signal)
	if in.Signal != "" && !slices.Contains(revoke.SignalKinds(), kind) {
		wrong = append(wrong, fieldError{"signal", "is not one we know: write " + orList(wordsOf(revoke.SignalKinds()))})
	}
	sig := revoke.Signal{Kind: kind, OccurredAt: instant(in.OccurredAt), Reason: in.Reason}
	if len(in.Subject) > 0 {
		who, bad := subject(in.Subject, t)
		sig.Subject, wrong = who, append(wrong, bad...)
	}
	if in.Device != nil {
		if sig.Device = in.Device.identifiers(); len(sig.Device) == 0 {
			wrong = append(wrong, fieldError{"device", "names none: " + exampleOf("device")})
		}
	}
	if len(in.Subject) == 0 && in.Session == "" && (in.Device == nil || !t.voice.Devices) {
		wrong = append(wrong, fieldError{"subject", "is missing: " + exampleOf("subject")})
	}
	if kind == revoke.SessionsCleared && len(sig.Device) == 0 {
		sig.OnlyApp = t.app // what an application clears is its own
	}
	return sig, wrong
}

// senderID is by what the news is known as the same: the sender's id for it, or without one its text and time. With
// neither it is never taken for a duplicate.
func (in *news) senderID() string {
	if in.ID != "" || in.OccurredAt == "" {
		return in.ID
	}
	text, err := json.Marshal(in)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// outcomeView is what became of an event.
type outcomeView struct {
	Event       revoke.ID         `json:"id"`
	State       revoke.EventState `json:"state"`
	Known       bool              `json:"known"`
	User        revoke.ID         `json:"user,omitzero"`
	Revocations []revocationItem  `json:"revocations"`
}

type revocationItem struct {
	ID    revoke.ID        `json:"id,omitzero"`
	Scope revoke.ScopeKind `json:"scope"`
	At    revoke.Instant   `json:"at,omitzero"`
}

// viewOutcome shows an outcome. A duplicate looks like the first one.
func viewOutcome(c *fiber.Ctx, o *revoke.Outcome) outcomeView {
	heldHeader(c, o)
	return outcomeView{Event: o.Event, State: o.State, Known: o.Known, User: o.User, Revocations: revocationItems(o)}
}

func revocationItems(o *revoke.Outcome) []revocationItem {
	items := []revocationItem{}
	for _, r := range o.Revocations {
		items = append(items, revocationItem{r.ID, r.Scope.Kind, r.At})
	}
	return items
}
