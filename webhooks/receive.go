package webhooks

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"curfew/revoke"
)

// unreadable says why a verified message is not in a form that the source takes, nil when it is.
func (h *Handler) unreadable(s *seat, in Request) *Response {
	if in.Method != http.MethodPost {
		return nil
	}
	refused := func(why string, answer Response) *Response {
		h.observer.Refused(s.source.Name, why)
		return &answer
	}
	for _, coding := range in.Header.Values("Content-Encoding") {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return refused("media-type", mediaType("send the body without Content-Encoding"))
		}
	}
	kind := s.limits.ContentTypes[0]
	if sent := in.Header.Get("Content-Type"); sent != "" {
		parsed, _, err := mime.ParseMediaType(sent)
		if err != nil || !slices.Contains(s.limits.ContentTypes, parsed) {
			return refused("media-type", mediaType("send Content-Type "+strings.Join(s.limits.ContentTypes, " or ")))
		}
		kind = parsed
	}
	if s.limits.Raw || !strings.HasSuffix(kind, "json") {
		return nil
	}
	if err := checkJSON(in.Body); err != nil {
		bad, _ := errors.AsType[revoke.Invalid](err)
		answer := h.meaningless(s, bad)
		return &answer
	}
	return nil
}

func (h *Handler) meaningless(s *seat, bad revoke.Invalid) Response {
	h.observer.Refused(s.source.Name, "invalid")
	return invalid(bad.Field, bad.Error())
}

// receive hands the items on and answers once they are durable.
func (h *Handler) receive(ctx context.Context, s *seat, in Request, evidence Evidence) Response {
	items, err := s.receiver.Items(in)
	if bad, ok := errors.AsType[revoke.Invalid](err); ok {
		return h.meaningless(s, bad)
	}
	if err != nil {
		h.log.Error("reading a message went wrong", "source_id", s.source.Name, "err", err)
		return internal()
	}
	if len(items) > s.limits.Items {
		h.observer.Refused(s.source.Name, "too-large")
		return tooLarge(fmt.Sprintf("send at most %d items in one message", s.limits.Items))
	}
	events := h.events(s, items, evidence)
	if evidence.Proof == ProvedItems && len(events) > 0 {
		h.heard(s.source.Org, s.source.Name)
	}
	// A sender that hangs up, or a shutdown that begins, must not undo what is being committed: it would be neither done nor
	// sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.commitTimeout)
	defer cancel()
	outcomes, err := h.inbox.Receive(ctx, revoke.Actor{Kind: "source", Name: s.source.Name}, s.source, events...)
	if err != nil {
		return h.notCommitted(s, err)
	}
	return s.respond(outcomes)
}

// events are the items as the core takes them, without those that prove nothing: they are counted, and nothing of them is kept.
func (h *Handler) events(s *seat, items []Item, evidence Evidence) []revoke.Event {
	events := make([]revoke.Event, 0, len(items))
	for i := range items {
		why := items[i].Refused
		if evidence.Proof == ProvedItems {
			if evidence.Key = items[i].Key; evidence.Key == "" && why == "" {
				why = WhyMissing
			}
		}
		if why != "" {
			h.observer.Refused(s.source.Name, string(why))
			continue
		}
		events = append(events, event(s.source, items[i], evidence))
	}
	return events
}

// notCommitted answers with what makes the sender try again. Some of the first items may be durable; they are known as
// duplicates then.
func (h *Handler) notCommitted(s *seat, err error) Response {
	for _, passing := range []error{revoke.ErrUnavailable, revoke.ErrNotFresh, revoke.ErrUnknownCommit, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, passing) {
			h.log.Warn("a message could not be committed; its sender was asked to try again", "source_id", s.source.Name, "err", err)
			return unavailable("it could not be stored at this moment; send it again", retrySoon)
		}
	}
	h.log.Error("a message could not be committed", "source_id", s.source.Name, "err", err)
	return internal()
}

// respond answers what is durable. Held items are named, so that a sender's log shows what waits for a person.
func (s *seat) respond(outcomes []revoke.Outcome) Response {
	answer := Response{Status: http.StatusNoContent}
	if r, ok := s.receiver.(Responder); ok {
		answer = r.Respond(outcomes)
	}
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	for _, o := range outcomes {
		if !o.Held.IsZero() {
			answer.Header.Add("Curfew-Held", o.Held.String())
		}
	}
	return answer
}

// event is an item as the core takes it.
func event(src revoke.Source, item Item, evidence Evidence) revoke.Event {
	e := revoke.Event{
		Org: src.Org, Source: src.Name, Authority: src.Authority, SenderID: item.ID, Type: plain(item.Type),
		OccurredAt: item.OccurredAt, State: item.State, Signals: item.Signals,
	}
	notes := []string{"verified by " + evidence.Key}
	if evidence.Proof == ProvedTransport {
		notes[0] = "not verified: insecure_transport_only"
	}
	if evidence.Delivery != "" {
		notes = append(notes, "delivery "+plain(evidence.Delivery))
	}
	body, err := canonical(item.Body)
	if err != nil {
		// Kept as text: what has two meanings as JSON must not get a third one from a database that reads it once more.
		body = quoted(item.Body)
		e.State, e.Signals, item.Note = revoke.EventMalformed, nil, err.Error()
	}
	e.Body = body
	switch {
	case plain(item.ID) != item.ID:
		e.SenderID = digest(src.Name, body, item.OccurredAt)
		notes = append(notes, "its id is unprintable or over 300 bytes long, so it is known by its digest")
	case item.ID == "" && item.OccurredAt != 0:
		e.SenderID = digest(src.Name, body, item.OccurredAt)
	}
	if item.Note != "" {
		notes = append(notes, item.Note)
	}
	if item.Read != "" && e.State == "" && len(e.Signals) == 0 {
		if e.State, e.Read = revoke.EventReading, item.Read; plain(item.Read) != item.Read {
			e.State, e.Read = revoke.EventMalformed, ""
			notes = append(notes, "it names what cannot be asked for")
		}
	}
	e.Note = strings.Join(notes, "; ")
	for i := range e.Signals {
		e.Signals[i].Reason = plain(e.Signals[i].Reason)
	}
	return e
}
