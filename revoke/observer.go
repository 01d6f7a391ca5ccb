package revoke

import "time"

// Observer is what metrics hang on. Labels are closed sets; nothing is counted by user. It must not block.
type Observer interface {
	Received(source string, signal SignalKind, state EventState, took time.Duration)
	Refused(source, why string)
	Attempted(target string, outcome string, took time.Duration)
	Alarmed(kind AlarmKind)
}

// Unobserved is an Observer that looks away.
type Unobserved struct{}

// Received does nothing.
func (Unobserved) Received(string, SignalKind, EventState, time.Duration) {}

// Refused does nothing.
func (Unobserved) Refused(string, string) {}

// Alarmed does nothing.
func (Unobserved) Alarmed(AlarmKind) {}

// Attempted does nothing.
func (Unobserved) Attempted(string, string, time.Duration) {}
