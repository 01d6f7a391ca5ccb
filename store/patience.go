package store

import (
	"context"
	"net"
	"time"

	"curfew/revoke"
)

// patientDialer makes connections on which the other side is given up after a time. A context that can end would do the same
// and costs every statement a goroutine.
type patientDialer struct{ wait time.Duration }

// DialContext connects.
func (d patientDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: conn, wait: d.wait}, nil
}

// DialTimeout connects within a time.
func (d patientDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// Dial connects.
func (d patientDialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// patientConn fails a read or a write when nothing has moved for the time.
type patientConn struct {
	net.Conn
	wait time.Duration
}

func (c *patientConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(revoke.Deadline(c.wait)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(revoke.Deadline(c.wait)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
