package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/pgtest"
)

// plant is a bug that one of the checks below must notice: otherwise the check proves nothing.
type plant struct{ name, check, file, old, replacement string }

func readPlant(t *testing.T, path string) plant {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, okOld := strings.Cut(string(text), "-- old --\n")
	old, replacement, okNew := strings.Cut(rest, "-- new --\n")
	p := plant{name: strings.TrimSuffix(filepath.Base(path), ".txt"), old: old, replacement: replacement}
	for line := range strings.SplitSeq(head, "\n") {
		if value, ok := strings.CutPrefix(line, "check: "); ok {
			p.check = value
		}
		if value, ok := strings.CutPrefix(line, "file: "); ok {
			p.file = value
		}
	}
	if !okOld || !okNew || p.check == "" || p.file == "" {
		t.Fatalf("%s: wants lines check: and file:, then -- old -- and -- new --", path)
	}
	return p
}

// build builds the program with the bug in it; the source stays as it is.
func (p plant) build(t *testing.T) program {
	t.Helper()
	return build(t, overlay(t, map[string]string{p.file: replaced(t, p.file, p.old, p.replacement, 1)}))
}

// overlay writes files that take the place of the source's own for one build, or are added to it, and returns their list. Names
// are from the root of the project.
func overlay(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	replace := map[string]string{}
	for name, text := range files {
		file, err := filepath.Abs(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		replace[file] = filepath.Join(folder, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(folder, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err = errors.Join(err, os.WriteFile(list, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return list
}

// replaced returns a file of the project's with a text of it replaced, which must be there exactly so often.
func replaced(t *testing.T, name, old, replacement string, times int) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(source), old); got != times {
		t.Fatalf("%s holds %d times what is to be replaced, want %d: look at the code as it is now:\n%s", name, got, times, old)
	}
	return strings.ReplaceAll(string(source), old, replacement)
}

// checks are those that plants must turn red. Each returns what it noticed; on the true program, TestProgram sees that it
// notices nothing.
var checks = map[string]func(t *testing.T, p program) error{
	"crash": func(t *testing.T, p program) error {
		t.Helper()
		folder := t.TempDir()
		_, err := p.crashRounds(t, folder, "sqlite:"+filepath.Join(folder, "curfew.db"), 100)
		return err
	},
	"lift": func(t *testing.T, p program) error {
		t.Helper()
		return p.racingLifts(t, t.TempDir(), pgtest.EmptyDatabase(t))
	},
	"demo": func(t *testing.T, p program) error {
		t.Helper()
		if code, _, errs := p.run(t, t.TempDir(), "demo", "--once"); code == exitFailed {
			return errors.New(errs)
		}
		return nil
	},
}

func TestPlantedBugsAreNoticed(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/plants/*.txt")
	if err != nil || len(paths) < 3 {
		t.Fatalf("got %d plants, %v; want those of testdata/plants", len(paths), err)
	}
	for _, path := range paths {
		bug := readPlant(t, path)
		t.Run(bug.name, func(t *testing.T) {
			t.Parallel()
			check, ok := checks[bug.check]
			if !ok {
				t.Fatalf("there is no check %s", bug.check)
			}
			if err := check(t, bug.build(t)); err == nil {
				t.Errorf("the check %s noticed nothing", bug.check)
			} else {
				t.Logf("noticed: %v", err)
			}
		})
	}
}

// racing is how many people are suspended and brought back at the same moment.
const racing = 150

// racingLifts sends a suspension and its end at once, for one person after the other. Whichever is decided first, a session
// that was registered before is over: the block cuts at its end, or the end cuts when it finds the block. A lift that was
// decided on a read older than its lock sees no block and brings the session back.
func (p program) racingLifts(t *testing.T, folder, database string) error {
	t.Helper()
	r := p.start(t, configure(t, folder, database, "http://127.0.0.1:1", noBrake))
	for n := range racing {
		email := fmt.Sprintf("racer%d@example.edu", n)
		a := r.register(email, "mobile")
		var registered struct{ Token string }
		if err := json.Unmarshal(a.body, &registered); err != nil || registered.Token == "" {
			t.Fatalf("register: got %d %s", a.status, a.body)
		}
		var both sync.WaitGroup
		answers := make([]answer, 2)
		at := time.Now()
		both.Go(func() {
			answers[0] = r.okta(oktaSecret, "user.lifecycle.suspend", fmt.Sprintf("s-%d", n), email, at.Add(-time.Minute))
		})
		both.Go(func() {
			answers[1] = r.okta(oktaSecret, "user.lifecycle.unsuspend", fmt.Sprintf("u-%d", n), email, at.Add(time.Minute))
		})
		both.Wait()
		for _, a := range answers {
			if a.status/100 != 2 {
				t.Fatalf("Okta event: got %d %s", a.status, a.body)
			}
		}
		if got := r.verify(registered.Token); got != http.StatusUnauthorized {
			return fmt.Errorf("person %d: suspended and brought back at once, and /verify of the session from before answers %d, want 401", n, got)
		}
	}
	return nil
}

func (p program) lifts(t *testing.T, folder, database string) {
	t.Helper()
	if err := p.racingLifts(t, folder, database); err != nil {
		t.Error(err)
	}
}
