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
	resources                int           // people whom a directory has written over SCIM, in a database of their own
	members                  int           // of a large group
	rows                     int           // behind each list whose pages are compared
	events                   int           // behind the lists of events
	page                     int           // which of them is compared with the first
	storm                    int           // events in a storm of batches; one by one a fifth of them
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
	flag.IntVar(&b.resources, "resources", 1_000_000, "people whom the directory has written where SCIM is measured")
	flag.IntVar(&b.members, "members", 10_000, "how many of them are in a large group")
	flag.IntVar(&b.rows, "rows", 1_000_000, "rows behind each list whose pages are compared, but for sessions and events")
	flag.IntVar(&b.events, "events", 1_000_000, "events behind the lists of events")
	flag.IntVar(&b.page, "page", 1000, "which page is compared with the first")
	flag.IntVar(&b.storm, "storm", 100_000, "events in a storm of batches, and a fifth of them in one of single events")
	databases := flag.String("databases", "sqlite,postgres", "which databases")
	only := flag.String("only", "", "what to measure, of live, deactivation, groups, introspection, check, import, audit, storm, everyone, pages, lists, scim, brake, username, crawl, members; all when empty")
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
	if b.users < 1 || b.sessions < b.users || b.rounds < 1 || b.clients < 1 || b.targets < 0 || b.resources < b.members {
		return errors.New("there must be people, a session for each, as many people of a directory as a group has, clients and rounds")
	}
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
	if slices.ContainsFunc([]string{"introspection", "check", "import", "storm", "pages", "lists", "scim", "brake", "username", "crawl", "members"}, b.wants) {
		if err := b.build(ctx); err != nil {
			return err
		}
	}
	for _, name := range b.databases {
		for _, t := range b.tables() {
			t.measurements = slices.DeleteFunc(t.measurements, func(m measurement) bool { return !b.wants(m.name) })
			if len(t.measurements) == 0 {
				continue
			}
			if err := b.database(ctx, name, t); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// tables are a database full of rows, and what is measured on it, in this order.
type tables struct {
	name         string
	users        int
	fill         func(context.Context, *database) error
	measurements []measurement
}

type measurement struct {
	name string
	run  func(context.Context, *database) error
}

// tables are those that are filled on each database: the end of everyone's sessions comes after what needs them.
func (b *bench) tables() []tables {
	return []tables{
		{"sessions", b.users, b.fill, []measurement{
			{"deactivation", b.deactivation},
			{"groups", b.grouped},
			{"introspection", b.introspections},
			{"check", b.checks},
			{"import", b.imports},
			{"audit", b.audits},
			{"storm", b.storms},
			{"everyone", b.everyone},
			{"pages", b.pages},
			{"lists", b.lists},
		}},
		{"directory", b.resources, b.fillDirectory, []measurement{
			{"scim", b.patches},
			{"brake", b.braked},
			{"username", b.lookUps},
			{"members", b.memberships},
			{"crawl", b.crawls},
		}},
	}
}

func (b *bench) wants(name string) bool { return len(b.only) == 0 || slices.Contains(b.only, name) }

func (b *bench) database(ctx context.Context, name string, t tables) (err error) {
	home := filepath.Join(b.dir, name+"-"+t.name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	d, err := openDatabase(ctx, name, home, t.users)
	if err != nil {
		return err
	}
	defer d.stop()
	start := time.Now()
	if err := t.fill(ctx, d); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	b.progress("%s: filled in %s", name, time.Since(start).Round(time.Second))
	for _, m := range t.measurements {
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
