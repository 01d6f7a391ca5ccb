package console

import (
	"net/url"

	"curfew/revoke"
)

// target is one as GET /v1/targets shows it.
type target struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Built       bool            `json:"built"`
	Paused      *revoke.Instant `json:"paused"`
	Due         int             `json:"due"`
	Claimed     int             `json:"claimed"`
	Parked      int             `json:"parked"`
	Oldest      revoke.Instant  `json:"oldest"`
	LastSuccess revoke.Instant  `json:"last_success"`
	LastError   *struct {
		At    revoke.Instant `json:"at"`
		Error string         `json:"error"`
	} `json:"last_error"`
	Refused bool `json:"refused"`
}

// slowAfter is how old what is owed to a target may be before we call it slow.
const slowAfter = 30e6 // microseconds

// State is how a target is, in a word or two.
func (t *target) state(now revoke.Instant) string {
	switch {
	case !t.Built:
		return "Not in this version"
	case t.Refused:
		return "Credential refused"
	case t.Paused != nil:
		return "Paused"
	case t.Parked > 0:
		return "Gave up"
	case t.Oldest != 0 && now-t.Oldest > slowAfter:
		return "Slow"
	}
	return "Well"
}

type shownTarget struct {
	target
	State, Tone string
}

type overviewPage struct {
	Sentence string
	Well     bool
	LastAt   revoke.Instant
	Targets  []shownTarget
	Sources  []source
	Alarms   []alarm
	More     bool // alarms than are shown
	Held     int
	Owed     int
	Parked   int
	Oldest   revoke.Instant
	OldestAt string
}

// overview says first whether all is well, then shows what that is made of.
func (v *visit) overview() error {
	var data overviewPage
	var targets listing[target]
	var sources listing[source]
	var alarms listing[alarm]
	var held listing[event]
	for path, into := range map[string]any{"/v1/targets": &targets, "/v1/sources": &sources} {
		if err := v.get(path, url.Values{"limit": {"1000"}}, into); err != nil {
			return err
		}
	}
	if err := v.get("/v1/alarms", url.Values{"limit": {"5"}}, &alarms); err != nil {
		return err
	}
	if err := v.get("/v1/events", url.Values{"state": {string(revoke.EventHeld)}, "limit": {"1000"}}, &held); err != nil {
		return err
	}
	now := v.c.cfg.Clock.Now()
	slow, silent := 0, 0
	for i := range targets.Items {
		t := &targets.Items[i]
		shown := shownTarget{target: *t, State: t.state(now), Tone: "live"}
		if shown.State != "Well" {
			shown.Tone = "late"
			slow++
		}
		if t.Refused || t.Parked > 0 {
			shown.Tone = "over"
		}
		data.Targets = append(data.Targets, shown)
		data.Owed, data.Parked = data.Owed+t.Due+t.Claimed, data.Parked+t.Parked
		if t.Oldest != 0 && (data.Oldest == 0 || t.Oldest < data.Oldest) {
			data.Oldest, data.OldestAt = t.Oldest, t.Name
		}
	}
	for i := range sources.Items {
		s := &sources.Items[i]
		data.LastAt = max(data.LastAt, s.LastHeard)
		if s.State == "silent" {
			silent++
		}
		if s.Scopes == nil || s.Type == "scim" { // what a token asks is no news
			data.Sources = append(data.Sources, *s)
		}
	}
	data.Alarms, data.More, data.Held = alarms.Items, alarms.Next != nil, len(held.Items)
	data.Sentence, data.Well = health(slow, silent, data.Held, len(alarms.Items))
	return v.show("overview", &data)
}

// health is the first sentence of the overview.
func health(slow, silent, held, alarms int) (string, bool) {
	var not []string
	if slow > 0 {
		not = append(not, plural(slow, "target needs", "targets need")+" attention")
	}
	if silent > 0 {
		not = append(not, plural(silent, "source is silent", "sources are silent"))
	}
	if held > 0 {
		not = append(not, plural(held, "event waits for a person", "events wait for a person"))
	}
	switch {
	case len(not) > 0:
		return "Every signal is decided. " + upper(list(not)) + ".", false
	case alarms > 0:
		return "Every signal is decided and every target is well. " + upper(plural(alarms, "alarm stands", "alarms stand")) + ".", false
	}
	return "Every signal is decided, and every target is well.", true
}

func upper(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}
