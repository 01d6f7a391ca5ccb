package webhooks

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"curfew/revoke"
)

func init() {
	Register(Type{
		Name: "entra-graph", Docs: "docs/sources/entra-graph.md", Settings: entraGraphSettings{}, Open: openEntraGraph,
		Learns: true, HandshakeBeforeAuth: true,
	})
}

// entraGraphSettings are the keys of Graph's change notifications.
type entraGraphSettings struct {
	Secrets       []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${ENTRA_CLIENT_STATE}\"]" help:"clientState of the subscription, 16 to 128 characters; the first is given to new ones"`
	graphSettings `yaml:",inline"`
}

// entraGraph receives change notifications about users (Graph's pages "Receive change notifications through webhooks" and "Reduce
// missing subscriptions", as seen in November 2026). Nothing is signed: each item carries the secret that the subscription was made
// with, and one message may mix items of many subscriptions, so that each is judged by itself and the answer tells nothing. An item
// says only that somebody changed, in no order, so that Graph is asked what; a permanent deletion is said outright.
type entraGraph struct {
	subscription
	secrets []revoke.Secret
}

// The bounds of clientState: Graph takes 128 characters, and a short one could be guessed.
const (
	leastState   = 16
	longestState = 128
)

func openEntraGraph(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	set := settings.(*entraGraphSettings)
	wrong := checkSecrets(set.Secrets, leastState)
	for i, s := range set.Secrets {
		if len(s.Reveal()) > longestState {
			wrong = append(wrong, revoke.Invalid{Field: secretName(i), Problem: "is longer than 128 characters, which Graph does not take", Fix: "make a shorter one"})
		}
	}
	g, err := newGraph(src, set.graphSettings, deps)
	if err = errors.Join(append(wrong, err)...); err != nil {
		return nil, err
	}
	return &entraGraph{subscription{g, set.Secrets[0]}, set.Secrets}, nil
}

// maxGreeting bounds what is echoed. Graph's tokens are a short sentence with an id.
const maxGreeting = 1024

// Handshake echoes Graph's validation token as plain text. It grants nothing.
func (e *entraGraph) Handshake(r Request) (Response, bool, error) {
	values, is := r.Query["validationToken"]
	if r.Method != http.MethodPost || !is {
		return Response{}, false, nil
	}
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxGreeting || !utf8.ValidString(values[0]) || strings.ContainsAny(values[0], "<>") ||
		strings.ContainsFunc(values[0], unicode.IsControl) {
		return Response{}, true, revoke.Invalid{Field: "validationToken", Problem: "is not a token that Graph would send", Fix: "let Graph validate the address once more"}
	}
	return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(values[0])}, true, nil
}

// Verify accepts whatever comes: each item proves itself.
func (e *entraGraph) Verify(Request) (Evidence, error) { return Evidence{Proof: ProvedItems}, nil }

// Respond answers alike, whether an item proved itself or not.
func (e *entraGraph) Respond([]revoke.Outcome) Response {
	return Response{Status: http.StatusAccepted}
}

// Items reads the notifications of one message. A message in another shape proves nothing, and nothing of it is kept.
func (e *entraGraph) Items(r Request) ([]Item, error) {
	var message maybe[struct {
		Value maybe[[]json.RawMessage] `json:"value"`
	}]
	_ = json.Unmarshal(r.Body, &message) // what is in another shape has no list
	list := message.value.Value.value
	items := make([]Item, len(list))
	for i, raw := range list {
		var n graphNotice
		if json.Unmarshal(raw, &n) != nil {
			items[i] = Item{State: revoke.EventMalformed, Note: "not a notification: it is no object", Body: raw, Refused: WhyMalformed}
			continue
		}
		items[i] = e.Item(raw)
		items[i].Key, items[i].Refused = e.judge(n)
	}
	return items, nil
}

// judge says by which secret an item proved itself, or why it did not.
func (e *entraGraph) judge(n graphNotice) (key string, why Why) {
	if n.ClientState.value == "" {
		return "", WhyMissing
	}
	key, ok := oneSecret(e.secrets, func(s revoke.Secret) bool { return s.Equal(n.ClientState.value) })
	if !ok || !e.ours(n) {
		return "", WhyMismatch
	}
	return key, ""
}

// ours reports whether a notification is of our directory and, where they are named, one of our subscriptions.
func (g *graph) ours(n graphNotice) bool {
	for _, tenant := range []string{n.TenantID.value, n.Data.value.Organization.value} {
		if tenant != "" && !strings.EqualFold(tenant, g.Tenant) {
			return false
		}
	}
	if len(g.Subscriptions) == 0 {
		return true
	}
	for _, id := range g.Subscriptions {
		if strings.EqualFold(id, n.Subscription.value) {
			return true
		}
	}
	return false
}

// graphNotice is what we read of a change notification.
type graphNotice struct {
	ID           maybe[string]       `json:"id"`
	Subscription maybe[string]       `json:"subscriptionId"`
	ClientState  maybe[string]       `json:"clientState"`
	Change       maybe[string]       `json:"changeType"`
	Resource     maybe[string]       `json:"resource"`
	TenantID     maybe[string]       `json:"tenantId"`
	Lifecycle    maybe[string]       `json:"lifecycleEvent"`
	Data         maybe[graphChanged] `json:"resourceData"`
}

type graphChanged struct {
	Type         maybe[string]          `json:"@odata.type"`
	ETag         maybe[string]          `json:"@odata.etag"`
	ID           maybe[string]          `json:"id"`
	Organization maybe[string]          `json:"organizationId"`
	EventTime    maybe[string]          `json:"eventTime"`
	Sequence     maybe[json.RawMessage] `json:"sequenceNumber"`
}

// lifecycleNotes say what follows from news about the subscription itself: nothing that ends a session.
var lifecycleNotes = map[string]string{
	"reauthorizationrequired": "Graph wants the subscription renewed: Curfew does so every hour",
	"subscriptionremoved":     "Graph removed the subscription: Curfew makes it again within the hour; what changed until then is not heard",
	"missed":                  "Graph lost notifications: who changed meanwhile is not heard here",
}

// Item reads one notification, from the message or from what was kept of it.
func (e *entraGraph) Item(raw json.RawMessage) Item {
	var n graphNotice
	body, err := withoutState(raw)
	if err != nil || json.Unmarshal(raw, &n) != nil {
		return Item{State: revoke.EventMalformed, Note: "not a notification that has one meaning", Body: body}
	}
	item := Item{ID: n.id(), Type: cmp.Or(n.Lifecycle.value, n.Change.value), Body: body}
	if note, known := lifecycleNotes[strings.ToLower(n.Lifecycle.value)]; known {
		item.State, item.Note = revoke.EventIgnored, note
		return item
	}
	if n.Lifecycle.value != "" {
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this news of a subscription"
		return item
	}
	e.changed(&item, n)
	return item
}

// changed puts into item what a notification about a person asks for.
func (g *graph) changed(item *Item, n graphNotice) {
	if at, ok := readTime(n.Data.value.EventTime.value, "rfc3339"); ok {
		item.OccurredAt = at
	}
	what, named, _ := strings.Cut(strings.Trim(n.Resource.value, "/"), "/")
	kind := strings.ToLower(n.Data.value.Type.value)
	id := userID(cmp.Or(n.Data.value.ID.value, named))
	switch change := strings.ToLower(n.Change.value); {
	case strings.EqualFold(what, "groups") || kind == "#microsoft.graph.group":
		item.State, item.Note = revoke.EventIgnored, "it is about a group"
	case !strings.EqualFold(what, "users") && kind != "#microsoft.graph.user":
		item.State, item.Note = revoke.EventUnknown, "it is not about a user"
	case id == "" || named != "" && userID(named) != id:
		item.State, item.Note = revoke.EventMalformed, "it does not name one user"
	case change == "updated" || change == "created":
		item.Read = userRead + id
	case change == "deleted":
		item.Signals = []revoke.Signal{{Kind: revoke.Deleted, Subject: g.subject(id, graphUser{}), OccurredAt: item.OccurredAt, Reason: "the user was deleted for good in Microsoft Entra"}}
	default:
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this kind of change"
	}
}

// id is by what a notification is known: Graph's own id of it, or else all that tells one change from the next.
func (n graphNotice) id() string {
	if n.ID.value != "" {
		return n.ID.value
	}
	d := n.Data.value
	if d.EventTime.value == "" && len(d.Sequence.value) == 0 && d.ETag.value == "" {
		return "" // nothing does
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q", n.Subscription.value, n.Resource.value, n.Change.value, d.EventTime.value, d.Sequence.value, d.ETag.value))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// withoutState returns a notification without the secret in it, and an error where it has more than one meaning.
func withoutState(raw json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || all == nil {
		return raw, errors.New("it is no object")
	}
	for name := range all {
		if strings.EqualFold(name, "clientState") {
			delete(all, name)
		}
	}
	body, err := json.Marshal(all)
	if _, twice := duplicateKey(raw, maxDepth); twice {
		err = errors.New("a member stands twice")
	}
	return body, err
}

// Means returns what the words of a notification say.
func (*entraGraph) Means() []revoke.Meaning {
	out := []revoke.Meaning{{Word: "deleted", Signal: revoke.Deleted, Note: "at once; it is sent when a user is deleted for good"}}
	for _, kind := range []revoke.SignalKind{revoke.Deactivated, revoke.Reactivated, revoke.CredentialChanged, revoke.SessionsCleared, revoke.Deleted} {
		out = append(out, revoke.Meaning{Word: "updated", Signal: kind, Note: "where Graph says so when it is read"})
	}
	for _, word := range []string{"reauthorizationRequired", "subscriptionRemoved", "missed"} {
		out = append(out, revoke.Meaning{Word: word, Note: lifecycleNotes[strings.ToLower(word)]})
	}
	return out
}
