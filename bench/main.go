// The command bench measures what Curfew promises about speed, here and now. It prints ratios of things measured in turns on
// one machine, since nothing else means anything on another one; each line states its conditions and whether the goal is
// met. A missed goal is printed and fails nothing: whoever reads the line judges.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	users, sessions, targets int
	clients                  int           // where many work at once
	rounds                   int           // slices of each contender
	slice                    time.Duration // how long each takes
	resources                int           // people whom a directory provisions over SCIM
	rows                     int           // behind each list whose pages are compared
	page                     int           // which of them is compared with the first
	databases                []string
	only                     []string // what is measured; everything when empty
	dir                      string   // in the temporary folder, as PostgreSQL's cluster; removed in the end
	out, log                 io.Writer
	telling                  sync.Mutex
}

func main() {
	serveMode()
	b := bench{out: os.Stdout, log: os.Stderr}
	flag.IntVar(&b.users, "users", 200_000, "people in the tables")
	flag.IntVar(&b.sessions, "sessions", 1_000_000, "sessions in the tables")
	flag.IntVar(&b.targets, "targets", 5, "targets to which every revocation is owed")
	flag.IntVar(&b.clients, "clients", 32, "clients that work at once where one is not enough")
	flag.IntVar(&b.rounds, "rounds", 5, "slices that each contender gets")
	flag.DurationVar(&b.slice, "slice", time.Second, "how long a slice takes")
	flag.IntVar(&b.resources, "resources", 4000, "people whom the directory provisions over SCIM, at most all")
	flag.IntVar(&b.rows, "rows", 1_000_000, "rows behind each list whose pages are compared, but for sessions")
	flag.IntVar(&b.page, "page", 1000, "which page is compared with the first")
	databases := flag.String("databases", "sqlite,postgres", "which databases")
	only := flag.String("only", "", "what to measure, of live, deactivation, groups, scim, introspection, check, import, audit, everyone, pages; all when empty")
	flag.Parse()
	b.only = strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })
	b.databases = strings.Split(*databases, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.run(ctx)
	stop()
	exitOn(err)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.users < 1 || b.sessions < b.users || b.rounds < 1 || b.clients < 1 || b.targets < 0 {
		return errors.New("there must be people, a session for each, clients and rounds")
	}
	b.resources = min(b.resources, b.users/2) // each is provisioned once
	dir, err := os.MkdirTemp("", "curfew-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.dir = dir
	if inMemory(dir) {
		b.progress("%s is in memory: commits there cost nothing, and the ratios are of no use; set TMPDIR to a disk", dir)
	}
	if b.wants("live") {
		if err := b.live(ctx); err != nil {
			return fmt.Errorf("live: %w", err)
		}
	}
	if slices.ContainsFunc([]string{"scim", "introspection", "check", "import", "pages"}, b.wants) {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(b.measurements(), func(m measurement) bool { return b.wants(m.name) }) {
		return nil
	}
	for _, name := range b.databases {
		if err := b.database(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// measurements are what is measured on each database, in this order: the end of everyone's sessions comes after what needs
// them.
func (b *bench) measurements() []measurement {
	return []measurement{
		{"deactivation", b.deactivation},
		{"groups", b.grouped},
		{"scim", b.patches},
		{"introspection", b.introspections},
		{"check", b.checks},
		{"import", b.imports},
		{"audit", b.audits},
		{"everyone", b.everyone},
		{"pages", b.pages},
	}
}

type measurement struct {
	name string
	run  func(context.Context, *database) error
}

func (b *bench) wants(name string) bool { return len(b.only) == 0 || slices.Contains(b.only, name) }

func (b *bench) database(ctx context.Context, name string) error {
	home := filepath.Join(b.dir, name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	d, err := openDatabase(ctx, name, home, b.users)
	if err != nil {
		return err
	}
	defer d.stop()
	b.progress("%s: writing %s people with %s sessions", name, thousands(b.users), thousands(b.sessions))
	if err := b.fill(ctx, d); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	for _, m := range b.measurements() {
		if !b.wants(m.name) {
			continue
		}
		b.progress("%s: %s", name, m.name)
		if err := m.run(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (b *bench) progress(format string, args ...any) {
	b.telling.Lock()
	defer b.telling.Unlock()
	_, _ = fmt.Fprintf(b.log, format+"\n", args...)
}

func (b *bench) say(v verdict) { _, _ = fmt.Fprintln(b.out, v) }

// where begins what every line states with the size of the tables.
func (b *bench) where(more ...string) []string {
	return slices.Concat([]string{thousands(b.users) + " users", thousands(b.sessions) + " sessions"}, more)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
