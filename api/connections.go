package api

import (
	"net"
	"net/netip"
	"sync"

	"curfew/revoke"
)

const (
	maxConnections        = 8192 // each may hold a buffer of 64 KiB
	maxConnectionsAddress = 1024 // of one address, so that it leaves room for others
	logConnectionsEvery   = 60 * revoke.Instant(1e6)
)

// connections counts those that are open, so that nobody takes all there are. A trusted proxy stands for many clients, and
// whoever is on this machine has other ways: they are held to the sum alone.
type connections struct {
	most, mostOfOne int
	mu              sync.Mutex
	all             int
	by              map[netip.Prefix]int
	logged          revoke.Instant
}

func newConnections() *connections {
	return &connections{most: maxConnections, mostOfOne: maxConnectionsAddress, by: map[netip.Prefix]int{}}
}

// neighbourhood is what one customer of a provider holds: an address, or in version 6 a network of 64 bits.
func neighbourhood(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	from, _ := addr.Prefix(bits)
	return from
}

// open takes a place for a connection and returns how it is given back; nil when there is none.
func (a *App) open(c net.Conn) (done func()) {
	var from netip.Prefix // the zero one is not counted
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		if addr := tcp.AddrPort().Addr().Unmap(); !addr.IsLoopback() && !a.answers.Load().trusted(addr) {
			from = neighbourhood(addr)
		}
	}
	n := a.connections
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all >= n.most || n.by[from] >= n.mostOfOne {
		if now := a.cfg.Clock.Now(); now-n.logged >= logConnectionsEvery {
			n.logged = now
			a.cfg.Log.Warn("connections are turned away", "open", n.all, "from", from.String(), "of_it", n.by[from])
		}
		return nil
	}
	n.all++
	if from.IsValid() {
		n.by[from]++
	}
	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.all--
		if n.by[from]--; n.by[from] <= 0 {
			delete(n.by, from)
		}
	})
}
