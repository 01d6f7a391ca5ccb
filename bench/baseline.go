package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// baselineMode is the first argument of a process that serves bare Fiber handlers, each the least that answers what a path of
// ours answers. The second says how many people its map has, the third and the fourth which database it reads.
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
	usersPath      = "/scim/v2/Users"
	eventPath      = "/v1/events/"
)

// serveBaseline writes its address as a line of JSON and serves until in ends.
func serveBaseline(args []string, in io.Reader, out io.Writer) error {
	users, err := number(args, 0)
	if err != nil || len(args) != 3 {
		return errors.Join(err, errors.New("a baseline is started with people, a driver and a database"))
	}
	point, event, closing, err := pointReads(args[1], args[2])
	if err != nil {
		return err
	}
	defer func() { _ = closing() }()
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
	app.Get(usersPath, func(c *fiber.Ctx) error {
		found, err := point(c.UserContext(), c.Query("userName"))
		if err != nil {
			return err
		}
		return c.JSON(found)
	})
	app.Get(eventPath+":id", func(c *fiber.Ctx) error {
		found, err := event(c.UserContext(), c.Params("id"))
		if err != nil {
			return err
		}
		return c.JSON(found)
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

// row is a person of the directory's, or an event, as the table has it.
type row struct {
	ID   string          `json:"id"`
	Name string          `json:"userName"`
	Body json.RawMessage `json:"profile"`
}

// reader reads the one row that a key leads to.
type reader func(ctx context.Context, key string) (row, error)

// pointReads returns what reads a person by the userName and an event by its id: prepared statements that an index serves.
func pointReads(driver, dsn string) (person, event reader, closing func() error, err error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, nil, err
	}
	db.SetMaxOpenConns(askers)
	db.SetMaxIdleConns(askers)
	prepare := func(question string, before ...any) reader {
		stmt, wrong := db.PrepareContext(context.Background(), question)
		err = errors.Join(err, wrong)
		return func(ctx context.Context, key string) (found row, err error) {
			var body string
			err = stmt.QueryRowContext(ctx, append(slices.Clone(before), key)...).Scan(&found.ID, &found.Name, &body)
			found.Body = json.RawMessage(body)
			return found, err
		}
	}
	person = prepare("SELECT id, user_name, profile FROM resources WHERE org = $1 AND authority = $2 AND type = $3 AND user_name_folded = $4 AND named = 1 AND deleted_at = 0",
		org, directory.Authority, revoke.TypeUser)
	event = prepare("SELECT id, type, body FROM events WHERE org = $1 AND id = $2", org)
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return person, event, db.Close, nil
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

func startBaseline(ctx context.Context, users int, d *database) (*baseline, error) {
	p, err := startProcess(ctx, "", baselineMode, users, d.driver, d.storeDSN)
	if err != nil {
		return nil, err
	}
	b := &baseline{process: p}
	if err := p.out.Decode(&b.address); err != nil {
		return nil, errors.Join(errors.New("the baseline does not start"), err, p.stop())
	}
	return b, nil
}
