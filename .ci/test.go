// The command test is `make test`: it runs every check in order, prints what each took, and ends with one line of counts.
// A skipped test is a failure: a promise that was not tested is not kept.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// endToEnd holds the tests that start the real program, which they build as it ships: without the race detector. They have
// the machine to themselves, since they are about time and crashes.
const endToEnd = "curfew/cmd/curfew"

// stage is one check. It is a program, or tests whose results are read and counted.
type stage struct {
	name  string
	argv  []string
	env   []string
	tests bool
	needs bool // without it the later ones make no sense
}

// counts is what tests came to.
type counts struct{ passed, failed, skipped int }

func main() {
	others, err := packages()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stages := []stage{
		{name: "setup", argv: []string{".ci/setup"}, needs: true},
		{name: "lint", argv: []string{"go", "tool", "-modfile=.ci/tools.mod", "golangci-lint", "run"}},
		{name: "unit, contract and race", argv: append([]string{"go", "test", "-race"}, others...), env: []string{"CGO_ENABLED=1"}, tests: true},
		{name: "properties, 100,000 cases", argv: []string{"go", "test", "./revoke", "-rapid.checks=100000"}, env: []string{"CGO_ENABLED=0"}, tests: true},
		{name: "build", argv: []string{"go", "build", "-o", "build/curfew", "./cmd/curfew"}, env: []string{"CGO_ENABLED=0"}},
		{name: "crashes and end to end", argv: []string{"go", "test", "-race", endToEnd}, env: []string{"CGO_ENABLED=1"}, tests: true},
	}
	for i := range stages {
		if stages[i].tests {
			stages[i].argv = slices.Insert(stages[i].argv, 2, "-json", "-count=1", "-timeout=25m")
		}
	}
	os.Exit(run(stages))
}

// packages lists all packages but the one of the end-to-end tests.
func packages() ([]string, error) {
	out, err := exec.Command("go", "list", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool { return p == endToEnd }), nil
}

func run(stages []stage) (exit int) {
	var total counts
	var summary strings.Builder
	start := time.Now()
	for _, s := range stages {
		fmt.Printf("== %s\n", s.name)
		began := time.Now()
		c, err := s.run()
		total.passed, total.failed, total.skipped = total.passed+c.passed, total.failed+c.failed, total.skipped+c.skipped
		line := fmt.Sprintf("%6.1f s  %s", time.Since(began).Seconds(), s.name)
		if s.tests {
			line += fmt.Sprintf(": %d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
		}
		if err != nil {
			exit = 1
			line += ": FAILED: " + err.Error()
			if c.failed == 0 {
				total.failed++ // the stage itself
			}
		}
		fmt.Println(line)
		summary.WriteString(line + "\n")
		if err != nil && s.needs {
			break
		}
	}
	fmt.Printf("\n%s%6.1f s  in all\n", summary.String(), time.Since(start).Seconds())
	fmt.Printf("%d passed, %d failed\n", total.passed, total.failed+total.skipped)
	return exit
}

func (s stage) run() (counts, error) {
	cmd := exec.Command(s.argv[0], s.argv[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if !s.tests {
		return counts{}, cmd.Run()
	}
	cmd.Stdout = nil
	results, err := cmd.StdoutPipe()
	if err != nil {
		return counts{}, err
	}
	if err := cmd.Start(); err != nil {
		return counts{}, err
	}
	c, readErr := read(results)
	err = errors.Join(readErr, cmd.Wait())
	switch {
	case err != nil:
	case c.skipped > 0:
		err = fmt.Errorf("%d skipped; nothing may be skipped here", c.skipped)
	case c.passed == 0:
		err = errors.New("it ran no test")
	}
	return c, err
}

// read counts the results of `go test -json` and prints what failed or was skipped, with its output, and a line a package.
func read(results io.Reader) (counts, error) {
	type event struct {
		Action, Package, Test, Output string
		Elapsed                       float64
	}
	var all counts
	passed := map[string]int{}
	said := map[string]map[string]string{} // by package and test
	lines := bufio.NewScanner(results)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Println(lines.Text()) // not of the tests: something that go itself says
			continue
		}
		if said[e.Package] == nil {
			said[e.Package] = map[string]string{}
		}
		switch {
		case e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "output":
			said[e.Package][e.Test] += e.Output
		case e.Test != "" && e.Action == "pass":
			all.passed++
			passed[e.Package]++
			delete(said[e.Package], e.Test)
		case e.Test != "" && (e.Action == "fail" || e.Action == "skip"):
			if e.Action == "fail" {
				all.failed++
			} else {
				all.skipped++
			}
			fmt.Printf("%s of %s:\n%s", e.Test, e.Package, said[e.Package][e.Test])
			delete(said[e.Package], e.Test)
		case e.Action == "pass":
			fmt.Printf("%6.1f s  %s: %d passed\n", e.Elapsed, e.Package, passed[e.Package])
		case e.Action == "fail":
			for _, output := range said[e.Package] { // a panic or a time-out stands with the tests that did not end
				fmt.Print(output)
			}
			fmt.Printf("%6.1f s  %s FAILED\n", e.Elapsed, e.Package)
		}
	}
	return all, lines.Err()
}
