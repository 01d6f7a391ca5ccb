package webhooks

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"curfew/revoke"
)

// oktaEvents reads log events, whether a hook or the System Log itself brought them.
type oktaEvents struct{ source revoke.Source }

// logEvent is what we read of an Okta System Log event.
type logEvent struct {
	UUID           maybe[string]              `json:"uuid"`
	Published      maybe[string]              `json:"published"`
	EventType      maybe[string]              `json:"eventType"`
	DisplayMessage maybe[string]              `json:"displayMessage"`
	Outcome        maybe[oktaOutcome]         `json:"outcome"`
	Actor          maybe[oktaEntity]          `json:"actor"`
	Target         maybe[[]maybe[oktaEntity]] `json:"target"`
	DebugContext   maybe[oktaDebug]           `json:"debugContext"`
}

type oktaOutcome struct {
	Result maybe[string] `json:"result"`
}

// oktaEntity is an actor or a target: a User, a Device, an AppUser (whose alternateId is a login of the application, not of
// Okta), a group, a policy.
type oktaEntity struct {
	ID          maybe[string] `json:"id"`
	Type        maybe[string] `json:"type"`
	AlternateID maybe[string] `json:"alternateId"`
}

type oktaDebug struct {
	DebugData maybe[map[string]json.RawMessage] `json:"debugData"`
}

// known returns what Okta knows: it writes the word unknown where it knows nothing.
func known(m maybe[string]) string {
	if value := strings.TrimSpace(m.value); !strings.EqualFold(value, "unknown") {
		return value
	}
	return ""
}

func (e oktaEntity) is(kind string) bool { return strings.EqualFold(e.Type.value, kind) }

// same reports whether both are one entity. What has no id is the same as nothing.
func (e oktaEntity) same(other oktaEntity) bool { return known(e.ID) != "" && e.ID == other.ID }

// oktaMeaning is what an event type says.
type oktaMeaning struct {
	kind    revoke.SignalKind // empty: nothing follows
	why     string            // why nothing follows
	about   about
	outcome demand
}

// about says whom an event type concerns. It is never an administrator.
type about int

const (
	target     about = iota // the User among the targets
	targetSelf              // the same, else the acting user, where people do this to themselves
	self                    // the acting user, whom Okta found or who complained; else the User among the targets
	many                    // the User among the targets, but there may be more people than an event names
	device                  // the Device among the targets, and the Users that stand beside it
	session                 // one session of the User among the targets
)

// demand says which outcomes mean that it happened. Okta logs failures under the same type.
type demand int

const (
	notFailed demand = iota // anything but a failure
	succeeded               // SUCCESS in so many words
	whatever                // the outcome speaks of something else: a lock is logged as the failed sign-in that caused it
)

// oktaMeanings is the table of event types. What can reach a hook stands before what only the System Log holds.
var oktaMeanings = oktaTable()

// oktaTable lists what the types say that share a meaning.
func oktaTable() map[string]oktaMeaning {
	out := map[string]oktaMeaning{}
	say := func(m oktaMeaning, types ...string) {
		for _, t := range types {
			out[t] = m
		}
	}
	say(oktaMeaning{kind: revoke.Deactivated, about: target, outcome: succeeded}, "user.lifecycle.deactivate")
	say(oktaMeaning{kind: revoke.Suspended, about: target, outcome: succeeded}, "user.lifecycle.suspend")
	say(oktaMeaning{kind: revoke.Deleted, about: target, outcome: succeeded}, "user.lifecycle.delete.initiated")
	say(oktaMeaning{kind: revoke.Reactivated, about: target, outcome: succeeded}, "user.lifecycle.activate", "user.lifecycle.reactivate", "user.lifecycle.unsuspend")
	say(oktaMeaning{kind: revoke.Locked, about: targetSelf, outcome: whatever}, "user.account.lock")
	say(oktaMeaning{kind: revoke.Unlocked, about: targetSelf, outcome: notFailed}, "user.account.unlock")
	say(oktaMeaning{kind: revoke.Unlocked, about: target, outcome: notFailed}, "user.account.unlock_by_admin")
	say(oktaMeaning{kind: revoke.CredentialChanged, about: targetSelf, outcome: notFailed}, "user.account.update_password")
	say(oktaMeaning{kind: revoke.CredentialChanged, about: target, outcome: notFailed}, "user.account.reset_password", "user.mfa.factor.reset_all",
		"user.mfa.factor.deactivate", "user.mfa.factor.suspend")
	say(oktaMeaning{kind: revoke.SessionsCleared, about: target, outcome: notFailed}, "user.session.clear", "user.authentication.universal_logout", "user.authentication.universal_logout.scheduled")
	say(oktaMeaning{kind: revoke.SessionsCleared, about: session, outcome: notFailed}, "user.session.end")
	say(oktaMeaning{kind: revoke.CredentialCompromised, about: self, outcome: whatever}, "security.breached_credential.detected", "user.account.report_suspicious_activity_by_enduser")
	say(oktaMeaning{kind: revoke.RiskRaised, about: target, outcome: whatever}, "user.risk.detect", "user.risk.change")
	say(oktaMeaning{kind: revoke.DeviceLost, about: device, outcome: notFailed}, "device.lifecycle.suspend")
	say(oktaMeaning{kind: revoke.DeviceUnenrolled, about: device, outcome: notFailed}, "device.lifecycle.deactivate", "device.lifecycle.delete", "device.user.remove")
	say(oktaMeaning{kind: revoke.AccessChanged, about: target, outcome: notFailed}, "group.user_membership.remove", "application.user_membership.remove")
	say(oktaMeaning{why: "it ends nothing"}, "user.lifecycle.create", "user.import.password", "user.mfa.factor.activate", "user.mfa.factor.unsuspend", "user.mfa.factor.update", "device.lifecycle.activate",
		"device.lifecycle.unsuspend", "device.user.add", "device.enrollment.create", "group.user_membership.add", "user.account.privilege.grant")
	say(oktaMeaning{why: "Okta judges it and says with another event what it did"}, "user.session.context.change", "policy.auth_reevaluate.fail")
	say(oktaMeaning{why: "it changes nobody's sessions"}, "user.account.update_profile", "user.account.privilege.revoke", "system.api_token.revoke")
	say(oktaMeaning{kind: revoke.Deleted, about: target, outcome: succeeded}, "user.lifecycle.delete.completed")
	say(oktaMeaning{kind: revoke.CredentialChanged, about: target, outcome: notFailed}, "user.account.expire_password")
	say(oktaMeaning{kind: revoke.CredentialChanged, about: many, outcome: notFailed}, "user.lifecycle.password_mass_expiry")
	say(oktaMeaning{kind: revoke.Locked, about: targetSelf, outcome: whatever}, "user.account.lock.limit")
	say(oktaMeaning{why: "Okta judges it and says with another event what it did"}, "security.threat.detected", "security.events.provider.receive_event", "policy.entity_risk.action",
		"policy.entity_risk.evaluate", "user.mfa.attempt_bypass")
	say(oktaMeaning{why: "a session that grew too old in Okta ends no other"}, "user.session.expire")
	say(oktaMeaning{why: "it changes nobody's sessions"}, "user.account.update_primary_email")
	return out
}

// Means returns what Okta's event types say.
func (oktaEvents) Means() []revoke.Meaning {
	out := make([]revoke.Meaning, 0, len(oktaMeanings))
	for word, m := range oktaMeanings {
		note := m.why
		switch {
		case m.kind == revoke.RiskRaised:
			note = "risk-high where its level is HIGH"
		case m.about == session:
			note = "that session; nothing where the person signed out"
		case m.about == device:
			note = "that device"
		case m.about == many:
			note = "held for a person to look at unless it names one user"
		case m.outcome == succeeded:
			note = "where it succeeded"
		}
		out = append(out, revoke.Meaning{Word: word, Signal: m.kind, Note: note})
	}
	slices.SortFunc(out, func(a, b revoke.Meaning) int { return strings.Compare(a.Word, b.Word) })
	return out
}

// item reads one log event.
func (o oktaEvents) item(raw json.RawMessage) Item {
	var e logEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return Item{State: revoke.EventMalformed, Note: "not a log event: it is no object", Body: raw}
	}
	item := Item{ID: e.UUID.value, Type: e.EventType.value, Body: raw}
	if err := item.OccurredAt.UnmarshalText([]byte(e.Published.value)); err != nil || item.OccurredAt < 0 {
		item.OccurredAt = 0 // news without a readable time is still news; it counts as of now
	}
	meaning, taught := oktaMeanings[item.Type]
	switch {
	case item.Type == "":
		item.State, item.Note = revoke.EventMalformed, "it has no eventType"
	case !taught:
		item.State, item.Note = revoke.EventUnknown, "nobody has taught us this type of event"
	case meaning.kind == "":
		item.State, item.Note = revoke.EventIgnored, meaning.why
	default:
		if item.State, item.Note = meaning.outcome.missedBy(e.Outcome.value); item.State == "" {
			o.signals(&item, e, meaning)
		}
	}
	return item
}

// missedBy says what an event is whose outcome is not the one that is asked for, "" when it is.
func (d demand) missedBy(outcome oktaOutcome) (revoke.EventState, string) {
	result := strings.ToUpper(outcome.Result.value)
	failed := slices.Contains([]string{"FAILURE", "SKIPPED", "DENY"}, result)
	switch {
	case d == succeeded && result == "":
		return revoke.EventMalformed, "it does not say whether it succeeded"
	case d == succeeded && result != "SUCCESS", d == notFailed && failed:
		return revoke.EventIgnored, "it did not happen: the outcome is " + plain(result)
	}
	return "", ""
}

// signals puts into item what the event says about whom. A signal that names nobody is handed on as it is: the core keeps it
// as malformed and raises the alarm, for somebody may still be signed in.
func (o oktaEvents) signals(item *Item, e logEvent, meaning oktaMeaning) {
	signal := revoke.Signal{Kind: meaning.kind, OccurredAt: item.OccurredAt, Reason: e.DisplayMessage.value}
	if plain(signal.Reason) == "" {
		signal.Reason = item.Type
	}
	actor, people := e.Actor.value, e.people()
	if len(people) == 0 && actor.is("User") && (meaning.about == targetSelf || meaning.about == session) {
		people = []oktaEntity{actor}
	}
	if meaning.about == self && actor.is("User") && !slices.ContainsFunc(people, actor.same) {
		people = append(people, actor) // beside another it is not known which of them
	}
	data := e.DebugContext.value.DebugData.value
	switch {
	case meaning.about == device:
		o.deviceSignals(item, e, signal, people)
		return
	case meaning.about == many && len(people) != 1:
		item.State, item.Note = revoke.EventHeld, "it concerns more people than it names: end everybody's sessions if that is what was meant"
		return
	case len(people) > 1:
		item.State, item.Note = revoke.EventHeld, "it names more than one user where Okta means one"
		return
	case meaning.about == session && len(people) == 1 && (actor == people[0] || actor.same(people[0])):
		item.State, item.Note = revoke.EventIgnored, "the person signed out"
		return
	case meaning.about == session:
		// Not authenticationContext.externalSessionId: that is the session of the administrator who did it.
		signal.Session.SID = sessionID(data)
	case meaning.kind == revoke.RiskRaised:
		switch riskLevel(data) {
		case "HIGH":
			signal.Kind = revoke.RiskHigh
		case "":
			item.Note = "its risk level cannot be read"
		}
	}
	if len(people) == 1 {
		signal.Subject = o.subject(people[0])
	}
	if len(signal.Subject) == 0 {
		item.Note = "it names no Okta user"
	}
	item.Signals = []revoke.Signal{signal}
}

// deviceSignals makes one signal for each user beside the device, since each ends only that user's sessions on it. A device
// without a user is a signal about the device alone.
func (o oktaEvents) deviceSignals(item *Item, e logEvent, signal revoke.Signal, people []oktaEntity) {
	for _, t := range e.Target.value {
		if id := known(t.value.ID); t.value.is("Device") && id != "" && plain(id) == id {
			signal.Device = []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: id}}
			break
		}
	}
	if signal.Device == nil {
		item.State, item.Note = revoke.EventMalformed, "it names no device"
		return
	}
	for _, person := range people {
		if signal.Subject = o.subject(person); len(signal.Subject) > 0 {
			item.Signals = append(item.Signals, signal)
		}
	}
	if len(item.Signals) == 0 {
		signal.Subject = nil
		item.Signals = []revoke.Signal{signal}
	}
}

// people returns the users among the targets, each once.
func (e logEvent) people() []oktaEntity {
	var out []oktaEntity
	for _, t := range e.Target.value {
		if t.value.is("User") && !slices.ContainsFunc(out, t.value.same) && !slices.Contains(out, t.value) {
			out = append(out, t.value)
		}
	}
	return out
}

// subject names a user by Okta's id, and by the login, which is often an address as well.
func (o oktaEvents) subject(user oktaEntity) revoke.Subject {
	var s revoke.Subject
	login := known(user.AlternateID)
	s.Add(o.source.IDs, known(user.ID))
	s.Add(revoke.NamespaceUserName, login)
	if revoke.LooksLikeAddress(login) {
		s.Add(revoke.NamespaceEmail, login)
	}
	return s
}

// sessionID returns the session that ended, "" when it is not named: the signal is then about all of the user's.
func sessionID(data map[string]json.RawMessage) string {
	var id maybe[string]
	if raw, ok := data["EndedSessionId"]; ok {
		_ = json.Unmarshal(raw, &id) // what is no text is no id
	}
	if value := known(id); plain(value) == value {
		return value
	}
	return ""
}

// riskText finds the level in what Okta flattens into one string: {level=HIGH, previousLevel=LOW} or JSON. It must not
// find the previous one.
var riskText = regexp.MustCompile(`(?i)(?:^|[^a-z_.])level["']?\s*[=:]\s*["']?([a-z]+)`)

// riskLevel returns the level in capitals, "" when there is none to be found.
func riskLevel(data map[string]json.RawMessage) string {
	var found string
	for name, raw := range data {
		text := string(raw)
		var unquoted string
		if json.Unmarshal(raw, &unquoted) == nil {
			text = unquoted
		}
		level := ""
		switch strings.ToLower(name) {
		case "risk":
			if m := riskText.FindStringSubmatch(text); m != nil {
				level = m[1]
			} else {
				level = text
			}
		case "level", "risklevel", "risk.level":
			level = text
		}
		level = strings.ToUpper(strings.TrimSpace(level))
		if slices.Contains([]string{"HIGH", "MEDIUM", "LOW", "NONE"}, level) && (found == "" || level == "HIGH") {
			found = level // of two that differ the worse counts, whatever order a map has
		}
	}
	return found
}
