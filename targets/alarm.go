package targets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// AlarmSettings is `{type: webhook, url: …, secret: whsec_…}` below `alarms:`. Without a secret messages are not signed: chat
// systems take the secret in the address.
type AlarmSettings struct {
	URL      string
	Insecure bool // plain http to another machine is meant
	Secret   revoke.Secret
}

// AlarmWebhook sends alarms to one address, in the form and with the signature of what a webhook target gets. It is safe
// for concurrent use.
type AlarmWebhook struct{ mail *signed }

// NewAlarmWebhook returns a receiver of alarms, which d.Name names in errors. It makes no call. What is wrong in the
// settings comes as [revoke.Invalid], all of it at once.
func NewAlarmWebhook(s AlarmSettings, d Deps) (*AlarmWebhook, error) {
	if d.Clients == nil || d.Clock == nil {
		return nil, errors.New("open receiver of alarms: Clients and Clock are needed")
	}
	address, err := outbound.ParseAddress("url", s.URL, s.Insecure)
	var keys []revoke.Secret
	if !s.Secret.IsZero() {
		var invalid error
		keys, invalid = signingKeys(s.Secret, nil)
		err = errors.Join(err, invalid)
	}
	if err != nil {
		return nil, err
	}
	line := d.Line(Common{})
	line.name = "receiver of alarms " + d.Name
	return &AlarmWebhook{&signed{url: address, keys: keys, line: line, clock: d.machine()}}, nil
}

// alarmMessage is what a receiver of alarms reads.
type alarmMessage struct {
	Type      string         `json:"type"`
	Timestamp revoke.Instant `json:"timestamp"` // when the alarm was raised last; webhook-timestamp is the attempt's
	Data      alarmData      `json:"data"`
}

type alarmData struct {
	ID       revoke.ID        `json:"id"`
	Kind     revoke.AlarmKind `json:"kind"`
	About    string           `json:"about"`
	Org      string           `json:"org"`
	Text     string           `json:"text"`
	RaisedAt revoke.Instant   `json:"raised_at"`
	LastAt   revoke.Instant   `json:"last_at"`
	Count    int              `json:"count"`
}

// Tell sends one alarm. The webhook-id is the same on each retry, and another once the alarm was raised again: a receiver
// that acts once on each id hears of both. Errors are in the forms of [revoke.Target].
func (w *AlarmWebhook) Tell(ctx context.Context, a revoke.Alarm) error {
	body, err := json.Marshal(alarmMessage{
		Type: "alarm.raised", Timestamp: a.LastAt,
		Data: alarmData{a.ID, a.Kind, a.About, a.Org, a.Text, a.RaisedAt, a.LastAt, a.Count},
	})
	if err != nil {
		return fmt.Errorf("write alarm %s: %w", a.ID, err)
	}
	_, err = w.mail.post(ctx, fmt.Sprintf("%s:%d", a.ID, a.Count), body)
	return err
}
