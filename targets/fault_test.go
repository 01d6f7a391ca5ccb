package targets_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/revoke/revoketest"
	"curfew/targets"
)

// carried is a service with a dispatcher that carries to targets on real connections, in real time.
type carried struct {
	store   *revoketest.Memory
	service *revoke.Service
	mu      sync.Mutex
	alarms  []revoke.Alarm
	n       int
}

// passing moves the store's clock with the time that passes.
type passing struct {
	store *revoketest.Memory
	begun revoke.Instant
}

func (c passing) Now() revoke.Instant {
	var machine revoke.ProcessClock
	c.store.Moving().MoveTo(revoketest.Start + machine.Now() - c.begun)
	return c.store.Clock().Now()
}

// carry runs a dispatcher over the targets until the test ends.
func carry(t *testing.T, systems map[string]revoke.Target) *carried {
	t.Helper()
	store := revoketest.NewMemory()
	c := &carried{store: store}
	log := slog.New(slog.DiscardHandler)
	var names []revoke.TargetName
	for name := range systems {
		names = append(names, revoke.TargetName{Name: name, Org: "main"})
	}
	var err error
	if c.service, err = revoke.New(revoke.Config{Store: store, Targets: names, Log: log}); err != nil {
		t.Fatal(err)
	}
	if err := c.service.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	var machine revoke.ProcessClock
	dispatcher, err := revoke.NewDispatcher(revoke.DispatcherConfig{
		Queue: store, Clock: passing{store, machine.Now()}, Targets: systems, Owed: c.service.Owed(), Log: log,
		Raised: func(alarms []revoke.Alarm) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.alarms = append(c.alarms, alarms...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = dispatcher.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return c
}

// suspend makes a revocation of a person, which every target is owed.
func (c *carried) suspend(t *testing.T, email string) {
	t.Helper()
	c.n++
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, email)
	src := revoke.Source{Name: "okta", Org: "main", Type: "okta", Authority: "okta", IDs: "okta", Learns: true}
	_, err := c.service.Receive(t.Context(), revoke.Actor{Kind: "source", Name: "okta"}, src,
		revoke.Event{SenderID: fmt.Sprint(c.n), Signals: []revoke.Signal{{Kind: revoke.Suspended, Subject: who}}})
	if err != nil {
		t.Fatal(err)
	}
}

// of returns the deliveries of a target.
func (c *carried) of(target string) []revoke.Delivery {
	return slices.DeleteFunc(c.store.AllDeliveries(), func(d revoke.Delivery) bool { return d.Target != target })
}

// TestF13SickTargets: one that drips, one that takes the connection and is silent, one that never takes it from the queue, one that
// stalls in TLS, one whose name nobody looks up. Each call ends by its deadline, those who wait at a sick target get their turn,
// and a healthy target beside them is as fast as one that is alone.
func TestF13SickTargets(t *testing.T) {
	t.Parallel()
	const people = 60
	answers := map[string]chan string{"beside": make(chan string, people), "alone": make(chan string, people)}
	healthy := func(name string) revoke.Target {
		return open(t, settings(serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			answers[name] <- string(body)
		}))), targets.Deps{Name: "healthy"})
	}
	nobody := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }}
	sick := map[string]revoke.Target{
		"drips":                              open(t, settings(serve(t, http.HandlerFunc(drip))), targets.Deps{}),
		"takes the connection and is silent": open(t, settings("http://"+silent(t, true)), targets.Deps{}),
		"never takes the connection":         open(t, settings("http://"+silent(t, false)), targets.Deps{}),
		"stalls in TLS":                      open(t, settings("https://"+silent(t, true)), targets.Deps{}),
		"has a name that nobody looks up":    open(t, settings("https://portal.example.edu"), targets.Deps{Clients: outbound.NewMaker(outbound.Config{Resolver: nobody})}),
	}
	alone := carry(t, map[string]revoke.Target{"healthy": healthy("alone")})
	systems := map[string]revoke.Target{"healthy": healthy("beside")}
	maps.Copy(systems, sick)
	beside := carry(t, systems)

	took := map[string][]time.Duration{}
	for i := range people { // in turns, so that whatever else the machine does slows both
		for _, where := range []struct {
			name string
			*carried
		}{{"alone", alone}, {"beside", beside}} {
			email := fmt.Sprintf("p%d@example.edu", i)
			start := revoke.MachineClock{}.Now()
			where.suspend(t, email)
			select {
			case body := <-answers[where.name]:
				took[where.name] = append(took[where.name], revoke.MachineClock{}.Now().Sub(start))
				if !strings.Contains(body, email) {
					t.Fatalf("%s: the healthy target was told %s, want %s", where.name, body, email)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: the healthy target was not told of %s within 20 s", where.name, email)
			}
		}
	}
	for _, all := range took {
		slices.Sort(all)
	}
	// A tenth, and what a busy machine with a race detector adds to single calls; a worker that waits for a sick target would
	// add seconds.
	for name, at := range map[string]int{"median": people / 2, "slowest but one": people - 2} {
		if got, base := took["beside"][at], took["alone"][at]; got > base+base/10+100*time.Millisecond {
			t.Errorf("%s: %s beside sick targets, %s alone, want at most a tenth more", name, got, base)
		}
	}

	for name := range sick {
		// More people were tried than can be under way at once: nobody's place was lost with a call that ended.
		tried := func() (n int) {
			for _, d := range beside.of(name) {
				if d.Attempts > 0 {
					n++
				}
			}
			return n
		}
		waitUntil(t, func() bool { return tried() > 8 })
		for _, d := range beside.of(name) {
			attempts, err := beside.store.AttemptsOf(t.Context(), "main", d.Revocation, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range attempts {
				if a.Took > 11*time.Second || a.Error == "" {
					t.Errorf("a target that %s: an attempt took %s and said %q, want an error within 10 s", name, a.Took, a.Error)
				}
			}
			if d.State == revoke.DeliveryDone || d.State == revoke.DeliveryParked {
				t.Errorf("a target that %s: the delivery is %s", name, d.State)
			}
		}
	}
}

// drip answers a byte a second, for ever.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// silent returns an address at which somebody listens and says nothing. Taken connections are kept open.
func silent(t *testing.T, takes bool) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if takes {
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
			}
		}()
	}
	return listener.Addr().String()
}

// named is what happens at a target as its name.
func named(what string) string { return strings.ReplaceAll(what, " ", "-") }

// TestF14FatesOfAnswers: what becomes of a delivery, and who hears of it, for every kind of answer that is no plain yes.
func TestF14FatesOfAnswers(t *testing.T) {
	t.Parallel()
	const html = "<!doctype html><title>Sign in</title>"
	type want struct {
		state       revoke.DeliveryState
		least, most time.Duration // until it is due again
		alarm       revoke.AlarmKind
	}
	again := want{revoke.DeliveryDue, time.Second, time.Second, ""}
	parked := want{revoke.DeliveryParked, 0, 0, revoke.AlarmParked}
	refused := want{revoke.DeliveryDue, time.Second, 5 * time.Minute, revoke.AlarmCredential}
	date := func(d time.Duration) string { return revoke.Deadline(d).UTC().Format(http.TimeFormat) }
	cases := map[string]struct {
		status int
		header []string
		body   string
		want   want
	}{
		"500":                          {500, nil, "", again},
		"502":                          {502, nil, html, again},
		"503":                          {503, nil, "", again},
		"503 in 7 s":                   {503, []string{"Retry-After", "7"}, "", want{revoke.DeliveryDue, 7 * time.Second, 7 * time.Second, ""}},
		"429":                          {429, nil, "", again},
		"429 in 90 s":                  {429, []string{"Retry-After", "90"}, "", want{revoke.DeliveryDue, 90 * time.Second, 90 * time.Second, ""}},
		"429 until a date":             {429, []string{"Date", date(0), "Retry-After", date(2 * time.Minute)}, "", want{revoke.DeliveryDue, 2 * time.Minute, 2 * time.Minute, ""}},
		"429 in ten years":             {429, []string{"Retry-After", "315360000"}, "", want{revoke.DeliveryDue, time.Hour, 24 * time.Hour, ""}},
		"429 until a date in 10 years": {429, []string{"Date", date(0), "Retry-After", date(10 * 365 * 24 * time.Hour)}, "", want{revoke.DeliveryDue, time.Hour, 24 * time.Hour, ""}},
		"429 in -5 s":                  {429, []string{"Retry-After", "-5"}, "", again},
		"429 soon":                     {429, []string{"Retry-After", "soon"}, "", again},
		"401":                          {401, nil, "", refused},
		"403":                          {403, nil, "", refused},
		"404":                          {404, nil, "", again},
		"410":                          {410, nil, "", again},
		"409":                          {409, nil, "", again},
		"408":                          {408, nil, "", again},
		"400":                          {400, nil, "", again},
		"422":                          {422, nil, "", parked},
		"413":                          {413, nil, "", parked},
		"301":                          {301, []string{"Location", "https://elsewhere.example.edu"}, "", parked},
		"302":                          {302, []string{"Location", "/login"}, "", parked},
		"307":                          {307, nil, "", parked},
		"200 with a page for people":   {200, []string{"Content-Type", "text/html"}, html, again},
		"200 with an error":            {200, []string{"Content-Type", "application/json"}, `{"error": "nobody"}`, want{state: revoke.DeliveryDone}}, // a webhook's yes is its status
		"204":                          {204, nil, "", want{state: revoke.DeliveryDone}},
		"206":                          {206, nil, "half", want{state: revoke.DeliveryDone}},
		"200 and half of the body":     {200, []string{"Content-Length", "100"}, "half", again},
	}
	systems := map[string]revoke.Target{}
	for name, c := range cases {
		systems[named(name)] = open(t, settings(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for i := 0; i < len(c.header); i += 2 {
				w.Header().Set(c.header[i], c.header[i+1])
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
			if slices.Contains(c.header, "Content-Length") {
				panic(http.ErrAbortHandler) // breaks off
			}
		}))), targets.Deps{Name: named(name)})
	}
	all := carry(t, systems)
	all.suspend(t, targetUser)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			name := named(name)
			var attempts []revoke.Attempt
			var first revoke.Delivery
			waitUntil(t, func() bool {
				first = all.of(name)[0]
				var err error
				if attempts, err = all.store.AttemptsOf(t.Context(), "main", first.Revocation, name); err != nil {
					t.Fatal(err)
				}
				return len(attempts) > 0
			})
			switch {
			case first.State == revoke.DeliveryClaimed || len(attempts) > 1: // it is being tried again already
				first.State = revoke.DeliveryDue
			case c.want.state == revoke.DeliveryDue:
				if wait := first.DueAt.Sub(attempts[0].At.Add(attempts[0].Took)).Round(time.Second); wait < c.want.least || wait > c.want.most+time.Second {
					t.Errorf("tried again after %s, want %s to %s", wait, c.want.least, c.want.most)
				}
			}
			if first.State != c.want.state {
				t.Errorf("the delivery is %s (%s), want %s", first.State, first.LastError, c.want.state)
			}
			if c.want.state == revoke.DeliveryDone && first.Receipt.Evidence != revoke.Accepted {
				t.Errorf("the receipt says %s, want accepted", first.Receipt.Evidence)
			}
			raised := func() (kinds []revoke.AlarmKind) {
				all.mu.Lock()
				defer all.mu.Unlock()
				for _, a := range all.alarms {
					if a.About == name {
						kinds = append(kinds, a.Kind)
					}
				}
				return kinds
			}
			if c.want.alarm != "" {
				waitUntil(t, func() bool { return len(raised()) > 0 })
			}
			if got, want := raised(), slices.DeleteFunc([]revoke.AlarmKind{c.want.alarm}, func(k revoke.AlarmKind) bool { return k == "" }); !slices.Equal(got, want) {
				t.Errorf("alarms %v, want %v", got, want)
			}
		})
	}
}
