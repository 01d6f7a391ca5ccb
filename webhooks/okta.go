package webhooks

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"curfew/revoke"
)

func init() {
	Register(Type{
		Name: "okta", Docs: "docs/sources/okta.md", Settings: oktaSettings{}, New: newOkta,
		Learns: true, HandshakeBeforeAuth: true,
	})
}

// oktaSettings are the keys of an Okta event hook beside those that every source has.
type oktaSettings struct {
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${OKTA_HOOK_SECRET}\"]" help:"what stands in the hook's authentication secret; two while it is changed"`
	Header  string          `yaml:"header" example:"X-Curfew-Secret" help:"the hook's authentication field; Authorization when absent"`
}

// okta receives Okta event hooks (Okta's pages "Event hooks" and "Event Types", and its reference of Identity Threat
// Protection events, as seen in November 2026). Okta signs nothing: one header holds a secret as it was typed there. It sends
// at least once and in any order, waits 3 s, repeats a 5xx once and a 4xx never; there is no time to check, so that a replay
// is known by the event's uuid alone, and an old event cuts at its own time.
type okta struct {
	oktaEvents
	header staticHeader
}

func newOkta(src revoke.Source, settings any) (Receiver, error) {
	set := settings.(*oktaSettings)
	name := "Authorization"
	if set.Header != "" {
		name = http.CanonicalHeaderKey(set.Header)
	}
	header, err := newStaticHeader(name, set.Secrets)
	if err != nil {
		return nil, err
	}
	return &okta{oktaEvents{src}, header}, nil
}

// Verify compares the header with every secret.
func (o *okta) Verify(r Request) (Evidence, error) { return o.header.verify(r.Header) }

// challenge is the header of the one GET that Okta ever sends, when an administrator presses Verify.
const challenge = "X-Okta-Verification-Challenge"

// maxChallenge bounds what is echoed. Okta's are a few dozen characters.
const maxChallenge = 1024

// Handshake echoes Okta's challenge. Okta does not say whether the secret accompanies it, so that it need not; a wrong one is
// refused. The echo grants nothing.
func (o *okta) Handshake(r Request) (Response, bool, error) {
	values := r.Header.Values(challenge)
	if r.Method != http.MethodGet || len(values) == 0 {
		return Response{}, false, nil
	}
	if len(r.Header.Values(o.header.name)) > 0 {
		if _, err := o.header.verify(r.Header); err != nil {
			return Response{}, true, err
		}
	}
	if len(values) > 1 || values[0] == "" || len(values[0]) > maxChallenge || !utf8.ValidString(values[0]) {
		return Response{}, true, revoke.Invalid{Field: challenge, Problem: "is not a challenge that Okta would send", Fix: "press Verify in Okta once more"}
	}
	body, err := json.Marshal(map[string]string{"verification": values[0]})
	return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, true, err
}

// Items reads the log events of one delivery. A message in another shape is one malformed item: Okta never sends again what
// was answered with 4xx, and somebody should see it.
func (o *okta) Items(r Request) ([]Item, error) {
	var message maybe[oktaEnvelope]
	_ = json.Unmarshal(r.Body, &message) // what is in another shape has no list
	events := message.value.Data.value.Events
	if events == nil {
		return []Item{{State: revoke.EventMalformed, Note: "not an Okta event hook: it has no list data.events", Body: r.Body}}, nil
	}
	items := make([]Item, len(events))
	for i, raw := range events {
		items[i] = o.item(raw)
		if delivery := plain(message.value.EventID.value); delivery != "" {
			items[i].Note = join("delivery "+delivery, items[i].Note)
		}
	}
	return items, nil
}

// Item reads a log event from what was kept of it.
func (o oktaEvents) Item(body json.RawMessage) Item { return o.item(body) }

type oktaEnvelope struct {
	EventID maybe[string]        `json:"eventId"` // of this delivery
	Data    maybe[oktaDelivered] `json:"data"`
}

type oktaDelivered struct {
	Events []json.RawMessage `json:"events"`
}

// maybe reads a T where there is one and is zero where there is anything else: one odd member of a log event must not lose
// the deactivation that the others carry.
type maybe[T any] struct{ value T }

// UnmarshalJSON never fails on valid JSON.
func (m *maybe[T]) UnmarshalJSON(raw []byte) error {
	if text, is := any(&m.value).(*string); is { // most are: no decoder for each
		if raw[0] == '"' {
			*text = textOf(raw)
		}
		return nil
	}
	var value T
	if err := json.Unmarshal(raw, &value); err == nil { // a half-read value would be worse than none
		m.value = value
	}
	return nil
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
