package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// Sender is a configured sender of messages to /hooks.
type Sender struct {
	revoke.Source
	Built bool             // this build has its type
	Means []revoke.Meaning // what its words say
}

// Senders reads what senders send, without the proof that it was they.
type Senders interface {
	// Read reads a message and keeps nothing.
	Read(source string, header http.Header, body []byte) ([]revoke.Event, error)
	// Reread reads an event once more from its kept body.
	Reread(ev revoke.Event) (revoke.Event, error)
	// Foresee makes the read at a sender's API that an event would wait for, and keeps nothing of it.
	Foresee(ctx context.Context, ev revoke.Event) (revoke.Instant, revoke.ReadAnswer, error)
}

// sourceView is whoever sends us news: a sender of webhooks, or a token.
type sourceView struct {
	Name      string         `json:"name"`
	Type      string         `json:"type"`
	Org       string         `json:"org"`
	Authority string         `json:"authority"` // whose blocks it sets and lifts
	Scopes    []string       `json:"scopes"`    // of a token; null for a sender of webhooks
	App       string         `json:"app,omitempty"`
	IDs       string         `json:"ids"` // the namespace of its own user ids
	Learn     bool           `json:"learn"`
	Built     bool           `json:"built"`
	State     string         `json:"state"`
	Since     revoke.Instant `json:"known_since,omitzero"` // when the settings named it first
	LastHeard revoke.Instant `json:"last_heard,omitzero"`
	Gap       seconds        `json:"usual_gap,omitzero"`    // zero: not known
	SilentAt  seconds        `json:"silent_after,omitzero"` // zero: its silence means nothing, or is not known
	Delay     *delayView     `json:"delay"`                 // null where it states no time
	Health    []healthView   `json:"health"`
	Unknown   []unknownView  `json:"unknown"`
	Rules     []ruleView     `json:"rules"`
	Means     []meaningView  `json:"means"` // of a sender with words of its own
}

// meaningView is what one of a sender's words says.
type meaningView struct {
	Word   string            `json:"word"`
	Signal revoke.SignalKind `json:"signal,omitempty"` // absent: nothing follows
	Note   string            `json:"note,omitempty"`
}

// seconds is a length of time as our answers write it.
type seconds float64

func secondsOf(d time.Duration) seconds { return seconds(d.Seconds()) }

// delayView is how late what a source sends comes.
type delayView struct {
	Median seconds `json:"median"`
	Worst  seconds `json:"worst"`
	Events int     `json:"events"` // so many of its last ones state a time
}

// healthView is something that is not as it should be with a source.
type healthView struct {
	State string         `json:"state"`
	Since revoke.Instant `json:"since"`
	Text  string         `json:"text"`
}

// unknownView is a word of a sender that nobody has taught us.
type unknownView struct {
	Type   string         `json:"type"`
	Count  int            `json:"count"`
	Last   revoke.Instant `json:"last"`
	Sample revoke.ID      `json:"sample"` // the newest event of it
}

// ruleView is what a signal does when the source sends it, in the words of the configuration.
type ruleView struct {
	Signal  revoke.SignalKind `json:"signal"`
	Cut     string            `json:"cut"`
	Block   string            `json:"block"`
	Changed bool              `json:"changed"` // it differs from what holds by default
}

// knownSource is a source with what only tokens have.
type knownSource struct {
	revoke.Source
	scopes []string
	app    string
	built  bool
	means  []revoke.Meaning
}

// sourcesOf returns the sources of an org, by name. A token that only reads sends nothing.
func (a *App) sourcesOf(org string) []knownSource {
	var out []knownSource
	for _, s := range a.cfg.Senders {
		if s.Org == org {
			out = append(out, knownSource{Source: s.Source, built: s.Built, means: s.Means})
		}
	}
	for i := range a.tokens {
		if t := &a.tokens[i]; t.source.Org == org && t.scopes&(scopeSCIM|scopeSessions|scopeRevoke|scopeAdmin) != 0 {
			src := t.source
			src.Authority = t.voice.Authority
			out = append(out, knownSource{Source: src, scopes: t.names, app: t.app, built: true})
		}
	}
	slices.SortFunc(out, func(x, y knownSource) int { return strings.Compare(x.Name, y.Name) })
	return out
}

func viewSource(s *knownSource, news *revoke.SourceNews, p *revoke.Pulse, ails []revoke.Ailment) sourceView {
	p.LastAt = max(p.LastAt, news.LastAt) // before this version only events were known

	view := sourceView{
		Name: s.Name, Type: s.Type, Org: s.Org, Authority: s.Authority, Scopes: s.scopes, App: s.app, IDs: s.IDs, Learn: s.Learns, Built: s.built,
		State: string(p.State()), Since: p.KnownSince, LastHeard: p.LastAt, Gap: secondsOf(p.UsualGap), Health: []healthView{},
		Unknown: []unknownView{}, Rules: []ruleView{}, Means: []meaningView{},
	}
	for _, m := range s.means {
		view.Means = append(view.Means, meaningView(m))
	}
	if s.Type != revoke.TypeToken {
		view.SilentAt = secondsOf(p.SilentAfter)
	}
	if p.Timed > 0 {
		view.Delay = &delayView{secondsOf(p.Median), secondsOf(p.Worst), p.Timed}
	}
	for _, w := range p.Wrongs(s.Name) {
		view.Health = append(view.Health, healthView{string(w.State), w.Since, w.Text})
	}
	for _, ail := range ails {
		view.Health = append(view.Health, healthView(ail))
	}
	for _, u := range news.Unknown {
		view.Unknown = append(view.Unknown, unknownView{u.Type, u.Count, u.LastAt, u.Sample})
	}
	for _, kind := range revoke.SignalKinds() {
		rule := s.Rule(kind)
		view.Rules = append(view.Rules, ruleView{kind, cutWord(rule.Cut), blockWord(rule.Block), rule != revoke.DefaultRule(kind)})
	}
	return view
}

func cutWord(w revoke.When) string {
	if w == revoke.Never {
		return "never"
	}
	return string(w)
}

func blockWord(t revoke.Turn) string {
	if t == revoke.Keep {
		return "keep"
	}
	return string(t)
}

// listSources lists who sends us news, by name, and what was heard of each.
func (a *App) listSources(c *fiber.Ctx, t *token) error {
	page, limit, err := named(c, a.sourcesOf(t.voice.Org), func(s *knownSource) string { return s.Name })
	if err != nil {
		return err
	}
	ctx, cancel := asking()
	defer cancel()
	names := make([]string, len(page))
	for i := range page {
		names[i] = page[i].Name
	}
	heard, err := a.cfg.Store.Heard(ctx, t.voice.Org, names)
	if err != nil {
		return fmt.Errorf("read what was heard from sources: %w", err)
	}
	news := map[string]*revoke.SourceNews{}
	for i := range heard {
		news[heard[i].Source] = &heard[i]
	}
	found, err := a.cfg.Service.Pulses(ctx, t.voice.Org, names)
	if err != nil {
		return err
	}
	pulses := map[string]*revoke.Pulse{}
	for i := range found {
		pulses[names[i]] = &found[i]
	}
	ails, err := a.ailments(ctx, t.voice.Org, names)
	if err != nil {
		return err
	}
	return paged(c, page, limit, sure(func(s *knownSource) sourceView {
		return viewSource(s, cmp.Or(news[s.Name], &revoke.SourceNews{}), pulses[s.Name], ails[s.Name])
	}), func(s *knownSource) any { return s.Name })
}

// ailments is what is wrong with what we do for each of these sources.
func (a *App) ailments(ctx context.Context, org string, names []string) (map[string][]revoke.Ailment, error) {
	unread, err := a.cfg.Store.Unread(ctx, org, names)
	if err != nil {
		return nil, fmt.Errorf("read what waits at sources: %w", err)
	}
	all, err := a.cfg.Store.Errands(ctx, org, names)
	if err != nil {
		return nil, fmt.Errorf("read what is done for sources: %w", err)
	}
	errands := map[string][]revoke.Errand{}
	for _, e := range all {
		errands[e.Source] = append(errands[e.Source], e)
	}
	out := map[string][]revoke.Ailment{}
	for _, u := range unread {
		out[u.Source] = revoke.Ailments(a.cfg.Clock.Now(), u, errands[u.Source])
	}
	return out, nil
}

// named returns the rows of a page of what is sorted by name, and one more where there are more.
func named[R any](c *fiber.Ctx, rows []R, name func(*R) string) ([]R, int, error) {
	q, err := readQuery(c, "limit", "cursor")
	if err != nil {
		return nil, 0, err
	}
	limit, err := q.limit()
	if err != nil {
		return nil, 0, err
	}
	var after string
	if _, err := q.cursor(&after); err != nil {
		return nil, 0, err
	}
	at := slices.IndexFunc(rows, func(r R) bool { return name(&r) > after })
	if at < 0 {
		at = len(rows)
	}
	return rows[at:min(len(rows), at+limit+1)], limit, nil
}

// retirement is the body of POST /v1/sources/{name}/retire.
type retirement struct {
	To     *string `json:"to" validate:"omitempty,max=200,plain"`
	Reason string  `json:"reason" validate:"required,max=1000,plain"`
}

// retireSource moves or lifts what an authority left behind. Its source may be gone from the configuration already.
func (a *App) retireSource(c *fiber.Ctx, t *token) error {
	var in retirement
	if err := decode(c, &in); err != nil {
		return err
	}
	if wrong := a.check(&in); len(wrong) > 0 {
		return meaningless(wrong...)
	}
	ctx, cancel := a.within(countTimeout, c, t)
	defer cancel()
	authority, err := a.authority(ctx, c, t)
	if err != nil {
		return err
	}
	to := ""
	if in.To != nil {
		if to = *in.To; !slices.ContainsFunc(a.sourcesOf(t.voice.Org), func(s knownSource) bool { return s.Authority == to }) {
			return meaningless(fieldError{"to", "is no authority of a configured source: look it up at GET /v1/sources, or write null to lift"})
		}
	}
	n, err := a.cfg.Service.Retire(ctx, t.actor, t.voice.Org, authority, to, in.Reason)
	if err != nil {
		return fmt.Errorf("retire %s: %w", authority, err)
	}
	return answer(c, fiber.StatusOK, map[string]any{"authority": authority, "to": in.To, "people": n})
}

// authority returns whose blocks the source of the path sets. A name that is not configured any more is an authority's own, as
// long as something of it is left.
func (a *App) authority(ctx context.Context, c *fiber.Ctx, t *token) (string, error) {
	name := pathText(c, "name")
	for _, s := range a.sourcesOf(t.voice.Org) {
		if s.Name == name {
			return s.Authority, nil
		}
	}
	left, err := a.cfg.Store.LeftBehind(ctx, t.voice.Org, name, revoke.ID{}, 1)
	if err == nil && len(left) == 0 {
		err = errNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read what an authority left behind: %w", err)
	}
	return name, nil
}

// triedView is one item of a message that was tried, and what would follow.
type triedView struct {
	Type       string            `json:"type"`
	SenderID   string            `json:"sender_id,omitempty"`
	OccurredAt revoke.Instant    `json:"occurred_at,omitzero"`
	State      revoke.EventState `json:"state"`
	Note       string            `json:"note,omitempty"`
	Duplicate  bool              `json:"duplicate"` // it was received before; the rest is what was decided then
	Signals    []signalView      `json:"signals"`
	Known      bool              `json:"known"`
	User       revoke.ID         `json:"user,omitzero"`
	Decisions  []decisionView    `json:"revocations"`
	Conflicts  []nameView        `json:"conflicts,omitempty"`
}

// signalView is a signal as it was read.
type signalView struct {
	Signal      revoke.SignalKind `json:"signal"`
	Identifiers []nameView        `json:"identifiers"`
	Device      []nameView        `json:"device,omitempty"`
	Session     string            `json:"session,omitempty"`
	SID         string            `json:"sid,omitempty"`
	OccurredAt  revoke.Instant    `json:"occurred_at,omitzero"`
	Planned     bool              `json:"planned,omitempty"`     // an announcement of what happens at effective_at
	EffectiveAt revoke.Instant    `json:"effective_at,omitzero"` // absent when an announcement is taken back
	Reason      string            `json:"reason,omitempty"`
}

func viewSignal(s *revoke.Signal) signalView {
	view := signalView{Signal: s.Kind, Identifiers: []nameView{}, Session: s.Session.ClientID, SID: s.Session.SID, OccurredAt: s.OccurredAt, Planned: s.Planned, EffectiveAt: s.EffectiveAt, Reason: s.Reason}
	for _, id := range s.Subject {
		view.Identifiers = append(view.Identifiers, nameView{id.Namespace, id.Value})
	}
	for _, d := range s.Device {
		view.Device = append(view.Device, nameView{d.Namespace, d.Value})
	}
	return view
}

// trySource reads a message as the source would, and says what would follow. Nothing is kept and nobody is cut.
func (a *App) trySource(c *fiber.Ctx, t *token) error {
	src, err := a.sender(t, pathText(c, "name"))
	if err != nil {
		return err
	}
	if encoded(&c.Request().Header) {
		return errEncoding
	}
	header := http.Header{}
	c.Request().Header.VisitAll(func(name, value []byte) {
		if key := string(name); key != fiber.HeaderAuthorization && key != fiber.HeaderCookie {
			header.Add(key, string(value))
		}
	})
	events, err := a.cfg.Read.Read(src.Name, header, c.BodyRaw())
	if errors.Is(err, revoke.ErrNotFound) {
		return errNotFound
	}
	if err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	out := struct {
		Items []triedView `json:"items"`
	}{[]triedView{}}
	for i := range events {
		tried, err := a.try(ctx, src, &events[i])
		if err != nil {
			return err
		}
		out.Items = append(out.Items, tried)
	}
	return answer(c, fiber.StatusOK, out)
}

func (a *App) try(ctx context.Context, src revoke.Source, ev *revoke.Event) (triedView, error) {
	o, err := a.cfg.Service.Preview(ctx, revoke.Actor{Kind: "source", Name: src.Name}, src, *ev)
	if err != nil {
		return triedView{}, err
	}
	shown := viewEvent(&revoke.Event{Decided: o.Decided})
	view := triedView{
		Type: ev.Type, SenderID: ev.SenderID, OccurredAt: ev.OccurredAt, State: o.State, Note: ev.Note, Duplicate: o.Duplicate,
		Signals: []signalView{}, Known: o.Known, User: o.User, Decisions: shown.Revocations, Conflicts: shown.Conflicts,
	}
	if !o.Duplicate {
		undecided(view.Decisions)
	}
	if !o.Known && !o.Duplicate { // whoever would be remembered is not
		view.User = revoke.ID{}
		for i := range view.Decisions {
			view.Decisions[i].User = revoke.ID{}
		}
	}
	for i := range ev.Signals {
		view.Signals = append(view.Signals, viewSignal(&ev.Signals[i]))
	}
	return view, nil
}

// sender returns the configured sender of webhooks of that name, in the token's org.
func (a *App) sender(t *token, name string) (revoke.Source, error) {
	for _, s := range a.cfg.Senders {
		if s.Name == name && s.Org == t.voice.Org && s.Built && a.cfg.Read != nil {
			return s.Source, nil
		}
	}
	return revoke.Source{}, errNotFound
}
