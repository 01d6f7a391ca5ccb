package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"curfew/revoke"
	"curfew/store"
)

func TestAfterAStopOneFileIsAllThereIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s, err := store.Open(t.Context(), quiet("sqlite:"+path))
	if err != nil {
		t.Fatal(err)
	}
	id := revoke.NewID(s.Clock().Now())
	if err := s.Decide(t.Context(), revoke.Need{Org: "main"}, making(id)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want one that only its owner reads", filepath.Base(name), info, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "curfew.db")
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if !known(t, open(t, quiet("sqlite:"+copied)), id) {
		t.Error("a copy of the database's one file lacks what was committed")
	}
}

func TestLeasesOfAServerThatIsGoneAreFree(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Helper()
		s, err := store.Open(t.Context(), quiet(url))
		if err != nil {
			t.Fatal(err)
		}
		now := s.Clock().Now()
		r := revoke.Revocation{ID: revoke.NewID(now), Org: "main", Kind: revoke.RevocationEnd, CreatedAt: now}
		waits := revoke.Reading{Event: revoke.NewID(now), Org: "main", Source: "graph", About: "users/1", State: revoke.ReadingDue, DueAt: now, FirstAt: now}
		d := revoke.Delivery{Revocation: r.ID, Target: "canvas", Org: "main", Ord: now, State: revoke.DeliveryDue, DueAt: now, FirstAt: now}
		err = s.Decide(t.Context(), revoke.Need{Org: "main"}, func(*revoke.Facts) (revoke.Effects, error) {
			return revoke.Effects{Revocations: []revoke.Revocation{r}, Deliveries: []revoke.Delivery{d}, Readings: []revoke.Reading{waits}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		claimed, err := s.Claim(t.Context(), "canvas", 10, now, now.Add(time.Hour), revoke.NewID(now))
		if err != nil || len(claimed) != 1 {
			t.Fatalf("claim: got %d, %v, want one", len(claimed), err)
		}
		reads, err := s.ClaimReads(t.Context(), "main", "graph", 10, now, now.Add(time.Hour), revoke.NewID(now))
		if err != nil || len(reads) != 1 {
			t.Fatalf("claim reads: got %d, %v, want one", len(reads), err)
		}
		poll := revoke.ErrandKey{Org: "main", Source: "okta-log", Name: revoke.ErrandPoll}
		held, taken, err := s.TakeErrand(t.Context(), poll, now, now.Add(time.Hour), revoke.NewID(now))
		if err != nil || !taken {
			t.Fatalf("take an errand: %v, %v", taken, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, quiet(url))
		if reads, err := s.ClaimReads(t.Context(), "main", "graph", 10, now, now.Add(time.Hour), revoke.NewID(now)); err != nil || len(reads) != 1 {
			t.Errorf("claim reads after a restart: got %d, %v, want the one whose holder is gone", len(reads), err)
		}
		if _, taken, err := s.TakeErrand(t.Context(), poll, now, now.Add(time.Hour), revoke.NewID(now)); err != nil || !taken {
			t.Errorf("take an errand after a restart: %v, %v", taken, err)
		}
		if err := s.KeepErrand(t.Context(), held, nil, nil); err == nil {
			t.Error("an errand was kept under a lease from before the restart")
		}
		again, err := s.Claim(t.Context(), "canvas", 10, now, now.Add(time.Hour), revoke.NewID(now))
		if err != nil || len(again) != 1 {
			t.Errorf("claim after a restart: got %d, %v, want the delivery whose holder is gone", len(again), err)
		}
		err = s.Settle(t.Context(), claimed[0], revoke.Settlement{State: revoke.DeliveryDone, Attempt: revoke.Attempt{At: now}})
		if err == nil {
			t.Error("a result under a lease from before the restart was recorded")
		}
	})
}
