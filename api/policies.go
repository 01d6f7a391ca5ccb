package api

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// policyBody is the body of PUT and DELETE /v1/policies/{kind}. What is left out is not asked of sessions.
type policyBody struct {
	Allowed         *bool  `json:"allowed"`
	MaxAge          string `json:"max_age" validate:"max=20"`
	Idle            string `json:"idle" validate:"max=20"`
	DefaultLifetime string `json:"default_lifetime" validate:"max=20"`
	Reason          string `json:"reason" validate:"max=1000,plain"`
	DryRun          bool   `json:"dry_run"`
	Confirm         *int   `json:"confirm"`
}

// policyView is a policy as it is shown.
type policyView struct {
	Kind            revoke.Kind     `json:"kind"`
	Group           *policyGroup    `json:"group,omitempty"`
	Allowed         bool            `json:"allowed"`
	MaxAge          string          `json:"max_age,omitempty"`
	Idle            string          `json:"idle,omitempty"`
	DefaultLifetime string          `json:"default_lifetime,omitempty"`
	Reason          string          `json:"reason,omitempty"`
	Actor           *actorView      `json:"actor,omitempty"`
	SetAt           *revoke.Instant `json:"set_at,omitempty"`
	DryRun          bool            `json:"dry_run,omitempty"`
	Covers          *int            `json:"covers,omitempty"` // live sessions that end now
}

type policyGroup struct {
	ID   revoke.ID `json:"id"`
	Name string    `json:"name,omitempty"` // empty where the group is gone
}

var wholeSpan = regexp.MustCompile(`^([0-9]{1,9})(s|m|h|d)$`)

// longestSpan is as long as anything may be: what lies further ahead no clock of ours counts.
const longestSpan = 100 * 365 * 24 * time.Hour

var unitsOfSpan = []struct {
	name string
	is   time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// parseSpan reads a time such as 60d, 12h, 15m or 30s. Empty is none.
func parseSpan(text string) (time.Duration, bool) {
	if text == "" {
		return 0, true
	}
	m := wholeSpan.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // nine digits
	for _, unit := range unitsOfSpan {
		if unit.name == m[2] && n > 0 && n <= int64(longestSpan/unit.is) {
			return time.Duration(n) * unit.is, true
		}
	}
	return 0, false
}

// spanText writes a time as parseSpan reads it.
func spanText(d time.Duration) string {
	for _, unit := range unitsOfSpan {
		if d != 0 && d%unit.is == 0 {
			return strconv.FormatInt(int64(d/unit.is), 10) + unit.name
		}
	}
	return ""
}

// listPolicies shows what is asked of sessions.
func (a *App) listPolicies(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	all, err := a.cfg.Store.Policies(ctx, t.voice.Org)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(p revoke.Policy) bool { return p.Removed })
	show := func(p *revoke.Policy) (policyView, error) { return a.viewPolicy(ctx, p) }
	return paged(c, all, len(all), show, func(*revoke.Policy) any { return nil })
}

func (a *App) viewPolicy(ctx context.Context, p *revoke.Policy) (policyView, error) {
	view := policyView{
		Kind: p.Kind, Allowed: !p.Refused, MaxAge: spanText(p.MaxAge), Idle: spanText(p.Idle), DefaultLifetime: spanText(p.DefaultLifetime), Reason: p.Reason,
	}
	if p.SetAt != 0 {
		view.Actor, view.SetAt = &actorView{p.Actor.Kind, p.Actor.Name}, &p.SetAt
	}
	if p.Group.IsZero() {
		return view, nil
	}
	view.Group = &policyGroup{ID: p.Group}
	groups, err := a.cfg.Store.GroupsNamed(ctx, p.Org, p.Group, "")
	for i := range groups {
		view.Group.Name = groups[i].UserName
	}
	return view, err
}

// policyOfPath returns the policy that a path and its query name, and whether one stands.
func (a *App) policyOfPath(ctx context.Context, c *fiber.Ctx, t *token) (p revoke.Policy, stands bool, err error) {
	q, err := readQuery(c, "group")
	if err != nil {
		return p, false, err
	}
	p.Org, p.Kind = t.voice.Org, revoke.Kind(pathText(c, "kind"))
	if !slices.Contains(revoke.Kinds(), p.Kind) {
		return p, false, errNotFound
	}
	if name := q["group"]; name != "" {
		if p.Group, err = a.groupNamed(ctx, p.Org, name); err != nil {
			return p, false, err
		}
	}
	all, err := a.cfg.Store.Policies(ctx, p.Org)
	if err != nil {
		return p, false, err
	}
	at := slices.IndexFunc(all, func(have revoke.Policy) bool { return have.PolicyKey == p.PolicyKey && !have.Removed })
	if at < 0 {
		return p, false, nil
	}
	return all[at], true, nil
}

// onePolicy shows a policy.
func (a *App) onePolicy(c *fiber.Ctx, t *token) error {
	ctx, cancel := asking()
	defer cancel()
	p, stands, err := a.policyOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	if !stands {
		return errNotFound
	}
	view, err := a.viewPolicy(ctx, &p)
	if err != nil {
		return err
	}
	return answer(c, fiber.StatusOK, view)
}

// setPolicy writes a policy whole: what the body leaves out is asked no more.
func (a *App) setPolicy(c *fiber.Ctx, t *token) error {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	p, _, err := a.policyOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	var in policyBody
	if err := decode(c, &in); err != nil {
		return err
	}
	order := revoke.PolicyOrder{Key: p.PolicyKey, Reason: in.Reason}
	wrong := a.check(&in)
	for _, span := range []struct {
		field, text string
		into        *time.Duration
	}{{"max_age", in.MaxAge, &order.Terms.MaxAge}, {"idle", in.Idle, &order.Terms.Idle}, {"default_lifetime", in.DefaultLifetime, &order.Terms.DefaultLifetime}} {
		var ok bool
		if *span.into, ok = parseSpan(span.text); !ok {
			wrong = append(wrong, fieldError{span.field, `is not a time: write a number and s, m, h or d, such as "60d" or "15m"`})
		}
	}
	if in.Confirm != nil && *in.Confirm < 0 {
		wrong = append(wrong, fieldError{"confirm", "is below zero: write the number that a dry_run answered as covers"})
	}
	if len(wrong) > 0 {
		return meaningless(wrong...)
	}
	order.Terms.Refused = in.Allowed != nil && !*in.Allowed
	return a.orderPolicy(ctx, c, t, order, &in)
}

// removePolicy takes a policy away. What it ended, or bound, stays so.
func (a *App) removePolicy(c *fiber.Ctx, t *token) error {
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	p, stands, err := a.policyOfPath(ctx, c, t)
	if err != nil {
		return err
	}
	if !stands {
		return errNotFound
	}
	var in policyBody
	if len(c.BodyRaw()) > 0 {
		var why motive
		if err := decode(c, &why); err != nil {
			return err
		}
		if wrong := a.check(&why); len(wrong) > 0 {
			return meaningless(wrong...)
		}
		in.Reason = why.Reason
	}
	return a.orderPolicy(ctx, c, t, revoke.PolicyOrder{Key: p.PolicyKey, Remove: true, Reason: in.Reason}, &in)
}

// errTwoPeople refuses what would end the sessions of many by one person's word.
var errTwoPeople = &problem{
	status: fiber.StatusForbidden, word: "held", title: "Needs a second person",
	detail: "With approvals: 2 nobody ends the sessions of many alone, and a policy cannot wait for approval. Nothing was done: end those sessions by an order first, which a second person approves; a policy that ends none is then set at once.",
}

func (a *App) orderPolicy(ctx context.Context, c *fiber.Ctx, t *token, order revoke.PolicyOrder, in *policyBody) error {
	covers, err := a.cfg.Service.PreviewPolicy(ctx, t.voice, order)
	if err != nil {
		return err
	}
	if in.Confirm != nil && *in.Confirm != covers {
		return refused(revoke.ErrConflict, fmt.Sprintf(
			"nothing was done: the number of live sessions that this ends is %d now, and confirm says %d; send confirm %d if that is meant", covers, *in.Confirm, covers))
	}
	if a.cfg.Approvals > 1 && !in.DryRun && covers > 0 {
		return errTwoPeople
	}
	p := revoke.Policy{PolicyKey: order.Key, Terms: order.Terms, Reason: order.Reason}
	if !in.DryRun {
		committing, done := a.committing(c, t)
		defer done()
		if p, err = a.cfg.Service.SetPolicy(committing, t.actor, t.voice, order); err != nil { //nolint:contextcheck // what is ordered is carried out though its count takes long
			return err
		}
	}
	view, err := a.viewPolicy(ctx, &p)
	if err != nil {
		return err
	}
	view.DryRun, view.Covers = in.DryRun, &covers
	return answer(c, fiber.StatusOK, view)
}

// groupNamed returns the group with an id of ours, or the only one with a displayName.
func (a *App) groupNamed(ctx context.Context, org, name string) (revoke.ID, error) {
	id, err := revoke.ParseID(name)
	if err == nil {
		name = ""
	}
	groups, err := a.cfg.Store.GroupsNamed(ctx, org, id, strings.TrimSpace(name))
	switch {
	case err != nil:
		return revoke.ID{}, err
	case len(groups) == 0:
		return revoke.ID{}, meaningless(fieldError{"group", "is no group that a directory made: write its displayName, or its id"})
	case len(groups) > 1:
		return revoke.ID{}, meaningless(fieldError{"group", "is the name of several groups: write the id of the one that is meant"})
	}
	return groups[0].ID, nil
}
