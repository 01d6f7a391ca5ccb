package console

import (
	"math"
	"strings"
	"time"

	"curfew/revoke"
)

// source is one as GET /v1/sources shows it.
type source struct {
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Authority string         `json:"authority"`
	Scopes    []string       `json:"scopes"`
	App       string         `json:"app"`
	IDs       string         `json:"ids"`
	Learn     bool           `json:"learn"`
	Built     bool           `json:"built"`
	State     string         `json:"state"`
	Since     revoke.Instant `json:"known_since"`
	LastHeard revoke.Instant `json:"last_heard"`
	Gap       float64        `json:"usual_gap"`
	SilentAt  float64        `json:"silent_after"`
	Delay     *struct {
		Median float64 `json:"median"`
		Worst  float64 `json:"worst"`
		Events int     `json:"events"`
	} `json:"delay"`
	Health []struct {
		State string         `json:"state"`
		Since revoke.Instant `json:"since"`
		Text  string         `json:"text"`
	} `json:"health"`
	Unknown []struct {
		Type   string         `json:"type"`
		Count  int            `json:"count"`
		Last   revoke.Instant `json:"last"`
		Sample revoke.ID      `json:"sample"`
	} `json:"unknown"`
	Rules []struct {
		Signal  revoke.SignalKind `json:"signal"`
		Cut     string            `json:"cut"`
		Block   string            `json:"block"`
		Changed bool              `json:"changed"`
	} `json:"rules"`
}

// Tone is the colour of the word that says how a source is.
func (s *source) Tone() string {
	switch s.State {
	case "silent":
		return "over"
	case "late", "never":
		return "late"
	case "usual":
		return "live"
	}
	return ""
}

// UsualGap is how long it usually says nothing, in words; empty where that is not known.
func (s *source) UsualGap() string { return lasting(s.Gap) }

// Late is how late its news come, in words.
func (s *source) Late() string {
	if s.Delay == nil {
		return ""
	}
	return lasting(s.Delay.Median)
}

// lasting says a length of time in the largest unit that tells it.
func lasting(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return ""
	case d < time.Second:
		return number(int(d/time.Millisecond)) + " ms"
	case d < 2*time.Minute:
		return number(int(math.Round(d.Seconds()))) + " s"
	case d < 2*time.Hour:
		return number(int(math.Round(d.Minutes()))) + " min"
	case d < 48*time.Hour:
		return number(int(math.Round(d.Hours()))) + " h"
	}
	return number(int(math.Round(d.Hours()/24))) + " days"
}

// Address is where a sender sends to.
func (s *source) Address(base string) string {
	base = strings.TrimSuffix(base, "/")
	switch {
	case s.Type == "scim":
		return base + "/scim/v2"
	case s.Scopes == nil:
		return base + "/hooks/" + s.Name
	}
	return ""
}

type sourcesPage struct {
	Items     []source
	More      string
	PublicURL string
}

// sources lists who sends us news, and how they are.
func (v *visit) sources() error {
	q := v.given("cursor")
	q.Set("limit", "50")
	var found listing[source]
	if err := v.get("/v1/sources", q, &found); err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	return v.show("sources", &sourcesPage{found.Items, found.more(v), v.c.cfg.PublicURL})
}
