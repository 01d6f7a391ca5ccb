package revoke

import "context"

// Overview answers what people look at as a whole: what belongs to many revocations at once, the newest of what is owed, and how
// much there is of something. Nothing here reads more than it is asked for, however large the store is.
type Overview interface {
	// EventsWith returns those of these events that are there, by id.
	EventsWith(ctx context.Context, org string, ids []ID) ([]Event, error)
	// DeliveriesOf returns what is owed and what was done for these revocations, by revocation and target.
	DeliveriesOf(ctx context.Context, org string, revocations []ID) ([]Delivery, error)
	// LastDeliveries returns the deliveries of the newest revocations, newest first, and of one revocation by target backwards.
	LastDeliveries(ctx context.Context, org string, limit int) ([]Delivery, error)
	// CountEvents counts the events whose ids are at or above one and below another; a zero one is no bound.
	CountEvents(ctx context.Context, org string, from, before ID) (int, error)
	// CountUsers counts the users of an org. Those who are one person count each.
	CountUsers(ctx context.Context, org string) (int, error)
}
