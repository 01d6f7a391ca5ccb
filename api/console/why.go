package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"curfew/revoke"
)

// revocation is one as GET /v1/revocations/{id} shows it.
type revocation struct {
	ID         revoke.ID             `json:"id"`
	Event      revoke.ID             `json:"event"`
	Sentence   string                `json:"sentence"`
	Said       *said                 `json:"said"`
	Kind       revoke.RevocationKind `json:"kind"`
	Signal     revoke.SignalKind     `json:"signal"`
	Scope      revoke.ScopeKind      `json:"scope"`
	User       revoke.ID             `json:"user"`
	At         revoke.Instant        `json:"at"`
	Blocked    bool                  `json:"blocked"`
	Reason     string                `json:"reason"`
	Actor      actor                 `json:"actor"`
	CreatedAt  revoke.Instant        `json:"created_at"`
	Progress   progress              `json:"progress"`
	Deliveries []delivery            `json:"deliveries"`
}

type progress struct {
	Due, Paused, Claimed, Done, Parked, Dropped int
}

// Open is how many targets are not done.
func (p *progress) Open() int { return p.Due + p.Paused + p.Claimed + p.Parked }

// attempts is how many calls were made, and where the API lists them, the calls.
type attempts struct {
	Count int
	Tries []attempt
}

type attempt struct {
	Number  int             `json:"number"`
	At      revoke.Instant  `json:"at"`
	TookMS  int64           `json:"took_ms"`
	Error   string          `json:"error"`
	Receipt *revoke.Receipt `json:"receipt"`
}

// UnmarshalJSON reads a number or a list.
func (a *attempts) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &a.Count); err == nil {
		return nil
	}
	err := json.Unmarshal(text, &a.Tries)
	a.Count = len(a.Tries)
	return err
}

// MarshalJSON writes the number, for lists that are taken home.
func (a attempts) MarshalJSON() ([]byte, error) { return json.Marshal(a.Count) }

type revocationPage struct {
	revocation
	Steps []line
}

// revocation is the page that answers why: one sentence, then the steps, then every call at every target.
func (v *visit) revocation() error {
	id, err := v.pathID()
	if err != nil {
		return err
	}
	var data revocationPage
	if err := v.get("/v1/revocations/"+id.String(), nil, &data.revocation); err != nil {
		return err
	}
	what := map[revoke.RevocationKind]string{revoke.RevocationEnd: "ended", revoke.RevocationBlock: "blocked", revoke.RevocationLift: "lifted"}[data.Kind]
	told := moment{At: data.CreatedAt, What: what, Event: data.Event, Decision: &decision{
		ID: data.ID, Signal: data.Signal, Scope: data.Scope, Cutoff: data.At, Blocked: data.Blocked, Reason: data.Reason, Actor: data.Actor, Said: data.Said, Deliveries: data.Deliveries,
	}}
	data.Steps = told.lines() // as it went, first things first
	return v.show("revocation", &data)
}

// whyAnswer is what GET /v1/why says, about a session or a person.
type whyAnswer struct {
	Sentence   string         `json:"sentence"`
	Live       bool           `json:"live"`
	Known      bool           `json:"known"`
	User       revoke.ID      `json:"user"`
	At         revoke.Instant `json:"at"`
	Blocked    bool           `json:"blocked"`
	Because    *because       `json:"because"`
	Session    *session       `json:"session"`
	Revocation *revocation    `json:"revocation"`
}

// Whose is the person that the answer is about; zero where nobody is known.
func (w *whyAnswer) Whose() revoke.ID {
	if w.Session != nil {
		return w.Session.User
	}
	return w.User
}

type whyPage struct {
	Session, Subject, At string
	Answer               *whyAnswer
	Wrong                *problem
}

// why asks for a session or a person; both stand in the address. A token is never there: it is posted.
func (v *visit) why() error {
	q := v.given("session", "subject", "at", "app")
	data := whyPage{Session: q.Get("session"), Subject: q.Get("subject"), At: q.Get("at")}
	if len(q) == 0 {
		return v.show("why", &data)
	}
	if data.Subject == "" {
		q.Del("at")
	} else if data.At != "" {
		q.Set("at", untilSent(data.At))
	}
	return v.explain(&data, q)
}

// whyToken asks for a token, which is in no address, no log and no page: the API looks for its hash.
func (v *visit) whyToken() error {
	var data whyPage
	token := strings.TrimSpace(v.r.PostFormValue("token"))
	if token == "" {
		return v.show("why", &data)
	}
	return v.explain(&data, url.Values{"token": {token}})
}

func (v *visit) explain(data *whyPage, q url.Values) error {
	var found whyAnswer
	err := v.get("/v1/why", q, &found)
	if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
		data.Wrong = &problem{Status: p.Status, Title: "No such session", Detail: "No application has told us of it. A session that we were not told of can still be ended at a target: look for the person instead."}
		return v.write(http.StatusNotFound, "why", v.route.title, data)
	}
	if data.Wrong = refusedOf(err); data.Wrong != nil {
		return v.write(http.StatusUnprocessableEntity, "why", v.route.title, data)
	}
	if err != nil {
		return err
	}
	data.Answer = &found
	return v.show("why", data)
}
