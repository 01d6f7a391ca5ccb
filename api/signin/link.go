package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"curfew/revoke"
)

// NamespaceLink holds the people that links without a person make: each is a user of its own, so that ending everybody's sessions
// ends theirs too.
const NamespaceLink = "curfew-link"

// LinkPath is the path under which a link's secret opens it.
const LinkPath = "/login/link/"

func nobody(who revoke.Subject) bool {
	_, is := who.Has(NamespaceLink)
	return is
}

// landing shows a button: what reads mails ahead of people opens links, and would use them up.
func (h *Handler) landing(w http.ResponseWriter, _ *http.Request) {
	h.show(w, http.StatusOK, page{Title: "Sign in to Curfew", Text: "This link works once. Press the button to use it.", Button: "Sign in"})
}

// redeem uses a link up and signs in.
func (h *Handler) redeem(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commitTimeout)
	defer cancel()
	now := h.cfg.Clock.Now()
	audit, err := h.entry(ctx, h.cfg.Org, "link-used", map[string]any{}, "")
	if err != nil {
		h.fail(w, r, err)
		return
	}
	link, err := h.cfg.Store.TakeLink(ctx, revoke.HashToken(r.PathValue("link")), now, audit)
	if errors.Is(err, revoke.ErrNotFound) {
		h.show(w, http.StatusGone, page{Title: "This link does not work any more", Text: "It was used, is too old, or never was one. Where it came from there is another one."})
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	in := revoke.SignIn{Org: link.Org, ByLink: true, ProvedAt: now}
	if link.App != "" { // an open profile page is no proof: whoever stole the app's session has it open too
		in.ProvedAt = min(link.ProvedAt, now)
	}
	who := link.Subject
	if link.Role != "" {
		in.Roles = []revoke.Role{link.Role}
	}
	if len(who) == 0 {
		in.Name = fmt.Sprintf("%s by link %x", link.Role, link.Hash[:4])
		who.Add(NamespaceLink, in.Name)
	} else {
		in.Name = who[0].Value
	}
	if link.Role != "" {
		key := revoke.AlarmKey{Org: link.Org, Kind: revoke.AlarmBreakGlass, About: "link"}
		if err := h.cfg.Service.Raise(ctx, key, "somebody signed in with the role "+string(link.Role)+" by a one-time link"); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	if err := h.admit(w, r, in, who); err != nil {
		h.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local("", in.Roles), http.StatusSeeOther)
}

// fail answers with what went wrong, in words that help whoever wants to sign in.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, revoke.ErrBlocked):
		h.show(w, http.StatusForbidden, page{Title: "You cannot sign in", Text: "Your account is blocked. Ask your administrator."})
	case errors.Is(err, revoke.ErrOver):
		h.show(w, http.StatusForbidden, page{Title: "Sign in once more", Text: "Your sessions were ended after you last proved who you are.", Link: "/login?step_up=1", Label: "Sign in"})
	case errors.Is(err, revoke.ErrConflict):
		h.show(w, http.StatusConflict, page{Title: "We cannot tell who you are", Text: "Two people carry this address. Ask your administrator."})
	case errors.Is(err, revoke.ErrNotFresh), errors.Is(err, revoke.ErrUnavailable):
		w.Header().Set("Retry-After", "1")
		h.show(w, http.StatusServiceUnavailable, page{Title: "One moment", Text: "Curfew's database does not answer. Try again in a minute."})
	default:
		h.cfg.Log.Error("sign-in failed", "err", err, "request_id", revoke.RequestIDFrom(r.Context()))
		h.show(w, http.StatusBadGateway, page{Title: "Signing in failed", Text: "Your administrator finds the cause in the log.", Link: "/login", Label: "Try again"})
	}
}
