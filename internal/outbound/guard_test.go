package outbound_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"curfew/internal/outbound"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		addr string
		want bool
		what string
	}{
		{"93.184.216.34", true, "a public host"},
		{"1.1.1.1", true, "a public host"},
		{"100.63.255.255", true, "below carrier-grade NAT"},
		{"100.128.0.0", true, "above carrier-grade NAT"},
		{"172.15.255.255", true, "below private"},
		{"172.32.0.0", true, "above private"},
		{"198.17.255.255", true, "below benchmarks"},
		{"223.255.255.255", true, "below multicast"},
		{"0.0.0.0", false, "this host"},
		{"0.1.2.3", false, "this network"},
		{"10.0.0.1", false, "private"},
		{"100.64.0.1", false, "carrier-grade NAT"},
		{"100.127.255.254", false, "carrier-grade NAT"},
		{"127.0.0.1", false, "loopback"},
		{"127.255.255.254", false, "loopback"},
		{"169.254.169.254", false, "metadata"},
		{"172.16.0.1", false, "private"},
		{"172.31.255.254", false, "private"},
		{"192.0.0.8", false, "protocol assignments"},
		{"192.0.2.1", false, "documentation"},
		{"192.88.99.1", false, "6to4 relay"},
		{"192.168.1.1", false, "private"},
		{"198.18.0.1", false, "benchmarks"},
		{"198.19.255.254", false, "benchmarks"},
		{"198.51.100.7", false, "documentation"},
		{"203.0.113.9", false, "documentation"},
		{"224.0.0.251", false, "multicast"},
		{"239.255.255.250", false, "multicast"},
		{"240.0.0.1", false, "reserved"},
		{"255.255.255.255", false, "broadcast"},
		{"2606:2800:220:1:248:1893:25c8:1946", true, "a public host"},
		{"2a00:1450:4001:80b::200e", true, "a public host"},
		{"::", false, "unspecified"},
		{"::1", false, "loopback"},
		{"::ffff:127.0.0.1", false, "mapped loopback"},
		{"::ffff:169.254.169.254", false, "mapped metadata"},
		{"::ffff:a00:1", false, "mapped private"},
		{"::ffff:93.184.216.34", true, "mapped public"},
		{"::127.0.0.1", false, "compatible loopback"},
		{"::5db8:d822", false, "compatible public: deprecated, leads nowhere"},
		{"64:ff9b::7f00:1", false, "NAT64 of loopback"},
		{"64:ff9b::a9fe:a9fe", false, "NAT64 of metadata"},
		{"64:ff9b::5db8:d822", true, "NAT64 of a public host"},
		{"64:ff9b:1::a00:1", false, "local-use NAT64"},
		{"100::1", false, "discard"},
		{"2001::4136:e378:8000:63bf:3fff:fdd2", false, "Teredo"},
		{"2001:2::1", false, "benchmarks"},
		{"2001:10::1", false, "ORCHID"},
		{"2001:20::1", false, "ORCHIDv2"},
		{"2001:db8::1", false, "documentation"},
		{"2002:7f00:1::", false, "6to4 of loopback"},
		{"2002:a9fe:a9fe::1", false, "6to4 of metadata"},
		{"2002:5db8:d822::1", false, "6to4 of a public host: deprecated"},
		{"3fff::1", false, "documentation"},
		{"3fff:fff:ffff::1", false, "documentation"},
		{"5f00::1", false, "segment routing"},
		{"fc00::1", false, "ULA"},
		{"fd00:ec2::254", false, "ULA, metadata"},
		{"fe80::1", false, "link-local"},
		{"fe80::1%eth0", false, "link-local with a zone"},
		{"2606:2800:220:1::1%eth0", false, "a zone"},
		{"fec0::1", false, "site-local"},
		{"ff02::1", false, "multicast"},
		{"4000::1", false, "not given out"},
	} {
		if got := outbound.Public(netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s (%s) is public: %v, want %v", c.addr, c.what, got, c.want)
		}
	}
	if outbound.Public(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

// TestGuardedClientRefuses (T13): however the address is written, and whoever listens there.
func TestGuardedClientRefuses(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer server.Close()
	_, open, _ := net.SplitHostPort(server.Listener.Addr().String())
	names := nameServer(t, func(string, int) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	client := outbound.NewMaker(outbound.Config{Version: "1", Resolver: names}).Guarded()
	defer client.CloseIdleConnections()
	for _, url := range []string{
		"https://127.0.0.1:" + open,
		"https://127.0.0.1:1", // nobody listens: the same words
		"https://127.0.0.1.:" + open,
		"https://[::1]:" + open,
		"https://[::ffff:127.0.0.1]:" + open,
		"https://[::ffff:7f00:1]:" + open,
		"https://[64:ff9b::169.254.169.254]",
		"https://[2002:7f00:1::]",
		"https://[fe80::1%25eth0]",
		"https://2130706433:" + open,
		"https://0x7f000001:" + open,
		"https://0x7f.1:" + open,
		"https://017700000001:" + open,
		"https://0177.0.0.1:" + open,
		"https://127.1:" + open,
		"https://127.0.0.0x1:" + open,
		"https://0:" + open,
		"https://localhost:" + open,
		"https://LOCALHOST.:" + open,
		"https://api.localhost:" + open,
		"https://169.254.169.254/latest/meta-data/",
		"https://rebind.example.edu:" + open, // its name server says 127.0.0.1
		"https://rebind.example.edu.:" + open,
		"https://public.example.edu@127.0.0.1:" + open,
		"https://user:pass@rebind.example.edu",
		"http://rebind.example.edu",
		"http://93.184.216.34",
		"ftp://93.184.216.34",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		_, err = outbound.Do(client, r, 1000)
		if !errors.Is(err, outbound.ErrRefused) || err.Error() != outbound.ErrRefused.Error() {
			t.Errorf("%s: error %v, want %v", url, err, outbound.ErrRefused)
		}
	}
	if n := called.Load(); n > 0 {
		t.Errorf("the server was called %d times", n)
	}
}

// TestNameThatChangesItsMind: what a look-up said before the connection counts for nothing.
func TestNameThatChangesItsMind(t *testing.T) {
	t.Parallel()
	names := nameServer(t, func(_ string, look int) netip.Addr {
		if look == 1 {
			return netip.MustParseAddr("93.184.216.34")
		}
		return netip.MustParseAddr("169.254.169.254")
	})
	first, err := names.LookupNetIP(t.Context(), "ip4", "rebind.example.edu")
	if err != nil || !outbound.Public(first[0]) {
		t.Fatalf("the first look-up: %v, %v", first, err)
	}
	client := outbound.NewMaker(outbound.Config{Version: "1", Resolver: names}).Guarded()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://rebind.example.edu", nil)
	if _, err = outbound.Do(client, r, 1000); !errors.Is(err, outbound.ErrRefused) {
		t.Errorf("error %v, want %v", err, outbound.ErrRefused)
	}
}

// TestConfiguredAddressIsCalledAsItStands: what the guard refuses elsewhere is fine when somebody wrote it down.
func TestConfiguredAddressIsCalledAsItStands(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	names := nameServer(t, func(string, int) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	client := outbound.NewMaker(outbound.Config{Version: "1", Resolver: names}).Configured()
	defer client.CloseIdleConnections()
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "rebind.example.edu"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s:%s/", host, port), nil)
		if a, err := outbound.Do(client, r, 1000); err != nil || a.Status != http.StatusNoContent {
			t.Errorf("%s: %d, %v", host, a.Status, err)
		}
	}
}

// nameServer is a resolver whose every name leads where answer says; look counts the questions for an IPv4 address.
func nameServer(t *testing.T, answer func(name string, look int) netip.Addr) *net.Resolver {
	t.Helper()
	var looks atomic.Int32
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serveName(theirs, func(name string) netip.Addr { return answer(name, int(looks.Add(1))) })
		return ours, nil
	}}
}

// serveName answers questions as RFC 1035 section 4 says, each with its length before it since a pipe is no packet.
func serveName(conn net.Conn, answer func(string) netip.Addr) {
	defer func() { _ = conn.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		at, labels := 12, []string(nil)
		for query[at] != 0 {
			labels = append(labels, string(query[at+1:at+1+int(query[at])]))
			at += 1 + int(query[at])
		}
		question := query[12 : at+5]
		reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
		if query[at+2] == 1 { // an A record was asked for
			reply[7] = 1
			ip := answer(strings.Join(labels, ".")).As4()
			reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			reply = append(reply, ip[:]...)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
