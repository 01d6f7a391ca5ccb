package outbound

import (
	"net/http"
	"strings"
	"time"
)

// MaxWait is the longest that a server can make us wait: a daily limit is over by then, and no honest answer means more.
const MaxWait = 24 * time.Hour

// RetryAfter returns how long the answer asks us to wait (RFC 9110 section 10.2.3: seconds, or a date), at most
// [MaxWait]; zero when it does not ask, asks in no form that we know, or names a time that is past. A date counts from
// the answer's own Date, so that a server whose clock is wrong is still understood; from now when it has none.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if strings.Trim(value, "0123456789") == "" {
		return seconds(value)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), MaxWait)
}

// seconds reads digits; more of them than can matter are MaxWait.
func seconds(digits string) time.Duration {
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 6 {
		return MaxWait
	}
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return min(time.Duration(n)*time.Second, MaxWait)
}
