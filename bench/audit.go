package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// audits measures what it costs to write down a decision for the audit log and for the feed of changes: one client decides, in a
// build as it ships and in one that leaves those rows out. Both are processes of this program, in turns on one database.
func (b *bench) audits(ctx context.Context, d *database) error {
	with, without, err := b.buildDeciders(ctx)
	if err != nil {
		return err
	}
	rates, err := b.rates(ctx, 2*b.rounds+1, b.slice, b.decider(d, "decisions", with), b.decider(d, "decisions without audit and change rows", without))
	if err != nil {
		return err
	}
	b.say(verdict{
		what: d.name + ": one deactivation with its audit entry and change row, in deactivations without", ratio: ratio(rates[1], rates[0]), goal: 1.1,
		where: b.where(targets(b.targets), clients(1), "store"),
	})
	return nil
}

// leftOut are the statements that the second build lacks, by their file.
func leftOut() map[string][]string {
	return map[string][]string{"store/write.go": {"b.add(changesTable, changes)", "b.add(auditTable, audit)"}}
}

// buildDeciders builds this program twice, the second time without what writes those rows. The product has no switch for it.
func (b *bench) buildDeciders(ctx context.Context) (with, without string, err error) {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", "", fmt.Errorf("find the module: %w", err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, statements := range leftOut() {
		file := filepath.Join(string(bytes.TrimSpace(module)), name)
		text, err := os.ReadFile(file) // #nosec G304 -- our own source
		if err != nil {
			return "", "", err
		}
		for _, statement := range statements {
			if bytes.Count(text, []byte(statement)) != 1 {
				return "", "", fmt.Errorf("%s has no line %q any more: say in bench/audit.go what writes those rows now", name, statement)
			}
			variable := statement[bytes.LastIndexByte([]byte(statement), ' ')+1 : len(statement)-1]
			text = bytes.Replace(text, []byte(statement), []byte("_ = "+variable), 1)
		}
		overlay.Replace[file] = filepath.Join(b.dir, "without-"+filepath.Base(name))
		if err := os.WriteFile(overlay.Replace[file], text, 0o600); err != nil { // #nosec G703 -- our own folder
			return "", "", err
		}
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return "", "", err
	}
	list := filepath.Join(b.dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return "", "", err
	}
	with, without = filepath.Join(b.dir, "with"), filepath.Join(b.dir, "without")
	return with, without, errors.Join(goBuild(ctx, with, "curfew/bench"), goBuild(ctx, without, "curfew/bench", "-overlay", list))
}

// deciderMode is the first argument of a process that decides on deactivations: for each duration on stdin it writes a rate. The
// second is a decision.
const deciderMode = "decider"

// decision is what such a process must know.
type decision struct {
	Database, URL    string
	Users, Targets   int
	Person, SenderID int64 // where the crowd and the events' ids go on
}

// decided is one slice of it.
type decided struct {
	PerSecond        float64
	Person, SenderID int64
	Error            string
}

func serveDecisions(args []string, in io.Reader, out io.Writer) error {
	var job decision
	if len(args) == 0 {
		return errors.New("a decider was started without its job")
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return err
	}
	d := &database{name: job.Database, url: job.URL}
	d.crowd.users = job.Users
	d.crowd.next.Store(job.Person)
	d.events.Store(job.SenderID)
	b := bench{targets: job.Targets}
	ctx := context.Background()
	work, closing, err := b.deciding(d, "", 1, 0, deactivation).open(ctx)
	if err != nil {
		return err
	}
	lines := json.NewDecoder(in)
	for {
		var slice time.Duration
		if err := lines.Decode(&slice); errors.Is(err, io.EOF) {
			return closing()
		} else if err != nil {
			return errors.Join(err, closing())
		}
		perSecond, err := work(ctx, slice)
		done := decided{PerSecond: perSecond, Person: d.crowd.next.Load(), SenderID: d.events.Load()}
		if err != nil {
			done.Error = err.Error()
		}
		if err := json.NewEncoder(out).Encode(done); err != nil {
			return errors.Join(err, closing())
		}
	}
}

// decider is a contender that lets such a program decide.
func (b *bench) decider(d *database, name, program string) contender {
	return contender{name: name, open: func(ctx context.Context) (rate, func() error, error) {
		job, err := json.Marshal(decision{d.name, d.url, d.crowd.users, b.targets, d.crowd.next.Load(), d.events.Load()})
		if err != nil {
			return nil, nil, err
		}
		p, err := startProcess(ctx, program, deciderMode, string(job))
		if err != nil {
			return nil, nil, err
		}
		return func(_ context.Context, slice time.Duration) (float64, error) {
			var done decided
			if err := p.ask(slice, &done); err != nil {
				return 0, err
			}
			if done.Error != "" {
				return 0, errors.New(done.Error)
			}
			d.crowd.next.Store(done.Person)
			d.events.Store(done.SenderID)
			return done.PerSecond, nil
		}, p.stop, nil
	}}
}
