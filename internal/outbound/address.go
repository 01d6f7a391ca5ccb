package outbound

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"curfew/revoke"
)

// ParseAddress reads an address of the configuration. It must be https, or http to this machine, or http where the
// settings say insecure; it holds no user and no fragment. Errors are [revoke.Invalid] with the field, and never show the
// address, since a path or query may be a secret.
func ParseAddress(field, raw string, insecure bool) (*url.URL, error) {
	invalid := func(problem, fix string) (*url.URL, error) {
		return nil, revoke.Invalid{Field: field, Problem: problem, Fix: fix}
	}
	const example = `write an address such as "https://portal.example.edu/logout"`
	if raw == "" {
		return invalid("is missing", example)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return invalid("is not an address", example)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return invalid("has a port that does not exist", "use a port from 1 to 65535")
		}
	}
	switch {
	case u.User != nil:
		return invalid("holds a user or a password", "leave them out of the address; a credential has a key of its own")
	case strings.Contains(raw, "#"):
		return invalid("holds a fragment", "leave out # and what follows")
	case u.Scheme == "https":
		return u, nil
	case u.Scheme != "http":
		return invalid("is neither https nor http", example)
	case insecure || onThisMachine(u.Hostname()):
		return u, nil
	default:
		return invalid("is plain http", "use https, or set insecure: true if nobody else can be on that network")
	}
}

func onThisMachine(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
