package webhooks

import (
	"math"
	"strconv"

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
