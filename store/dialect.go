package store

import (
	"context"

	"curfew/revoke"
)

// database is every difference between the two.
type database interface {
	// begin starts a transaction that will write, and commit ends one.
	begin(ctx context.Context, w *writer, keep durability) error
	commit(ctx context.Context, w *writer) error
	// text turns a statement written for PostgreSQL into the database's own.
	text(string) string
	// fold brings everything into the database's own file, before the last connection closes.
	fold(ctx context.Context, w *writer) error
	// gather locks and reads what a group needs. The instant is the database's own time after the locks, zero where the
	// process's clock is the one clock.
	gather(ctx context.Context, w *writer, u *needs) (*revoke.Facts, revoke.Instant, error)
	// write writes a batch.
	write(ctx context.Context, w *writer, b batch) error
	// claim leases everything open in those of the lanes in which nobody works, and returns the deliveries lane by lane.
	claim(ctx context.Context, w *writer, c claim, lanes []lane) ([]record, error)
	// settle moves the items of owed that are still under their lease, records their attempts, and returns how many they were.
	settle(ctx context.Context, w *writer, owed revoke.Owed, o outcome) (int, error)
	// memberships asks for the members that resources are, of the org $1, in the list $2 which comes with it, by group and
	// resource and no more than $3.
	memberships(resources []revoke.ID) (text string, list any)
	// refused reports whether an error of a commit says that nothing was committed.
	refused(err error) bool
	// again reports whether the same transaction may work when it is run again.
	again(err error) bool
	// gone reports whether the connection failed, or the database with it.
	gone(err error) bool
	// duplicate reports whether a row was there that had to be new.
	duplicate(err error) bool
}
