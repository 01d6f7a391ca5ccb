package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	"github.com/gofiber/fiber/v2"
)

// baselineMode is the first argument of a process that serves Fiber's bare JSON handler: nothing is read, looked up or
// checked, and an answer like that of an introspection is written.
const baselineMode = "baseline"

// introspection is the answer of POST /oauth2/introspect for a live session.
type introspection struct {
	Active   bool   `json:"active"`
	Sub      string `json:"sub"`
	Username string `json:"username"`
	SID      string `json:"sid"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ClientID string `json:"client_id"`
}

const introspectPath = "/oauth2/introspect"

// serveBaseline writes its address as a line of JSON and serves until in ends.
func serveBaseline(in io.Reader, out io.Writer) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Post(introspectPath, func(c *fiber.Ctx) error {
		return c.JSON(introspection{
			Active: true, Sub: "019a7b1c-0000-7000-8000-000000000001", Username: "pupil0000001@example.edu",
			SID: "019a7b1c-0000-7000-8000-000000000002", IssuedAt: 1795430000, Expires: 1800614000, ClientID: "portal",
		})
	})
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(l.Addr().String()); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(l) }()
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	return errors.Join(app.Shutdown(), <-served)
}

// baseline is such a process.
type baseline struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	address string
}

func startBaseline(ctx context.Context) (*baseline, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &baseline{cmd: exec.CommandContext(ctx, self, baselineMode)} // #nosec G204 -- ourselves
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&p.address); err != nil {
		return nil, errors.Join(fmt.Errorf("the baseline does not start: %w", err), p.stop())
	}
	return p, nil
}

func (p *baseline) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
