package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"curfew/revoke"
)

// policy is what is asked of the sessions of a kind, as GET /v1/policies shows it.
type policy struct {
	Kind  revoke.Kind `json:"kind"`
	Group *struct {
		ID   revoke.ID `json:"id"`
		Name string    `json:"name"`
	} `json:"group"`
	Allowed         bool           `json:"allowed"`
	MaxAge          string         `json:"max_age"`
	Idle            string         `json:"idle"`
	DefaultLifetime string         `json:"default_lifetime"`
	Reason          string         `json:"reason"`
	Actor           actor          `json:"actor"`
	SetAt           revoke.Instant `json:"set_at"`
	Covers          int            `json:"covers"`
}

// Whose says whose sessions it is about.
func (p *policy) Whose() string {
	switch {
	case p.Group == nil:
		return "everybody"
	case p.Group.Name == "":
		return "a group that is gone"
	}
	return p.Group.Name
}

// Member is the group as the API wants it named, empty for everybody.
func (p *policy) Member() string {
	if p.Group == nil {
		return ""
	}
	return p.Group.ID.String()
}

type policiesPage struct {
	Items   []policy
	May     bool
	Kinds   []revoke.Kind
	Preview *policy
	Given   url.Values
	Wrong   *problem
}

// policies lists what is asked of sessions.
func (v *visit) policies() error {
	data, found, err := v.readPolicies()
	if err != nil {
		return err
	}
	if v.exported(found) {
		return nil
	}
	return v.show("policies", &data)
}

func (v *visit) readPolicies() (policiesPage, listing[policy], error) {
	data := policiesPage{May: permits(&v.who, revoke.RoleAdmin), Kinds: revoke.Kinds(), Given: url.Values{}}
	var found listing[policy]
	err := v.get("/v1/policies", nil, &found)
	data.Items = found.Items
	return data, found, err
}

// policyPath is the API's path of the policy that a form names.
func (v *visit) policyPath() string {
	path := "/v1/policies/" + url.PathEscape(v.typed("kind"))
	if group := v.typed("group"); group != "" {
		path += "?" + url.Values{"group": {group}}.Encode()
	}
	return path
}

// typed is what stands in a field of the form.
func (v *visit) typed(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// setPolicy says how many sessions a policy would end, and carries it out once that number was typed.
func (v *visit) setPolicy() error {
	if !v.proved("/console/policies") {
		return nil
	}
	body := map[string]any{
		"allowed": v.typed("allowed") != "no", "max_age": v.typed("max_age"), "idle": v.typed("idle"), "default_lifetime": v.typed("default_lifetime"),
		"reason": v.typed("reason"), "dry_run": v.typed("do") != "set",
	}
	if wrong := typedCount(v, body); wrong != nil {
		return v.policyAnswer(wrong, nil)
	}
	ctx, cancel := v.changing()
	defer cancel()
	var made policy
	err := v.ask(ctx, http.MethodPut, v.policyPath(), body, &made)
	refused := refusedOf(err)
	if err != nil && refused == nil {
		return err
	}
	if refused == nil && body["dry_run"] == false {
		return v.leave("/console/policies?done=set")
	}
	return v.policyAnswer(refused, &made)
}

func (v *visit) policyAnswer(refused *problem, made *policy) error {
	data, _, err := v.readPolicies()
	if err != nil {
		return err
	}
	data.Given = v.r.Form
	if data.Wrong = refused; refused != nil {
		return v.write(http.StatusUnprocessableEntity, "policies", v.route.title, &data)
	}
	data.Preview = made
	return v.show("policies", &data)
}

// removePolicy asks nothing any more. What was ended stays dead.
func (v *visit) removePolicy() error {
	if !v.proved("/console/policies") {
		return nil
	}
	ctx, cancel := v.changing()
	defer cancel()
	return v.gone(ctx, http.MethodDelete, v.policyPath(), map[string]any{"reason": v.typed("reason")}, "/console/policies?done=removed")
}

// gone carries out an order that answers with nothing to look at.
func (v *visit) gone(ctx context.Context, method, path string, body any, next string) error {
	if err := v.ask(ctx, method, path, body, nil); err != nil {
		return err
	}
	return v.leave(next)
}
