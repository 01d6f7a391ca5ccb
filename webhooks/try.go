package webhooks

import (
	"encoding/json"
	"fmt"
	"strings"

	"curfew/revoke"
)

// Rereader is a [Receiver] that reads an item from the body that was kept of it.
type Rereader interface {
	Item(body json.RawMessage) Item
}

// Read reads a message as if it had proved to be the source's, and keeps nothing. An error is [revoke.Invalid], or
// [revoke.ErrNotFound] where no such source is built.
func (h *Handler) Read(source string, in Request) ([]revoke.Event, error) {
	s, ok := h.seats[source]
	if !ok || s.receiver == nil {
		return nil, fmt.Errorf("source %s: %w", source, revoke.ErrNotFound)
	}
	if !s.limits.Raw && strings.HasSuffix(s.limits.ContentTypes[0], "json") {
		if err := checkJSON(in.Body); err != nil {
			return nil, err
		}
	}
	items, err := s.receiver.Items(in)
	switch {
	case err != nil:
		return nil, err
	case len(items) > s.limits.Items:
		return nil, revoke.Invalid{Problem: "holds too many items", Fix: fmt.Sprintf("send at most %d in one message", s.limits.Items)}
	}
	events := make([]revoke.Event, len(items))
	for i := range items { // what proves nothing itself is read too: a try needs no proof
		events[i] = event(s.source, items[i], Evidence{Proof: ProvedSender, Key: "nobody: it is only tried"})
	}
	return events, nil
}

// Reread reads once more what was kept of an event, with what its source can read today. [revoke.ErrNotFound] says that the
// source is not there any more, or cannot do that.
func (h *Handler) Reread(ev revoke.Event) (revoke.Event, error) {
	s, ok := h.seats[ev.Source]
	if !ok {
		return revoke.Event{}, fmt.Errorf("source %s: %w", ev.Source, revoke.ErrNotFound)
	}
	r, ok := s.receiver.(Rereader)
	if !ok {
		return revoke.Event{}, fmt.Errorf("source %s reads no kept items: %w", ev.Source, revoke.ErrNotFound)
	}
	return event(s.source, r.Item(ev.Body), Evidence{Proof: ProvedSender, Key: "the message that brought it"}), nil
}
