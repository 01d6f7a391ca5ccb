package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// live asks about a session.
func (l *line) live(question []byte) (bool, error) {
	body, err := l.send(question)
	return bytes.Contains(body, []byte(`"active":true`)), err
}

// allThere reports what is wrong unless each of the events is stored once, with its revocation.
func (d *database) allThere(ctx context.Context, first, n int) (err error) {
	db, err := sql.Open(d.driver, d.storeDSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	rows, err := db.QueryContext(ctx, `SELECT e.sender_id, count(r.id) FROM events e LEFT JOIN revocations r ON r.event_id = e.id
		WHERE e.org = $1 AND e.authority = $2 AND e.sender_id LIKE 'storm-%' GROUP BY e.id, e.sender_id`, org, directory.Authority)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := make([]bool, n)
	for rows.Next() {
		var id string
		var revocations int
		if err := rows.Scan(&id, &revocations); err != nil {
			return err
		}
		number, err := strconv.Atoi(strings.TrimPrefix(id, "storm-"))
		switch at := number - first; {
		case err != nil:
			return err
		case at < 0 || at >= n: // of another storm, or a fresh person's
		case found[at]:
			return fmt.Errorf("event %s is stored twice", id)
		case revocations != 1:
			return fmt.Errorf("event %s was acknowledged and has %d revocations, want 1", id, revocations)
		default:
			found[at] = true
		}
	}
	missing := 0
	for _, there := range found {
		if !there {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d acknowledged events are missing", missing, n)
	}
	return rows.Err()
}

// sampled is how many people are asked about after a storm.
const sampled = 500

// allDead asks the server about sessions of people who were suspended.
func (w *weather) allDead(ctx context.Context) error {
	l, err := dial(ctx, w.server.address)
	if err != nil {
		return err
	}
	defer l.close()
	for i := 0; i < len(w.people); i += max(1, len(w.people)/sampled) {
		n := w.people[i]
		session := w.sessions * n / w.users
		live, err := l.live(w.server.raw("POST", introspectPath, w.server.secrets["gateway"], "application/x-www-form-urlencoded", fmt.Sprintf("token=session-%d", session)))
		if err != nil {
			return err
		}
		if live {
			return fmt.Errorf("person %d was suspended, which was acknowledged, and session %d is live", n, session)
		}
	}
	return nil
}

// memory is what the server's process holds, in bytes.
type memory struct{ before, peak, after int64 }

func (m memory) String() string {
	return fmt.Sprintf("%s before, %s at its peak, %s after", megabytes(m.before), megabytes(m.peak), megabytes(m.after))
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }

// settleMemory notes how much memory the server holds, and lets its peak begin anew.
func (s *server) settleMemory(m *memory) (err error) {
	if err := os.WriteFile(s.proc("clear_refs"), []byte("5"), 0); err != nil { // proc(5)
		return err
	}
	m.before, err = s.memory("VmRSS")
	return err
}

func (s *server) peakMemory(m *memory) (err error) {
	if m.peak, err = s.memory("VmHWM"); err != nil {
		return err
	}
	m.after, err = s.memory("VmRSS")
	return err
}

func (s *server) proc(file string) string { return fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file) }

func (s *server) memory(what string) (int64, error) {
	text, err := os.ReadFile(s.proc("status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == what+":" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("%s does not say %s", s.proc("status"), what)
}
