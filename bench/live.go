package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"curfew/revoke"
)

// recently is how many people something happened to within a session's longest life: what a view holds.
const recently = 10_000

// happened is a view of so many people with a cutoff, half of them blocked, and their ids.
func happened(now revoke.Instant) (*revoke.View, []revoke.ID) {
	v := revoke.NewView()
	ids := make([]revoke.ID, recently)
	for i := range ids {
		ids[i] = revoke.NewID(now.Add(-revoke.DefaultLifetime))
		scope := revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: ids[i]}
		v.Apply(revoke.Change{At: now, Cutoff: &revoke.Cutoff{Scope: scope, At: now.Add(-revoke.DefaultLifetime)}})
		if i%2 == 0 {
			v.Apply(revoke.Change{At: now, Block: &revoke.Block{BlockKey: revoke.BlockKey{User: ids[i], Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: now}})
		}
	}
	return v, ids
}

// live measures the one rule, which every door asks.
func (b *bench) live(ctx context.Context) error {
	now := revoke.InstantOf(time.Now())
	v, ids := happened(now)
	b.allocations(v, ids, now)
	rates, err := b.rates(ctx, 2*b.rounds+1, b.slice/4, mapped(ids), living(v, ids, now))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: "Live of 1,000 stateless sessions, in look-ups of 1,000 keys in a plain map", ratio: ratio(rates[0], rates[1]), goal: 2,
		beside: fmt.Sprintf("%.0f ns a question here", 1e9/asked/median(rates[1])),
		where:  []string{thousands(recently) + " people with a cutoff, half of them blocked, a tenth of whom are asked about", "1 client", "in memory"},
	})
	return nil
}

// allocations counts what a question allocates, for a person nothing happened to, one with a cutoff and a blocked one.
func (b *bench) allocations(v *revoke.View, ids []revoke.ID, now revoke.Instant) {
	sessions := []revoke.Session{{User: revoke.NewID(now)}, {User: ids[0]}, {User: ids[1]}}
	for i := range sessions {
		s := &sessions[i]
		s.ID, s.Org, s.App, s.Kind, s.BornAt, s.ExpiresAt = revoke.NewID(now), org, "portal", revoke.Mobile, now, now.Add(revoke.DefaultLifetime)
	}
	n := 0
	allocated := testing.AllocsPerRun(10_000, func() {
		n++
		revoke.Live(&sessions[n%len(sessions)], v, now)
	})
	b.say(verdict{
		what: "Live, allocations for each question", ratio: allocated, goal: 0,
		where: []string{thousands(recently) + " people with a cutoff, half of them blocked", "1 client", "in memory"},
	})
}

// statelessSessions are a thousand tokens, of one in ten of whom something is known.
func statelessSessions(ids []revoke.ID, now revoke.Instant) []revoke.Session {
	sessions := make([]revoke.Session, asked)
	for i := range sessions {
		user := ids[i*stride%len(ids)]
		if i%10 != 0 {
			user = revoke.NewID(now)
		}
		sessions[i] = revoke.Session{User: user, Org: org, App: "portal", Kind: revoke.Mobile, BornAt: now, ExpiresAt: now.Add(revoke.DefaultLifetime)}
	}
	return sessions
}

// living is a contender that judges a thousand tokens at a time.
func living(v *revoke.View, ids []revoke.ID, now revoke.Instant) contender {
	sessions := statelessSessions(ids, now)
	return steady("Live", workers(1, func(context.Context, int) error {
		live := 0
		for i := range sessions {
			if revoke.Live(&sessions[i], v, now).Live {
				live++
			}
		}
		if live < asked*8/10 {
			return fmt.Errorf("%d of %d are live, want nine of ten and more", live, asked)
		}
		return nil
	}))
}

// mapped is a contender that looks a thousand people up in a plain map of those to whom something happened.
func mapped(ids []revoke.ID) contender {
	cutoffs := make(map[revoke.ID]revoke.Instant, len(ids))
	for _, id := range ids {
		cutoffs[id] = 1
	}
	sessions := statelessSessions(ids, 2)
	return steady("a plain map", workers(1, func(context.Context, int) error {
		live := 0
		for i := range sessions {
			if sessions[i].BornAt > cutoffs[sessions[i].User] {
				live++
			}
		}
		if live != asked {
			return fmt.Errorf("%d of %d are live in the map", live, asked)
		}
		return nil
	}))
}

// inMemory reports whether dir lies in a file system that no commit has to wait for.
func inMemory(dir string) bool {
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // statfs(2)
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && (fs.Type == tmpfs || fs.Type == ramfs)
}
