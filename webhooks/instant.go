package webhooks

import (
	"math"
	"strconv"
	"strings"
	"time"

	"curfew/revoke"
)

// The ends of what we take for the time of an event: the years 1990 to 2200. Whatever lies outside is a number of another unit,
// or a placeholder.
const (
	earliest = revoke.Instant(631_152_000_000_000)
	latest   = revoke.Instant(7_258_118_400_000_000)
)

// readTime reads a time in a unit: s and ms since 1970 as a whole number, or rfc3339. It reports false for what is none.
func readTime(text, unit string) (revoke.Instant, bool) {
	if unit == "rfc3339" {
		var at revoke.Instant
		err := at.UnmarshalText([]byte(text))
		return at, err == nil && at >= earliest && at <= latest
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return numericTime(float64(number), unit)
}

// numericTime reads a number of s or ms since 1970. An empty unit finds out which: no two units of one time lie between 1990 and
// 2200.
func numericTime(number float64, unit string) (revoke.Instant, bool) {
	for _, u := range []struct {
		name  string
		scale float64
	}{{"s", 1e6}, {"ms", 1e3}, {"us", 1}} {
		micros := number * u.scale
		if (unit == "" || unit == u.name) && micros >= float64(earliest) && micros <= float64(latest) {
			return revoke.Instant(math.Round(micros)), true
		}
	}
	return 0, false
}

// spellings are the forms of a time in which senders write it beside RFC 3339: with an offset that has no colon, with a blank for
// the T, and without an offset, which then is UTC.
var spellings = []string{
	"2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05",
}

// spelledTime reads a time as senders spell it: RFC 3339 and its neighbours, or a number of s, ms or us since 1970.
func spelledTime(text string) (revoke.Instant, bool) {
	text = strings.TrimSpace(text)
	if at, ok := readTime(text, "rfc3339"); ok {
		return at, true
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return numericTime(number, "")
	}
	for _, layout := range spellings {
		if t, err := time.Parse(layout, text); err == nil { // a fraction after the seconds is read too
			at := revoke.InstantOf(t)
			return at, at >= earliest && at <= latest
		}
	}
	return 0, false
}

// endOfDay reads a day such as 2026-12-24 and returns when it is over in a time zone.
func endOfDay(text string, zone *time.Location) (revoke.Instant, bool) {
	if zone == nil {
		zone = time.UTC
	}
	day, err := time.Parse(time.DateOnly, strings.TrimSpace(text))
	if err != nil {
		return 0, false
	}
	at := revoke.InstantOf(time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone))
	return at, at >= earliest && at <= latest
}
