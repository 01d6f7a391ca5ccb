package revoke

import "context"

// Provisioned is what came of a directory's request.
type Provisioned struct {
	Resource Resource
	Changed  bool // the resource was written; false for an echo of what stood there
	Restored bool // a creation that found its inactive resource again
	Signals  []SignalKind
}

// Draft is a resource as a request would leave it, with what the request said besides.
type Draft struct {
	Resource
	Subject  Subject // every identifier that the profile carries, by which the person is known and which it is taught
	Said     bool    // the request itself carried active
	Password bool    // the request carried a password
}

// CreateResource makes a resource, or restores the inactive one that it re-creates. A name held by an active one is
// [ErrConflict]. Only an inactive creation and a restoration are signals.
func (s *Service) CreateResource(ctx context.Context, actor Actor, src Source, draft Draft) (Provisioned, error) {
	panic("todo")
}

// UpdateResource changes a resource under its lock: change gets it as it stands and returns what the request makes of it.
// change may run more than once and must not wait. What differs in active, and a password, become signals in the same transaction.
func (s *Service) UpdateResource(ctx context.Context, actor Actor, src Source, id ID, change func(Resource) (Draft, error)) (Provisioned, error) {
	panic("todo")
}

// DeleteResource removes a resource and ends its person's sessions. A second time is [ErrNotFound].
func (s *Service) DeleteResource(ctx context.Context, actor Actor, src Source, id ID) error {
	panic("todo")
}

// DeactivateRefused carries out the deactivation that a refused request contained: sessions end and the block stands, while
// the resource keeps active true; the next accepted active:true lifts.
func (s *Service) DeactivateRefused(ctx context.Context, actor Actor, src Source, id ID, why string) error {
	panic("todo")
}

// DeactivateRefusedCreation does the same for a refused creation, by the identifiers that it carried.
func (s *Service) DeactivateRefusedCreation(ctx context.Context, actor Actor, src Source, subject Subject, why string) error {
	panic("todo")
}
