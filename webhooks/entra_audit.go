package webhooks

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"curfew/revoke"
)

func init() {
	Register(Type{Name: "entra-audit", Docs: "docs/sources/entra-audit.md", Settings: entraAuditSettings{}, New: newEntraAudit, Learns: true})
}

// entraAuditSettings are the keys of relayed audit records.
type entraAuditSettings struct {
	staticSettings `yaml:",inline"`
	Tenant         string `yaml:"tenant" example:"11111111-2222-3333-4444-555555555555" help:"the directory's id: records of any other are refused; not looked at when absent"`
}

// entraAudit receives audit records of Microsoft Entra as diagnostic settings stream them to an event hub, from a relay of the
// operator's (Microsoft's page "Microsoft Entra audit log activity reference", as of April 2024, for the names; the records' shape is
// that of Graph's directoryAudit below properties). The relay proves itself by a secret in a header.
type entraAudit struct {
	verifier
	source revoke.Source
	tenant string
}

func newEntraAudit(src revoke.Source, settings any) (Receiver, error) {
	set := settings.(*entraAuditSettings)
	v, err := newStatic(set.staticSettings)
	if set.Tenant != "" && !guid.MatchString(set.Tenant) {
		err = errors.Join(err, revoke.Invalid{Field: "tenant", Problem: "is not the id of a directory", Fix: "write the GUID that Entra shows under Overview, or leave it out"})
	}
	if err != nil {
		return nil, err
	}
	return &entraAudit{v, src, set.Tenant}, nil
}

// Verify compares the relay's header.
func (e *entraAudit) Verify(r Request) (Evidence, error) { return e.verifier(r) }

// auditRecord is what we read of a record.
type auditRecord struct {
	Time       maybe[string]    `json:"time"`
	Category   maybe[string]    `json:"category"`
	Operation  maybe[string]    `json:"operationName"`
	TenantID   maybe[string]    `json:"tenantId"`
	Properties maybe[auditDone] `json:"properties"`
}

type auditDone struct {
	ID        maybe[string]               `json:"id"`
	At        maybe[string]               `json:"activityDateTime"`
	Activity  maybe[string]               `json:"activityDisplayName"`
	Result    maybe[string]               `json:"result"`
	Targets   maybe[[]maybe[auditTarget]] `json:"targetResources"`
	Initiator maybe[auditInitiator]       `json:"initiatedBy"`
}

type auditInitiator struct {
	User maybe[auditTarget] `json:"user"`
}

type auditTarget struct {
	ID       maybe[string]                 `json:"id"`
	Type     maybe[string]                 `json:"type"`
	Name     maybe[string]                 `json:"userPrincipalName"`
	Modified maybe[[]maybe[auditModified]] `json:"modifiedProperties"`
}

type auditModified struct {
	Name maybe[string] `json:"displayName"`
	New  maybe[string] `json:"newValue"`
}

// auditMeaning is what an activity says: about the user or the device among its targets.
type auditMeaning struct {
	kind   revoke.SignalKind
	device bool
	self   bool // people do it to themselves: without a target it is the one who did it
}

// auditMeanings is the table of activities, by their names in small letters: Entra's own spelling varies.
var auditMeanings = map[string]auditMeaning{
	"disable account":  {kind: revoke.Deactivated},
	"enable account":   {kind: revoke.Reactivated},
	"delete user":      {kind: revoke.Deleted},
	"hard delete user": {kind: revoke.Deleted},
	"restore user":     {kind: revoke.Reactivated},

	"reset user password":              {kind: revoke.CredentialChanged},
	"reset password":                   {kind: revoke.CredentialChanged},
	"reset password (by admin)":        {kind: revoke.CredentialChanged},
	"reset password (self-service)":    {kind: revoke.CredentialChanged, self: true},
	"change user password":             {kind: revoke.CredentialChanged, self: true},
	"change password (self-service)":   {kind: revoke.CredentialChanged, self: true},
	"admin deleted security info":      {kind: revoke.CredentialChanged},
	"user deleted security info":       {kind: revoke.CredentialChanged, self: true},
	"disable strong authentication":    {kind: revoke.CredentialChanged},
	"remove member from group":         {kind: revoke.AccessChanged},
	"suspicious activity reported":     {kind: revoke.CredentialCompromised, self: true},
	"fraud reported - no action taken": {kind: revoke.CredentialCompromised, self: true},

	"fraud reported - user is blocked for mfa":  {kind: revoke.CredentialCompromised, self: true},
	"update stsrefreshtokenvalidfrom timestamp": {kind: revoke.SessionsCleared},
	"remove app role assignment from user":      {kind: revoke.AccessChanged},
	"disable device":                            {kind: revoke.DeviceLost, device: true},
	"delete device":                             {kind: revoke.DeviceUnenrolled, device: true},
	"unregister device":                         {kind: revoke.DeviceUnenrolled, device: true},
	"device no longer managed":                  {kind: revoke.DeviceUnenrolled, device: true},
	"device no longer compliant":                {kind: revoke.DeviceNoncompliant, device: true},
}

// auditNothing are activities that end nothing, by their names in small letters.
var auditNothing = []string{
	"add user", "add member to group", "add device", "register device", "user registered security info", "admin registered security info",
	"user started password change", "user started password reset", "admin started password reset", "change user license", "update user", "update device",
}

// Items reads the records of one message. A message in another shape is one malformed item.
func (e *entraAudit) Items(r Request) ([]Item, error) {
	var message maybe[struct {
		Records maybe[[]json.RawMessage] `json:"records"`
	}]
	_ = json.Unmarshal(r.Body, &message) // what is in another shape has no list
	records := message.value.Records.value
	if records == nil {
		return []Item{{State: revoke.EventMalformed, Note: "not what an event hub relays: it has no list records", Body: r.Body}}, nil
	}
	items := make([]Item, len(records))
	for i, raw := range records {
		items[i] = e.Item(raw)
	}
	return items, nil
}

// Item reads one record.
func (e *entraAudit) Item(raw json.RawMessage) Item {
	var rec *auditRecord
	if err := json.Unmarshal(raw, &rec); err != nil || rec == nil {
		return Item{State: revoke.EventMalformed, Note: "not an audit record: it is no object", Body: raw}
	}
	done := rec.Properties.value
	item := Item{ID: done.ID.value, Type: cmp.Or(rec.Operation.value, done.Activity.value), Body: raw}
	if at, ok := readTime(cmp.Or(done.At.value, rec.Time.value), "rfc3339"); ok {
		item.OccurredAt = at
	}
	if rec.TenantID.value != "" && e.tenant != "" && !strings.EqualFold(rec.TenantID.value, e.tenant) {
		item.Refused = WhyMismatch
	}
	meaning, taught := auditMeanings[strings.ToLower(item.Type)]
	if kind, how := switched(strings.ToLower(item.Type), done.Targets.value); how {
		meaning, taught = kind, true
	}
	result := strings.ToLower(done.Result.value)
	switch {
	case item.Type == "":
		item.State, item.Note = revoke.EventMalformed, "it has no operationName"
	case rec.Category.value != "" && !strings.EqualFold(rec.Category.value, "AuditLogs"):
		item.State, item.Note = revoke.EventIgnored, "it is no audit record: stream only AuditLogs"
	case !taught && slices.Contains(auditNothing, strings.ToLower(item.Type)):
		item.State, item.Note = revoke.EventIgnored, "it ends nothing"
	case !taught:
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this activity"
	case result == "failure" || result == "timeout":
		item.State, item.Note = revoke.EventIgnored, "it did not happen: the result is "+result
	default:
		e.signals(&item, done, meaning)
	}
	return item
}

// switched says what an update means that switches an account or a device off or on. Its new value is JSON in a text: "[false]".
func switched(activity string, targets []maybe[auditTarget]) (auditMeaning, bool) {
	if activity != "update user" && activity != "update device" {
		return auditMeaning{}, false
	}
	device := activity == "update device"
	for _, t := range targets {
		for _, m := range t.value.Modified.value {
			if !strings.EqualFold(m.value.Name.value, "AccountEnabled") {
				continue
			}
			switch strings.Trim(strings.ToLower(m.value.New.value), `[]" \`) {
			case "false":
				if device {
					return auditMeaning{kind: revoke.DeviceLost, device: true}, true
				}
				return auditMeaning{kind: revoke.Deactivated}, true
			case "true":
				if !device {
					return auditMeaning{kind: revoke.Reactivated}, true
				}
			}
		}
	}
	return auditMeaning{}, false
}

// signals puts into item what the record says about whom, and never about the administrator who did it.
func (e *entraAudit) signals(item *Item, done auditDone, meaning auditMeaning) {
	signal := revoke.Signal{Kind: meaning.kind, OccurredAt: item.OccurredAt, Reason: item.Type}
	var people []auditTarget
	for _, t := range done.Targets.value {
		switch {
		case strings.EqualFold(t.value.Type.value, "User"):
			if !slices.ContainsFunc(people, func(p auditTarget) bool { return strings.EqualFold(p.ID.value, t.value.ID.value) }) {
				people = append(people, t.value)
			}
		case meaning.device && strings.EqualFold(t.value.Type.value, "Device"):
			if id := userID(t.value.ID.value); id != "" && signal.Device == nil {
				signal.Device = []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: id}}
			}
		}
	}
	if by := done.Initiator.value.User.value; len(people) == 0 && meaning.self && by.ID.value != "" {
		people = append(people, by)
	}
	switch {
	case meaning.device && signal.Device == nil:
		item.State, item.Note = revoke.EventMalformed, "it names no device"
		return
	case len(people) > 1:
		item.State, item.Note = revoke.EventHeld, "it names more than one user where Entra means one"
		return
	case len(people) == 1:
		signal.Subject = entraSubject(e.source, people[0].ID.value, auditName(people[0]), "")
	}
	if len(signal.Subject) == 0 && !meaning.device {
		item.Note = "it names no user" // the core keeps it as malformed and raises the alarm
	}
	item.Signals = []revoke.Signal{signal}
}

// auditName returns a principal name. A deleted user's has the object id before it, without hyphens.
func auditName(t auditTarget) string {
	if !guid.MatchString(t.ID.value) {
		return t.Name.value
	}
	return strings.TrimPrefix(t.Name.value, strings.ReplaceAll(strings.ToLower(t.ID.value), "-", ""))
}

// Means returns what the activities say.
func (*entraAudit) Means() []revoke.Meaning {
	var out []revoke.Meaning
	for _, word := range slices.Sorted(maps.Keys(auditMeanings)) {
		note := ""
		if auditMeanings[word].device {
			note = "that device"
		}
		out = append(out, revoke.Meaning{Word: word, Signal: auditMeanings[word].kind, Note: note})
	}
	return append(out,
		revoke.Meaning{Word: "update device", Signal: revoke.DeviceLost, Note: "where AccountEnabled becomes false"},
		revoke.Meaning{Word: "update user", Signal: revoke.Deactivated, Note: "where AccountEnabled becomes false"},
		revoke.Meaning{Word: "update user", Signal: revoke.Reactivated, Note: "where AccountEnabled becomes true"})
}
