package revoke

// Plan is what a source announced about a person: a termination on a day, or that there is none any more. There is one for each
// person and authority; what was said later wins, in whatever order it is heard.
type Plan struct {
	PlanKey
	SaidAt      Instant
	EffectiveAt Instant // zero: withdrawn
	CarriedAt   Instant // when it was carried out; zero before that
	Event       ID
}

// PlanKey is by what a plan is known.
type PlanKey struct {
	User      ID
	Authority string
}

// Due is somebody for whom something has to happen by itself by now: the end of a timed block, or a plan's day.
type Due struct {
	Org  string
	User ID
}
