package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"curfew/revoke"
)

// user is a person as GET /v1/users shows them.
type user struct {
	ID         revoke.ID      `json:"id"`
	UserName   string         `json:"user_name"`
	Email      string         `json:"email"`
	Members    []revoke.ID    `json:"members"`
	BreakGlass bool           `json:"break_glass"`
	CreatedAt  revoke.Instant `json:"created_at"`
	Blocked    bool           `json:"blocked"`
	Because    *because       `json:"because"`
	Known      []identifier   `json:"identifiers"`
}

type identifier struct {
	Namespace  string         `json:"namespace"`
	Value      string         `json:"value"`
	HeldFrom   revoke.Instant `json:"held_from"`
	ReleasedAt revoke.Instant `json:"released_at"`
	Authority  string         `json:"authority"`
}

type because struct {
	Sentence   string           `json:"sentence"`
	Scope      revoke.ScopeKind `json:"scope"`
	At         revoke.Instant   `json:"at"`
	Revocation revoke.ID        `json:"revocation"`
	Authority  string           `json:"authority"`
}

// Name is what people call the person.
func (u *user) Name() string {
	for _, name := range []string{u.UserName, u.Email} {
		if name != "" {
			return short(80, name)
		}
	}
	if len(u.Known) > 0 {
		return short(80, u.Known[0].Value)
	}
	return u.ID.String()
}

// Also are the other names, for the line below.
func (u *user) Also() []string {
	var out []string
	for _, id := range u.Known {
		if text := short(80, id.Value); id.ReleasedAt == 0 && text != u.Name() && !slices.Contains(out, text) && len(out) < 3 {
			out = append(out, text)
		}
	}
	return out
}

type peoplePage struct {
	Q     string
	Exact bool // somebody carries exactly this
	Items []user
	More  string
	Wrong *problem
}

// people searches by one box: whoever carries exactly what was typed, else those of whom a name or an id begins so.
func (v *visit) people() error {
	data := peoplePage{Q: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	found, err := v.search(data.Q)
	if data.Wrong = refusedOf(err); err != nil && data.Wrong == nil {
		return err
	}
	data.Items, data.More = found.Items, found.more(v)
	data.Exact = slices.ContainsFunc(found.Items, func(u user) bool { return u.carries(data.Q) })
	if v.exported(found) {
		return nil
	}
	return v.show("people", &data)
}

func (u *user) carries(text string) bool {
	return u.ID.String() == strings.ToLower(text) || slices.ContainsFunc(u.Known, func(id identifier) bool { return strings.EqualFold(id.Value, text) })
}

// search asks for people by what somebody typed.
func (v *visit) search(text string) (found listing[user], err error) {
	q := v.given("cursor", "limit")
	if q.Get("limit") == "" {
		q.Set("limit", "50")
	}
	switch _, bad := revoke.ParseID(text); {
	case text == "":
	case bad == nil:
		q.Set("id", text)
	case utf8.RuneCountInString(text) > 1:
		q.Set("q", text)
	default:
		return found, nil // one letter finds everybody and nobody
	}
	return found, v.get("/v1/users", q, &found)
}

// find is the box of every page: it leads to the one person, session or event that was meant, else to what was found.
func (v *visit) find() error {
	text := strings.TrimSpace(v.r.URL.Query().Get("q"))
	if id, err := revoke.ParseID(text); err == nil {
		for path, page := range map[string]string{"/v1/users/": "/console/people/", "/v1/revocations/": "/console/revocations/", "/v1/events/": "/console/events/"} {
			if v.get(path+id.String(), nil, nil) == nil {
				return v.leave(page + id.String())
			}
		}
		return v.leave("/console/why?" + url.Values{"session": {text}}.Encode())
	}
	found, err := v.search(text)
	switch {
	case err == nil && len(found.Items) == 1 && found.Next == nil:
		return v.leave("/console/people/" + found.Items[0].ID.String())
	case err == nil && len(found.Items) == 0 && text != "" && v.get("/v1/sessions/"+url.PathEscape(text), nil, nil) == nil:
		return v.leave("/console/why?" + url.Values{"session": {text}}.Encode())
	}
	return v.leave("/console/people?" + url.Values{"q": {text}}.Encode())
}

// personPath is the address of a person's page.
func personPath(id revoke.ID) string { return "/console/people/" + id.String() }

// pathID is an id in the path of the page. What is none leads nowhere.
func (v *visit) pathID() (revoke.ID, error) {
	id, err := revoke.ParseID(v.r.PathValue("id"))
	if err != nil {
		return id, &problem{Status: http.StatusNotFound, Title: "Not found", Detail: "This address names nothing."}
	}
	return id, nil
}
