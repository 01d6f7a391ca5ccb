package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	stormClients = 8
	stormBatch   = 100
	stormForged  = 5000 // a second
	// stormGrowth and stormPerPerson are how much memory the server may take beyond what it had, at its peak: for what is under way, and
	// for the cutoff and the block of each person whom a storm suspends, with the room that the garbage collector leaves itself; not
	// for what came in.
	stormGrowth    = 128 << 20
	stormPerPerson = 2 << 10
)

// storms lets a directory suspend people as fast as it can, one by one and in batches, while forgers send what they like and one
// fresh person after the other is suspended in the middle.
func (b *bench) storms(ctx context.Context, d *database) (err error) {
	sender, err := startProcess(ctx, "", stormMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sender.stop()) }()
	s, err := b.start(ctx, d, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for _, kind := range []struct {
		what   string
		batch  int
		events int
		goal   float64
	}{
		{"Okta events one by one per second", 1, b.storm / 5, 0.3},
		{fmt.Sprintf("Okta events in batches of %d per second", stormBatch), stormBatch, b.storm, 2},
	} {
		w := &weather{bench: b, database: d, server: s, sender: sender, batch: kind.batch}
		w.events = max(b.rounds, min(kind.events, d.crowd.users)) / b.rounds
		if err := w.blow(ctx); err != nil {
			return fmt.Errorf("batches of %d: %w", kind.batch, err)
		}
		where := b.where(thousands(w.events*b.rounds)+" events of distinct people", fmt.Sprintf("%.0f forged requests a second beside", w.forgedPerSecond()),
			clients(stormClients)+" in a process of their own", targets(0), "brake off", "HTTP")
		b.say(verdict{
			what: d.name + ": " + kind.what + ", of bare durable commits of as many clients", ratio: ratio(w.rates, w.bare), goal: kind.goal, atLeast: true,
			beside: fmt.Sprintf("%.0f events a second, answered within %s at the 99th percentile, %d asked to come again; none missing; memory %s",
				median(w.rates), percentile(w.answers, 99).Round(time.Millisecond), w.again, w.memory),
			where: where,
		})
		b.say(verdict{
			what: fmt.Sprintf("%s: seconds from arrival to dead of a fresh suspension in that storm, 99th percentile", d.name), ratio: percentile(w.deaths, 99).Seconds(), goal: 1,
			beside: fmt.Sprintf("median %s of %d", percentile(w.deaths, 50).Round(time.Millisecond), len(w.deaths)),
			where:  where,
		})
	}
	return nil
}

// weather is one storm, in as many parts as there are rounds, between which bare commits take their turns.
type weather struct {
	*bench
	database *database
	server   *server
	sender   *process
	batch    int
	events   int // in a part

	rates, bare     []float64
	answers, deaths []time.Duration
	again, forged   int
	took            time.Duration
	people          []int // who was suspended
	memory          memory
}

func (w *weather) forgedPerSecond() float64 { return float64(w.forged) / w.took.Seconds() }

// blow runs the storm and looks at what it left behind.
func (w *weather) blow(ctx context.Context) error {
	bare := w.database.bare(stormClients)
	first := int(w.database.events.Add(int64(w.events*w.rounds))) - w.events*w.rounds + 1
	if err := w.server.settleMemory(&w.memory); err != nil {
		return err
	}
	for round := range w.rounds {
		perSecond, err := bare.slice(ctx, w.slice)
		if err != nil {
			return err
		}
		w.bare = append(w.bare, perSecond)
		if err := w.part(ctx, first+round*w.events); err != nil {
			return err
		}
		w.progress("  round %d of %d: %.0f bare commits/s, %.0f events/s, answers within %s", round+1, w.rounds, perSecond, w.rates[round], percentile(w.answers, 99))
	}
	if err := w.server.peakMemory(&w.memory); err != nil {
		return err
	}
	most := stormGrowth + stormPerPerson*w.rounds*w.events
	if grown := w.memory.peak - w.memory.before; grown > int64(most) {
		return fmt.Errorf("the server took %s more memory in a storm, at most %s was promised", megabytes(grown), megabytes(int64(most)))
	}
	if err := w.database.allThere(ctx, first, len(w.people)); err != nil {
		return err
	}
	return w.allDead(ctx)
}

// part sends a part of the events, and probes meanwhile.
func (w *weather) part(ctx context.Context, first int) error {
	s := storm{Address: w.server.address, Secret: w.server.secrets["okta"], First: first, Batch: w.batch, Clients: stormClients, Forged: stormForged}
	for range w.events {
		s.People = append(s.People, w.database.crowd.pick())
	}
	w.people = append(w.people, s.People...)
	over, probed := make(chan struct{}), make(chan error, 1)
	go func() { probed <- w.probe(ctx, over) }()
	var done stormed
	err := w.sender.ask(s, &done)
	close(over)
	if err = errors.Join(err, <-probed); err != nil {
		return err
	}
	if done.Error != "" {
		return errors.New(done.Error)
	}
	w.rates = append(w.rates, float64(w.events)/done.Took.Seconds())
	w.answers = append(w.answers, done.Answers...)
	w.again, w.forged, w.took = w.again+done.Again, w.forged+done.Forged, w.took+done.Took
	return nil
}

// probeEvery is how long after a death the next one begins.
const probeEvery = 20 * time.Millisecond

// probe signs a fresh person in and suspends it, again and again, and notes how long its session lived on.
func (w *weather) probe(ctx context.Context, over <-chan struct{}) error {
	telling, err := dial(ctx, w.server.address)
	if err != nil {
		return err
	}
	defer telling.close()
	asking, err := dial(ctx, w.server.address)
	if err != nil {
		return err
	}
	defer asking.close()
	for {
		n := int(w.database.events.Add(1))
		login := fmt.Sprintf("fresh%d@example.edu", n)
		var made struct{ Token string }
		if err := w.server.make(ctx, "/v1/sessions", "portal", map[string]any{
			"subject": map[string]string{"format": "email", "email": login}, "kind": "mobile", "token": "new",
		}, &made); err != nil {
			return err
		}
		message := oktaMessage(n, 1, func(int) (string, string) { return "00u" + login, login })
		question := w.server.raw("POST", introspectPath, w.server.secrets["gateway"], "application/x-www-form-urlencoded", "token="+made.Token)
		if live, err := asking.live(question); err != nil || !live {
			return errors.Join(err, errors.New("a session is not live before its person is suspended"))
		}
		start, told := time.Now(), make(chan error, 1)
		go func() {
			_, err := telling.send(hookRequest(w.server.address, w.server.secrets["okta"], message))
			told <- err
		}()
		for live := true; live; {
			if live, err = asking.live(question); err != nil {
				return err
			}
			if time.Since(start) > time.Minute {
				return errors.New("a session outlives its person's suspension by a minute")
			}
		}
		w.deaths = append(w.deaths, time.Since(start))
		if err := <-told; err != nil {
			return err
		}
		select {
		case <-over:
			return nil
		case <-time.After(probeEvery):
		}
	}
}

// line is a connection for requests one after the other.
type line struct {
	conn    net.Conn
	answers *bufio.Reader
}

func dial(ctx context.Context, address string) (*line, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &line{conn, bufio.NewReaderSize(conn, largestAnswer)}, nil
}

func (l *line) close() { _ = l.conn.Close() }

func (l *line) send(request []byte) (body []byte, err error) {
	if _, err := l.conn.Write(request); err != nil {
		return nil, err
	}
	return readAnswer(l.answers)
}

// percentile returns the value below which so many of a hundred lie.
func percentile(of []time.Duration, hundredths int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, len(sorted)*hundredths/100)]
}
