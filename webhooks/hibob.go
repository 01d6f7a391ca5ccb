package webhooks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"curfew/revoke"
)

func init() {
	Register(Type{Name: "hibob", Docs: "docs/sources/hibob.md", Settings: bobSettings{}, Open: openBob, HandshakeBeforeAuth: true})
}

// bobSettings are the keys of a HiBob webhook beside those that every source has.
type bobSettings struct {
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HIBOB_HOOK_KEY}\"]" help:"the webhook's secret; two while it is changed"`
	API     *bobAPI         `yaml:"api" help:"how to read an employee at HiBob; without it an employee is known by HiBob's id alone, and no last day is announced"`
}

type bobAPI struct {
	URL   string        `yaml:"url" example:"https://api.sandbox.hibob.com" help:"where HiBob's API is; https://api.hibob.com when absent"`
	User  string        `yaml:"user" required:"true" example:"SERVICE-12345" help:"the id of the service user"`
	Token revoke.Secret `yaml:"token" required:"true" example:"${HIBOB_TOKEN}" help:"the token of the service user"`
}

// hibob receives webhooks v2 of HiBob (its pages "Working with webhooks", "Webhooks v2 events", those of the employee events and
// "People read API contract", as seen in November 2026). The signature is over the body alone and there is no time beside it, so
// that a replay is known by its digest. triggeredAt has no zone and is read as UTC; lifecycle events fire at midnight of the site.
// Bob sends again for three days, in order. A message holds HiBob's id of the employee and, except for a deletion, no address.
//
// What has no page in its words: the member of a deletion that holds the address (two spellings are read), and the spelling of the
// lifecycle statuses in an answer (as programs that read them have it).
type hibob struct {
	source revoke.Source
	proof  verifier
	api    *hrAPI // nil: nothing can be read
}

func openBob(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	set := settings.(*bobSettings)
	proof, err := newHMAC(hmacSettings{Header: "Bob-Signature", Algorithm: "sha512", Encoding: "base64", Secrets: set.Secrets})
	b := &hibob{source: src, proof: proof}
	if set.API == nil {
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	api := hrAPI{name: "HiBob", base: cmp.Or(set.API.URL, "https://api.hibob.com"), user: revoke.NewSecret(set.API.User), password: set.API.Token}
	var wrong error
	if b.api, wrong = newHRAPI(api, "token", set.API.Token, deps); err != nil || wrong != nil {
		return nil, errors.Join(err, wrong)
	}
	return &bobReader{b}, nil
}

// Verify checks the signature.
func (b *hibob) Verify(r Request) (Evidence, error) { return b.proof(r) }

// Handshake answers the test that HiBob sends when the webhook is made: the words Ping test, and when that was refused an object
// with them. It is signed or not, and answering it grants nothing.
func (b *hibob) Handshake(r Request) (Response, bool, error) {
	if r.Method != http.MethodPost || len(r.Body) > 64 {
		return Response{}, false, nil
	}
	text := strings.Trim(strings.TrimSpace(string(r.Body)), `"`)
	var object struct {
		Text string `json:"text"`
	}
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	dec.DisallowUnknownFields()
	is := text == "Ping test" || dec.Decode(&object) == nil && object.Text == "Ping test"
	return Response{Status: http.StatusOK}, is, nil
}

// Respond says 200: HiBob takes anything else for a failure.
func (*hibob) Respond([]revoke.Outcome) Response { return Response{Status: http.StatusOK} }

type bobMessage struct {
	Type    maybe[string]   `json:"type"`
	At      maybe[string]   `json:"triggeredAt"`
	Created maybe[string]   `json:"creationDateTime"`
	Data    maybe[bobDatum] `json:"data"`
}

type bobDatum struct {
	Employee json.RawMessage `json:"employeeId"`
	Email    maybe[string]   `json:"email"`
	Mail     maybe[string]   `json:"employeeEmail"`
	Table    maybe[string]   `json:"tableId"`
}

// Items reads the one thing that a message says.
func (b *hibob) Items(r Request) ([]Item, error) { return []Item{b.Item(r.Body)}, nil }

const (
	bobCut     = "employee.access.revoked.immediately"
	bobJoined  = "employee.joined"
	bobDeleted = "employee.deleted"
)

// bobMeanings is what an event says by itself. One that has no signal here says only that something changed.
var bobMeanings = map[string]revoke.SignalKind{
	"employee.left": revoke.Terminated, bobCut: revoke.Terminated, "employee.inactivated": revoke.Suspended, bobDeleted: revoke.Deleted,
	bobJoined: revoke.Reactivated, "employee.activated": revoke.Reactivated,
	"employee.created": "", "employee.updated": "", "table.entry.created": "", "table.entry.updated": "",
}

// Item reads a message from what was kept of it.
func (b *hibob) Item(raw json.RawMessage) Item {
	var in bobMessage
	_ = json.Unmarshal(raw, &in) // what is in another shape has no type
	item := Item{Type: in.Type.value, Body: raw}
	item.OccurredAt, _ = spelledTime(cmp.Or(in.At.value, in.Created.value))
	kind, taught := bobMeanings[item.Type]
	id := employeeID(in.Data.value.Employee)
	switch {
	case item.Type == "":
		item.State, item.Note = revoke.EventMalformed, "not a webhook v2 of HiBob: it has no type"
	case item.Type == bobLeave:
		item.State, item.Note = revoke.EventIgnored, bobLeaveNote
	case !taught:
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this type of event"
	case id == "":
		item.State, item.Note = revoke.EventMalformed, "it names no employee by data.employeeId, as webhooks v2 do"
	case strings.HasPrefix(item.Type, "table.") && !strings.EqualFold(in.Data.value.Table.value, "lifecycle"):
		item.State, item.Note = revoke.EventIgnored, "that table ends no employment"
	case b.api != nil:
		item.Read = aboutEmployee(id)
	case kind == "":
		item.State, item.Note = revoke.EventIgnored, "without api: in the settings we cannot read what changed; HiBob says again when it takes effect"
	default:
		item.Signals = []revoke.Signal{b.said(item.Type, item.OccurredAt, id, in.Data.value.address())}
	}
	return item
}

const (
	bobLeave     = "employee.temporaryLeave"
	bobLeaveNote = "employee.inactivated says it where access ends"
)

func (d bobDatum) address() string { return cmp.Or(d.Email.value, d.Mail.value) }

func (b *hibob) said(word string, at revoke.Instant, id, mail string) revoke.Signal {
	s := revoke.Signal{Kind: bobMeanings[word], OccurredAt: at, Reason: word}
	s.Subject.Add(b.source.IDs, id)
	s.Subject.Add(revoke.NamespaceEmail, mail)
	return s
}

// Means returns what HiBob's events say.
func (b *hibob) Means() []revoke.Meaning {
	out := []revoke.Meaning{{Word: bobLeave, Note: bobLeaveNote}}
	for word, kind := range bobMeanings {
		m := revoke.Meaning{Word: word, Signal: kind}
		switch {
		case kind == "" && b.api == nil:
			m.Note = "nothing without api:"
		case kind == "":
			m.Note = "read: terminated, suspended or reactivated; planned where the last day lies ahead"
		case kind == revoke.Reactivated && b.api != nil:
			m.Note = "where a read agrees"
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b revoke.Meaning) int { return strings.Compare(a.Word, b.Word) })
	return out
}

// bobReader is a hibob that can read.
type bobReader struct{ *hibob }

// Enrich reads an employee, for the address and for what the events do not say. What they do say about an end is believed; a
// return is only where the read agrees.
func (b *bobReader) Enrich(ctx context.Context, ask Ask) (Finding, error) {
	id := employeeAbout(ask.About)
	before, seen := noted(ask.Known)
	var ended, back []revoke.Event
	mail := before.Mail
	if before.Out != "" {
		mail = "" // of somebody who left before: it may be another person's by now
	}
	for _, e := range ask.Events {
		switch bobMeanings[e.Type] { //nolint:exhaustive // all others are ends
		case "":
		case revoke.Reactivated:
			back = append(back, e)
			before.Cut = before.Cut && e.Type != bobJoined
		default:
			ended = append(ended, e)
			before.Cut = before.Cut || e.Type == bobCut
			if e.Type == bobDeleted { // there is nothing left to be read
				var in bobMessage
				_ = json.Unmarshal(e.Body, &in)
				f := Finding{Keep: employmentNote{Out: revoke.Deleted, Last: before.Last}.kept()}
				f.Signals = append(f.Signals, b.said(e.Type, e.OccurredAt, id, cmp.Or(in.Data.value.address(), mail)))
				return f, nil
			}
		}
	}
	now, err := b.read(ctx, id)
	if err != nil && (len(ended) == 0 || mail == "") {
		return Finding{}, err
	}
	f := Finding{Note: "HiBob has no such employee, or none that our service user may see; that alone says nothing"}
	switch {
	case err != nil: // it is said already, and about whom is known
		f.Note = "HiBob could not be read; it is the address that was read before"
	case now != nil:
		var who revoke.Subject
		who.Add(b.source.IDs, id)
		f = now.follow(b.source, who, before, seen, ask.At)
		mail = now.mail
	}
	if len(ended) > 0 {
		f.Signals = slices.DeleteFunc(f.Signals, func(s revoke.Signal) bool { return !s.Planned }) // the message says it with its time, and HiBob's API may lag behind
	}
	for _, e := range ended {
		f.Signals = append(f.Signals, b.said(e.Type, e.OccurredAt, id, mail))
	}
	if now == nil && len(ended) > 0 {
		f.Keep = before.kept()
	}
	if now != nil && now.out == "" && !before.Cut && !slices.ContainsFunc(f.Signals, func(s revoke.Signal) bool { return s.Kind == revoke.Reactivated }) {
		for _, e := range back {
			f.Signals = append(f.Signals, b.said(e.Type, e.OccurredAt, id, mail))
		}
	}
	return f, nil
}

// read asks for an employee. HiBob leaves out what our service user may not see.
func (b *bobReader) read(ctx context.Context, id string) (*employment, error) {
	fields := []string{"root.id", "root.email", "internal.status", "internal.lifecycleStatus", "internal.terminationDate"}
	person, err := b.api.ask(ctx, http.MethodPost, "/v1/people/"+id, map[string]any{"fields": fields})
	if err != nil || person == nil {
		return nil, err
	}
	flat := person.flat()
	status, _ := flat.text("internal/status")
	stage, _ := flat.text("internal/lifecycleStatus")
	stage = strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(stage))
	e := &employment{}
	switch same := employeeID(flat["root/id"]); {
	case same != "" && same != id:
		return nil, errors.New("ask HiBob: it answers about another employee")
	case stage == "terminated", stage == "gardenleave":
		e.out = revoke.Terminated
	case stage == "employed", stage == "hired", strings.EqualFold(status, "Active"):
	case strings.EqualFold(status, "Inactive"):
		e.out = revoke.Suspended
	default:
		return nil, errors.New("ask HiBob: it does not say what the employee's status is; may our service user see the lifecycle?")
	}
	e.mail, _ = flat.text("root/email")
	e.last, e.told = flat.day("internal/terminationDate")
	return e, nil
}

// flat brings the two shapes of HiBob's answers into one: {"/root/email": {"value": …}} and {"email": …, "internal": {…}}.
func (m members) flat() members {
	out := members{}
	for name, raw := range m {
		var inner members
		isObject := json.Unmarshal(raw, &inner) == nil && inner != nil
		value, wrapped := inner["value"]
		switch path, slashed := strings.CutPrefix(name, "/"); {
		case slashed && wrapped:
			out[path] = value
		case slashed:
			out[path] = raw
		case isObject:
			for below, each := range inner {
				out[name+"/"+below] = each
			}
		default:
			out["root/"+name] = raw
		}
	}
	return out
}
