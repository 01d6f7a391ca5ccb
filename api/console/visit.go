package console

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"curfew/revoke"
)

// visit is one request with who sent it.
type visit struct {
	c       *Console
	w       http.ResponseWriter
	r       *http.Request
	who     revoke.SignIn
	form    string // the token that its forms carry
	route   route
	waiting map[string]int // by the path of a menu's entry
}

type visitKey struct{}

const (
	readTimeout   = 5 * time.Second
	commitTimeout = 10 * time.Second
)

// reading returns the context of what is looked up for a page.
func (v *visit) reading() (context.Context, context.CancelFunc) {
	return context.WithTimeout(v.r.Context(), readTimeout)
}

// changing returns the context of a change: what was begun is finished, also when the browser leaves or the server stops.
func (v *visit) changing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(v.r.Context()), commitTimeout)
}

// signedIn reports whether somebody did.
func (v *visit) signedIn() bool { return !v.who.Session.IsZero() }

// own reports whether the visit is to a person's own page.
func (v *visit) own() bool { return own(v.r.URL.Path) }

// leave sends the browser on to a page of ours by GET, so that going back or again changes nothing more.
func (v *visit) leave(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther) //nolint:gosec // our pages name the path
	return nil
}

// recentProof is how long a proof of who somebody is lasts for ending other sessions than the one it came by.
const recentProof = 15 * time.Minute

// recent reports whether the person proved who they are recently.
func (v *visit) recent() bool {
	return v.who.ProvedAt != 0 && v.c.cfg.Clock.Now().Sub(v.who.ProvedAt) <= recentProof
}

// proved reports whether the person proved who they are recently; if not, the browser was sent to do so, and comes back to
// path. A form may lead nowhere but to us, redirects included, so after one the person gets a link instead.
func (v *visit) proved(path string) bool {
	if v.recent() {
		return true
	}
	to := "/login?" + url.Values{"step_up": {"1"}, "next": {path}}.Encode()
	if v.r.Method == http.MethodPost {
		v.answer(http.StatusForbidden, "refused", "Show that it is you", refusal{
			Heading: "Show that it is you", Advice: "You signed in more than 15 minutes ago. Nothing was changed; sign in once more and you come back to where you were.", Link: to, LinkText: "Go on",
		})
		return false
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return false
}

// formIsOurs reads the form, and reports whether one of our pages made it for this sign-in; if not, it has answered.
func (v *visit) formIsOurs(limit int64) bool {
	if limit == 0 {
		limit = formBody
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
	if err := v.r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			v.refuse(http.StatusRequestEntityTooLarge, "This is too long", fmt.Sprintf("Send at most %d KiB at once.", limit>>10))
		} else {
			v.refuse(http.StatusBadRequest, "The form could not be read", "Go back and send it again.")
		}
		return false
	}
	if v.form == "" || subtle.ConstantTimeCompare([]byte(v.r.PostFormValue("form")), []byte(v.form)) != 1 {
		v.refuse(http.StatusForbidden, "The page had become too old", "Nothing was changed. Open it anew and try again.")
		return false
	}
	return true
}

// fail answers what went wrong, in words. Who did not sign in is sent to do so.
func (v *visit) fail(err error) {
	if p := refusedOf(err); p != nil { // such as a cursor that somebody made up
		v.refuse(p.Status, p.Title, p.Said())
		return
	}
	switch {
	case errors.Is(err, revoke.ErrUnverified):
		v.signIn()
	case errors.Is(err, revoke.ErrNotFound):
		v.refuse(http.StatusNotFound, "There is no such page", "The address may be mistyped, or what it showed is gone.")
	case errors.Is(err, revoke.ErrNotFresh), errors.Is(err, revoke.ErrUnavailable), errors.Is(err, revoke.ErrUnknownCommit),
		errors.Is(err, context.DeadlineExceeded):
		v.c.cfg.Log.Warn("a page cannot be shown", "path", v.r.URL.Path, "err", err)
		v.w.Header().Set("Retry-After", "1")
		v.refuse(http.StatusServiceUnavailable, "We do not know at this moment", "The server cannot be sure of what is true right now, so it says nothing rather than something wrong. Try again in a few seconds.")
	default:
		v.c.cfg.Log.Error("a page failed", "path", v.r.URL.Path, "request", revoke.RequestIDFrom(v.r.Context()), "err", err)
		v.refuse(http.StatusInternalServerError, "Something went wrong here", "It was not your doing, and it has been written down.")
	}
}

// recover answers when a page panicked. The text never leaves the process.
func (v *visit) recover() {
	if what := recover(); what != nil {
		v.c.cfg.Log.Error("a page panicked", "path", v.r.URL.Path, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
		v.refuse(http.StatusInternalServerError, "Something went wrong here", "It was not your doing, and it has been written down.")
	}
}

// signIn sends the browser to sign in and back to the page it asked for. Providers refuse to be framed, so in a frame the
// person gets a link that opens outside of it.
func (v *visit) signIn() {
	next := "/me"
	if v.r.Method == http.MethodGet || v.r.Method == http.MethodHead {
		next = v.r.URL.RequestURI()
	} else if !v.own() {
		next = "/console"
	}
	to := "/login?" + url.Values{"next": {next}}.Encode()
	if v.r.Header.Get("Sec-Fetch-Dest") == "iframe" {
		v.answer(http.StatusUnauthorized, "refused", "Sign in first", refusal{Heading: "Sign in first", Advice: "This page cannot ask you to sign in from inside another one.", Link: to, LinkText: "Sign in"})
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// refusal is a page that says no.
type refusal struct {
	Heading, Advice, Request string
	Link, LinkText           string
}

// refuse answers with a page that says why not, and what to do.
func (v *visit) refuse(status int, heading, advice string) {
	said := refusal{Heading: heading, Advice: advice, Link: "/me", LinkText: "Your devices"}
	if status >= http.StatusInternalServerError {
		said.Request = revoke.RequestIDFrom(v.r.Context())
	}
	if !v.own() && strings.HasPrefix(v.r.URL.Path, "/console") && len(v.who.Roles) > 0 {
		said.Link, said.LinkText = "/console", "Overview"
	}
	v.answer(status, "refused", heading, said)
}
