package store

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestSilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	conn, err := patientDialer{wait: 20 * time.Millisecond}.DialTimeout("tcp", silent.Addr().String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for i := range 2 { // a later question gets its own time
		if _, err := conn.Write([]byte("COMMIT")); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		_, err = conn.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d from a server that says nothing: got %v, want that the time is over", i, err)
		}
		if !(postgresDB{}).gone(err) || (postgresDB{}).refused(err) {
			t.Errorf("%v must count as a lost connection, and after a commit as an unknown outcome", err)
		}
	}
}
