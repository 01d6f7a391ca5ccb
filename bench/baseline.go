package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"

	"github.com/gofiber/fiber/v2"
)

// baselineMode is the first argument of a process that serves bare Fiber handlers, each the least that answers what a path of
// ours answers. The second says how many people its map has.
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

// stateless is an element of the body of POST /v1/check, as far as the bench sends it, and alive one of the answer.
type stateless struct {
	Subject struct {
		Format string `json:"format"`
		Email  string `json:"email"`
	} `json:"subject"`
	IssuedAt int64  `json:"iat"`
	Kind     string `json:"kind"`
}

type alive struct {
	Live bool `json:"live"`
}

const (
	introspectPath = "/oauth2/introspect"
	checkPath      = "/v1/check"
)

// serveBaseline writes its address as a line of JSON and serves until in ends.
func serveBaseline(args []string, in io.Reader, out io.Writer) error {
	users, err := number(args, 0)
	if err != nil {
		return err
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	// Nothing is read, looked up or checked.
	app.Post(introspectPath, func(c *fiber.Ctx) error {
		return c.JSON(introspection{
			Active: true, Sub: "019a7b1c-0000-7000-8000-000000000001", Username: "pupil0000001@example.edu",
			SID: "019a7b1c-0000-7000-8000-000000000002", IssuedAt: 1795430000, Expires: 1800614000, ClientID: "portal",
		})
	})
	// Every token is looked up in a plain map, and nothing is checked.
	cutoffs := plainMap(users)
	app.Post(checkPath, func(c *fiber.Ctx) error {
		var asked []stateless
		if err := json.Unmarshal(c.Body(), &asked); err != nil {
			return err
		}
		answers := make([]alive, len(asked))
		for i := range asked {
			answers[i].Live = asked[i].IssuedAt > cutoffs[asked[i].Subject.Email]
		}
		return c.JSON(answers)
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

// plainMap has a cutoff of long ago for everybody in the tables.
func plainMap(users int) map[string]int64 {
	cutoffs := make(map[string]int64, users)
	for n := range users {
		cutoffs[address(n)] = int64(n)
	}
	return cutoffs
}

// baseline is such a process.
type baseline struct {
	*process
	address string
}

func startBaseline(ctx context.Context, users int) (*baseline, error) {
	p, err := startProcess(ctx, "", baselineMode, users)
	if err != nil {
		return nil, err
	}
	b := &baseline{process: p}
	if err := p.out.Decode(&b.address); err != nil {
		return nil, errors.Join(errors.New("the baseline does not start"), err, p.stop())
	}
	return b, nil
}
