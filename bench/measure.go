package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// contender is one of the things that are compared: work that can be done for a while, at a rate.
type contender struct {
	name string
	// open readies it for one slice, so that what two contenders cannot hold at once (a database's lock) is free between
	// the slices. What open and close take is not measured.
	open func(ctx context.Context) (rate, func() error, error)
}

// rate works for a slice and returns how often per second.
type rate func(ctx context.Context, slice time.Duration) (perSecond float64, err error)

// rates lets the contenders take turns and returns each one's rates, slice by slice. A machine that is slow for a while is
// slow for all of them: only ratios of neighbouring slices mean something.
func (b *bench) rates(ctx context.Context, rounds int, slice time.Duration, contenders ...contender) ([][]float64, error) {
	all := make([][]float64, len(contenders))
	for round := range rounds {
		for i, c := range contenders {
			perSecond, err := c.slice(ctx, slice)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			b.progress("  round %d of %d: %s %.0f/s", round+1, rounds, c.name, perSecond)
			all[i] = append(all[i], perSecond)
		}
	}
	return all, nil
}

// steady is a contender that needs nothing opened.
func steady(name string, work rate) contender {
	return contender{name: name, open: func(context.Context) (rate, func() error, error) { return work, func() error { return nil }, nil }}
}

func (c contender) slice(ctx context.Context, slice time.Duration) (perSecond float64, err error) {
	work, closing, err := c.open(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	return work(ctx, slice)
}

// warmUp is how many operations a client does before it is measured: statements are prepared and caches filled then.
const warmUp = 5

// workers returns a rate at which so many clients do op.
func workers(clients int, op func(ctx context.Context, client int) error) rate {
	return func(ctx context.Context, slice time.Duration) (float64, error) {
		if _, err := spread(clients, func(client int, _ *atomic.Int64) error {
			for range warmUp {
				if err := op(ctx, client); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return 0, err
		}
		start := time.Now()
		done, err := spread(clients, func(client int, done *atomic.Int64) error {
			for time.Since(start) < slice {
				if err := op(ctx, client); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
		return float64(done) / time.Since(start).Seconds(), err
	}
}

func spread(clients int, work func(client int, done *atomic.Int64) error) (int64, error) {
	var wg sync.WaitGroup
	var done atomic.Int64
	failures := make([]error, clients)
	for client := range clients {
		wg.Go(func() { failures[client] = work(client, &done) })
	}
	wg.Wait()
	return done.Load(), errors.Join(failures...)
}

// ratio returns the median of a over b, slice by slice.
func ratio(a, b []float64) float64 {
	each := make([]float64, len(a))
	for i := range a {
		each[i] = a[i] / b[i]
	}
	return median(each)
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// verdict is one line of the report: what was compared, how it came out and under which conditions.
type verdict struct {
	what    string
	ratio   float64
	goal    float64
	atLeast bool // the ratio should be the goal or more; else the goal or less
	beside  string
	where   []string // table sizes, clients, targets, store or HTTP
}

func (v verdict) met() bool { return v.ratio >= v.goal == v.atLeast || v.ratio == v.goal }

func (v verdict) String() string {
	word, bound := "MISSED", "at most"
	if v.met() {
		word = "met"
	}
	if v.atLeast {
		bound = "at least"
	}
	line := fmt.Sprintf("%s: %.2f (goal: %s %.2f, %s)", v.what, v.ratio, bound, v.goal, word)
	if v.beside != "" {
		line += "; " + v.beside
	}
	return line + " [" + strings.Join(v.where, ", ") + "]"
}
