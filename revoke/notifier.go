package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Message is what one person is told.
type Message struct {
	ID      string // the same on every try
	Kind    NoticeKind
	Org     string
	User    ID
	To      []string // addresses, those that the person lost in the day before included: a thief changes the address first
	Signal  SignalKind
	Devices []string // as their applications name them
	At      Instant  // when it happened last
	Page    string   // where they see their devices; empty: nobody knows
}

// Messenger carries messages to people. It is safe for concurrent use.
type Messenger interface {
	// Send sends a message; the same one again is harmless. It retries nothing itself.
	Send(ctx context.Context, m Message) error
}

// NotifierConfig names everything a Notifier depends on.
type NotifierConfig struct {
	Store interface {
		Notices
		People(ctx context.Context, users []ID) ([]Person, error)
		SessionsOf(ctx context.Context, q SessionQuery) ([]Session, error)
	}
	Clock      Clock
	Messengers map[string]Messenger // by a name for the log
	Page       string
	Woken      <-chan struct{}                      // told when there is something to tell; nil: it looks now and then
	Failing    func(ctx context.Context, err error) // told when messages cannot be sent; may be nil
	Log        *slog.Logger
}

// Notifier tells people what happened to their own devices. What they are to be told is a row, so that no stop loses it; a message
// may come twice when a stop falls between sending and noting it.
type Notifier struct{ cfg NotifierConfig }

const (
	noticeEvery   = 5 * time.Second    // how often rows are looked at even if nobody told us
	noticeLease   = 2 * time.Minute    // longer than all messages of a turn take
	noticeTimeout = 15 * time.Second   // of one message
	noticeTries   = 24 * time.Hour     // for how long one is tried: what is older is no news
	oldAddress    = 24 * time.Hour     // for how long an address that was given up is told too
	keepNotices   = 7 * 24 * time.Hour // for how long it is kept that somebody was told
	noticesAtOnce = 8
	knownDevices  = 2000 // how many of a person's sessions are looked at for whether a device is new
)

// NewNotifier checks cfg.
func NewNotifier(cfg NotifierConfig) (*Notifier, error) {
	if cfg.Store == nil || cfg.Clock == nil || cfg.Log == nil || len(cfg.Messengers) == 0 {
		return nil, errors.New("revoke.NewNotifier: Store, Clock, Log and a Messenger are needed")
	}
	return &Notifier{cfg}, nil
}

// Run tells people until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	tick := time.NewTicker(noticeEvery)
	defer tick.Stop()
	for {
		if err := n.Turn(ctx); err != nil && ctx.Err() == nil {
			n.cfg.Log.Warn("people are not told yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-n.cfg.Woken:
		case <-tick.C:
		}
	}
}

// Turn sends what is due, once.
func (n *Notifier) Turn(ctx context.Context) error {
	if _, err := n.cfg.Store.DropNotices(ctx, n.cfg.Clock.Now().Add(-keepNotices)); err != nil {
		return err
	}
	for ctx.Err() == nil {
		now := n.cfg.Clock.Now()
		due, err := n.cfg.Store.TakeNotices(ctx, now, now.Add(noticeLease), noticesAtOnce)
		if err != nil {
			return err
		}
		for _, each := range due {
			if err := n.tell(ctx, each); err != nil {
				return err
			}
		}
		if len(due) < noticesAtOnce {
			return nil
		}
	}
	return nil
}

// tell sends one notice to every messenger. It is sent when all of them took it.
func (n *Notifier) tell(ctx context.Context, notice Notice) error {
	m, any, err := n.message(ctx, &notice)
	if err != nil {
		return err
	}
	if !any {
		return n.cfg.Store.SettleNotice(ctx, notice, 0)
	}
	var failed error
	for name, messenger := range n.cfg.Messengers {
		one, cancel := context.WithTimeout(ctx, noticeTimeout)
		if err := messenger.Send(one, m); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
		cancel()
	}
	now := n.cfg.Clock.Now()
	switch {
	case failed == nil:
		return n.cfg.Store.SettleNotice(ctx, notice, now)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if n.cfg.Failing != nil {
		n.cfg.Failing(ctx, failed)
	}
	if now.Sub(notice.LastAt) > noticeTries {
		n.cfg.Log.Error("somebody is not told any more what happened to their sessions", "user_id", notice.User, "notice", notice.Kind, "err", failed)
		return n.cfg.Store.SettleNotice(ctx, notice, 0)
	}
	wait := max(Backoff(notice.Attempts), min(AskedToWait(failed), longestWait), time.Second)
	n.cfg.Log.Warn("a message to a person was not taken; it is sent again", "user_id", notice.User, "attempt", notice.Attempts, "in", wait, "err", failed)
	return n.cfg.Store.PutOffNotice(ctx, notice, now.Add(wait))
}

// message writes what a notice says. There is nothing to say to somebody without an address, or of devices that are not new.
func (n *Notifier) message(ctx context.Context, notice *Notice) (m Message, any bool, err error) {
	m = Message{
		ID: fmt.Sprintf("%s:%s:%d", notice.User, notice.Kind, notice.FirstAt), Kind: notice.Kind, Org: notice.Org, User: notice.User,
		Signal: notice.Signal, At: notice.LastAt, Page: n.cfg.Page,
	}
	people, err := n.cfg.Store.People(ctx, []ID{notice.User})
	if err != nil {
		return m, false, fmt.Errorf("read user %s: %w", notice.User, err)
	}
	for _, p := range people {
		for _, h := range p.Holdings {
			told := h.ReleasedAt == 0 || h.ReleasedAt > notice.FirstAt.Add(-oldAddress)
			if h.Namespace == NamespaceEmail && told && !slices.Contains(m.To, h.Value) {
				m.To = append(m.To, h.Value)
			}
		}
	}
	if len(m.To) == 0 {
		return m, false, nil
	}
	if notice.Kind != NoticeNewDevice {
		return m, true, nil
	}
	m.Devices, err = n.newDevices(ctx, notice)
	return m, len(m.Devices) > 0, err
}

// newDevices names those of the notice's devices on which the person never had a session before. The first device of all is no news.
func (n *Notifier) newDevices(ctx context.Context, notice *Notice) ([]string, error) {
	first, names := map[ID]Instant{}, map[ID]string{}
	older := false // than what the notice is about
	q := SessionQuery{Org: notice.Org, Users: []ID{notice.User}, Limit: 200}
	for seen := 0; seen < knownDevices; seen += q.Limit {
		sessions, err := n.cfg.Store.SessionsOf(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read the sessions of user %s: %w", notice.User, err)
		}
		for i := range sessions {
			s := &sessions[i]
			older = older || s.RegisteredAt < notice.FirstAt
			if at, ok := first[s.Device]; !ok || s.RegisteredAt < at {
				first[s.Device] = s.RegisteredAt
			}
			if s.Facts.DeviceName != "" && names[s.Device] == "" {
				names[s.Device] = s.Facts.DeviceName
			}
			q.After = &SessionCursor{BornAt: s.BornAt, ID: s.ID}
		}
		if len(sessions) < q.Limit {
			break
		}
	}
	var out []string
	for _, device := range notice.Devices {
		at, known := first[device]
		if !known || at < notice.FirstAt || !older {
			continue
		}
		name := strings.TrimSpace(names[device])
		if name == "" {
			name = "a device without a name"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}
