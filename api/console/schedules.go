package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"curfew/revoke"
)

// schedule is what an admin ordered for later, as GET /v1/schedules shows it.
type schedule struct {
	Name      string            `json:"name"`
	Scope     revoke.ScopeKind  `json:"scope"`
	Kind      string            `json:"kind"`
	App       string            `json:"app"`
	When      revoke.Recurrence `json:"when"`
	Reason    string            `json:"reason"`
	MadeBy    actor             `json:"made_by"`
	NextAt    revoke.Instant    `json:"next_at"`
	LastAt    revoke.Instant    `json:"last_at"`
	LastEvent revoke.ID         `json:"last_event"`
	SkippedAt revoke.Instant    `json:"skipped_at"`
	Paused    bool              `json:"paused"`
	Held      revoke.ID         `json:"held"`
	Runs      []struct {
		At     revoke.Instant `json:"at"`
		Covers int            `json:"covers"`
	} `json:"runs"`
}

// Whose says whose sessions it ends.
func (s *schedule) Whose() string {
	switch {
	case s.Scope == revoke.ScopeApp:
		return "everyone in " + short(40, s.App)
	case s.Kind != "":
		return "everyone's " + s.Kind + " sessions"
	}
	return "everyone"
}

// Often says on which days it runs.
func (s *schedule) Often() string {
	switch {
	case s.When.Now:
		return "once, at once"
	case s.When.Yearly != "":
		return "every year on " + s.When.Yearly
	}
	return "every " + plural(s.When.EveryDays, "day") + " from " + s.When.From
}

type schedulesPage struct {
	Items   []schedule
	More    string
	May     bool
	Kinds   []revoke.Kind
	Preview *schedule
	Given   url.Values
	Wrong   *problem
}

// schedules lists what is ordered for later.
func (v *visit) schedules() error {
	data, found, err := v.readSchedules()
	if err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	return v.show("schedules", &data)
}

func (v *visit) readSchedules() (schedulesPage, listing[schedule], error) {
	data := schedulesPage{May: permits(&v.who, revoke.RoleAdmin), Kinds: revoke.Kinds(), Given: url.Values{}}
	var found listing[schedule]
	err := v.get("/v1/schedules", v.given("cursor"), &found)
	data.Items, data.More = found.Items, found.more(v)
	return data, found, err
}

// addSchedule keeps a schedule, or says when it would run and how many sessions that would end.
func (v *visit) addSchedule() error {
	if !v.proved("/console/schedules") {
		return nil
	}
	text := v.typed
	body := map[string]any{"name": text("name"), "scope": text("scope"), "reason": text("reason"), "dry_run": text("do") != "keep"}
	switch text("scope") {
	case "kind":
		body["kind"] = text("kind")
	case "app":
		body["app"] = text("app")
	}
	when := map[string]any{}
	switch text("how") {
	case "days":
		days, err := strconv.Atoi(text("days"))
		if err != nil {
			days = 0 // which the API refuses in its own words
		}
		when["every_days"], when["from"] = days, text("from")
	case "yearly":
		when["yearly"] = text("yearly")
	default:
		when["now"] = true
	}
	body["when"] = when
	ctx, cancel := v.changing()
	defer cancel()
	var made schedule
	err := v.ask(ctx, http.MethodPost, "/v1/schedules", body, &made)
	refused := refusedOf(err)
	if err != nil && refused == nil {
		return err
	}
	if refused == nil && body["dry_run"] == false {
		return v.leave("/console/schedules?done=scheduled")
	}
	data, _, err := v.readSchedules()
	if err != nil {
		return err
	}
	data.Given = v.r.Form
	if data.Wrong = refused; refused != nil {
		return v.write(http.StatusUnprocessableEntity, "schedules", v.route.title, &data)
	}
	data.Preview = &made
	return v.show("schedules", &data)
}

// skipSchedule leaves the next run out.
func (v *visit) skipSchedule() error {
	return v.changeSchedule(http.MethodPost, "/skip", map[string]any{"reason": strings.TrimSpace(v.r.PostFormValue("reason"))}, "skipped")
}

// removeSchedule forgets a schedule. What it ended stays dead.
func (v *visit) removeSchedule() error {
	return v.changeSchedule(http.MethodDelete, "", nil, "removed")
}

func (v *visit) changeSchedule(method, order string, body any, done string) error {
	ctx, cancel := v.changing()
	defer cancel()
	if err := v.ask(ctx, method, "/v1/schedules/"+url.PathEscape(v.r.PathValue("name"))+order, body, nil); err != nil {
		return err
	}
	return v.leave("/console/schedules?done=" + done)
}
