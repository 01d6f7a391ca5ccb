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
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"curfew/api"
	"curfew/internal/metrics"
	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/scim"
	"curfew/store"
	"curfew/targets"
	"curfew/webhooks"
)

// server is the whole program as a value: opened, then run, then closed.
type server struct {
	log        *slog.Logger
	metrics    *metrics.Metrics
	listener   net.Listener
	store      *store.Store
	service    *revoke.Service
	dispatcher *revoke.Dispatcher
	app        *api.App
	owed       chan struct{} // wakes the dispatcher
	publicURL  string
}

// lastAnswers is how long a stopping server waits for what is under way.
const lastAnswers = 15 * time.Second

// openServer takes the address and the database, reads the view and wires everything. Nothing is answered before run.
func openServer(ctx context.Context, l *Loaded, log *slog.Logger) (_ *server, err error) {
	s := &server{log: log, owed: make(chan struct{}, 1), publicURL: string(l.PublicURL)}
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
	service.Store(s.service)
	if err = s.service.Load(ctx); err != nil {
		return nil, err
	}
	return s, s.wire(l) //nolint:contextcheck // each request has a context of its own
}

// wire makes the doors and what stands behind them.
func (s *server) wire(l *Loaded) error {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	systems := map[string]revoke.Target{}
	for name, t := range l.Targets {
		if t.own == nil {
			continue // a warning said that this build lacks its type
		}
		target, err := t.open(name, targets.Deps{Clients: calls, Clock: s.store.Clock(), Log: s.log})
		if err != nil {
			return err
		}
		systems[name] = target
	}
	var err error
	if s.dispatcher, err = revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: s.store, Clock: s.store.Clock(), Targets: systems, Owed: s.owed, Observer: s.metrics, Log: s.log,
	}); err != nil {
		return err
	}
	directory, err := scim.New(scim.Config{
		Service: s.service, Store: s.store, Clock: s.store.Clock(), PublicURL: s.publicURL, Observer: s.metrics, Log: s.log,
	})
	if err != nil {
		return err
	}
	hooks, err := webhooks.New(webhooks.Config{
		Sources: l.senders(), Inbox: s.service, Clock: s.store.Clock(), Observer: s.metrics, Log: s.log,
	})
	if err != nil {
		return err
	}
	secure, err := l.TLS.config()
	if err != nil {
		return err
	}
	tokens, err := l.callers()
	if err != nil {
		return err
	}
	s.app, err = api.New(api.Config{
		Service: s.service, Store: s.store, Tokens: tokens, SCIM: directory, Hooks: hooks,
		HookBody: hooks.MaxBody, Metrics: s.metrics.Handler(), MetricsOpen: l.Metrics.Open,
		Cookie: string(l.ForwardAuth.Cookie), TrustedProxies: l.proxies(), Logout: api.Logout(l.Logout), Approvals: l.Approvals, TLS: secure,
		Retried: s.wake, Clock: s.store.Clock(), Observer: s.metrics, Log: s.log, Version: thisVersion().Version,
	})
	return err
}

// wake tells the dispatcher to look again. It never blocks.
func (s *server) wake() {
	select {
	case s.owed <- struct{}{}:
	default:
	}
}

// run answers until ctx ends, then finishes what is under way. A part that ends by itself ends the rest. A SIGHUP, which
// would otherwise end the process, is answered in the log: the settings are read at the start only.
func (s *server) run(ctx context.Context, hangup <-chan os.Signal) error {
	// The parts outlive ctx: what a last request decides must still reach the view and the queue.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 3)
	var parts sync.WaitGroup
	parts.Go(func() { ended <- s.service.Run(background) })
	parts.Go(func() { ended <- s.dispatcher.Run(background) })
	parts.Go(func() { s.forward(background) })
	parts.Go(func() { ended <- s.app.Serve(s.listener) })
	var err error
	for stopping := false; !stopping; {
		select {
		case <-hangup:
			s.log.Warn("SIGHUP changes nothing: this version reads its settings at the start, so restart it")
		case <-ctx.Done():
			s.log.Info("stopping; requests under way are answered first")
			stopping = true
		case err = <-ended:
			if err == nil {
				err = errors.New("a part of the server ended by itself")
			}
			stopping = true
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	err = errors.Join(err, s.app.Shutdown(last))
	stop()
	parts.Wait()
	s.listener, s.app = nil, nil
	return err
}

// forward hands the core's word that deliveries are owed to the dispatcher.
func (s *server) forward(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.service.Owed():
			s.wake()
		}
	}
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

// sourceNames is who can be counted by name: senders, and those who call with a token.
func (l *Loaded) sourceNames() []string {
	out := slices.Collect(maps.Keys(l.Sources))
	for _, t := range l.Tokens {
		out = append(out, string(t.Name))
	}
	return out
}

func (l *Loaded) senders() map[string]webhooks.Source {
	out := map[string]webhooks.Source{}
	for name, s := range l.Sources {
		out[name] = webhooks.Source{
			Source: s.source(name), Settings: s.own, MaxBody: int64(s.MaxBody), InsecureTransportOnly: s.InsecureTransportOnly,
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

// source is what the core needs to know of a token. A directory's token teaches identifiers; others only point.
func (t *tokenSettings) source() revoke.Source {
	out := revoke.Source{
		Name: string(t.Name), Org: string(t.Org), Type: "token", Authority: string(t.Authority), IDs: string(t.IDs),
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
func (t tlsSettings) config() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("read tls.cert and tls.key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
