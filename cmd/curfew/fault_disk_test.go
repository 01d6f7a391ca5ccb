package main

import (
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// fileSize is RLIMIT_FSIZE, which package syscall does not name.
const fileSize = 1

// room lets the server's files grow up to so many bytes: with none, every write fails as on a disk that is full. It is the
// process's own limit, which needs no rights, and is lifted as space comes back.
func (r *running) room(t *testing.T, bytes uint64) {
	t.Helper()
	limit := syscall.Rlimit{Cur: bytes, Max: math.MaxUint64}
	_, _, errno := syscall.Syscall6(syscall.SYS_PRLIMIT64, uintptr(r.cmd.Process.Pid), fileSize, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		t.Fatalf("limit the server's files: %v", errno)
	}
}

// diskFull: nothing is promised, questions are answered all the time, and with space all goes on by itself.
func (p program) diskFull(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "curfew.db")
	file := configure(t, folder, "sqlite:"+path, "http://127.0.0.1:1")
	r := p.start(t, file)
	alive, dead := r.signIn(t, "mobile"), r.signIn(t, "browser")
	resource := r.provision(t, "ben@example.edu")
	ben := r.register("ben@example.edu", "mobile").member(t, "token").(string)
	if a := r.post("/v1/revocations", opsToken, `{"scope": "user", "subject": {"format": "email", "email": "`+sally+`"}, "kind": "browser", "reason": "test"}`); a.status != http.StatusCreated {
		t.Fatalf("revoke: got %d %s", a.status, a.body)
	}
	answered := func(when string) {
		t.Helper()
		for token, want := range map[string]int{alive: http.StatusOK, ben: http.StatusOK, dead: http.StatusUnauthorized, "unknown": http.StatusUnauthorized} {
			if got := r.verify(token); got != want {
				t.Errorf("%s: /verify answers %d, want %d", when, got, want)
			}
		}
		if !r.active(t, alive) || r.active(t, dead) {
			t.Errorf("%s: introspection answers wrongly", when)
		}
		for _, path := range []string{"/readyz", "/healthz"} {
			if got := r.get(path, "").status; got != http.StatusOK {
				t.Errorf("%s: %s answers %d, want 200: questions are answered", when, path, got)
			}
		}
	}

	r.room(t, 0)
	for range 5 {
		for what, do := range r.writes(resource) {
			wantRefused(t, what+" on a full disk", do())
		}
		answered("on a full disk")
	}
	if strings.Contains(r.log.String(), "in doubt") {
		t.Errorf("a write that was refused put the view in doubt:\n%s", r.log)
	}

	r.room(t, math.MaxUint64)
	for what, do := range r.writes(resource) {
		if what != "revocation" { // it ends what is looked at below
			if a := do(); a.status/100 != 2 {
				t.Errorf("%s with space again: got %d %s", what, a.status, a.body)
			}
		}
	}
	if got := r.verify(ben); got != http.StatusUnauthorized {
		t.Errorf("/verify after the deactivation that was at last acknowledged: got %d, want 401", got)
	}
	r.stop(t)
	wantSound(t, path)
	r = p.start(t, file)
	for token, want := range map[string]int{alive: http.StatusOK, ben: http.StatusUnauthorized, dead: http.StatusUnauthorized} {
		if got := r.verify(token); got != want {
			t.Errorf("/verify after a restart: got %d, want %d", got, want)
		}
	}
}

// diskFullUnderLoad: the disk fills at any moment under deactivations, and the server is killed on it. What was
// acknowledged holds, nothing is half there, and the file is whole.
func (p program) diskFullUnderLoad(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "curfew.db")
	database := "sqlite:" + path
	file := configure(t, folder, database, "http://127.0.0.1:1", noBrake)
	r := p.start(t, file)
	rounds := 3
	if *thorough {
		rounds = 100
	}
	var acknowledged, all int
	for round := range rounds {
		people, err := r.hire(round)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, r.log)
		}
		told, ended := r.deactivateAll(people)
		for range 1 + round*7%len(people) {
			<-told
		}
		log, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		r.room(t, uint64(log.Size())+uint64(round)*1500)
		<-ended
		r.kill()
		r = p.start(t, file)
		for _, v := range people {
			all++
			if v.acknowledged {
				acknowledged++
			}
		}
		if err := r.judge(t, database, people); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if acknowledged == 0 || acknowledged == all {
		t.Errorf("%d of %d deactivations were acknowledged: the disk filled too early or too late to prove anything", acknowledged, all)
	}
	r.stop(t)
	wantSound(t, path)
}

// wantSound asks SQLite whether a database is whole.
func wantSound(t *testing.T, path string) {
	t.Helper()
	db := look(t, "sqlite:"+path)
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: got %q, %v, want ok", verdict, err)
	}
}
