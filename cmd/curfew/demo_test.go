package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tries types each of the things that the demo says are worth trying, as they stand there.
func (p program) tries(t *testing.T) {
	t.Helper()
	t.Parallel()
	temporary := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	demo := exec.CommandContext(ctx, p.path, "demo")
	demo.Env = append(os.Environ(), "TMPDIR="+temporary)
	var errs strings.Builder
	demo.Stderr = &errs
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	var commands []string
	title := regexp.MustCompile(`^ ([1-6])  \S`)
	for lines := bufio.NewScanner(out); len(commands) < 6 && lines.Scan(); {
		line := lines.Text()
		if last := len(said) - 1; last >= 0 && strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "     ") && title.MatchString(said[last]) {
			commands = append(commands, strings.TrimSpace(line))
		} else if width := len([]rune(line)); width > 80 && !strings.Contains(line, temporary) {
			t.Errorf("a line is %d columns wide, want at most 80: %s", width, line)
		}
		said = append(said, line)
	}
	text := strings.Join(said, "\n")
	if len(commands) != 6 {
		t.Fatalf("the demo names %d things to try, want 6\n%s\n%s", len(commands), text, &errs)
	}
	for _, want := range []string{"500 people", "the brake holds 50", "sessions in 3 applications"} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "/login/link/") || strings.Contains(text, "\x1b") {
		t.Errorf("the demo shows a link or a colour where there is no terminal:\n%s", text)
	}
	for i, want := range []string{
		`iPhone +in\n.*iPad +in\n.*laptop +in`, `covers 2 live sessions`, `sessions of this kind`,
		`doors .*\n.*mail .*\n.*portal `, `(?s)(deactivated +\w+\.\w+@example.edu +register.*){5}`, `would end \d\d live sessions`,
	} {
		if got := typed(ctx, t, commands[i]); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s\ngot %s\nwant %s", commands[i], got, want)
		}
	}
	if got := typed(ctx, t, commands[0]); !regexp.MustCompile(`iPhone +out\n.*iPad +out\n.*laptop +in`).MatchString(got) {
		t.Errorf("after her bag was lost, %s\ngot %s", commands[0], got)
	}
	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := demo.Wait(); err != nil || errs.String() != "" {
		t.Errorf("the demo, interrupted: got %v, %q, want nil and nothing", err, &errs)
	}
	if left, err := filepath.Glob(filepath.Join(temporary, "*")); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v (%v)", left, err)
	}
}

// typed is what a shell prints for a command line that must succeed.
func typed(ctx context.Context, t *testing.T, line string) string {
	t.Helper()
	sh := exec.CommandContext(ctx, "sh", "-c", line)
	var errs strings.Builder
	sh.Stderr = &errs
	out, err := sh.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", line, err, out, &errs)
	}
	return string(out) + errs.String()
}
