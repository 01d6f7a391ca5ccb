package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkIntrospection asks about one live session again and again on one connection.
func BenchmarkIntrospection(b *testing.B) {
	s := start(b)
	s.register("sally@example.edu", "mobile", "cft_0123456789012345678901234567890123456789012")
	body := "token=cft_0123456789012345678901234567890123456789012"
	request := "POST /oauth2/introspect HTTP/1.1\r\nHost: curfew\r\nAuthorization: Bearer " + secretOf("gateway") +
		"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", s.address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.WriteString(conn, request); err != nil {
			b.Fatal(err)
		}
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				b.Fatal(err)
			}
			if len(line) == 2 {
				break
			}
			if n, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
				if length, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
					b.Fatal(err)
				}
			}
		}
		if got, err := in.Peek(length); err != nil || length < 100 {
			b.Fatal(fmt.Errorf("an answer of %d bytes: %s, %w", length, got, err))
		}
		if _, err := in.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
}
