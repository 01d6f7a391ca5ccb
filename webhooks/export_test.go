package webhooks

// Look lets every errand look now whether it is due: the clock of a test moves without any timer.
func (a *Attendant) Look() {
	for _, e := range a.errands {
		ring(e.bell)
	}
}

// Calls reports whether any source of h calls its sender.
func Calls(h *Handler) bool {
	for _, s := range h.seats {
		_, enriches := s.receiver.(Enricher)
		_, polls := s.receiver.(Poller)
		_, keeps := s.receiver.(Upkeeper)
		if enriches || polls || keeps {
			return true
		}
	}
	return false
}
