package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
)

// collectAt is when garbage is collected, in every process here as `curfew serve` has it: a contender that collected more
// often than the product would lose for that alone.
const collectAt = 400

// mode returns what a process does that was started as a part of a run; nil when the first argument names no part. Each reads
// lines of JSON on stdin until that ends, and writes lines of JSON on stdout.
func mode(args []string) func(in io.Reader, out io.Writer) error {
	if len(args) < 2 {
		return nil
	}
	switch args[1] {
	case clientMode:
		return serveClient
	case stormMode:
		return serveStorms
	case baselineMode:
		return func(in io.Reader, out io.Writer) error { return serveBaseline(args[2:], in, out) }
	case deciderMode:
		return func(in io.Reader, out io.Writer) error { return serveDecisions(args[2:], in, out) }
	}
	return nil
}

// serveMode carries out a part and ends the process, if it is one.
func serveMode() {
	debug.SetGCPercent(collectAt)
	if serve := mode(os.Args); serve != nil {
		exitOn(serve(os.Stdin, os.Stdout))
		os.Exit(0)
	}
}

// process is one that was started as a part of a run.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// startProcess starts a program of ours, this one where none is named, as a part of the run.
func startProcess(ctx context.Context, program string, args ...any) (*process, error) {
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	words := make([]string, len(args))
	for i, each := range args {
		words[i] = fmt.Sprint(each)
	}
	p := &process{cmd: exec.CommandContext(ctx, program, words...)} // #nosec G204 -- ourselves
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	return p, p.cmd.Start()
}

// ask sends a line and reads the answer.
func (p *process) ask(line, answer any) error {
	return errors.Join(json.NewEncoder(p.in).Encode(line), p.out.Decode(answer))
}

func (p *process) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// number reads a number that a part was started with.
func number(args []string, at int) (int, error) {
	if at >= len(args) {
		return 0, errors.New("a part of a run was started without all that it needs")
	}
	return strconv.Atoi(args[at])
}
