package console

import (
	"net/http"
	"net/url"
	"strconv"

	"curfew/revoke"
)

// manyPage orders the end of many people's sessions: first it counts them, then it wants that number typed.
type manyPage struct {
	Kinds   []revoke.Kind
	Preview *manyOutcome
	Whose   string
	Given   url.Values
	Wrong   *problem
}

// manyOutcome is what the API says of an order for many.
type manyOutcome struct {
	ID     revoke.ID `json:"id"`
	Covers int       `json:"covers"`
	Held   revoke.ID `json:"held"`
}

// many asks whose sessions are to end.
func (v *visit) many() error {
	if !v.proved("/console/many") {
		return nil
	}
	return v.show("many", &manyPage{Kinds: revoke.Kinds(), Given: url.Values{}})
}

// typedCount puts the number that was typed into an order that is to be carried out. It returns what is wrong with it.
func typedCount(v *visit, body map[string]any) *problem {
	if body["dry_run"] == true {
		return nil
	}
	n, err := strconv.Atoi(v.typed("confirm"))
	if err != nil || n < 0 {
		return &problem{Status: http.StatusUnprocessableEntity, Title: "Type the number", Detail: "Nothing was done. Type how many sessions would end, as it stands above the button."}
	}
	body["confirm"] = n
	return nil
}

// endOfMany counts, or carries out what was counted.
func (v *visit) endOfMany() error {
	if !v.proved("/console/many") {
		return nil
	}
	scope := v.typed("scope")
	body := map[string]any{"scope": scope, "reason": v.typed("reason"), "dry_run": v.typed("do") != "end"}
	whose := "everybody's sessions"
	switch scope {
	case "kind":
		body["kind"] = v.typed("kind")
		whose = "all " + short(20, v.typed("kind")) + " sessions"
	case "app":
		body["app"] = v.typed("app")
		whose = "all sessions in " + short(60, v.typed("app"))
	}
	data := manyPage{Kinds: revoke.Kinds(), Given: v.r.Form, Whose: whose}
	if data.Wrong = typedCount(v, body); data.Wrong == nil {
		ctx, cancel := v.changing()
		defer cancel()
		var out manyOutcome
		err := v.ask(ctx, http.MethodPost, "/v1/revocations", body, &out)
		if data.Wrong = refusedOf(err); err != nil && data.Wrong == nil {
			return err
		}
		switch {
		case data.Wrong != nil:
		case !out.Held.IsZero():
			return v.leave("/console/held?done=held")
		case body["dry_run"] == false:
			return v.leave("/console/revocations/" + out.ID.String() + "?done=end")
		default:
			data.Preview = &out
			return v.show("many", &data)
		}
	}
	return v.write(http.StatusUnprocessableEntity, "many", v.route.title, &data)
}
