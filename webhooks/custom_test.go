package webhooks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/webhooks"
)

// customForm is a sender of every signal, as somebody would write it into the configuration.
const customForm = `
verify: {hmac: {header: X-Signature}}
split: body.events
every: {id: body.id, occurred_at: body.at, email: body.user.email, user_id: body.?user.id, reason: body.?why, actor: body.?by}
ignore: event_type == "user.created"
map:
  - {when: 'body.type == "user.disabled"', signal: deactivated}
  - {when: 'body.type == "user.suspended"', signal: suspended}
  - {when: 'body.type == "user.deleted"', signal: deleted}
  - {when: 'body.type == "user.leaves"', signal: terminated, effective_at: body.last_day}
  - {when: 'body.type == "user.enabled"', signal: reactivated}
  - {when: 'body.type == "password.changed"', signal: credential-changed}
  - {when: 'body.type == "password.leaked"', signal: credential-compromised}
  - {when: 'body.type == "risk" && body.score >= 80', signal: risk-high}
  - {when: 'body.type == "risk" && body.score < 80', signal: risk-raised}
  - {when: 'body.type == "signed.out"', signal: sessions-cleared, sid: body.session}
  - {when: 'body.type in ["device.lost", "group.lost"]', signal: device-lost, for: body.devices, serial: it.serial, udid: it.?udid, mdm: it.?id}
  - {when: 'body.type == "device.bad"', signal: device-noncompliant, device_id: body.device}
  - {when: 'body.type == "device.gone"', signal: device-unenrolled, device_id: body.device, iss: '"https://id.example.edu"', sub: body.?sub}
  - {when: 'body.type == "locked"', signal: locked, user_name: body.user.login, external_id: body.user.number, phone: body.user.phone, account: body.user.acct}
  - {when: 'body.type == "unlocked"', signal: unlocked, subject: body.sub_id}
  - {when: 'body.type == "renamed"', signal: identifier-changed}
  - {when: 'body.type == "moved"', signal: access-changed}
`

// formOf reads settings as a file would have them, and gives them the keys that prove the sender.
func formOf(typ, text string, keys ...string) (any, error) {
	t, _ := webhooks.Lookup(typ)
	own := t.NewSettings()
	err := yaml.UnmarshalWithOptions([]byte(text), own, yaml.Strict())
	var secrets []revoke.Secret
	for _, key := range keys {
		secrets = append(secrets, revoke.NewSecret(key))
	}
	giveSecrets(reflect.ValueOf(own).Elem(), secrets)
	return own, err
}

// giveSecrets puts keys wherever settings that are there take some.
func giveSecrets(v reflect.Value, secrets []revoke.Secret) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Type() == reflect.TypeFor[[]revoke.Secret]() && f.Len() == 0:
			f.Set(reflect.ValueOf(secrets))
		case f.Kind() == reflect.Struct && f.NumField() > 0 && v.Type().Field(i).IsExported(), f.Kind() == reflect.Struct && v.Type().Field(i).Anonymous:
			giveSecrets(f, secrets)
		case f.Kind() == reflect.Pointer && !f.IsNil() && v.Type().Field(i).IsExported():
			giveSecrets(f.Elem(), secrets)
		}
	}
}

// openForm makes the whole handler for a desk whose sources all have the form.
func openForm(desk revoketest.Desk, typ, form string) (http.Handler, error) {
	t, _ := webhooks.Lookup(typ)
	cfg := webhooks.Config{
		Sources: map[string]webhooks.Source{}, Inbox: desk.Inbox, Clock: revoketest.NewClock(0), Observer: desk.Observer, Log: desk.Log,
		CommitTimeout: desk.CommitTimeout,
	}
	for name, keys := range desk.Sources {
		own, err := formOf(typ, form, keys...)
		if err != nil {
			return nil, err
		}
		cfg.Sources[name] = webhooks.Source{
			Source:   revoke.Source{Org: "main", Type: typ, Authority: name, IDs: name, Learns: t.Learns},
			Settings: own, MaxBody: desk.MaxBody,
		}
	}
	return webhooks.New(cfg)
}

func hexHMAC(body, key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func customFixture() revoketest.SourceFixture {
	return revoketest.SourceFixture{
		Open:    func(desk revoketest.Desk) (http.Handler, error) { return openForm(desk, "custom", customForm) },
		Sign:    func(r *http.Request, body, key string) { r.Header.Set("X-Signature", hexHMAC(body, key)) },
		Message: func(items ...string) string { return `{"events":[` + strings.Join(items, ",") + `]}` },
		News: func(id, person string) string {
			return fmt.Sprintf(`{"id":%q,"type":"user.disabled","at":"2026-11-23T09:59:58Z","user":{"email":"%s@example.edu"}}`, id, person)
		},
		Unknown:   func(id string) string { return fmt.Sprintf(`{"id":%q,"type":"user.cloned"}`, id) },
		Malformed: `"this is no item"`,
		Answer:    http.StatusNoContent,
		Samples:   "testdata/custom",
		Signals:   revoke.SignalKinds(),
	}
}
