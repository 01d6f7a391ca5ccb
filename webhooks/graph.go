package webhooks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// graphSettings are the keys of a source that reads Microsoft Graph, as an application of the directory.
type graphSettings struct {
	Tenant        string        `yaml:"tenant" required:"true" example:"11111111-2222-3333-4444-555555555555" help:"the directory (tenant) id, as the app's overview shows it"`
	ClientID      string        `yaml:"client_id" required:"true" example:"66666666-7777-8888-9999-000000000000" help:"the application (client) id"`
	ClientSecret  revoke.Secret `yaml:"client_secret" required:"true" example:"${ENTRA_CLIENT_SECRET}" help:"the value of the application's client secret"`
	Graph         string        `yaml:"graph" example:"https://graph.microsoft.us" help:"Microsoft Graph in a national cloud; https://graph.microsoft.com when absent"`
	Login         string        `yaml:"login" example:"https://login.microsoftonline.us" help:"where access tokens come from in a national cloud; https://login.microsoftonline.com when absent"`
	Subscriptions []string      `yaml:"subscriptions" example:"[7f105c7d-2dc5-4530-97cd-4e7ae6534c07]" help:"ids of subscriptions that somebody else made: only theirs is heard, and they are renewed"`
}

// graph reads the people of one directory at Microsoft Graph (the pages "Get user", "List deletedItems" and "subscription resource
// type" of its reference, as seen in November 2026). It keeps no state but access tokens.
type graph struct {
	graphSettings
	source revoke.Source
	client *http.Client
	deps   Deps
	grant  outbound.Grant
	base   string
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

const maxGraph = 1 << 20 // bytes of an answer

func newGraph(src revoke.Source, set graphSettings, deps Deps) (*graph, error) {
	var wrong []error
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	if !guid.MatchString(set.Tenant) {
		invalid("tenant", "is not the id of a directory", "write tenant: 11111111-2222-3333-4444-555555555555, as Entra shows it under Overview")
	}
	if !guid.MatchString(set.ClientID) {
		invalid("client_id", "is not the id of an application", "write the application (client) id that Entra shows")
	}
	if set.ClientSecret.IsZero() {
		invalid("client_secret", "is empty", "set the variable or the file that it comes from")
	}
	for i, id := range set.Subscriptions {
		if !guid.MatchString(id) {
			invalid(fmt.Sprintf("subscriptions[%d]", i), "is not the id of a subscription", "write the id that Graph answered when it was made")
		}
	}
	set.Graph, set.Login = cmp.Or(set.Graph, "https://graph.microsoft.com"), cmp.Or(set.Login, "https://login.microsoftonline.com")
	for field, address := range map[string]string{"graph": set.Graph, "login": set.Login} {
		if _, err := outbound.ParseAddress(field, address, false); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	resource := strings.TrimSuffix(set.Graph, "/")
	return &graph{
		graphSettings: set, source: src, client: deps.Clients.Configured(), deps: deps, base: resource + "/v1.0",
		grant: outbound.Grant{
			URL:      strings.TrimSuffix(set.Login, "/") + "/" + set.Tenant + "/oauth2/v2.0/token",
			ClientID: set.ClientID, Secret: set.ClientSecret, Scope: resource + "/.default",
		},
	}, nil
}

// call asks Graph once, and once more with a new access token where it refuses the one that we kept. A status among those that pass
// is no error, and into is left alone then.
func (g *graph) call(ctx context.Context, method, path string, send, into any, pass ...int) (int, error) {
	for again := false; ; again = true {
		a, token, err := g.ask(ctx, method, path, send)
		if err == nil && a.Status == http.StatusUnauthorized {
			g.deps.Tokens.Forget(g.grant, token)
			if !again {
				continue
			}
		}
		if err == nil && slices.Contains(pass, a.Status) {
			return a.Status, nil
		}
		if err == nil {
			err = outbound.Judge(a, g.deps.Clock.Now().Time())
		}
		if err != nil {
			return 0, fmt.Errorf("ask Microsoft Graph: %w", err)
		}
		if into != nil && (checkJSON(a.Body) != nil || json.Unmarshal(a.Body, into) != nil) {
			return 0, errors.New("ask Microsoft Graph: its answer is none that it documents")
		}
		return a.Status, nil
	}
}

func (g *graph) ask(ctx context.Context, method, path string, send any) (outbound.Answer, revoke.Secret, error) {
	token, err := g.deps.Tokens.Token(ctx, g.grant)
	if err != nil {
		return outbound.Answer{}, token, err
	}
	var body io.Reader = http.NoBody
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return outbound.Answer{}, token, fmt.Errorf("encode: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, g.base+path, body)
	if err != nil {
		return outbound.Answer{}, token, errors.New("its address cannot be called")
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	r.Header.Set("Accept", "application/json")
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := outbound.Do(g.client, r, maxGraph)
	return a, token, err
}

// graphUser is what we read of a person. None of it is in an answer unless it is selected.
type graphUser struct {
	ID       maybe[string] `json:"id"`
	Name     maybe[string] `json:"userPrincipalName"`
	Mail     maybe[string] `json:"mail"`
	Enabled  maybe[*bool]  `json:"accountEnabled"`
	Deleted  maybe[string] `json:"deletedDateTime"`
	Password maybe[string] `json:"lastPasswordChangeDateTime"`
	Sessions maybe[string] `json:"signInSessionsValidFromDateTime"`
}

const graphSelect = "?$select=id,userPrincipalName,mail,accountEnabled,lastPasswordChangeDateTime,signInSessionsValidFromDateTime"

// graphKnown is what the read before said, for the next one to compare with.
type graphKnown struct {
	Disabled bool           `json:"disabled,omitempty"`
	Deleted  bool           `json:"deleted,omitempty"`
	Password revoke.Instant `json:"password,omitzero"`
	Sessions revoke.Instant `json:"sessions,omitzero"`
	ReadAt   revoke.Instant `json:"read_at,omitzero"`
}

// userRead is what an event names that is about a person, and userID its reverse.
const userRead = "users/"

var graphID = regexp.MustCompile(`^[0-9a-z-]{1,64}$`)

// userID returns an id as Graph and tokens write it, "" for what cannot be one.
func userID(text string) string {
	if id := strings.ToLower(text); graphID.MatchString(id) {
		return id
	}
	return ""
}

// Enrich reads one person and compares with the read before.
//
// A disabled account counts as of the read, not as of a notification: they come in any order, and an older one would stand before the
// lift of a read that came between.
func (g *graph) Enrich(ctx context.Context, ask Ask) (Finding, error) {
	id, ok := strings.CutPrefix(ask.About, userRead)
	if !ok || userID(id) != id {
		return Finding{}, revoke.Permanent(errors.New("the event names nobody whom Graph could be asked about"))
	}
	var known graphKnown
	if ask.Known != nil && json.Unmarshal(ask.Known, &known) != nil {
		known = graphKnown{}
	}
	var u graphUser
	status, err := g.call(ctx, http.MethodGet, "/users/"+id+graphSelect, nil, &u, http.StatusNotFound)
	switch {
	case err != nil:
		return Finding{}, err
	case status == http.StatusNotFound:
		return g.gone(ctx, ask, id, known)
	case !strings.EqualFold(u.ID.value, id) || u.Enabled.value == nil:
		return Finding{}, errors.New("ask Microsoft Graph: its answer does not say whether the person's account is enabled")
	}
	now := graphKnown{Disabled: !*u.Enabled.value, ReadAt: ask.At}
	var f Finding
	say := func(kind revoke.SignalKind, at revoke.Instant, repeated bool, reason string) {
		f.Signals = append(f.Signals, revoke.Signal{Kind: kind, Subject: g.subject(id, u), OccurredAt: at, Repeated: repeated, Reason: reason})
	}
	switch {
	case now.Disabled:
		say(revoke.Deactivated, 0, known.Disabled, "the account is disabled in Microsoft Entra")
	case known.Disabled || known.Deleted:
		say(revoke.Reactivated, 0, false, "the account is enabled in Microsoft Entra")
	}
	var moved bool
	if now.Password, moved = later(u.Password.value, known.Password, ask); moved {
		say(revoke.CredentialChanged, now.Password, false, "the password was changed in Microsoft Entra")
	}
	if now.Sessions, moved = later(u.Sessions.value, known.Sessions, ask); moved {
		say(revoke.SessionsCleared, now.Sessions, false, "the sign-in sessions were revoked in Microsoft Entra")
	}
	if f.Note = "Graph was read: nothing that ends a session has changed"; len(f.Signals) > 0 {
		f.Note = "Graph was read"
	} else {
		f.Teaches = g.subject(id, u)
	}
	f.Keep, err = json.Marshal(now)
	return f, err
}

// firstRead is how long before a notification something may have happened that the first read of a person takes for its cause. Without
// a read before there is nothing to compare with.
const firstRead = time.Hour

// later reads a time and reports whether it moved since the read before.
func later(text string, before revoke.Instant, ask Ask) (revoke.Instant, bool) {
	at, ok := readTime(text, "rfc3339")
	if !ok {
		return before, false
	}
	at = min(at, ask.At)
	if before != 0 {
		return max(at, before), at > before
	}
	told := ask.At
	for _, e := range ask.Events {
		told = min(told, cmp.Or(e.OccurredAt, e.ReceivedAt, ask.At))
	}
	return at, at >= told.Add(-firstRead)
}

// graphLag is how long Graph's replicas may differ: it can send news of somebody whom it does not find yet.
const graphLag = 10 * time.Minute

// gone asks what became of somebody whom Graph does not find. Only what stands among the deleted is gone: Graph may lag, or somebody
// took a permission away.
func (g *graph) gone(ctx context.Context, ask Ask, id string, known graphKnown) (Finding, error) {
	var u graphUser
	status, err := g.call(ctx, http.MethodGet, "/directory/deletedItems/"+id, nil, &u, http.StatusNotFound)
	if err != nil {
		return Finding{}, err
	}
	if status == http.StatusNotFound {
		for _, e := range ask.Events {
			if ask.At.Sub(e.ReceivedAt) < graphLag {
				return Finding{}, errors.New("ask Microsoft Graph: it knows the person neither as a user nor as a deleted one yet")
			}
		}
		return Finding{Note: "Graph knows the person neither as a user nor as a deleted one; nothing follows from that"}, nil
	}
	if !strings.EqualFold(u.ID.value, id) {
		return Finding{}, errors.New("ask Microsoft Graph: its answer names no deleted user")
	}
	at, _ := readTime(u.Deleted.value, "rfc3339") // without a time it counts as of the read
	if at <= known.ReadAt {
		at = 0 // a read has seen the person since; clocks differ
	}
	known.Deleted, known.ReadAt = true, ask.At
	keep, err := json.Marshal(known)
	return Finding{
		Signals: []revoke.Signal{{Kind: revoke.Deleted, Subject: g.subject(id, graphUser{}), OccurredAt: at, Reason: "the user was deleted in Microsoft Entra"}},
		Keep:    keep, Note: "Graph was read",
	}, err
}

// subject names a person by the directory's id, the user principal name, and the address. A guest's or deleted user's principal name
// is no address, and one that differs from the address might be somebody else's.
func (g *graph) subject(id string, u graphUser) revoke.Subject {
	return entraSubject(g.source, id, u.Name.value, u.Mail.value)
}

// entraSubject names a person as every sender of Microsoft does.
func entraSubject(src revoke.Source, id, name, mail string) revoke.Subject {
	var s revoke.Subject
	s.Add(src.IDs, strings.ToLower(id))
	s.Add(revoke.NamespaceUserName, name)
	if mail == "" && revoke.LooksLikeAddress(name) && !strings.Contains(name, "#") {
		mail = name
	}
	s.Add(revoke.NamespaceEmail, mail)
	return s
}
