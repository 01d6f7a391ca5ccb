package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"

	"curfew/revoke"
)

// ago says how long an instant lies back, or ahead.
func (c *Console) ago(at revoke.Instant) template.HTML {
	if at == 0 {
		return "never"
	}
	return c.stamp(at, relative(at.Time().In(c.cfg.Zone), c.cfg.Clock.Now().Time().In(c.cfg.Zone)))
}

// until is ago for what lies ahead.
func (c *Console) until(at revoke.Instant) template.HTML { return c.ago(at) }

// at says an instant to the second, with its zone.
func (c *Console) at(at revoke.Instant) template.HTML {
	if at == 0 {
		return "never"
	}
	return c.stamp(at, at.Time().In(c.cfg.Zone).Format("2 January 2006, 15:04:05 MST"))
}

// clock says an instant to the millisecond, as a time line needs it: the time of day first, then the day.
func (c *Console) clock(at revoke.Instant) template.HTML {
	if at == 0 {
		return "never"
	}
	local := at.Time().In(c.cfg.Zone)
	return c.stamp(at, local.Format("15:04:05.000")) + template.HTML(" <small class=\"day\">") + template.HTML(template.HTMLEscapeString(date(local, c.cfg.Clock.Now().Time().In(c.cfg.Zone)))) + "</small>" //nolint:gosec // numbers and names of months
}

// day says the day of an instant: without the year where it is the present one.
func (c *Console) day(at revoke.Instant) template.HTML {
	if at == 0 {
		return "never"
	}
	return c.stamp(at, date(at.Time().In(c.cfg.Zone), c.cfg.Clock.Now().Time().In(c.cfg.Zone)))
}

// stamp is an instant for people and for machines.
func (c *Console) stamp(at revoke.Instant, words string) template.HTML {
	exact := at.Time().In(c.cfg.Zone).Format("2 January 2006, 15:04:05 MST")
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, //nolint:gosec // made of numbers and names of months
		at.Time().Format("2006-01-02T15:04:05.000Z"), template.HTMLEscapeString(exact), template.HTMLEscapeString(words)))
}

// relative says t as somebody would who looks at their watch at now.
func relative(t, now time.Time) string {
	gone := now.Sub(t)
	if gone < 0 {
		return ahead(t, now)
	}
	switch days := daysBetween(t, now); {
	case gone < 10*time.Second:
		return "just now"
	case gone < time.Minute:
		return plural(int(gone/time.Second), "second") + " ago"
	case gone < time.Hour:
		return plural(int(gone/time.Minute), "minute") + " ago"
	case days == 0 || gone < 6*time.Hour:
		return plural(int(gone/time.Hour), "hour") + " ago"
	case days == 1:
		return "yesterday"
	case days < 7:
		return plural(days, "day") + " ago"
	default:
		return date(t, now)
	}
}

func ahead(t, now time.Time) string {
	left := t.Sub(now)
	switch days := daysBetween(now, t); {
	case left < time.Minute:
		return "in " + plural(max(1, int(left/time.Second)), "second")
	case left < time.Hour:
		return "in " + plural(int(left/time.Minute), "minute")
	case left < 24*time.Hour:
		return "in " + plural(int(left/time.Hour), "hour")
	case days < 14:
		return "in " + plural(days, "day")
	default:
		return "on " + date(t, now)
	}
}

// daysBetween counts midnights from a to b, in b's zone.
func daysBetween(a, b time.Time) int {
	day := func(t time.Time) time.Time {
		y, m, d := t.In(b.Location()).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(day(b).Sub(day(a)) / (24 * time.Hour))
}

func date(t, now time.Time) string {
	if t.Year() == now.Year() {
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

// plural counts things: 1 device, 2 devices, 1,284 devices. A third word is the form for many.
func plural(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return number(n) + " " + many[0]
	default:
		return number(n) + " " + one + "s"
	}
}

func number(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// list says things as a sentence does: a, b and c.
func list(things []string) string {
	if len(things) < 2 {
		return strings.Join(things, "")
	}
	return strings.Join(things[:len(things)-1], ", ") + " and " + things[len(things)-1]
}

// short makes a text from outside fit for a line: one line, no characters that turn or hide others, at most so many.
func short(longest int, text string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !unicode.IsPrint(r) || turns(r):
			continue
		}
		if n+1 > longest || space && n+2 > longest {
			b.WriteRune('…')
			break
		}
		if space {
			b.WriteRune(' ')
			n, space = n+1, false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// turns reports whether a character changes the direction of others, or cannot be seen.
func turns(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r == 0x061c
}
