package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// A connection that is closed while the client still sends is reset, and the reset takes our answer with it. So where we
// answer before the body was read, closing first lets the client finish for a moment.
const (
	lingerFor  = 2 * time.Second
	lingerRead = 16 << 20

	deadlineSlack = 5 * time.Second
)

// lingeringListener accepts such connections, as many as there are places for, and none once closed is set: a shutdown that
// comes before the server has begun to listen would pass it by.
type lingeringListener struct {
	net.Listener
	closed *atomic.Bool
	open   func(net.Conn) (done func()) // nil when there is no place
}

func (l lingeringListener) Accept() (net.Conn, error) {
	for {
		if l.closed.Load() {
			_ = l.Close()
			return nil, io.EOF
		}
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if done := l.open(c); done != nil {
			return &lingeringConn{Conn: c, done: done}, nil
		}
		_ = c.Close()
	}
}

// Close may come from a shutdown and from Accept at once. The later of them finds nothing to close, which would end the shutdown
// before what is under way was answered.
func (l lingeringListener) Close() error {
	if err := l.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the listener: %w", err)
	}
	return nil
}

type lingeringConn struct {
	net.Conn
	done    func()
	unread  atomic.Bool
	writeBy time.Time
}

// SetWriteDeadline lets an answer's deadline come up to five seconds early: moving it for each answer costs as much as
// finding what to answer.
func (c *lingeringConn) SetWriteDeadline(t time.Time) error {
	if !c.writeBy.IsZero() && !t.IsZero() && t.Sub(c.writeBy) < deadlineSlack {
		return nil
	}
	c.writeBy = t
	return c.Conn.SetWriteDeadline(t)
}

// linger says that the request's body was not read.
func linger(ctx *fasthttp.RequestCtx) {
	c := ctx.Conn()
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if lc, ok := c.(*lingeringConn); ok {
		lc.unread.Store(true)
	}
}

func (c *lingeringConn) Close() error {
	defer c.done()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if ok && c.unread.CompareAndSwap(true, false) && half.CloseWrite() == nil {
		stop := time.AfterFunc(lingerFor, func() { _ = c.Conn.Close() })
		_, _ = io.CopyN(io.Discard, c.Conn, lingerRead) // ends with the client's end, the limit or the timer
		stop.Stop()
	}
	return c.Conn.Close()
}
