package api

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// client returns the address of whoever asks: the connection's peer, or, when that is a trusted proxy, the last address
// in X-Forwarded-For that is not one. What stands before it anybody may have written.
func (a *App) client(ctx *fasthttp.RequestCtx) netip.Addr {
	var peer netip.Addr
	if tcp, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		peer = tcp.AddrPort().Addr().Unmap()
	}
	if !a.trusted(peer) {
		return peer
	}
	var hops [][]byte
	for _, line := range ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor) {
		hops = append(hops, bytes.Split(line, []byte{','})...)
	}
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(string(bytes.TrimSpace(hop)))
		if err != nil {
			return peer
		}
		if peer = addr.Unmap(); !a.trusted(peer) {
			break
		}
	}
	return peer
}

func (a *App) trusted(addr netip.Addr) bool {
	return slices.ContainsFunc(a.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// refusals counts refused credentials by address, so that one that guesses is told to wait. It never stands in the way
// of a valid one, and secrets of 256 bits do not need it: it spares us the noise.
type refusals struct {
	clock revoke.Clock
	mu    sync.Mutex
	by    map[netip.Prefix]refusal
}

type refusal struct {
	left float64
	at   revoke.Instant
}

const (
	refusalBurst     = 10_000
	refusalPerSecond = 100
	refusalAddresses = 8192
)

func newRefusals(clock revoke.Clock) *refusals {
	return &refusals{clock: clock, by: map[netip.Prefix]refusal{}}
}

// count takes note of a refused credential and returns how long its sender should wait, zero while it may go on.
func (r *refusals) count(addr netip.Addr) time.Duration {
	from, now := neighbourhood(addr), r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	have, ok := r.by[from]
	if !ok {
		have = refusal{left: refusalBurst, at: now}
		if len(r.by) >= refusalAddresses {
			for other := range r.by { // any; a flood from many addresses is not ours to stop
				delete(r.by, other)
				break
			}
		}
	}
	have.left = min(refusalBurst, have.left+now.Sub(have.at).Seconds()*refusalPerSecond)
	have.at = now
	if have.left < 1 {
		r.by[from] = have
		return time.Second
	}
	have.left--
	r.by[from] = have
	return 0
}
