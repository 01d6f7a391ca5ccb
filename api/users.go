package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// userView is a user as lists show it.
type userView struct {
	ID        revoke.ID        `json:"id"`
	UserName  string           `json:"user_name,omitempty"`
	Email     string           `json:"email,omitempty"`
	Members   []revoke.ID      `json:"members"` // who is one person with this user
	Spared    bool             `json:"break_glass,omitempty"`
	CreatedAt revoke.Instant   `json:"created_at"`
	Blocked   bool             `json:"blocked"`
	Because   *because         `json:"because,omitempty"` // when blocked
	Known     []identifierView `json:"identifiers"`
}

type identifierView struct {
	Namespace  string         `json:"namespace"`
	Value      string         `json:"value"`
	HeldFrom   revoke.Instant `json:"held_from"`
	ReleasedAt revoke.Instant `json:"released_at,omitzero"`
	Authority  string         `json:"authority,omitempty"`
}

// personView is one user with all that hangs on it and on those who are one person with it.
type personView struct {
	userView
	Live     int            `json:"live"` // sessions that are live, of those shown
	Sessions []*sessionView `json:"sessions"`
	More     bool           `json:"more_sessions"` // GET /v1/sessions?id= lists the rest
	Devices  []ownedDevice  `json:"devices"`
	Blocks   []blockView    `json:"blocks"`
	Cutoffs  []cutoffView   `json:"cutoffs"`
	Plans    []planView     `json:"plans"`
}

type ownedDevice struct {
	Device revoke.ID `json:"device"`
	deviceView
	Live     int            `json:"live"`
	LastUsed revoke.Instant `json:"last_used,omitzero"` // of the sessions shown, as far as it is stored
}

// planView is what a source announced about a person.
type planView struct {
	User        revoke.ID      `json:"user"`
	Authority   string         `json:"authority"`
	SaidAt      revoke.Instant `json:"said_at"`
	EffectiveAt revoke.Instant `json:"effective_at,omitzero"` // absent when it was withdrawn
	CarriedAt   revoke.Instant `json:"carried_at,omitzero"`
	Event       revoke.ID      `json:"event,omitzero"`
}

type blockView struct {
	User       revoke.ID      `json:"user"`
	Authority  string         `json:"authority"`
	Class      revoke.Class   `json:"class"`
	BlockedAt  revoke.Instant `json:"blocked_at,omitzero"`
	LiftedAt   revoke.Instant `json:"lifted_at,omitzero"`
	Until      revoke.Instant `json:"until,omitzero"`
	Revocation revoke.ID      `json:"revocation,omitzero"`
}

type cutoffView struct {
	User       revoke.ID        `json:"user"`
	Scope      revoke.ScopeKind `json:"scope"`
	Key        string           `json:"key,omitempty"`
	Device     revoke.ID        `json:"device,omitzero"`
	At         revoke.Instant   `json:"at"`
	Revocation revoke.ID        `json:"revocation,omitzero"`
}

// viewUser shows a user. Whether it is blocked is asked of the one rule, with a session that nothing else could end.
func (a *App) viewUser(ctx context.Context, p *revoke.Person) (userView, error) {
	view := userView{
		ID: p.User.ID, UserName: p.Name(revoke.NamespaceUserName), Email: p.Name(revoke.NamespaceEmail),
		Spared: p.User.Spared(), CreatedAt: p.User.CreatedAt, Members: []revoke.ID{}, Known: []identifierView{},
	}
	for _, h := range p.Holdings {
		view.Known = append(view.Known, identifierView{h.Namespace, h.Value, h.HeldFrom, h.ReleasedAt, h.Authority})
	}
	members, err := a.cfg.Service.Members(p.User.ID)
	if err != nil {
		return view, fmt.Errorf("find who is one person with user %s: %w", p.User.ID, err)
	}
	view.Members = append(view.Members, slices.DeleteFunc(members, func(m revoke.ID) bool { return m == p.User.ID })...)
	verdict, err := a.cfg.Service.Judge(ctx, &revoke.Session{Org: p.User.Org, User: p.User.ID, BornAt: never, ExpiresAt: never})
	if err != nil {
		return view, fmt.Errorf("judge user %s: %w", p.User.ID, err)
	}
	if verdict.Cause == revoke.CauseBlock {
		view.Blocked, view.Because = true, becauseOf(verdict)
	}
	return view, nil
}

// listUsers searches people, or lists all of them.
func (a *App) listUsers(c *fiber.Ctx, t *token) error {
	q, err := readQuery(c, append(lookUps(), "limit", "cursor")...)
	if err != nil {
		return err
	}
	limit, err := q.limit()
	if err != nil {
		return err
	}
	var after revoke.ID
	if _, err := q.cursor(&after); err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	ids, err := a.listed(ctx, t, q, after, limit+1)
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	slices.SortFunc(ids, revoke.ID.Compare)
	ids = slices.DeleteFunc(ids, func(id revoke.ID) bool { return id.Compare(after) <= 0 })
	people, err := a.peopleOf(ctx, t, ids[:min(len(ids), limit+1)])
	if err != nil {
		return err
	}
	return paged(c, people, limit, func(p *revoke.Person) (userView, error) { return a.viewUser(ctx, p) }, func(p *revoke.Person) any { return p.User.ID })
}

// listed returns the users of a page, and perhaps some from before it.
func (a *App) listed(ctx context.Context, t *token, q query, after revoke.ID, n int) ([]revoke.ID, error) {
	text, searching := q["q"]
	if ways := lookUps(); searching && !slices.ContainsFunc(ways, func(way string) bool { _, ok := q[way]; return ok && way != "q" }) {
		return a.beginning(ctx, t.voice.Org, text, after, n)
	}
	ids, named, err := a.people(ctx, t.voice.Org, q)
	if err != nil || named {
		return ids, err
	}
	return a.usersWith(ctx, revoke.UserQuery{Org: t.voice.Org, EveryoneIn: true, After: after, Limit: n})
}

// peopleOf reads users of the token's org, by id.
func (a *App) peopleOf(ctx context.Context, t *token, ids []revoke.ID) ([]revoke.Person, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	people, err := a.cfg.Store.People(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	people = slices.DeleteFunc(people, func(p revoke.Person) bool { return p.User.Org != t.voice.Org })
	slices.SortFunc(people, func(x, y revoke.Person) int { return x.User.ID.Compare(y.User.ID) })
	return people, nil
}

// oneUser shows one person: what it is known by, its sessions and devices, and what stands against it.
func (a *App) oneUser(c *fiber.Ctx, t *token) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	id, err := revoke.ParseID(pathID(c))
	if err != nil {
		return errNotFound
	}
	ctx, cancel := asking()
	defer cancel()
	return a.answerPerson(ctx, c, t, id)
}

// answerPerson shows what [App.oneUser] promises.
func (a *App) answerPerson(ctx context.Context, c *fiber.Ctx, t *token, id revoke.ID) error {
	members, err := a.together([]revoke.ID{id})
	if err != nil {
		return err
	}
	people, err := a.peopleOf(ctx, t, members)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(people, func(p revoke.Person) bool { return p.User.ID == id })
	if own < 0 {
		return errNotFound
	}
	view := personView{Sessions: []*sessionView{}, Devices: []ownedDevice{}, Blocks: []blockView{}, Cutoffs: []cutoffView{}, Plans: []planView{}}
	if view.userView, err = a.viewUser(ctx, &people[own]); err != nil {
		return err
	}
	for _, p := range people {
		for _, b := range p.Blocks {
			lifted := b.LiftedAt
			if lifted <= b.BlockedAt && b.BlockedAt < p.User.LiftedOver { // an admin's lift is over every authority and stands on the user
				lifted = p.User.LiftedOver
			}
			view.Blocks = append(view.Blocks, blockView{b.User, b.Authority, b.Class, b.BlockedAt, lifted, b.Until, b.Revocation})
		}
		for _, cut := range p.Cutoffs {
			view.Cutoffs = append(view.Cutoffs, cutoffView{cut.User, cut.Kind, cut.Key, cut.Device, cut.At, cut.Revocation})
		}
		for _, plan := range p.Plans {
			view.Plans = append(view.Plans, planView{plan.User, plan.Authority, plan.SaidAt, plan.EffectiveAt, plan.CarriedAt, plan.Event})
		}
	}
	sessions, err := a.cfg.Store.SessionsOf(ctx, revoke.SessionQuery{Org: t.voice.Org, Users: members, Limit: defaultLimit + 1})
	if err != nil {
		return fmt.Errorf("list the sessions of user %s: %w", id, err)
	}
	if view.More = len(sessions) > defaultLimit; view.More {
		sessions = sessions[:defaultLimit]
	}
	for i := range sessions {
		if err := a.addSession(ctx, &view, &sessions[i]); err != nil {
			return err
		}
	}
	return answer(c, fiber.StatusOK, view)
}

func (a *App) addSession(ctx context.Context, view *personView, s *revoke.Session) error {
	shown, err := a.viewSession(ctx, s)
	if err != nil {
		return err
	}
	live := 0
	if shown.Live {
		live = 1
	}
	view.Live += live
	view.Sessions = append(view.Sessions, shown)
	if s.Device.IsZero() {
		return nil
	}
	at := slices.IndexFunc(view.Devices, func(d ownedDevice) bool { return d.Device == s.Device })
	if at < 0 {
		view.Devices = append(view.Devices, ownedDevice{Device: s.Device, deviceView: *shown.Device})
		at = len(view.Devices) - 1
	}
	view.Devices[at].Live += live
	view.Devices[at].LastUsed = max(view.Devices[at].LastUsed, s.UsedAt)
	return nil
}
