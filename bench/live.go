package main

import (
	"syscall"
	"testing"
	"time"

	"curfew/revoke"
)

// recently is how many people something happened to within a session's longest life: what a view holds.
const recently = 10_000

// live counts what the one rule allocates, for a person nothing happened to, one with a cutoff and a blocked one.
func (b *bench) live() {
	v := revoke.NewView()
	now := revoke.InstantOf(time.Now())
	ids := make([]revoke.ID, recently)
	for i := range ids {
		ids[i] = revoke.NewID(now.Add(-revoke.DefaultLifetime))
		scope := revoke.Scope{Org: org, Kind: revoke.ScopeUser, User: ids[i]}
		v.Apply(revoke.Change{At: now, Cutoff: &revoke.Cutoff{Scope: scope, At: now.Add(-revoke.DefaultLifetime)}})
		if i%2 == 0 {
			v.Apply(revoke.Change{At: now, Block: &revoke.Block{BlockKey: revoke.BlockKey{User: ids[i], Authority: "okta", Class: revoke.ClassPlain}, BlockedAt: now}})
		}
	}
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

// inMemory reports whether dir lies in a file system that no commit has to wait for.
func inMemory(dir string) bool {
	const tmpfs, ramfs = 0x01021994, 0x858458f6 // statfs(2)
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && (fs.Type == tmpfs || fs.Type == ramfs)
}
