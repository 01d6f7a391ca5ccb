package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"curfew/api"
	"curfew/internal/metrics"
	"curfew/revoke"
	"curfew/scim"
	"curfew/store"
	"curfew/webhooks"
)

// server is the whole program as a value: opened, then run, then closed.
type server struct {
	log        *slog.Logger
	metrics    *metrics.Metrics
	listener   net.Listener
	store      *store.Store
	service    *revoke.Service
	directory  http.Handler
	app        *api.App
	deliveries atomic.Pointer[deliveries]
	calls      webhooks.Deps // shared by all that call senders, whatever the settings
	attendant  atomic.Pointer[attendant]
	teller     *revoke.Teller   // the first one; nil where nobody is told of alarms
	notifier   *revoke.Notifier // nil where people are told nothing
	publicURL  string
	settings   *Loaded                 // those that hold
	read       func() (*Loaded, error) // reads them again, when there is somebody who may ask for it
}

// deliveries is the dispatcher of some targets.
type deliveries struct {
	*revoke.Dispatcher
	owed chan struct{} // wakes it
	stop func()        // lets what is under way end and nothing begin; nil before it runs
}

// attendant is who does what some sources need beside their messages.
type attendant struct {
	*webhooks.Attendant
	stop func() // lets what is under way end and nothing begin; nil before it runs
}

// openServer takes the address and the database, reads the view and wires everything. Nothing is answered before run.
func openServer(ctx context.Context, l *Loaded, log *slog.Logger) (_ *server, err error) {
	s := &server{log: log, publicURL: string(l.PublicURL), settings: l}
	defer func() { //nolint:contextcheck // closing must happen although ctx has ended
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", string(l.Listen)); err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest repeats the address
		}
		return nil, fmt.Errorf("listen on %s: %w; stop what uses that address, or name another with --listen", l.Listen, err)
	}
	if _, set := l.Origins["public_url"]; !set { // the port may have been the machine's choice
		s.publicURL = string(reachable(address(s.listener.Addr().String()), l.TLS.Cert != ""))
	}
	var service atomic.Pointer[revoke.Service]
	s.store, err = store.Open(ctx, store.Config{
		URL: l.Database.value, Log: log, ProgramVersion: thisVersion().Version,
		Doubt: func(why error) {
			if known := service.Load(); known != nil {
				known.Doubt(why)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	version := thisVersion()
	if s.metrics, err = metrics.New(metrics.Config{
		Sources: l.sourceNames(), Targets: l.systemNames(), Version: version.Version, Commit: version.Commit,
		Pulses: func() map[string]revoke.Pulse {
			if known := service.Load(); known != nil {
				return known.LastPulses()
			}
			return nil
		},
		Ready: func() error {
			if known := service.Load(); known != nil {
				return known.Ready()
			}
			return revoke.ErrNotFresh
		},
	}); err != nil {
		return nil, err
	}
	if s.service, err = revoke.New(revoke.Config{
		Store: s.store, Targets: l.targetNames(), Observer: s.metrics, Log: log,
	}); err != nil {
		return nil, err
	}
	s.service.SetBrake(l.brake())
	service.Store(s.service)
	s.service.SetSources(l.listened())
	s.service.SetZone(l.TimeZone.Location)
	if err = s.service.Load(ctx); err != nil {
		return nil, err
	}
	if err = s.service.BreakGlass(ctx, mainOrg, l.breakGlass()); err != nil {
		return nil, err // a server that spared nobody would block those who are to repair the rest
	}
	return s, s.wire(l) //nolint:contextcheck // each request has a context of its own
}

// wire makes the doors and what stands behind them.
func (s *server) wire(l *Loaded) (err error) {
	if s.directory, err = scim.New(scim.Config{
		Service: s.service, Store: s.store, Clock: s.store.Clock(), PublicURL: s.publicURL, Observer: s.metrics, Log: s.log,
	}); err != nil {
		return err
	}
	s.calls = calling(s.store.Clock())
	doors, a, err := s.doors(l)
	if err != nil {
		return err
	}
	s.attendant.Store(a)
	if s.app, err = api.New(doors); err != nil {
		return err
	}
	if s.teller, err = s.newTeller(l); err != nil {
		return err
	}
	if s.notifier, err = s.newNotifier(l); err != nil {
		return err
	}
	d, err := s.dispatcher(l)
	s.deliveries.Store(d)
	return err
}

// doors is what answers under the settings, and who does what sources need beside that.
func (s *server) doors(l *Loaded) (api.Config, *attendant, error) {
	hooks, err := webhooks.New(webhooks.Config{
		Sources: l.senders(), Inbox: s.service, Heard: s.service.Hear, Clock: s.store.Clock(), Observer: s.metrics, Log: s.log,
		Deps: s.calls, PublicURL: s.publicURL, Proxies: l.proxies(),
	})
	if err != nil {
		return api.Config{}, nil, err
	}
	a, err := webhooks.NewAttendant(webhooks.AttendantConfig{Handler: hooks, Core: s.service, Rows: s.store, Clock: s.store.Clock(), Log: s.log})
	if err != nil {
		return api.Config{}, nil, err
	}
	secure, err := l.TLS.config(l.knowsCertificates())
	if err != nil {
		return api.Config{}, nil, err
	}
	tokens, err := l.callers()
	if err != nil {
		return api.Config{}, nil, err
	}
	systems, err := s.systems(l)
	if err != nil {
		return api.Config{}, nil, err
	}
	shown, people, err := s.pages(l)
	if err != nil {
		return api.Config{}, nil, err
	}
	return api.Config{
		Console: shown, SignIn: people,
		Senders: l.inspected(hooks), Read: trial{hooks, a, s.store.Clock()}, Systems: systems, States: s.states, PublicURL: s.publicURL,
		Service: s.service, Store: s.store, Tokens: tokens, SCIM: scim.Strict(s.directory, l.strict()), Hooks: hooks,
		HookBody: hooks.MaxBody, Metrics: s.metrics.Handler(), MetricsOpen: l.Metrics.Open,
		Cookie: string(l.ForwardAuth.Cookie), TrustedProxies: l.proxies(), Logout: api.Logout(l.Logout), Approvals: l.Approvals, TLS: secure,
		Retried: s.wake, Clock: s.store.Clock(), Observer: s.metrics, Log: s.log, Version: thisVersion().Version,
	}, &attendant{Attendant: a}, nil
}

// dispatcher is what calls the targets of the settings. It makes no call yet.
func (s *server) dispatcher(l *Loaded) (*deliveries, error) {
	systems, err := s.open(l)
	if err != nil {
		return nil, err
	}
	out := &deliveries{owed: make(chan struct{}, 1)}
	out.Dispatcher, err = revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: s.store, Clock: s.store.Clock(), Targets: systems, Owed: out.owed, Raised: s.service.Raised, Observer: s.metrics, Log: s.log,
	})
	return out, err
}

// close gives back the address and the database. It may follow a failed open.
func (s *server) close() error {
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	return err
}

func (l *Loaded) targetNames() []revoke.TargetName {
	var out []revoke.TargetName
	for name, t := range l.Targets {
		if t.own != nil {
			out = append(out, revoke.TargetName{Name: name, Org: t.Org})
		}
	}
	slices.SortFunc(out, func(a, b revoke.TargetName) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// systemNames is what can be called.
func (l *Loaded) systemNames() []string {
	var out []string
	for _, t := range l.targetNames() {
		out = append(out, t.Name)
	}
	return out
}

// listened is whose silence means something, or whose lateness: every sender, and every token.
func (l *Loaded) listened() []revoke.Source {
	var out []revoke.Source
	for name, s := range l.Sources {
		if s.own != nil { // others are answered 503, and cannot be heard
			out = append(out, s.source(name, l.TimeZone))
		}
	}
	for _, t := range l.Tokens {
		out = append(out, t.source())
	}
	return out
}

// sourceNames is who can be counted by name: senders, and those who call with a token.
func (l *Loaded) sourceNames() []string {
	out := slices.Collect(maps.Keys(l.Sources))
	for _, t := range l.Tokens {
		out = append(out, string(t.Name))
	}
	return out
}

// breakGlass names the people whom only an admin blocks.
func (l *Loaded) breakGlass() []revoke.Subject {
	out := make([]revoke.Subject, len(l.BreakGlass))
	for i, b := range l.BreakGlass {
		out[i].Add(revoke.NamespaceIssuer, b.identifier())
	}
	return out
}

func (l *Loaded) senders() map[string]webhooks.Source {
	out := map[string]webhooks.Source{}
	for name, s := range l.Sources {
		out[name] = webhooks.Source{
			Source: s.source(name, l.TimeZone), Settings: s.own, MaxBody: int64(s.MaxBody), InsecureTransportOnly: s.InsecureTransportOnly,
		}
	}
	return out
}

func (l *Loaded) callers() ([]api.Token, error) {
	var out []api.Token
	for _, t := range l.Tokens {
		hashes, err := t.hashes()
		if err != nil {
			return nil, err
		}
		out = append(out, api.Token{Name: string(t.Name), Scopes: t.Scopes, App: t.App, Hashes: hashes, Source: t.source()})
	}
	return out, nil
}

// hashes is all that the server keeps of a token.
func (t *tokenSettings) hashes() ([][sha256.Size]byte, error) {
	var out [][sha256.Size]byte
	for _, s := range append([]revoke.Secret{t.Secret}, t.Secrets...) {
		if !s.IsZero() {
			out = append(out, sha256.Sum256([]byte(s.Reveal())))
		}
	}
	if t.SHA256 != "" {
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(t.SHA256)); err != nil {
			return nil, fmt.Errorf("token %s: sha256 is not hexadecimal", t.Name)
		}
		out = append(out, sum)
	}
	return out, nil
}

// strict names the tokens that are held to the profiles of SCIM.
func (l *Loaded) strict() (names []string) {
	for _, t := range l.Tokens {
		if t.Strict {
			names = append(names, string(t.Name))
		}
	}
	return names
}

// source is what the core needs to know of a token. A directory's token teaches identifiers; others only point.
func (t *tokenSettings) source() revoke.Source {
	out := revoke.Source{
		Name: string(t.Name), Org: string(t.Org), Type: revoke.TypeToken, Authority: string(t.Authority), IDs: string(t.IDs),
		Rules: t.Rules.rules(),
	}
	if slices.Contains(t.Scopes, "scim") {
		out.Type, out.Learns = "scim", true
	}
	return out
}

func (l *Loaded) proxies() []netip.Prefix {
	out := make([]netip.Prefix, len(l.TrustedProxies))
	for i, n := range l.TrustedProxies {
		out[i] = n.Prefix
	}
	return out
}

// config is nil where a proxy carries TLS.
func (t tlsSettings) config(ask bool) (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read tls.cert and tls.key: %w", err)
	}
	out := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if ask {
		out.ClientAuth = tls.RequestClientCert // the source knows which; who signed it does not matter
	}
	return out, nil
}

// knowsCertificates reports whether a source knows its sender by a client certificate, so that the server asks for one. Whoever has
// none is served all the same.
func (l *Loaded) knowsCertificates() bool {
	for _, s := range l.Sources {
		if known, ok := s.own.(interface{ ClientCertificates() bool }); ok && known.ClientCertificates() {
			return true
		}
	}
	return false
}
