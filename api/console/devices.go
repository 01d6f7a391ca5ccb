package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/revoke"
)

// ownDevice is one row of the page: a thing in somebody's hands with the sessions on it, or one long-lived token.
type ownDevice struct {
	Key      string   // by which the page's addresses name it
	keys     []string // by which a name that the person gave it is kept
	Name     string
	Form     string // what the form for its name carries
	Called   string // by the person; empty: they gave it no name
	Look     look
	On       string // with what and on what
	Apps     []string
	IP       string
	FirstAt  revoke.Instant
	LastAt   revoke.Instant // of use; zero: never
	EndsAt   revoke.Instant // the last end of its sessions; zero: it does not expire
	IdleFor  string         // how long it may lie unused; empty: as long as it likes
	Here     bool           // the page is looked at on it
	Fresh    bool           // since less than a week
	Sessions []ownSession
}

// ownSession is one sign-in on a device.
type ownSession struct {
	row     revoke.Session
	Key     string
	App     string
	On      string
	Present bool // it is the one that the page is looked at with
}

// ended is a sign-in that is over.
type ended struct {
	Name string
	Look look
	App  string
	On   string
	At   revoke.Instant
	Why  string // the end of a sentence
}

// belongings is everything that a person is signed in with, and was lately.
type belongings struct {
	members []revoke.ID
	Here    *ownDevice
	Others  []ownDevice
	Tokens  []ownDevice
	past    []pastSession
	More    bool // there are so many that not all were read
}

type pastSession struct {
	revoke.Session
	verdict revoke.Verdict
}

const (
	ownApp      = "curfew" // under which our own sign-ins are registered
	hereKey     = "here"
	freshFor    = 7 * 24 * time.Hour
	rememberFor = 30 * 24 * time.Hour
	mostRead    = 10_000 // sessions of one person
	atOnce      = 1000
	endless     = 50 * 365 * 24 * time.Hour // what ends later does not end as far as people are concerned
)

// belongings reads what the person has, with one judgement for each session.
func (v *visit) belongings(ctx context.Context) (*belongings, error) {
	b := &belongings{}
	if v.who.User.IsZero() {
		return b, nil
	}
	var err error
	if b.members, err = v.c.cfg.Service.Members(v.who.User); err != nil {
		return nil, fmt.Errorf("find who is one person with %s: %w", v.who.User, err)
	}
	rows, err := v.ownSessions(ctx, b)
	if err != nil {
		return nil, err
	}
	now := v.c.cfg.Clock.Now()
	var live []revoke.Session
	for i := range rows {
		verdict, err := v.c.cfg.Service.Judge(ctx, &rows[i])
		switch {
		case errors.Is(err, revoke.ErrNotFound): // it was pruned a moment ago
		case err != nil:
			return nil, fmt.Errorf("judge session %s: %w", rows[i].ID, err)
		case verdict.Live:
			live = append(live, rows[i])
		case now.Sub(verdict.At) < rememberFor && rows[i].App != ownApp:
			b.past = append(b.past, pastSession{rows[i], verdict})
		}
	}
	b.group(live, v.who.Session, now)
	names, err := v.c.cfg.Service.DeviceNames(ctx, v.who.Org, b.members)
	if err != nil {
		return nil, err
	}
	b.name(names, v.form)
	slices.SortStableFunc(b.past, func(x, y pastSession) int { return cmp.Compare(y.verdict.At, x.verdict.At) })
	return b, nil
}

// ownSessions reads the rows, newest first.
func (v *visit) ownSessions(ctx context.Context, b *belongings) ([]revoke.Session, error) {
	var rows []revoke.Session
	ask := revoke.SessionQuery{Org: v.who.Org, Users: b.members, Limit: atOnce}
	for {
		some, err := v.c.cfg.Store.SessionsOf(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("list the sessions of %s: %w", v.who.User, err)
		}
		rows = append(rows, some...)
		if len(some) < atOnce {
			return rows, nil
		}
		if len(rows) >= mostRead {
			b.More = true
			return rows, nil
		}
		last := &some[len(some)-1]
		ask.After = &revoke.SessionCursor{BornAt: last.BornAt, ID: last.ID}
	}
}

// group puts sessions on the devices that they are on. The device that the page is looked at on is known by this sign-in, and by
// the same browser at the same address; where no app named a device, what looks alike and comes from one address is one.
func (b *belongings) group(live []revoke.Session, present revoke.ID, now revoke.Instant) {
	var us revoke.Session
	if at := slices.IndexFunc(live, func(s revoke.Session) bool { return s.ID == present }); at >= 0 {
		us = live[at]
	}
	here := func(s *revoke.Session) bool {
		return s.ID == present || s.Kind == revoke.Browser && us.Facts.UserAgent != "" && s.Facts.UserAgent == us.Facts.UserAgent && s.Facts.IP == us.Facts.IP
	}
	hereDevices := map[revoke.ID]bool{}
	for i := range live {
		if !live[i].Device.IsZero() && here(&live[i]) {
			hereDevices[live[i].Device] = true
		}
	}
	found := map[string]*ownDevice{}
	var order []string
	for i := range live {
		s := &live[i]
		l := lookOf(s)
		key := deviceKey(s, &l)
		if token := s.Kind == revoke.API || s.Kind == revoke.DeviceKind; token {
			key = "t" + s.ID.String()
		} else if here(s) || hereDevices[s.Device] {
			key = hereKey
		}
		own := deviceKey(s, &l)
		if strings.HasPrefix(key, "t") {
			own = key
		}
		d, ok := found[key]
		if !ok {
			d = &ownDevice{Key: key, Look: l, Here: key == hereKey}
			found[key], order = d, append(order, key)
		}
		if !slices.Contains(d.keys, own) {
			d.keys = append(d.keys, own)
		}
		d.add(s, &l, present)
	}
	for _, key := range order {
		d := found[key]
		d.settle(now)
		switch {
		case d.Here:
			b.Here = d
		case strings.HasPrefix(key, "t"):
			b.Tokens = append(b.Tokens, *d)
		default:
			b.Others = append(b.Others, *d)
		}
	}
	newest := func(x, y ownDevice) int {
		return cmp.Or(cmp.Compare(max(y.LastAt, y.FirstAt), max(x.LastAt, x.FirstAt)), cmp.Compare(x.Key, y.Key))
	}
	slices.SortFunc(b.Others, newest)
	slices.SortFunc(b.Tokens, newest)
}

// name puts the names on the devices that the person gave them. What the device says of itself stands beside it then.
func (b *belongings) name(names []revoke.DeviceName, form string) {
	called := func(d *ownDevice) {
		d.Form = form
		at := slices.IndexFunc(names, func(n revoke.DeviceName) bool { return slices.Contains(d.keys, n.Device) })
		if at < 0 {
			return
		}
		if d.Called = names[at].Name; d.On == "" && d.Name != d.Called {
			d.On = d.Name
		}
		d.Name = d.Called
	}
	if b.Here != nil {
		called(b.Here)
	}
	for i := range b.Others {
		called(&b.Others[i])
	}
	for i := range b.Tokens {
		called(&b.Tokens[i])
	}
}

// deviceKey names the device that a session is on.
func deviceKey(s *revoke.Session, l *look) string {
	if !s.Device.IsZero() {
		return "d" + s.Device.String()
	}
	client, _, _ := strings.Cut(l.Client, " ")
	return "l" + revoke.NameID("look", string(s.Kind), s.Facts.DeviceName, l.Thing, l.System, client, s.Facts.IP).String()
}

// add puts a session on the device. Sessions come newest first, so what the first says of the device is what is true now.
func (d *ownDevice) add(s *revoke.Session, l *look, present revoke.ID) {
	if d.Name == "" {
		d.Name = short(60, s.Facts.DeviceName)
	}
	if d.On == "" || d.Look.Client == "" && l.Client != "" {
		d.Look.Client, d.On = l.Client, short(60, l.on())
	}
	if d.IP == "" {
		d.IP = short(45, s.Facts.IP)
	}
	if d.FirstAt == 0 || s.IssuedAt < d.FirstAt {
		d.FirstAt = s.IssuedAt
	}
	used := s.UsedAt
	if s.ID == present {
		used = max(used, s.IssuedAt)
	}
	d.LastAt, d.EndsAt = max(d.LastAt, used), max(d.EndsAt, s.ExpiresAt)
	if app := appName(s.App); !slices.Contains(d.Apps, app) && s.App != ownApp {
		d.Apps = append(d.Apps, app)
	}
	if s.Idle > 0 {
		d.IdleFor = span(s.Idle)
	}
	d.Sessions = append(d.Sessions, ownSession{row: *s, Key: s.ID.String(), App: appName(s.App), On: short(60, l.on()), Present: s.ID == present})
}

// settle works out what all of its sessions together say.
func (d *ownDevice) settle(now revoke.Instant) {
	switch {
	case d.Name != "":
	case d.Look.Icon == "key":
		d.Name = list(d.Apps) + " token"
	case d.On != "":
		d.Name = d.On
		d.On = ""
	default:
		d.Name = d.Look.Thing
	}
	d.Fresh = !d.Here && now.Sub(d.FirstAt) < freshFor
	if d.EndsAt.Sub(now) > endless {
		d.EndsAt = 0
	}
	slices.Sort(d.Apps)
}

// Born, Used, Ends and IP are what is said about one sign-in.
func (s ownSession) Born() revoke.Instant { return s.row.IssuedAt }

// Proved returns when the person proved who they are for it, zero where nobody said.
func (s ownSession) Proved() revoke.Instant { return s.row.AuthTime }

// Used returns its last use, zero before the first.
func (s ownSession) Used() revoke.Instant { return s.row.UsedAt }

// Ends returns when it expires.
func (s ownSession) Ends() revoke.Instant { return s.row.ExpiresAt }

// IP returns where it came from, as far as anybody said.
func (s ownSession) IP() string { return short(45, s.row.Facts.IP) }

// appName is an application as people read it.
func appName(app string) string {
	if app == ownApp {
		return "Your devices (this page)"
	}
	return short(60, app)
}

// span says a length of time in words.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return plural(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return plural(int(d/time.Hour), "hour")
	default:
		return plural(max(1, int(d/time.Minute)), "minute")
	}
}

// find returns the device, or the token, that an address names.
func (b *belongings) find(key string) (*ownDevice, bool) {
	for _, all := range [][]ownDevice{b.Others, b.Tokens} {
		if at := slices.IndexFunc(all, func(d ownDevice) bool { return d.Key == key }); at >= 0 {
			return &all[at], true
		}
	}
	return b.Here, b.Here != nil && key == hereKey
}

// Count says on how many devices and in how many apps the person is signed in.
func (b *belongings) Count() string {
	devices, apps := len(b.Others), map[string]bool{}
	if b.Here != nil {
		devices++
	}
	for _, d := range b.all() {
		for _, app := range d.Apps {
			apps[app] = true
		}
	}
	text := plural(devices, "device")
	if len(apps) > 0 {
		text += ", in " + plural(len(apps), "app")
	}
	return text
}

// all returns every device and token.
func (b *belongings) all() []ownDevice {
	var all []ownDevice
	if b.Here != nil {
		all = append(all, *b.Here)
	}
	return append(append(all, b.Others...), b.Tokens...)
}

// after returns the page of other devices that begins after a cursor, and the next one's.
func (b *belongings) after(cursor string, n int) (page []ownDevice, next string) {
	rest := b.Others
	if text, key, ok := strings.Cut(cursor, "."); ok {
		at, _ := strconv.ParseInt(text, 10, 64)
		rest = rest[:0:0]
		for _, d := range b.Others {
			if use := int64(max(d.LastAt, d.FirstAt)); use < at || use == at && d.Key > key {
				rest = append(rest, d)
			}
		}
	}
	if len(rest) <= n {
		return rest, ""
	}
	last := rest[n-1]
	return rest[:n], fmt.Sprintf("%d.%s", max(last.LastAt, last.FirstAt), last.Key)
}
