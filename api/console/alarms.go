package console

import (
	"net/http"

	"curfew/revoke"
)

type alarm struct {
	ID        revoke.ID        `json:"id"`
	Kind      revoke.AlarmKind `json:"kind"`
	About     string           `json:"about"`
	Text      string           `json:"text"`
	RaisedAt  revoke.Instant   `json:"raised_at"`
	LastAt    revoke.Instant   `json:"last_at"`
	Count     int              `json:"count"`
	ClearedAt revoke.Instant   `json:"cleared_at"`
}

type alarmsPage struct {
	All   bool
	Items []alarm
	More  string
	May   bool // clear them
}

// alarms lists what a person must look at.
func (v *visit) alarms() error {
	q := v.given("cursor", "all")
	q.Set("limit", "50")
	var found listing[alarm]
	if err := v.get("/v1/alarms", q, &found); err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	return v.show("alarms", &alarmsPage{q.Get("all") == "true", found.Items, found.more(v), permits(&v.who, revoke.RoleAdmin)})
}

// clearAlarm takes one back that somebody has looked at.
func (v *visit) clearAlarm() error {
	id, err := v.pathID()
	if err != nil {
		return err
	}
	ctx, cancel := v.changing()
	defer cancel()
	if err := v.ask(ctx, http.MethodPost, "/v1/alarms/"+id.String()+"/clear", nil, nil); err != nil {
		return err
	}
	return v.leave("/console/alarms?done=cleared")
}
