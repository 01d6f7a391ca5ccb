package revoketest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"curfew/revoke"
)

// Memory is a whole [revoke.Store] in memory, for tests of what lies above it. It keeps the rules of a database: a
// decision sees what its need leads to and no more, keys are unique, what is joined only moves forward, and what went in
// is copied, so that nobody can change it afterwards. It is safe for concurrent use.
type Memory struct {
	clock *Clock

	mu     sync.Mutex
	tables tables
	faults faults
}

// tables is everything that a Memory holds.
type tables struct {
	users       map[revoke.ID]revoke.User
	holdings    []revoke.Holding
	joins       map[[2]revoke.ID]revoke.Join
	blocks      map[revoke.BlockKey]revoke.Block
	cutoffs     map[revoke.Scope]revoke.Cutoff
	devices     map[revoke.ID]revoke.Device
	sessions    map[revoke.ID]revoke.Session
	events      []revoke.Event
	revocations map[revoke.ID]revoke.Revocation
	deliveries  map[deliveryKey]revoke.Delivery
	attempts    []revoke.Attempt
	resources   map[revoke.ID]revoke.Resource
	members     map[revoke.MemberKey]revoke.Member
	policies    map[revoke.PolicyKey]revoke.Policy
	limits      map[revoke.LimitKey]revoke.Limit
	plans       map[revoke.PlanKey]revoke.Plan
	readings    map[revoke.ID]revoke.Reading
	notices     map[revoke.NoticeKey]revoke.Notice
	notes       map[noteKey]revoke.SourceNote
	errands     map[revoke.ErrandKey]revoke.Errand
	alarms      []revoke.Alarm
	held        map[revoke.ID]revoke.Held
	hits        map[revoke.HitKey]revoke.Hit
	uses        map[useKey]revoke.Instant
	keys        map[keyName]revoke.Key
	paused      map[string]revoke.Instant
	hearings    map[hourKey]revoke.Hearing
	spells      map[spellKey]revoke.Spell
	schedules   map[scheduleKey]revoke.Schedule
	deviceNames map[deviceNameKey]revoke.DeviceName
	links       map[revoke.TokenHash]memoryLink
	signIns     map[revoke.ID]revoke.SignIn
	changes     []revoke.Change
	audit       []revoke.AuditEntry
}

type deliveryKey struct {
	revocation revoke.ID
	target     string
}

var _ revoke.Store = (*Memory)(nil)

// NewMemory returns an empty store whose clock stands at [Start].
func NewMemory() *Memory {
	return &Memory{clock: NewClock(0), tables: tables{
		users: map[revoke.ID]revoke.User{}, joins: map[[2]revoke.ID]revoke.Join{},
		blocks: map[revoke.BlockKey]revoke.Block{}, cutoffs: map[revoke.Scope]revoke.Cutoff{},
		devices: map[revoke.ID]revoke.Device{}, sessions: map[revoke.ID]revoke.Session{},
		revocations: map[revoke.ID]revoke.Revocation{}, deliveries: map[deliveryKey]revoke.Delivery{},
		resources: map[revoke.ID]revoke.Resource{}, members: map[revoke.MemberKey]revoke.Member{}, plans: map[revoke.PlanKey]revoke.Plan{},
		policies: map[revoke.PolicyKey]revoke.Policy{}, limits: map[revoke.LimitKey]revoke.Limit{},
		uses: map[useKey]revoke.Instant{}, keys: map[keyName]revoke.Key{}, paused: map[string]revoke.Instant{},
		readings: map[revoke.ID]revoke.Reading{}, notices: map[revoke.NoticeKey]revoke.Notice{}, notes: map[noteKey]revoke.SourceNote{}, errands: map[revoke.ErrandKey]revoke.Errand{},
		held: map[revoke.ID]revoke.Held{}, hits: map[revoke.HitKey]revoke.Hit{},
		hearings: map[hourKey]revoke.Hearing{}, spells: map[spellKey]revoke.Spell{}, schedules: map[scheduleKey]revoke.Schedule{}, deviceNames: map[deviceNameKey]revoke.DeviceName{},
		links: map[revoke.TokenHash]memoryLink{}, signIns: map[revoke.ID]revoke.SignIn{},
	}}
}

// Clock returns the store's clock, which stands still but for one microsecond a decision.
func (m *Memory) Clock() revoke.Clock { return m.clock }

// Moving returns the same clock, to move it.
func (m *Memory) Moving() *Clock { return m.clock }

// Close does nothing: a Memory can be opened again by handing it to another service.
func (m *Memory) Close() error { return nil }

// Decide reads what need leads to, decides and writes, all under one lock.
func (m *Memory) Decide(ctx context.Context, need revoke.Need, decide revoke.Decision) error {
	if err := m.wait(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", revoke.ErrUnavailable, err)
	}
	if m.faults.takeRefusal() {
		return fmt.Errorf("decide: %w", revoke.ErrUnavailable)
	}
	facts := m.tables.gather(need, m.clock.Now())
	facts.Now = m.clock.Next()
	effects, err := decide(facts)
	m.clock.MoveTo(facts.Now)
	if err != nil {
		return err
	}
	if m.faults.takeLoss() {
		return fmt.Errorf("commit that was not carried out: %w", revoke.ErrUnknownCommit)
	}
	if err := m.tables.check(&effects); err != nil {
		return err
	}
	m.tables.write(&effects, facts.Now)
	if m.faults.takeDoubt() {
		return fmt.Errorf("commit that was carried out: %w", revoke.ErrUnknownCommit)
	}
	return nil
}

// Changes returns every row of the change log in its order.
func (m *Memory) Changes() []revoke.Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tables.changes)
}

// Audit returns every entry of the audit log in its order.
func (m *Memory) Audit() []revoke.AuditEntry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tables.audit)
}

// AllEvents returns every event in the order in which they were decided.
func (m *Memory) AllEvents() []revoke.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tables.events)
}

// AllDeliveries returns every delivery, done ones too, by revocation and target.
func (m *Memory) AllDeliveries() []revoke.Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.tables.deliveries), byDelivery)
}

// Attempts returns every attempt in the order in which they were settled.
func (m *Memory) Attempts() []revoke.Attempt {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tables.attempts)
}

// AllSessions returns every session, by id.
func (m *Memory) AllSessions() []revoke.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.tables.sessions), func(a, b revoke.Session) int { return a.ID.Compare(b.ID) })
}

// AllUsers returns every user with what hangs on it, by id.
func (m *Memory) AllUsers() []revoke.Person {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tables.people(slices.SortedFunc(maps.Keys(m.tables.users), revoke.ID.Compare))
}

func byDelivery(a, b revoke.Delivery) int {
	return cmp.Or(a.Revocation.Compare(b.Revocation), cmp.Compare(a.Target, b.Target))
}

// Journal returns the change log and the audit log.
func (m *Memory) Journal(context.Context) ([]revoke.Change, []revoke.AuditEntry, error) {
	return m.Changes(), m.Audit(), nil
}
