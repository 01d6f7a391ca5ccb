package webhooks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

func init() {
	Register(Type{Name: "okta-log", Docs: "docs/sources/okta-log.md", Settings: oktaLogSettings{}, Open: openOktaLog, Learns: true})
}

// oktaLogSettings are the keys of Okta's System Log beside those that every source has. It needs a token, or a client with its key.
type oktaLogSettings struct {
	URL      string        `yaml:"url" required:"true" example:"https://acme.okta.example" help:"the address of the Okta org, without a path; not the one with -admin"`
	Token    revoke.Secret `yaml:"token" example:"${OKTA_API_TOKEN}" help:"an API token of an administrator who may read the log"`
	ClientID string        `yaml:"client_id" example:"0oa1b2c3" help:"in place of a token: the id of an API Services app that was granted okta.logs.read"`
	Key      revoke.Secret `yaml:"key" example:"file:/etc/curfew/okta-key.pem" help:"the app's private key, PEM or JWK"`
	KeyID    string        `yaml:"key_id" example:"key-1" help:"the key's id in Okta (kid), where the key does not say it"`
	Every    time.Duration `yaml:"every" example:"1m" help:"how often the log is read, 10s to 1h; 1m when absent"`
	Since    time.Duration `yaml:"since" example:"24h" help:"how far back the very first reading begins, up to 90 days; 24h when absent"`
	Insecure bool          `yaml:"insecure" example:"true" help:"call url over plain http on another machine"`
}

const (
	oktaLogPath  = "/api/v1/logs"
	oktaScope    = "okta.logs.read"
	oktaPage     = 100                 // events; a page must fit into what we read of an answer
	oktaFewer    = 10                  // events of a page that did not fit
	oktaOverlap  = 5 * time.Minute     // read again each time: what the log showed late
	oktaResumed  = time.Hour           // read again after a start
	oktaKept     = 90 * 24 * time.Hour // by Okta
	oktaLogBody  = 1 << 20
	oktaNextSize = 3 << 10 // of a link's query; the cursor that holds it is bounded
)

// oktaLog reads Okta's System Log (Okta's pages "System Log query" and "Implement OAuth for Okta with a service app", as seen in
// November 2026). What is asked ASCENDING and without `until` is a polling request: its pages come by the time of their
// persistence, so that a delayed event is not skipped, out of order by `published`, and always name a next one, an empty
// page being the end at that moment. The log is read in rounds that each begin a while before the one before, and an event
// counts once by its uuid.
type oktaLog struct {
	oktaEvents
	oktaLogSettings
	base   *url.URL
	grant  outbound.Grant // without a client: the token is used as it stands
	deps   Deps
	client *http.Client
	filter string
}

func openOktaLog(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	o := &oktaLog{oktaEvents: oktaEvents{src}, oktaLogSettings: *settings.(*oktaLogSettings), deps: deps, filter: oktaFilter()}
	var wrong []error
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	var err error
	if o.base, err = outbound.ParseAddress("url", o.URL, o.Insecure); err != nil {
		wrong = append(wrong, err)
	} else if strings.Trim(o.base.Path, "/") != "" || o.base.RawQuery != "" {
		invalid("url", "holds more than the address of an org", `write "https://acme.okta.example"`)
	}
	switch {
	case o.Token.IsZero() == (o.ClientID == ""):
		invalid("token", "and client_id are two ways of which one is needed", "set token, or client_id and key")
	case strings.ContainsFunc(o.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		invalid("token", "holds what no token holds", "paste the token alone, without the word SSWS")
	case o.ClientID == "" && (!o.Key.IsZero() || o.KeyID != ""):
		invalid("client_id", "is missing beside key", "set the client id of the app, or leave key and key_id out")
	case o.ClientID != "" && o.base != nil:
		where := o.base.JoinPath("/oauth2/v1/token").String()
		assert, err := newAssertion(o.Key, o.KeyID, o.ClientID, where)
		if err != nil {
			wrong = append(wrong, err)
		}
		o.grant = outbound.Grant{URL: where, ClientID: o.ClientID, Secret: o.Key, Scope: oktaScope, Assert: assert}
	}
	o.Every, wrong = spanOr(wrong, "every", o.Every, time.Minute, 10*time.Second, time.Hour)
	o.Since, wrong = spanOr(wrong, "since", o.Since, 24*time.Hour, time.Minute, oktaKept)
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	o.client = deps.Clients.Configured()
	return o, nil
}

// spanOr returns a duration of the settings, its default when it is absent.
func spanOr(wrong []error, field string, d, absent, least, most time.Duration) (time.Duration, []error) {
	if d == 0 {
		return absent, wrong
	}
	if d < least || d > most {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: fmt.Sprintf("is not between %s and %s", least, most), Fix: "write " + absent.String()})
	}
	return d, wrong
}

// oktaFilter asks for the types that something follows from: sign-ins alone would be a thousand times as many.
func oktaFilter() string {
	var terms []string
	for word, m := range oktaMeanings {
		if m.kind != "" {
			terms = append(terms, `eventType eq "`+word+`"`)
		}
	}
	slices.Sort(terms)
	return strings.Join(terms, " or ")
}

// Verify refuses whatever is sent: the log is read, and nobody sends it.
func (*oktaLog) Verify(Request) (Evidence, error) { return Evidence{}, Unverified(WhyMissing) }

// Items is never reached.
func (*oktaLog) Items(Request) ([]Item, error) { return nil, nil }

// oktaPlace is a cursor: in a round that reads what came after Since, behind the link Next.
type oktaPlace struct {
	Since revoke.Instant `json:"since"`
	Began revoke.Instant `json:"began,omitzero"`  // when the round began, by the earlier of Okta's clock and ours
	Next  string         `json:"next,omitempty"`  // the query of Okta's link
	Again bool           `json:"again,omitempty"` // Okta no longer knew the link of the round before
}

// Poll reads a page.
func (o *oktaLog) Poll(ctx context.Context, from Cursor) (Page, error) {
	place, err := o.place(from)
	if err != nil {
		return Page{}, err
	}
	query := url.Values{
		"since": {place.Since.Time().UTC().Format("2006-01-02T15:04:05.000Z")}, "sortOrder": {"ASCENDING"},
		"limit": {strconv.Itoa(oktaPage)}, "filter": {o.filter},
	}
	if place.Next != "" {
		if query, err = url.ParseQuery(place.Next); err != nil {
			return Page{}, errors.New("the cursor is not what was kept")
		}
	}
	a, err := o.get(ctx, query)
	if errors.Is(err, outbound.ErrTooLarge) {
		query.Set("limit", strconv.Itoa(oktaFewer))
		a, err = o.get(ctx, query)
	}
	if err != nil {
		return Page{}, fmt.Errorf("the System Log: %w", err)
	}
	if gone := a.Status == http.StatusBadRequest || a.Status == http.StatusNotFound; gone && place.Next != "" && !place.Again {
		return o.page(nil, oktaPlace{Since: place.Since, Again: true}, false, 0)
	}
	if err := outbound.Judge(a, from.Now.Time()); err != nil {
		return Page{}, fmt.Errorf("the System Log: %w", err)
	}
	return o.read(a, place, from.Now, query.Get("limit"))
}

// place returns where a poll goes on.
func (o *oktaLog) place(from Cursor) (oktaPlace, error) {
	if from.At == "" {
		return oktaPlace{Since: from.Now.Add(-o.Since)}, nil
	}
	var place oktaPlace
	if err := json.Unmarshal([]byte(from.At), &place); err != nil {
		return place, errors.New("the cursor is not what was kept")
	}
	if from.Resumed {
		place = oktaPlace{Since: place.Since.Add(-oktaResumed)}
	}
	place.Since = max(place.Since, from.Now.Add(-oktaKept))
	return place, nil
}

// read reads a page and says where the next one is.
func (o *oktaLog) read(a outbound.Answer, place oktaPlace, now revoke.Instant, limit string) (Page, error) {
	var events []json.RawMessage
	if err := json.Unmarshal(a.Body, &events); err != nil || events == nil {
		return Page{}, errors.New("the System Log: it answered without a list of events")
	}
	if place.Began == 0 {
		place.Began = now
		if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
			place.Began = min(now, revoke.InstantOf(date)) // ours may be ahead of when Okta will say that it wrote the next
		}
	}
	items := make([]Item, len(events))
	for i, raw := range events {
		if items[i] = o.item(raw); items[i].ID == "" { // it comes with every round, and must be known again
			sum := sha256.Sum256(raw)
			items[i].ID = "okta-log " + hex.EncodeToString(sum[:])
		}
	}
	next, err := o.next(a.Header)
	switch {
	case err != nil:
		return Page{}, err
	case len(events) == 0:
		return o.page(nil, oktaPlace{Since: max(place.Since, place.Began.Add(-oktaOverlap))}, false, 0)
	case next == "" && strconv.Itoa(len(events)) == limit:
		return Page{}, errors.New("the System Log: it does not say where it goes on")
	case next == "":
		return o.page(items, oktaPlace{Since: max(place.Since, place.Began.Add(-oktaOverlap))}, false, 0)
	}
	place.Next = next
	return o.page(items, place, true, outbound.Wait(a.Header, now.Time()))
}

// page makes a page. Who used up Okta's limit waits before there is more.
func (o *oktaLog) page(items []Item, next oktaPlace, more bool, wait time.Duration) (Page, error) {
	kept, err := json.Marshal(next)
	page := Page{Items: items, Next: string(kept), More: more && wait == 0, Wait: o.Every}
	if more && wait > 0 {
		page.Wait = wait
	}
	return page, err
}

// next returns the query of the link to the next page (RFC 8288), empty when there is none. A link to anywhere else would take
// our credential there.
func (o *oktaLog) next(h http.Header) (string, error) {
	for _, line := range h.Values("Link") {
		for link := range strings.SplitSeq(line, ",") {
			target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
			if rel := strings.ReplaceAll(strings.ToLower(params), " ", ""); !ok || !strings.Contains(rel, `;rel="next"`) && !strings.Contains(rel, ";rel=next") {
				continue
			}
			u, err := o.base.Parse(strings.TrimPrefix(target, "<"))
			switch {
			case err != nil || u.User != nil || u.Scheme != o.base.Scheme || !strings.EqualFold(u.Host, o.base.Host) || u.Path != oktaLogPath:
				return "", errors.New("the System Log: it says that it goes on at another address; set url to the one that Okta itself writes")
			case len(u.RawQuery) > oktaNextSize:
				return "", errors.New("the System Log: the link to its next page is too long")
			}
			return u.RawQuery, nil
		}
	}
	return "", nil
}

// get asks the log with our credential.
func (o *oktaLog) get(ctx context.Context, query url.Values) (outbound.Answer, error) {
	u := o.base.JoinPath(oktaLogPath)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return outbound.Answer{}, errors.New("its address cannot be called")
	}
	r.Header.Set("Accept", "application/json")
	if o.ClientID == "" {
		r.Header.Set("Authorization", "SSWS "+o.Token.Reveal())
		return outbound.Do(o.client, r, oktaLogBody)
	}
	token, err := o.deps.Tokens.Token(ctx, o.grant)
	if err != nil {
		return outbound.Answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	a, err := outbound.Do(o.client, r, oktaLogBody)
	if a.Status == http.StatusUnauthorized {
		o.deps.Tokens.Forget(o.grant, token)
	}
	return a, err
}
