package outbound

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// ErrRefused says that an address which nobody configured is not one that we call. It says the same whatever the
// address is and whether anybody listens there.
var ErrRefused = errors.New("has an address that Curfew does not call unless it stands in the configuration")

// special4 is what is not the public internet in IPv4, by the IANA special-purpose registry (RFC 6890).
var special4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // carrier-grade NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, the clouds' metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays (RFC 7526)
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast
)

// global6 is the only part of IPv6 that is given out; loopback, link-local, ULA, multicast, IPv4-compatible and local-use
// NAT64 (RFC 8215) all lie outside.
var global6 = netip.MustParsePrefix("2000::/3")

// special6 is what is not the public internet inside global6.
var special6 = prefixes(
	"2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4, deprecated by RFC 7526; it can name any IPv4 address
	"3fff::/20",     // documentation (RFC 9637)
)

// nat64 leads to the IPv4 address in its last four bytes (RFC 6052), and so is as public as that.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// Public reports whether addr is on the public internet: not special, and not leading to what is special.
func Public(addr netip.Addr) bool {
	if !addr.IsValid() || addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return !within(special4, addr)
	}
	if nat64.Contains(addr) {
		b := addr.As16()
		return Public(netip.AddrFrom4([4]byte(b[12:])))
	}
	return global6.Contains(addr) && !within(special6, addr)
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// refuseNonPublic is a [net.Dialer]'s Control: it runs after the name was resolved and before the connection is made, so
// that a name which changes its mind, or an odd way to write an address, gains nothing.
func refuseNonPublic(_, address string, _ syscall.RawConn) error {
	peer, err := netip.ParseAddrPort(address)
	if err != nil || !Public(peer.Addr()) {
		return ErrRefused
	}
	return nil
}

// refuseURL refuses before any look-up what must not be called at all.
func refuseURL(u *url.URL) error {
	host := strings.TrimSuffix(u.Hostname(), ".")
	if u.Scheme != "https" || u.User != nil || host == "" || u.Opaque != "" {
		return ErrRefused
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if !Public(addr) || strings.HasSuffix(u.Hostname(), ".") {
			return ErrRefused
		}
		return nil
	}
	if numeric(host) || strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return ErrRefused
	}
	return nil
}

// numeric reports whether a host that is no address by RFC 3986 would be read as one by a lenient resolver: its last
// label is a number in decimal, octal or hexadecimal ("127.1", "0x7f000001", "017700000001").
func numeric(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if digits, ok := strings.CutPrefix(strings.ToLower(last), "0x"); ok {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
