package console

import (
	"net/http"
	"strings"

	"curfew/revoke"
)

// held is what waits for a person, as GET /v1/held shows it.
type held struct {
	ID        revoke.ID           `json:"id"`
	Source    string              `json:"source"`
	Cause     revoke.HeldCause    `json:"cause"`
	Why       string              `json:"why"`
	AskedBy   string              `json:"asked_by"`
	User      revoke.ID           `json:"user"`
	Name      string              `json:"name"`
	Signals   []revoke.SignalKind `json:"signals"`
	Scope     string              `json:"scope"`
	Reason    string              `json:"reason"`
	HeldAt    revoke.Instant      `json:"held_at"`
	ByItself  bool                `json:"by_itself"`
	Verdict   revoke.HeldVerdict  `json:"verdict"`
	DecidedAt revoke.Instant      `json:"decided_at"`
	DecidedBy string              `json:"decided_by"`
	Because   string              `json:"because"`
}

// What says what it would do, in a few words.
func (h *held) What() string {
	var out []string
	for _, s := range h.Signals {
		out = append(out, words(s))
	}
	text := list(out)
	if h.Scope != "" {
		text += " for " + short(40, h.Scope)
	}
	return text
}

type heldPage struct {
	All     bool
	Items   []held
	More    string
	May     bool // decide
	Sources []string
	Me      string // who looks never decides on what they asked for
	Wrong   *problem
}

// held lists what waits until somebody decides. Whoever it is about is still signed in.
func (v *visit) held() error {
	data, found, err := v.readHeld()
	if err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	return v.show("held", &data)
}

func (v *visit) readHeld() (heldPage, listing[held], error) {
	q := v.given("cursor", "all", "source")
	data := heldPage{All: q.Get("all") == "true", May: permits(&v.who, revoke.RoleApprover), Me: v.who.Name}
	q.Set("limit", "100")
	var found listing[held]
	err := v.get("/v1/held", q, &found)
	data.Items, data.More = found.Items, found.more(v)
	seen := map[string]int{}
	for _, h := range found.Items {
		if seen[h.Source]++; h.DecidedAt == 0 && seen[h.Source] == 2 { // one alone has buttons of its own
			data.Sources = append(data.Sources, h.Source)
		}
	}
	return data, found, err
}

// judgeHeld approves or rejects some, or all of a source.
func (v *visit) judgeHeld() error {
	if !v.proved("/console/held") {
		return nil
	}
	verdict, done := "approve", "approved"
	if v.r.PostFormValue("do") != "approve" {
		verdict, done = "reject", "rejected"
	}
	body := map[string]any{"reason": strings.TrimSpace(v.r.PostFormValue("reason"))}
	if source := v.r.PostFormValue("source"); source != "" {
		body["source"] = source
	} else {
		body["ids"] = v.r.Form["id"]
	}
	ctx, cancel := v.changing()
	defer cancel()
	err := v.ask(ctx, http.MethodPost, "/v1/held/"+verdict, body, nil)
	if p := refusedOf(err); p != nil {
		data, _, err := v.readHeld()
		if err != nil {
			return err
		}
		data.Wrong = p
		return v.write(p.Status, "held", v.route.title, &data)
	}
	if err != nil {
		return err
	}
	return v.leave("/console/held?done=" + done)
}
