package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

func init() {
	Register(Type{Name: "bamboohr", Docs: "docs/sources/bamboohr.md", Settings: bambooSettings{}, Open: openBamboo})
}

// bambooSettings are the keys of a BambooHR webhook beside those that every source has.
type bambooSettings struct {
	Secrets []revoke.Secret `yaml:"secrets" required:"true" example:"[\"${HR_KEY}\"]" help:"the webhook's private key; two while it is changed"`
	API     *bambooAPI      `yaml:"api" help:"how to read an employee at BambooHR; without it only a deletion acts, and every other change of an employment waits for a person"`
}

type bambooAPI struct {
	URL string        `yaml:"url" required:"true" example:"https://acme.bamboohr.com" help:"your BambooHR, as it stands in the browser"`
	Key revoke.Secret `yaml:"key" required:"true" example:"${BAMBOOHR_API_KEY}" help:"an API key of somebody who may see the status, the termination date, the hire date and the work address of everybody"`
}

// bamboohr receives event-based webhooks of BambooHR (its pages "Webhooks", "Event-Based Webhooks" and "Employee Updated", and the
// page "Get Employee" for the read, as seen in November 2026). The signature is over the body and the text of the timestamp after
// it, with nothing between: guides that put timestamp and dot before the body are wrong. The timestamp is a Unix time or RFC 3339;
// what was sent is what is signed. A message names an employee and never says what it is now, so it is read. BambooHR sends again
// after 5xx, for two and a half hours, and never after 4xx; whether a retry is signed anew it does not say.
type bamboohr struct {
	source revoke.Source
	proof  verifier
	api    *hrAPI // nil: nothing can be read
}

// bambooWindow is how old a signature may be: the last retry is as good as the first try, for a replay is known by its digest.
const bambooWindow = 3 * time.Hour

func openBamboo(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	set := settings.(*bambooSettings)
	// The timestamp goes in as an id, for it has two forms. Verify looks at it.
	proof, err := newHMAC(hmacSettings{Header: "X-BambooHR-Signature", Signed: "{body}{id}", IDHeader: "X-BambooHR-Timestamp", Secrets: set.Secrets})
	b := &bamboohr{source: src, proof: proof}
	if set.API == nil {
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	api := hrAPI{name: "BambooHR", base: set.API.URL, user: set.API.Key, password: revoke.NewSecret("x")} // the key is the user, and any text the password
	var wrong error
	if b.api, wrong = newHRAPI(api, "key", set.API.Key, deps); err != nil || wrong != nil {
		return nil, errors.Join(err, wrong)
	}
	return &bambooReader{b}, nil
}

// Verify checks the signature, then that it was made lately.
func (b *bamboohr) Verify(r Request) (Evidence, error) {
	e, err := b.proof(r)
	if err != nil {
		return Evidence{}, err
	}
	at, ok := readTime(e.Delivery, "s")
	if !ok {
		if at, ok = spelledTime(e.Delivery); !ok || !strings.Contains(e.Delivery, ":") {
			return Evidence{}, Unverified(WhyMalformed)
		}
	}
	e.Delivery = ""
	return e, inWindow(at.String(), "rfc3339", bambooWindow, r.ReceivedAt)
}

type bambooMessage struct {
	Type      maybe[string]      `json:"type"`
	Timestamp maybe[string]      `json:"timestamp"`
	Data      maybe[bambooDatum] `json:"data"`
}

type bambooDatum struct {
	Employee json.RawMessage `json:"employeeId"`
	Changed  maybe[[]string] `json:"changedFields"`
}

// Items reads the one thing that a message says.
func (b *bamboohr) Items(r Request) ([]Item, error) { return []Item{b.Item(r.Body)}, nil }

// Item reads a message from what was kept of it.
func (b *bamboohr) Item(raw json.RawMessage) Item {
	var in bambooMessage
	_ = json.Unmarshal(raw, &in) // what is in another shape has no type
	item := Item{Type: in.Type.value, Body: raw}
	item.OccurredAt, _ = spelledTime(in.Timestamp.value)
	id := employeeID(in.Data.value.Employee)
	switch {
	case item.Type == "":
		item.State, item.Note = revoke.EventMalformed, `it has no type: choose "Event-Based" and JSON at BambooHR`
	case !slices.ContainsFunc(b.Means(), func(m revoke.Meaning) bool { return m.Word == item.Type }):
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this type of event"
	case id == "":
		item.State, item.Note = revoke.EventMalformed, "it names no employee"
	case b.api != nil:
		item.Read = aboutEmployee(id)
	case item.Type == employeeDeleted:
		item.Signals = []revoke.Signal{b.deleted(id, item.OccurredAt, "")}
	case item.Type == employeeUpdated && !endsEmployment(in.Data.value.Changed.value):
		item.State, item.Note = revoke.EventIgnored, "what changed ends no employment"
	case item.Type == employeeUpdated:
		item.State, item.Note = revoke.EventHeld, "an employment changed, and without api: in the settings we cannot read how: look at the employee in BambooHR"
	default:
		item.State, item.Note = revoke.EventIgnored, "somebody new"
	}
	return item
}

const (
	employeeCreated = "employee.created"
	employeeUpdated = "employee.updated"
	employeeDeleted = "employee.deleted"
)

// Means returns what BambooHR's events say.
func (b *bamboohr) Means() []revoke.Meaning {
	created, updated := "nothing without api:", "waits for a person without api:"
	if b.api != nil {
		updated = "read: terminated or reactivated; planned where the last day lies ahead"
		created = updated
	}
	return []revoke.Meaning{{Word: employeeCreated, Note: created}, {Word: employeeDeleted, Signal: revoke.Deleted}, {Word: employeeUpdated, Note: updated}}
}

// endsEmployment reports whether the fields that changed can say that somebody leaves. What does not say what changed can.
func endsEmployment(changed []string) bool {
	return len(changed) == 0 || slices.ContainsFunc(changed, func(field string) bool {
		field = strings.ToLower(field)
		return strings.Contains(field, "status") || strings.Contains(field, "terminat") || strings.Contains(field, "hire")
	})
}

func (b *bamboohr) deleted(id string, at revoke.Instant, mail string) revoke.Signal {
	s := revoke.Signal{Kind: revoke.Deleted, OccurredAt: at, Reason: employeeDeleted}
	s.Subject.Add(b.source.IDs, id)
	s.Subject.Add(revoke.NamespaceEmail, mail)
	return s
}

// bambooReader is a bamboohr that can read.
type bambooReader struct{ *bamboohr }

// Enrich reads an employee. A deletion is believed without: there is nothing left to be read.
func (b *bambooReader) Enrich(ctx context.Context, ask Ask) (Finding, error) {
	id := employeeAbout(ask.About)
	before, seen := noted(ask.Known)
	for _, e := range ask.Events {
		if e.Type != employeeDeleted {
			continue
		}
		if before.Out != "" {
			before.Mail = "" // of somebody who left before: it may be another person's by now
		}
		return Finding{Signals: []revoke.Signal{b.deleted(id, e.OccurredAt, before.Mail)}, Keep: employmentNote{Out: revoke.Deleted, Last: before.Last}.kept()}, nil
	}
	now, err := b.read(ctx, id)
	switch {
	case err != nil:
		return Finding{}, err
	case now == nil:
		return Finding{Note: "BambooHR has no such employee, or none that our key may see; that alone says nothing"}, nil
	}
	var who revoke.Subject
	who.Add(b.source.IDs, id)
	return now.follow(b.source, who, before, seen, ask.At), nil
}

// read asks for the employee as of today, and for a last day that lies ahead: BambooHR keeps that back unless onlyCurrent is false.
func (b *bamboohr) read(ctx context.Context, id string) (*employment, error) {
	path := "/api/v1/employees/" + id + "?fields=status,terminationDate,hireDate,workEmail"
	today, err := b.api.ask(ctx, http.MethodGet, path, nil)
	if err != nil || today == nil {
		return nil, err
	}
	status, _ := today.text("status")
	mail, _ := today.text("workEmail")
	e := &employment{mail: mail}
	switch same := employeeID(today["id"]); {
	case same != "" && same != id:
		return nil, errors.New("ask BambooHR: it answers about another employee")
	case strings.EqualFold(status, "Inactive"):
		e.out = revoke.Terminated
	case !strings.EqualFold(status, "Active"):
		return nil, errors.New("ask BambooHR: it does not say whether the employee is active; may our key see the field status?")
	}
	e.last, e.told = today.day("terminationDate")
	if e.out != "" {
		return e, nil
	}
	ahead, err := b.api.ask(ctx, http.MethodGet, path+"&onlyCurrent=false", nil)
	if err != nil {
		return nil, err
	}
	last, told := ahead.day("terminationDate")
	e.last = cmp.Or(last, e.last)
	e.told = e.last != "" || told && e.told // that there is none, both must say
	if hired, ok := today.day("hireDate"); ok && e.last != "" && e.last < hired {
		e.last = "" // of an employment before this one
	}
	return e, nil
}
