package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type sessionImportCommand struct {
	File string `arg:"" help:"JSON, an object a line as POST /v1/sessions takes it, or CSV, whose first row names the members (email, kind, id, device.id, issued_at, ...); - is standard input."`
	App  string `help:"The application of the lines that name none."`
}

// Help shows an example.
func (sessionImportCommand) Help() string {
	return `What is wrong with a line refuses that line alone: standard output names it and says why, and the exit code is 1. A line
that carries an id or a token is registered once, however often its file is imported, so an import that broke off is begun anew.

  curfew session import sessions.ndjson --app portal
  curfew session import sessions.csv > refused.txt`
}

// Run registers the sessions of a file.
func (c sessionImportCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	in := sh.in
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return usage("open the file: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	done := &imported{sh: sh, file: c.File}
	err = done.all(ctx, r, in, c.App)
	done.progress(true)
	switch {
	case err != nil:
		return err
	case sh.json:
		if err := sh.printJSON(done.summary()); err != nil {
			return err
		}
	}
	if done.Refused > 0 {
		return exitError{exitFailed, fmt.Errorf("%d of %d lines were refused", done.Refused, done.Lines)}
	}
	return nil
}

const (
	importBytes   = 1 << 20 // of one request
	importLinesIn = 500     // of one request: a line takes up to three locks of the few thousand that a PostgreSQL has
	importAtOnce  = 3       // requests, so that the server never waits for us
	importTries   = 6       // of one request that the server could not answer
)

// importBatch is what goes in one request.
type importBatch struct {
	lines  []importLine
	body   []byte
	again  bool // nothing in it would be registered twice
	answer chan importAnswer
}

type importAnswer struct {
	lines []importedLine
	err   error
}

// importedLine is what the server says of a line.
type importedLine struct {
	Line    int      `json:"line"`
	Created bool     `json:"created"`
	Live    bool     `json:"live"`
	Problem *refusal `json:"problem"`
}

// imported is what came of a file so far.
type imported struct {
	Lines   int `json:"lines"`
	Created int `json:"created"`
	Known   int `json:"known"`
	Over    int `json:"known_and_over"`
	Refused int `json:"refused"`

	sh      *shell
	file    string
	refused []json.RawMessage
	unnamed bool
}

func (i *imported) summary() any {
	if i.refused == nil {
		i.refused = []json.RawMessage{}
	}
	return struct {
		*imported
		Problems []json.RawMessage `json:"problems"`
	}{i, i.refused}
}

// all sends the lines, several requests at once, and hears the answers in the order of the lines.
func (i *imported) all(ctx context.Context, r *remote, in io.Reader, app string) error {
	var work sync.WaitGroup
	defer work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	todo, order, read := make(chan *importBatch), make(chan *importBatch, importAtOnce), make(chan error, 1)
	for range importAtOnce {
		work.Go(func() {
			for {
				select {
				case b := <-todo:
					lines, err := r.importBatch(ctx, b)
					b.answer <- importAnswer{lines, err}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	go func() { // nothing can end a read from a terminal or a pipe but the end of the program
		defer close(order)
		read <- batches(in, app, func(b *importBatch) error {
			for _, next := range []chan *importBatch{order, todo} {
				select {
				case next <- b:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	for {
		select {
		case b, more := <-order:
			if !more {
				return <-read
			}
			select {
			case answer := <-b.answer:
				if err := i.heard(b, answer); err != nil {
					return err
				}
			case <-ctx.Done():
				return i.brokenOff(ctx)
			}
		case <-ctx.Done():
			return i.brokenOff(ctx)
		}
	}
}

func (i *imported) brokenOff(ctx context.Context) error {
	return fmt.Errorf("after %d lines: %w; begin anew with the whole file", i.Lines, context.Cause(ctx))
}

// batches calls each with the lines of a file, as many at a time as one request may hold.
func batches(in io.Reader, app string, each func(*importBatch) error) error {
	fresh := func() *importBatch { return &importBatch{again: true, answer: make(chan importAnswer, 1)} }
	b := fresh()
	err := importLines(in, app, func(line importLine) error {
		if len(b.lines) == importLinesIn || len(b.body)+len(line.text)+1 > importBytes && len(b.lines) > 0 {
			if err := each(b); err != nil {
				return err
			}
			b = fresh()
		}
		b.lines = append(b.lines, line)
		if line.why == "" {
			b.body = append(append(b.body, line.text...), '\n')
			b.again = b.again && line.again
		}
		return nil
	})
	if err == nil && len(b.lines) > 0 {
		err = each(b)
	}
	return err
}

// importBatch sends one request. What the server could not answer is sent again where that registers nothing twice.
func (r *remote) importBatch(ctx context.Context, b *importBatch) ([]importedLine, error) {
	if len(b.body) == 0 {
		return nil, nil
	}
	wait := time.Second
	for try := 1; ; try++ {
		answer, err := r.ask(ctx, http.MethodPost, "/v1/sessions", http.Header{"Content-Type": {"application/x-ndjson"}}, b.body)
		if err == nil {
			var out []importedLine
			for d := json.NewDecoder(bytes.NewReader(answer.Body)); ; {
				var line importedLine
				if err := d.Decode(&line); errors.Is(err, io.EOF) {
					return out, nil
				} else if err != nil {
					return nil, fmt.Errorf("the answer of %s is not Curfew's: %w", r.base, err)
				}
				out = append(out, line)
			}
		}
		passing := answer.Status == 0 || answer.Status == http.StatusTooManyRequests || answer.Status >= 500
		if !passing || !b.again || try == importTries || ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
		wait *= 2
	}
}

// heard counts what came of a request, and writes what was refused.
func (i *imported) heard(b *importBatch, answer importAnswer) error {
	first, last := b.lines[0].number, b.lines[len(b.lines)-1].number
	if answer.err != nil {
		what := "import the file again: what was registered is not registered twice"
		if !b.again {
			what = "whether they were registered is not known, and lines without id and token would be registered once more"
		}
		return fmt.Errorf("register lines %d to %d: %w\n%s", first, last, answer.err, what)
	}
	if !b.again && !i.unnamed {
		i.unnamed = true
		i.sh.note("some lines, between %d and %d, carry neither id nor token: importing them again would register them again", first, last)
	}
	answers := answer.lines
	for _, line := range b.lines {
		said := importedLine{Problem: &refusal{Title: "Not sent", Detail: line.why}}
		if line.why == "" {
			if len(answers) == 0 {
				return fmt.Errorf("the server said nothing of line %d", line.number)
			}
			said, answers = answers[0], answers[1:]
		}
		if err := i.count(line.number, said); err != nil {
			return err
		}
	}
	i.progress(false)
	return nil
}

func (i *imported) count(number int, said importedLine) error {
	i.Lines++
	switch {
	case said.Problem != nil:
		i.Refused++
		return i.refuse(number, said.Problem)
	case said.Created:
		i.Created++
	default:
		i.Known++
		if !said.Live {
			i.Over++
		}
	}
	return nil
}

func (i *imported) refuse(number int, no *refusal) error {
	if i.sh.json {
		text, err := json.Marshal(map[string]any{"line": number, "problem": no})
		if err != nil {
			return fmt.Errorf("write what was refused: %w", err)
		}
		i.refused = append(i.refused, text)
		return nil
	}
	if _, err := fmt.Fprintf(i.sh.out, "%s:%d: %s\n", i.file, number, strings.ReplaceAll(no.words(), "\n  ", " ")); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// progress says how far it is: on a terminal all the time on one line, else at the end.
func (i *imported) progress(last bool) {
	if !i.sh.watched && !last {
		return
	}
	text := fmt.Sprintf("%d lines: %d registered, %d known before (%d of them over), %d refused", i.Lines, i.Created, i.Known, i.Over, i.Refused)
	if i.sh.watched {
		text = "\r\x1b[K" + text
	}
	if last {
		text += "\n"
	}
	_, _ = fmt.Fprint(i.sh.err, text)
}
