package revoke

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// NoticeKind says of what a person is told about their own devices. The set is closed.
type NoticeKind string

// The notices.
const (
	NoticeSignedOut  NoticeKind = "signed-out"        // somebody else, or a signal, ended all of their sessions
	NoticeOwnSignOut NoticeKind = "signed-out-by-you" // they did it themselves
	NoticeNewDevice  NoticeKind = "new-device"        // they, or a thief, signed in on a device for the first time
)

// NoticeKey is by what a notice is known. What happens again before it is sent makes it one notice: so nobody gets more than one
// message of a kind in [NoticeEvery], whatever happens, and the table stays as small as the people are many.
type NoticeKey struct {
	Org  string
	User ID
	Kind NoticeKind
}

// Notice is what a person is still to be told, or was told last.
type Notice struct {
	NoticeKey
	Signal   SignalKind // why, of the last time
	Devices  []ID       // that were signed in on, oldest first, at most [noticeDevices]
	FirstAt  Instant    // of what was not sent yet
	LastAt   Instant
	Count    int // how often it happened since it was sent last: zero when all was sent
	SentAt   Instant
	DueAt    Instant // not before that
	Attempts int     // of the message that is due
}

// NoticeEvery is how soon one person gets another message of a kind.
const NoticeEvery = 10 * time.Minute

// noticeDevices is how many devices one message names.
const noticeDevices = 20

// DeviceText writes the devices as they are kept: each followed by a space.
func (n *Notice) DeviceText() string {
	var b strings.Builder
	for _, id := range n.Devices {
		b.WriteString(id.String())
		b.WriteByte(' ')
	}
	return b.String()
}

// NoticeDeviceText is the longest that [Notice.DeviceText] may become.
const NoticeDeviceText = noticeDevices * 37

// ParseDevices reads what DeviceText wrote.
func (n *Notice) ParseDevices(text string) {
	n.Devices = nil
	for field := range strings.FieldsSeq(text) {
		if id, err := ParseID(field); err == nil {
			n.Devices = append(n.Devices, id)
		}
	}
}

// Join returns what is to be told when both happened.
func (n Notice) Join(other Notice) Notice {
	if other.LastAt < n.LastAt {
		n, other = other, n
	}
	out := other
	out.Count, out.SentAt, out.Attempts = n.Count+other.Count, max(n.SentAt, other.SentAt), max(n.Attempts, other.Attempts)
	out.Devices = slices.Concat(n.Devices, other.Devices)
	out.Devices = out.Devices[:min(len(out.Devices), noticeDevices)]
	switch {
	case n.Count > 0 && other.Count > 0:
		out.FirstAt, out.DueAt = min(n.FirstAt, other.FirstAt), min(n.DueAt, other.DueAt)
	case out.SentAt != 0:
		out.DueAt = max(other.DueAt, out.SentAt.Add(NoticeEvery))
	}
	return out
}

// Notify says of what people are told.
type Notify struct {
	SignedOut bool // that they were signed out everywhere, by others or by themselves
	NewDevice bool // that a device is new
}

// SetNotify says of what people are told from now on.
func (s *Service) SetNotify(n Notify) { s.notify.Store(&n) }

// Untold is told when there is something new to tell people.
func (s *Service) Untold() <-chan struct{} { return s.untold }

// notices are those that a decision makes. Who never had a session was not signed out; whether a device is new to a person is seen when
// the message is written, since a decision does not know all of their sessions.
func (n Notify) notices(f *Facts, e *Effects) (out []Notice) {
	if n.SignedOut {
		for _, r := range e.Revocations {
			if r.Scope.Kind != ScopeUser || r.Kind == RevocationLift || f.newest(r.Scope.User).Registered == 0 {
				continue
			}
			kind := NoticeSignedOut
			if r.Actor.Kind == "person" {
				kind = NoticeOwnSignOut
			}
			out = append(out, Notice{NoticeKey: NoticeKey{r.Org, r.Scope.User, kind}, Signal: r.Signal, FirstAt: f.Now, LastAt: f.Now, DueAt: f.Now, Count: 1})
		}
	}
	if n.NewDevice {
		for _, s := range e.Sessions {
			if !s.Device.IsZero() {
				out = append(out, Notice{
					NoticeKey: NoticeKey{s.Org, s.User, NoticeNewDevice}, Devices: []ID{s.Device}, FirstAt: f.Now, LastAt: f.Now, DueAt: f.Now, Count: 1,
				})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Notice) int {
		return cmp.Or(strings.Compare(a.Org, b.Org), a.User.Compare(b.User), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return out
}

// Notices is what is kept of what people are told.
type Notices interface {
	// TakeNotices leases notices that are due: nobody else takes them until the instant, at which they are due again.
	TakeNotices(ctx context.Context, now, until Instant, limit int) ([]Notice, error)
	// SettleNotice writes that one which was taken was sent at an instant, or with zero that there was nothing to say. What came on
	// top meanwhile is still to be sent.
	SettleNotice(ctx context.Context, n Notice, sentAt Instant) error
	// PutOffNotice lets one that was taken and could not be sent wait.
	PutOffNotice(ctx context.Context, n Notice, dueAt Instant) error
	// DropNotices forgets what was settled and last happened before an instant, a few thousand at a time, and says how many.
	DropNotices(ctx context.Context, before Instant) (int, error)
}
