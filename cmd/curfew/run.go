package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// lastAnswers is how long a stopping server waits for what is under way.
const lastAnswers = 15 * time.Second

// parts are what works in a server that runs.
type parts struct {
	*server
	group sync.WaitGroup
	ended chan error // of the first part that ended by itself
	hush  func()     // ends what tells of alarms; nil where nobody is told
}

// run answers until ctx ends, then finishes what is under way. A part that ends by itself ends the rest. At each hangup it
// reads the settings again.
func (s *server) run(ctx context.Context, hangup <-chan os.Signal) error {
	// The parts outlive ctx: what a last request decides must still reach the view and the queue.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	p := &parts{server: s, ended: make(chan error, 1)}
	p.start(background, s.service.Run)
	p.start(background, s.forward)
	p.start(background, func(context.Context) error { return s.app.Serve(s.listener) })
	p.deliver(background, s.deliveries.Load())
	p.attend(background, s.attendant.Load())
	p.tell(background, s.teller)
	if s.notifier != nil {
		p.start(background, s.notifier.Run)
	}
	var err error
	for stopping := false; !stopping; {
		select {
		case <-hangup:
			p.reload(background)
		case <-ctx.Done():
			s.log.Info("stopping; requests under way are answered first")
			stopping = true
		case err = <-p.ended:
			stopping = true
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer cancel()
	err = errors.Join(err, s.app.Shutdown(last))
	stop()
	p.group.Wait()
	s.listener, s.app = nil, nil
	return err
}

// start lets a part work until ctx ends.
func (p *parts) start(ctx context.Context, work func(context.Context) error) {
	p.group.Go(func() {
		err := work(ctx)
		if err == nil {
			if ctx.Err() != nil {
				return
			}
			err = errors.New("a part of the server ended by itself")
		}
		select {
		case p.ended <- err:
		default:
		}
	})
}

// deliver lets d work beside the one before it, whose calls under way end and are recorded: who is leased to one is not
// called by the other.
func (p *parts) deliver(ctx context.Context, d *deliveries) {
	ctx, stop := context.WithCancel(ctx)
	d.stop = stop
	before := p.deliveries.Swap(d)
	p.start(ctx, d.Run)
	if before != d {
		before.stop()
	}
}

// attend lets a work beside the one before it, whose calls under way end and are recorded.
func (p *parts) attend(ctx context.Context, a *attendant) {
	ctx, stop := context.WithCancel(ctx)
	a.stop = stop
	before := p.attendant.Swap(a)
	p.start(ctx, a.Run)
	if before != a {
		before.stop()
	}
}

// forward hands the core's word on: that deliveries are owed to the dispatcher, that something waits to be read to the attendant.
func (s *server) forward(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.service.Owed():
			s.wake()
		case <-s.service.Unread():
			s.attendant.Load().Wake()
		}
	}
}

// wake tells the dispatcher to look again. It never blocks.
func (s *server) wake() {
	select {
	case s.deliveries.Load().owed <- struct{}{}:
	default:
	}
}
