package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"

	"curfew/revoke"
)

// event is one as GET /v1/events shows it.
type event struct {
	ID          revoke.ID         `json:"id"`
	Source      string            `json:"source"`
	Authority   string            `json:"authority"`
	SenderID    string            `json:"sender_id"`
	Type        string            `json:"type"`
	ReceivedAt  revoke.Instant    `json:"received_at"`
	OccurredAt  revoke.Instant    `json:"occurred_at"`
	State       revoke.EventState `json:"state"`
	Note        string            `json:"note"`
	Known       bool              `json:"known"`
	User        revoke.ID         `json:"user"`
	Covers      int               `json:"covers"`
	Revocations []decided         `json:"revocations"`
	Conflicts   []identifier      `json:"conflicts"`
}

type decided struct {
	ID      revoke.ID             `json:"id"`
	Kind    revoke.RevocationKind `json:"kind"`
	Signal  revoke.SignalKind     `json:"signal"`
	Scope   revoke.ScopeKind      `json:"scope"`
	User    revoke.ID             `json:"user"`
	At      revoke.Instant        `json:"at"`
	Blocked bool                  `json:"blocked"`
}

// Tone is the colour of the word that says an event's state.
func (e *event) Tone() string {
	switch e.State {
	case revoke.EventDecided:
		return "live"
	case revoke.EventHeld, revoke.EventReading:
		return "late"
	case revoke.EventMalformed, revoke.EventParked, revoke.EventUnknown:
		return "over"
	case revoke.EventIgnored:
	}
	return ""
}

// Says is what followed, in a few words.
func (e *event) Says() string {
	if len(e.Revocations) == 0 {
		return short(120, e.Note)
	}
	d := e.Revocations[0]
	text := words(d.Signal)
	switch d.Kind {
	case revoke.RevocationBlock:
		text += ": blocked"
	case revoke.RevocationLift:
		text += ": lifted"
	case revoke.RevocationEnd:
		text += ": ended"
	}
	if e.Covers > 0 {
		text += ", " + plural(e.Covers, "session")
	}
	return text
}

type eventsPage struct {
	Source, State, Type string
	States              []revoke.EventState
	Items               []event
	More                string
	Wrong               *problem
}

// events lists what was received.
func (v *visit) events() error {
	q := v.given("source", "state", "type", "cursor", "limit")
	data := eventsPage{Source: q.Get("source"), State: q.Get("state"), Type: q.Get("type"), States: []revoke.EventState{
		revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed, revoke.EventHeld, revoke.EventReading, revoke.EventParked,
	}}
	if q.Get("limit") == "" {
		q.Set("limit", "50")
	}
	var found listing[event]
	err := v.get("/v1/events", q, &found)
	if data.Wrong = refusedOf(err); err != nil && data.Wrong == nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	data.Items, data.More = found.Items, found.more(v)
	return v.show("events", &data)
}

type eventPage struct {
	event
	Body     json.RawMessage `json:"body"`
	Text     string
	Raw      bool // who looks may see what was sent
	Replay   bool
	Preview  *event
	Wrong    *problem
	Steps    []line
	Sentence string
}

// event shows one with all that was decided.
func (v *visit) event() error {
	data, err := v.readEvent()
	if err != nil {
		return err
	}
	return v.show("event", &data)
}

func (v *visit) readEvent() (eventPage, error) {
	var data eventPage
	id, err := v.pathID()
	if err != nil {
		return data, err
	}
	if err := v.get("/v1/events/"+id.String(), nil, &data); err != nil {
		return data, err
	}
	data.Replay = permits(&v.who, revoke.RoleOperator)
	if data.Raw = len(data.Body) > 0 && string(data.Body) != "null" && permits(&v.who, revoke.RoleOperator); data.Raw {
		var b bytes.Buffer
		if json.Indent(&b, data.Body, "", "  ") == nil {
			data.Text = b.String()
		}
	}
	data.Body = nil
	return data, nil
}

// replay reads an event again, or says what would follow.
func (v *visit) replay() error {
	data, err := v.readEvent()
	if err != nil {
		return err
	}
	dry := v.r.PostFormValue("do") != "replay"
	ctx, cancel := v.changing()
	defer cancel()
	var again event
	err = v.ask(ctx, http.MethodPost, "/v1/events/"+data.ID.String()+"/replay", map[string]bool{"dry_run": dry}, &again)
	if data.Wrong = refusedOf(err); data.Wrong != nil {
		return v.write(http.StatusConflict, "event", v.route.title, &data)
	}
	if err != nil {
		return err
	}
	if dry {
		data.Preview = &again
		return v.show("event", &data)
	}
	return v.leave("/console/events/" + data.ID.String() + "?" + url.Values{"done": {"replayed"}}.Encode())
}
