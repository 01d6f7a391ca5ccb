package store

import (
	"encoding/json"

	"curfew/revoke"
)

var eventsTable = newTable(table{
	name: "events", ids: words("id"), texts: words("org source authority sender_id type state note body decided"),
	nums: words("received_at occurred_at"),
	// The same event again is its replay.
	conflict: `ON CONFLICT (org, id) DO UPDATE SET state = excluded.state, note = excluded.note, decided = excluded.decided`,
})

func eventRecord(e revoke.Event) (r record) {
	r.id[0] = e.ID
	r.text = [9]string{e.Org, e.Source, e.Authority, e.SenderID, e.Type, string(e.State), e.Note, string(e.Body), decidedText(e.Decided)}
	r.num[0], r.num[1] = int64(e.ReceivedAt), int64(e.OccurredAt)
	return r
}

func (r *record) event() (revoke.Event, error) {
	e := revoke.Event{
		ID: r.id[0], Org: r.text[0], Source: r.text[1], Authority: r.text[2], SenderID: r.text[3], Type: r.text[4],
		State: revoke.EventState(r.text[5]), Note: r.text[6],
		ReceivedAt: revoke.Instant(r.num[0]), OccurredAt: revoke.Instant(r.num[1]),
	}
	if r.text[7] != "" {
		e.Body = json.RawMessage(r.text[7])
	}
	err := readDecided(r.text[8], &e.Decided)
	return e, err
}

// decided is revoke.Decided with the org of its conflicts, which JSON leaves out of an identifier.
type decided struct {
	revoke.Decided
	ConflictOrg string `json:",omitempty"`
}

func decidedText(d revoke.Decided) string {
	out := decided{Decided: d}
	if len(d.Conflicts) > 0 {
		out.ConflictOrg = d.Conflicts[0].Org
	}
	return toJSON(out)
}

func readDecided(text string, into *revoke.Decided) error {
	var d decided
	if err := fromJSON(text, &d); err != nil {
		return err
	}
	for i := range d.Conflicts {
		d.Conflicts[i].Org = d.ConflictOrg
	}
	*into = d.Decided
	return nil
}
