package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"curfew/revoke"
)

// person is one person as GET /v1/users/{id} shows them.
type person struct {
	user
	Live     int           `json:"live"`
	Sessions []session     `json:"sessions"`
	More     bool          `json:"more_sessions"`
	Devices  []ownedDevice `json:"devices"`
	Blocks   []block       `json:"blocks"`
	Plans    []plan        `json:"plans"`
}

type ownedDevice struct {
	Device   revoke.ID      `json:"device"`
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Platform string         `json:"platform"`
	Live     int            `json:"live"`
	LastUsed revoke.Instant `json:"last_used"`
}

type session struct {
	ID           string         `json:"id"`
	CurfewID     revoke.ID      `json:"curfew_id"`
	App          string         `json:"app"`
	Kind         revoke.Kind    `json:"kind"`
	User         revoke.ID      `json:"user"`
	Device       *device        `json:"device"`
	IP           string         `json:"ip"`
	UserAgent    string         `json:"user_agent"`
	IssuedAt     revoke.Instant `json:"issued_at"`
	AuthTime     revoke.Instant `json:"auth_time"`
	ExpiresAt    revoke.Instant `json:"expires_at"`
	RegisteredAt revoke.Instant `json:"registered_at"`
	LastUsed     revoke.Instant `json:"last_used"`
	Live         bool           `json:"live"`
	Because      *because       `json:"because"`
}

type device struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Platform string `json:"platform"`
}

// Label is what a session is called on a line.
func (s *session) Label() string {
	if s.Device != nil {
		if name := cmp.Or(s.Device.Name, s.Device.Platform, s.Device.ID); name != "" {
			return short(60, name)
		}
	}
	l := lookOf(&revoke.Session{Kind: s.Kind, Facts: revoke.SessionFacts{UserAgent: s.UserAgent}})
	return short(60, cmp.Or(l.on(), s.ID))
}

// Picture names the icon of a session's kind.
func (s *session) Picture() string { return pictureOf(s.Kind) }

func pictureOf(kind revoke.Kind) string {
	switch kind {
	case revoke.Mobile:
		return "phone"
	case revoke.Desktop:
		return "desktop"
	case revoke.Browser:
		return "browser"
	case revoke.API:
		return "app"
	case revoke.DeviceKind:
		return "key"
	}
	return "unknown"
}

type block struct {
	User       revoke.ID      `json:"user"`
	Authority  string         `json:"authority"`
	Class      revoke.Class   `json:"class"`
	BlockedAt  revoke.Instant `json:"blocked_at"`
	LiftedAt   revoke.Instant `json:"lifted_at"`
	Until      revoke.Instant `json:"until"`
	Revocation revoke.ID      `json:"revocation"`
}

// Stands reports whether it does: at equal instants it does.
func (b *block) Stands() bool { return b.BlockedAt != 0 && b.BlockedAt >= b.LiftedAt }

type plan struct {
	Authority   string         `json:"authority"`
	SaidAt      revoke.Instant `json:"said_at"`
	EffectiveAt revoke.Instant `json:"effective_at"`
	CarriedAt   revoke.Instant `json:"carried_at"`
}

type personPage struct {
	person
	Sentence string
	Standing []block
	Line     []line
	Earlier  string // where the time line goes on
	Acts     []act
	Tab      string
}

// person shows one person: what stands against them, what happened, where they are signed in, and what they are known by.
func (v *visit) person() error {
	id, err := v.pathID()
	if err != nil {
		return err
	}
	var data personPage
	if err := v.get("/v1/users/"+id.String(), nil, &data.person); err != nil {
		return err
	}
	q := v.given("cursor")
	q.Set("limit", "40")
	var story listing[moment]
	if err := v.get("/v1/users/"+id.String()+"/timeline", q, &story); err != nil {
		return err
	}
	data.Line, data.Earlier = linesOf(story.Items), story.more(v)
	for _, b := range data.Blocks {
		if b.Stands() {
			data.Standing = append(data.Standing, b)
		}
	}
	data.Sentence = stateOf(&data.person)
	data.Acts = v.actsFor(&data.person)
	v.route.title = data.Name()
	return v.show("person", &data)
}

// stateOf says in a sentence how it stands with a person.
func stateOf(p *person) string {
	live := plural(p.Live, "live session")
	if p.More {
		live = "at least " + live
	}
	switch {
	case p.Blocked && p.Live == 0:
		return "Nothing of theirs is live."
	case p.Blocked:
		return live + " all the same: " + p.Because.Sentence + "."
	case p.Live == 0 && len(p.Sessions) == 0:
		return "Free to sign in. No application has told us of a session yet; ending everything reaches every target all the same."
	case p.Live == 0:
		return "Free to sign in, and signed in nowhere that we know of."
	}
	return "Free to sign in, with " + live + " in " + list(appsOf(p.Sessions)) + "."
}

func appsOf(sessions []session) []string {
	var out []string
	for _, s := range sessions {
		if s.Live && !slices.Contains(out, s.App) {
			out = append(out, short(40, s.App))
		}
	}
	slices.Sort(out)
	if len(out) > 4 {
		out = append(out[:3], plural(len(out)-3, "other application"))
	}
	return out
}

type sessionsPage struct {
	Who   user
	Items []session
	More  string
}

// sessions lists all sessions of one person.
func (v *visit) sessions() error {
	id, err := v.pathID()
	if err != nil {
		return err
	}
	var data sessionsPage
	var who person
	if err := v.get("/v1/users/"+id.String(), nil, &who); err != nil {
		return err
	}
	q := v.given("cursor")
	q.Set("id", id.String())
	q.Set("limit", "100")
	var found listing[session]
	if err := v.get("/v1/sessions", q, &found); err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	data.Who, data.Items, data.More = who.user, found.Items, found.more(v)
	return v.show("sessions", &data)
}

// act is what can be ordered about a person. The word stands in the address.
type act struct {
	Word, Title, Button, What string
	Grave                     bool
	Until                     bool // takes an end
	With                      bool // takes another user
	least                     revoke.Role
}

func acts() []act {
	return []act{
		{Word: "end", Title: "Sign out everywhere", Button: "Sign out everywhere", What: "ends every session and device token of theirs here, and tells every target. They can sign in again at once.", Grave: true, least: revoke.RoleOperator},
		{Word: "block", Title: "Block", Button: "Block", What: "ends everything of theirs and keeps them out until an admin lifts it, or until its end.", Grave: true, Until: true, least: revoke.RoleAdmin},
		{Word: "lift", Title: "Lift the block", Button: "Lift", What: "lets them sign in again, whoever blocked them. What was ended stays dead.", least: revoke.RoleAdmin},
		{Word: "split", Title: "Split", Button: "Split", What: "takes back that two users were found to be one person. Everything of both ends at that moment.", Grave: true, With: true, least: revoke.RoleAdmin},
	}
}

// actsFor are those that make sense now and that the person who looks may order.
func (v *visit) actsFor(p *person) []act {
	return slices.DeleteFunc(acts(), func(a act) bool {
		return !permits(&v.who, a.least) || a.Word == "lift" && !p.Blocked || a.Word == "split" && len(p.Members) == 0
	})
}

type actPage struct {
	Act     act
	Who     person
	Preview string
	Wrong   *problem
	Reason  string
	Until   string
	With    string
}

// readAct returns the page of an act on the person of the path.
func (v *visit) readAct(word string) (actPage, error) {
	data := actPage{Act: acts()[slices.IndexFunc(acts(), func(a act) bool { return a.Word == word })]}
	id, err := v.pathID()
	if err != nil {
		return data, err
	}
	return data, v.get("/v1/users/"+id.String(), nil, &data.Who)
}

// order is the page on which an act is prepared: what would happen, and why it is ordered.
func (v *visit) order(word string) error {
	if !v.proved(v.r.URL.RequestURI()) {
		return nil
	}
	data, err := v.readAct(word)
	if err != nil {
		return err
	}
	if err := v.preview(&data); err != nil {
		return err
	}
	v.route.title = data.Act.Title + ": " + data.Who.Name()
	return v.show("act", &data)
}

// preview asks what the act would do, and does nothing.
func (v *visit) preview(data *actPage) error {
	switch data.Act.Word {
	case "end", "block":
		ctx, cancel := v.reading()
		defer cancel()
		var seen struct {
			Covers *int   `json:"covers"`
			State  string `json:"state"`
		}
		err := v.ask(ctx, http.MethodPost, "/v1/revocations", v.ordering(data, "a preview", true), &seen)
		if wrong := refusedOf(err); wrong != nil {
			data.Wrong = wrong
			return nil
		}
		if err != nil {
			return err
		}
		n := 0
		if seen.Covers != nil {
			n = *seen.Covers
		}
		data.Preview = plural(n, "live session") + " would end here."
		if names := appsOf(data.Who.Sessions); len(names) > 0 {
			data.Preview = plural(n, "live session") + " would end here, in " + list(names) + "."
		}
		if seen.State == string(revoke.EventHeld) {
			data.Preview += " The order would be held until somebody approves it."
		}
	case "lift":
		var by []string
		for _, b := range data.Who.Blocks {
			if b.Stands() && !slices.Contains(by, b.Authority) {
				by = append(by, short(60, b.Authority))
			}
		}
		data.Preview = "No session comes back. Blocks that would be lifted: " + cmp.Or(list(by), "none") + "."
	case "split":
		data.Preview = fmt.Sprintf("%s of everybody who is this person would end, and the two would be strangers.", plural(data.Who.Live, "live session"))
	}
	return nil
}

func (v *visit) ordering(data *actPage, reason string, dry bool) map[string]any {
	body := map[string]any{"scope": "user", "subject": map[string]string{"format": "opaque", "id": data.Who.ID.String()}, "reason": reason, "dry_run": dry}
	if data.Act.Word == "block" {
		body["block"] = true
	}
	return body
}

// ordered carries an act out.
func (v *visit) ordered(word string) error {
	if !v.proved(v.r.URL.Path) {
		return nil
	}
	data, err := v.readAct(word)
	if err != nil {
		return err
	}
	data.Reason, data.With = strings.TrimSpace(v.r.PostFormValue("reason")), v.r.PostFormValue("with")
	data.Until = strings.TrimSpace(v.r.PostFormValue("until"))
	path := "/v1/users/" + data.Who.ID.String() + "/" + word
	body := map[string]any{"reason": data.Reason}
	switch word {
	case "end":
		path, body = "/v1/revocations", v.ordering(&data, data.Reason, false)
	case "block":
		if data.Until != "" {
			body["until"] = untilSent(data.Until)
		}
	case "split":
		body["with"] = data.With
	}
	ctx, cancel := v.changing()
	defer cancel()
	var said struct {
		ID   string    `json:"id"`
		Held revoke.ID `json:"held"`
	}
	err = v.ask(ctx, http.MethodPost, path, body, &said)
	if data.Wrong = refusedOf(err); data.Wrong != nil {
		if err := v.preview(&data); err != nil {
			return err
		}
		return v.write(http.StatusUnprocessableEntity, "act", data.Act.Title, &data)
	}
	if err != nil {
		return err
	}
	done := word
	if !said.Held.IsZero() {
		done = "held"
	}
	return v.leave(personPath(data.Who.ID) + "?" + url.Values{"done": {done}}.Encode())
}

// untilSent makes an instant of what a datetime field sends, which has neither seconds nor a zone: it is UTC, and says so beside it.
func untilSent(text string) string {
	if len(text) == len("2006-01-02T15:04") {
		return text + ":00Z"
	}
	return text
}
