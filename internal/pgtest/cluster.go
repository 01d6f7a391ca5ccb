// Package pgtest gives tests a PostgreSQL of their own: a throw-away cluster made from the binaries that are installed, with
// fsync on, reached by a socket in its own folder. A test binary starts one at most and gives every test a database.
package pgtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver that the tests connect with
)

// ErrMissing says what to type where PostgreSQL is not installed. Tests fail with it; they are never skipped.
var ErrMissing = errors.New("PostgreSQL is not installed here: type `make setup`, or as root `apt-get install postgresql`")

const superuser = "curfew"

// Cluster is a running PostgreSQL.
type Cluster struct {
	dir    string
	argv   []string             // of the server
	child  *syscall.SysProcAttr // how it is started
	server *exec.Cmd
	ended  chan struct{} // closed when the server has ended
}

// Start makes and starts a cluster. Settings are PostgreSQL's, such as "fsync=off".
func Start(ctx context.Context, settings ...string) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	account, err := account()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "curfew-pg-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	c := &Cluster{dir: dir}
	if err := c.start(ctx, bin, account, settings); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, bin string, account *syscall.Credential, settings []string) error {
	if account != nil {
		if err := os.Chown(c.dir, int(account.Uid), int(account.Gid)); err != nil {
			return fmt.Errorf("give the folder to PostgreSQL's account: %w", err)
		}
	}
	// Pdeathsig: a test binary that is killed leaves no server behind. SIGQUIT is PostgreSQL's immediate shutdown.
	child := &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGQUIT}
	data := filepath.Join(c.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync") //nolint:gosec // the path was just looked up
	initdb.SysProcAttr, initdb.Dir = child, c.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	args := []string{"-D", data, "-k", c.dir, "-c", "listen_addresses=", "-c", "max_connections=300"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	c.argv, c.child = append([]string{filepath.Join(bin, "postgres")}, args...), child
	return c.run(ctx)
}

// run starts the server on the folder as it is.
func (c *Cluster) run(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make PostgreSQL's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	// Not bound to ctx: Stop ends it.
	server, ended := exec.Command(c.argv[0], c.argv[1:]...), make(chan struct{}) //nolint:gosec,noctx // the path was looked up, and Stop ends it
	server.SysProcAttr, server.Dir, server.Stdout, server.Stderr = c.child, c.dir, log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	c.server, c.ended = server, ended
	go func() {
		_ = server.Wait() // how it ended is in its log
		close(ended)
	}()
	return c.ready(ctx)
}

// Restart crashes the server, as a power cut would as far as its processes go, and starts it again.
func (c *Cluster) Restart(ctx context.Context) error {
	c.quit()
	return c.run(ctx)
}

// quit ends the server at once (PostgreSQL's immediate shutdown).
func (c *Cluster) quit() {
	if c.server != nil && c.server.Process != nil {
		_ = c.server.Process.Signal(syscall.SIGQUIT)
		<-c.ended
	}
}

// ready waits until the cluster answers.
func (c *Cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	db, err := sql.Open("postgres", c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("open PostgreSQL: %w", err)
	}
	defer func() { _ = db.Close() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("PostgreSQL ended at once: %s", bytes.TrimSpace(log))
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// Stop ends the cluster and removes its folder.
func (c *Cluster) Stop() {
	c.quit()
	_ = os.RemoveAll(c.dir)
}

// URL returns a database's address.
func (c *Cluster) URL(database string) string {
	q := url.Values{"host": {c.dir}, "sslmode": {"disable"}}
	return "postgres://" + superuser + "@/" + database + "?" + q.Encode()
}

// binaries finds initdb on the PATH or where Debian keeps it, the newest version first.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", ErrMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// account returns who runs the cluster: PostgreSQL refuses to run as root. Nil is ourselves.
func account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no account postgres or nobody")
}
