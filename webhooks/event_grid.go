package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"curfew/revoke"
)

func init() {
	Register(Type{
		Name: "event-grid", Docs: "docs/sources/event-grid.md", Settings: eventGridSettings{}, Open: openEventGrid,
		Learns: true, HandshakeBeforeAuth: true,
	})
}

// eventGridSettings are the keys of Graph's changes by way of Azure Event Grid.
type eventGridSettings struct {
	Verify        verifySettings `yaml:"verify" example:"{query: {secrets: [\"${GRID_SECRET}\"]}}" help:"how Event Grid proves itself: static, query or jwt"`
	graphSettings `yaml:",inline"`
}

// eventGrid receives Graph's changes about users from a partner topic of Azure Event Grid (Microsoft's pages "Endpoint validation with
// Event Grid event schema", "CloudEvents v1.0 schema" and "Microsoft Graph API events in Azure Event Grid", as seen in November 2026),
// in both of its schemas. Event Grid signs nothing: it carries a secret in the address or in a header, or a token of Entra's. What an
// event says is no more than what [entraGraph] hears, and it is read at Graph likewise.
type eventGrid struct {
	*graph
	verifier verifier
	unsigned bool
}

// Unsigned reports whether Event Grid need prove nothing.
func (e *eventGrid) Unsigned() bool { return e.unsigned }

func openEventGrid(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	set := settings.(*eventGridSettings)
	v, err := set.Verify.microsoft(deps)
	g, wrong := newGraph(src, set.graphSettings, deps)
	if len(set.Subscriptions) == 0 {
		wrong = errors.Join(wrong, revoke.Invalid{
			Field: "subscriptions", Problem: "is missing: whatever Graph sends to Event Grid ends within 29 days unless it is renewed",
			Fix: "write the id that Graph answered when the subscription to the partner topic was made",
		})
	}
	if err = errors.Join(err, wrong); err != nil {
		return nil, err
	}
	return &eventGrid{g, v, set.Verify.none}, nil
}

// microsoft makes the proof of a sender that runs at Microsoft: a secret, or a token of Entra's that names the application which may
// send. Without that every application of the directory could ask for one.
func (v verifySettings) microsoft(deps Deps) (verifier, error) {
	made, err := v.verifier(deps.Clients)
	switch {
	case v.Basic != nil, v.HMAC != nil, v.Standard != nil, v.MTLS != nil:
		err = errors.Join(err, revoke.Invalid{Field: "verify", Problem: "names a way that nothing at Microsoft can prove itself by", Fix: "choose static, query or jwt"})
	case v.JWT != nil && v.JWT.Claims["azp"] == "" && v.JWT.Claims["appid"] == "":
		err = errors.Join(err, revoke.Invalid{
			Field: "verify.jwt.claims", Problem: "names no application, so that every one of the directory would be believed",
			Fix: "write claims: {azp: 11111111-2222-3333-4444-555555555555}, or appid for tokens of version 1",
		})
	}
	return made, err
}

// Limits are what Event Grid sends at most (a batch of 1 MB), with room for its envelope.
func (*eventGrid) Limits() Limits {
	return Limits{Body: 3 << 19, ContentTypes: []string{"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"}}
}

// Verify asks for the secret or the token.
func (e *eventGrid) Verify(r Request) (Evidence, error) { return e.verifier(r) }

// gridOrigin is who asks whether it may send (CloudEvents, "HTTP 1.1 Web Hooks", section 4).
const gridOrigin = "eventgrid.azure.net"

// Handshake answers both of Event Grid's questions whether the address is ours. It grants nothing: what comes after it must prove
// itself. Neither address that comes with a question is ever called.
func (e *eventGrid) Handshake(r Request) (Response, bool, error) {
	switch {
	case r.Method == http.MethodOptions:
		origin, asked := r.Header["Webhook-Request-Origin"]
		if !asked {
			return Response{}, false, nil
		}
		if len(origin) != 1 || !strings.EqualFold(origin[0], gridOrigin) {
			return Response{}, true, Unverified(WhyMismatch)
		}
		header := http.Header{}
		header.Set("WebHook-Allowed-Origin", gridOrigin)
		header.Set("WebHook-Allowed-Rate", "*")
		return Response{Status: http.StatusOK, Header: header}, true, nil
	case r.Method != http.MethodPost || !strings.EqualFold(r.Header.Get("Aeg-Event-Type"), "SubscriptionValidation"):
		return Response{}, false, nil
	}
	var events []gridEvent
	if _, twice := duplicateKey(r.Body, maxDepth); twice || checkJSON(r.Body) != nil || json.Unmarshal(r.Body, &events) != nil || len(events) != 1 {
		return Response{}, true, notAGreeting()
	}
	code := events[0].Data.value.Code.value
	if events[0].Type.value != "Microsoft.EventGrid.SubscriptionValidationEvent" || code == "" || len(code) > maxGreeting || strings.ContainsFunc(code, unicode.IsControl) {
		return Response{}, true, notAGreeting()
	}
	body, err := json.Marshal(map[string]string{"validationResponse": code})
	return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, true, err
}

func notAGreeting() error {
	return revoke.Invalid{Field: "validationCode", Problem: "is not in what Event Grid would ask", Fix: "let Event Grid validate the address once more"}
}

// gridEvent is what we read of an event: in the schema of CloudEvents, or in Event Grid's own.
type gridEvent struct {
	ID        maybe[string]   `json:"id"`
	Source    maybe[string]   `json:"source"`
	CloudType maybe[string]   `json:"type"`
	Type      maybe[string]   `json:"eventType"`
	Subject   maybe[string]   `json:"subject"`
	CloudTime maybe[string]   `json:"time"`
	Time      maybe[string]   `json:"eventTime"`
	Data      maybe[gridData] `json:"data"`
}

type gridData struct {
	graphNotice
	Code maybe[string] `json:"validationCode"`
}

// Items reads the events of one message: one, or a list of them.
func (e *eventGrid) Items(r Request) ([]Item, error) {
	var list []json.RawMessage
	if json.Unmarshal(r.Body, &list) != nil || list == nil {
		list = []json.RawMessage{r.Body}
	}
	items := make([]Item, len(list))
	for i, raw := range list {
		items[i] = e.Item(raw)
	}
	return items, nil
}

const graphEvent = "microsoft.graph."

// gridNotes say what follows from events that end nothing.
var gridNotes = map[string]string{
	"groupupdated":                        "it is about a group",
	"groupdeleted":                        "it is about a group",
	"subscriptionreauthorizationrequired": "Graph wants the subscription renewed: Curfew does so every hour",
}

// Item reads one event, from the message or from what was kept of it.
func (e *eventGrid) Item(raw json.RawMessage) Item {
	var ev *gridEvent
	body, err := withoutGridState(raw)
	if err != nil || json.Unmarshal(raw, &ev) != nil || ev == nil {
		return Item{State: revoke.EventMalformed, Note: "not an event that has one meaning", Body: body}
	}
	item := Item{ID: ev.id(), Type: cmp.Or(ev.CloudType.value, ev.Type.value), Body: body}
	if at, ok := readTime(cmp.Or(ev.CloudTime.value, ev.Time.value), "rfc3339"); ok {
		item.OccurredAt = at
	}
	notice := ev.Data.value.graphNotice
	if notice.Resource.value == "" {
		notice.Resource = ev.Subject
	}
	what, ofGraph := strings.CutPrefix(strings.ToLower(item.Type), graphEvent)
	note, idle := gridNotes[what]
	change := strings.ToLower(notice.Change.value)
	switch {
	case item.Type == "":
		item.State, item.Note = revoke.EventMalformed, "it does not say what happened"
	case !ofGraph:
		item.State, item.Note = revoke.EventUnknown, "it is not of Microsoft Graph"
	case !e.ours(notice) || !e.sentBy(ev.Source.value):
		item.State, item.Note, item.Refused = revoke.EventIgnored, "it is of another directory or subscription", WhyMismatch
	case idle:
		item.State, item.Note = revoke.EventIgnored, note
	case what != "userupdated" && what != "userdeleted":
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this kind of event"
	case (what == "userdeleted") != (change == "deleted") && change != "":
		item.State, item.Note = revoke.EventMalformed, "its type and its changeType say different things"
	default:
		notice.Change.value = strings.TrimPrefix(what, "user")
		e.changed(&item, notice)
	}
	return item
}

// id is by what an event is known: an id is one of its source's (CloudEvents 1.0, section 3.1.1).
func (ev gridEvent) id() string {
	if ev.ID.value == "" {
		return ev.Data.value.id()
	}
	return strings.TrimSpace(ev.Source.value + " " + ev.ID.value)
}

// sentBy reports whether a source, such as /tenants/ID/applications/ID, can be of our directory.
func (e *eventGrid) sentBy(source string) bool {
	named, is := strings.CutPrefix(strings.ToLower(source), "/tenants/")
	tenant, _, _ := strings.Cut(named, "/")
	return !is || strings.EqualFold(tenant, e.Tenant)
}

// withoutGridState returns an event without the secret of the subscription in its data, and an error where it has more than one
// meaning.
func withoutGridState(raw json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return raw, errors.New("it is no object")
	}
	for name, data := range all {
		if inner, err := withoutState(data); err == nil && strings.EqualFold(name, "data") {
			all[name] = inner
		}
	}
	body, err := json.Marshal(all)
	if _, twice := duplicateKey(raw, maxDepth); twice {
		err = errors.New("a member stands twice")
	}
	return body, err
}

// Upkeep renews the subscriptions that send to the partner topic.
func (e *eventGrid) Upkeep(ctx context.Context, u Upkeep) (Kept, error) {
	return e.renewAll(ctx, u.Now)
}

// Means returns what the types of events say.
func (*eventGrid) Means() []revoke.Meaning {
	out := []revoke.Meaning{{Word: "Microsoft.Graph.UserDeleted", Signal: revoke.Deleted, Note: "at once; it is sent when a user is deleted for good"}}
	for _, kind := range []revoke.SignalKind{revoke.Deactivated, revoke.Reactivated, revoke.CredentialChanged, revoke.SessionsCleared, revoke.Deleted} {
		out = append(out, revoke.Meaning{Word: "Microsoft.Graph.UserUpdated", Signal: kind, Note: "where Graph says so when it is read"})
	}
	for _, word := range []string{"GroupUpdated", "GroupDeleted", "SubscriptionReauthorizationRequired"} {
		out = append(out, revoke.Meaning{Word: "Microsoft.Graph." + word, Note: gridNotes[strings.ToLower(word)]})
	}
	return out
}
