package metrics

import (
	"curfew/revoke"
)

// doors refuse whom they cannot name; they stand where a source's name would.
var doors = []string{"api", "verify"}

var states = []revoke.EventState{
	revoke.EventDecided, revoke.EventIgnored, revoke.EventUnknown, revoke.EventMalformed, revoke.EventHeld, revoke.EventReading, revoke.EventParked,
}

// outcomes are how a call of a target ends: its evidence, or why there is none.
var outcomes = []string{string(revoke.Confirmed), string(revoke.Accepted), string(revoke.NothingThere), "failed", "parked"}

// whys are the classes of refusals.
var whys = []string{
	"unauthenticated", "scope", // of the doors of the API
	"missing", "malformed", "mismatch", "transport-only", "stale", "future", "unknown-key", "wrong-issuer", "wrong-audience", // of what a webhook's sender proves
	"unavailable",                                              // its keys cannot be had
	"too-large", "timeout", "cut-off", "media-type", "invalid", // of its body
	// RFC 7644 table 9
	"invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue", "invalidVers", "sensitive",
	// SCIM's refusals without a type are named by their status
	"bad request", "unauthorized", "not found", "method not allowed", "conflict", "request entity too large", "unsupported media type",
	"too many requests", "internal server error", "not implemented", "service unavailable",
}
