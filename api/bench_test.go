package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkIntrospection asks about one live session again and again on one connection.
func BenchmarkIntrospection(b *testing.B) {
	s := start(b)
	s.register("sally@example.edu", "mobile", "cft_0123456789012345678901234567890123456789012")
	s.again(b, "/oauth2/introspect", "application/x-www-form-urlencoded", "token=cft_0123456789012345678901234567890123456789012", 100)
}

// BenchmarkCheck asks about a thousand stateless tokens again and again on one connection.
func BenchmarkCheck(b *testing.B) {
	s := start(b)
	questions := make([]string, 1000)
	for i := range questions {
		questions[i] = s.asking(fmt.Sprintf("pupil%07d@example.edu", i), time.Minute, "")
	}
	s.again(b, "/v1/check", "application/json", "["+strings.Join(questions, ",")+"]", 1000*len(`{"live":true}`))
}

// again sends the gateway's request until the benchmark ends. Every answer must be one of so many bytes or more.
func (s *bundle) again(b *testing.B, path, kind, body string, least int) {
	b.Helper()
	request := "POST " + path + " HTTP/1.1\r\nHost: curfew\r\nAuthorization: Bearer " + secretOf("gateway") +
		"\r\nContent-Type: " + kind + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", s.address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 64<<10)
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
		if got, err := in.Peek(length); err != nil || length < least {
			b.Fatal(fmt.Errorf("an answer of %d bytes: %.300s, %w", length, got, err))
		}
		if _, err := in.Discard(length); err != nil {
			b.Fatal(err)
		}
	}
}
