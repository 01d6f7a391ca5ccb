package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver of both the product and the bare commits
)

// cluster is a PostgreSQL server of our own, with fsync and synchronous_commit on as they ship.
type cluster struct {
	cmd  *exec.Cmd
	port int
}

// startCluster makes a cluster in dir and starts it. PostgreSQL refuses to run as root, so that root runs it as postgres,
// else as nobody.
func startCluster(ctx context.Context, dir string) (*cluster, error) {
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	made := exec.CommandContext(ctx, initdb, "-D", data, "-A", "trust", "-U", "curfew", "-E", "UTF8", "--no-locale", "--no-sync") // #nosec G204 -- a program we looked up ourselves
	made.SysProcAttr, made.Dir = attr, dir
	if out, err := made.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	server, err := program("postgres")
	if err != nil {
		return nil, err
	}
	c := &cluster{port: port, cmd: exec.CommandContext(ctx, server, "-D", data, "-k", dir, "-p", strconv.Itoa(port), // #nosec G204 -- as above
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", "-c", "shared_buffers=256MB", "-c", "log_min_messages=warning")}
	c.cmd.SysProcAttr, c.cmd.Dir, c.cmd.Stderr = attr, dir, os.Stderr
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGINT) } // fast shutdown
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return c, c.wait(ctx)
}

func (c *cluster) wait(ctx context.Context) error {
	db, err := sql.Open("postgres", c.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	_, err = db.ExecContext(ctx, "CREATE DATABASE curfew")
	return err
}

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://curfew@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

func (c *cluster) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	var exit *exec.ExitError
	if err := c.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// unprivileged says as whom PostgreSQL runs and hands dir over to them. The server dies with us.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return nil, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.New("neither postgres nor nobody is a user here, and PostgreSQL refuses to run as root")
}

// program finds one of PostgreSQL's server programs; Debian keeps them off the PATH.
func program(name string) (string, error) {
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err == nil && len(found) > 0 {
		return slices.Max(found), nil
	}
	return exec.LookPath(name)
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
