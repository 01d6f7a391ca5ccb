package webhooks

// Look lets every errand look now whether it is due: the clock of a test moves without any timer.
func (a *Attendant) Look() {
	for _, e := range a.errands {
		ring(e.bell)
	}
}
