package scim

import (
	"errors"
	"net/http"
	"strings"

	"curfew/revoke"
)

// refuse says no, after it has carried out the deactivation that the refused request contained.
func (h *handler) refuse(r *http.Request, x *exchange, err error) refusal {
	no := refusalOf(err)
	switch {
	case !x.inactive || !no.carriesOut():
	case x.bulk:
		no = h.deactivateAll(r, x, no) //nolint:contextcheck // the context travels in the request
	default:
		no = h.deactivate(r, x, no) //nolint:contextcheck // the context travels in the request
	}
	if no.status >= http.StatusInternalServerError && no.status != http.StatusNotImplemented {
		h.log.Error("SCIM request failed", "request_id", revoke.RequestIDFrom(r.Context()), "source_id", x.source.Name, "status", no.status, "err", no.cause)
	}
	h.observer.Refused(x.source.Name, no.word())
	return no
}

// carriesOut reports whether a deactivation inside the refused request still takes effect. Not where the resource is not there, and
// not where the sender is asked to try the same again.
func (r refusal) carriesOut() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnsupportedMediaType, http.StatusInternalServerError,
		http.StatusRequestEntityTooLarge: // where it could be read: a bulk request of too many operations
		return true
	default:
		return false
	}
}

// word is the refusal in a closed set, for counting.
func (r refusal) word() string {
	if r.scimType != "" {
		return r.scimType
	}
	return strings.ToLower(http.StatusText(r.status))
}

// deactivate carries out the deactivation in a refused request, and returns what to answer then: the same refusal with what was
// done, or when that could not be done why, so that the sender tries again.
func (h *handler) deactivate(r *http.Request, x *exchange, no refusal) refusal {
	ctx, cancel := commitContext(r)
	defer cancel()
	done, err := guarded(h, r, func() (bool, error) {
		if x.id == "" {
			subject := h.names.subjectIn(x.source, x.body)
			if len(subject) == 0 {
				return false, nil
			}
			return h.service.DeactivateRefusedCreation(ctx, x.actor, x.source, subject, no.detail)
		}
		key, err := resourceIDOf(x.id)
		if err != nil {
			return false, err
		}
		if _, err := h.resource(r, x, revoke.TypeUser); errors.Is(refusalOf(err), revoke.ErrNotFound) { // a group's id is no user's
			return false, err
		}
		return true, h.service.DeactivateRefused(ctx, x.actor, x.source, key, no.detail)
	})
	switch {
	case err != nil:
		return refusalOf(err)
	case done:
		no.detail += " The deactivation in this request was carried out all the same: every session of the user is over and none can begin."
		if x.id != "" {
			no.detail += " The user still shows active as before; the next accepted active true lifts it."
		}
	}
	return no
}
