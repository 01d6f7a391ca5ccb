package targets

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Settings is what a target's entry in the configuration holds. Each type has a struct of its own that embeds [Common].
//
// What cmd/curfew does with an entry `portal: {type: webhook, …}`:
//
//  1. [Lookup] of `type`; an unknown name that DESIGN.md section 6 knows is a warning, any other an error.
//  2. A new value of the type of Type.Settings by reflection, and every key decoded into the field whose yaml tag names it;
//     fields of an embedded struct tagged `yaml:",inline"` count as the struct's own. A key that no tag names is an error.
//     The kinds of field are string, bool, int, [time.Duration] (a text such as 15m), [revoke.Secret], lists of those, and
//     whatever is an [encoding.TextUnmarshaler] ([Rate]).
//  3. [Type.Open] with what was decoded, also where a key was wrong, so that all mistakes are told at once. It checks
//     every value, which no tag does; its errors are [revoke.Invalid] below the target's name.
//  4. Shared().Org goes beside the name into revoke.Config.Targets; Shared().Recheck is known but has no effect until
//     policies exist, so that cmd names it in a start-up warning.
type Settings interface {
	// Shared returns what every target's settings hold.
	Shared() Common
}

// Common is what every target's settings hold.
type Common struct {
	Type        string        `yaml:"type"`
	URL         string        `yaml:"url"`
	Org         string        `yaml:"org"`         // whose people are there; empty is main
	Insecure    bool          `yaml:"insecure"`    // plain http to another machine is meant
	Rate        Rate          `yaml:"rate"`        // of calls, all workers together; none: no limit
	Concurrency int           `yaml:"concurrency"` // calls under way at once; none: 8
	Recheck     time.Duration `yaml:"recheck"`     // how often a policy is carried out again
}

// Shared obeys [Settings] for every struct that embeds Common.
func (c Common) Shared() Common { return c }

// mostCalls bounds concurrency: more connections than this to one system help nobody.
const mostCalls = 256

func (c Common) check() error {
	_, err := c.address()
	if c.Concurrency < 0 || c.Concurrency > mostCalls {
		err = errors.Join(err, revoke.Invalid{Field: "concurrency", Problem: "is not a number from 1 to 256", Fix: "write a number such as 8"})
	}
	if c.Recheck < 0 {
		err = errors.Join(err, revoke.Invalid{Field: "recheck", Problem: "is negative", Fix: "write a duration such as 15m"})
	}
	return err
}

// address reads the URL, which has passed check where a target is at work.
func (c Common) address() (*url.URL, error) { return outbound.ParseAddress("url", c.URL, c.Insecure) }

// Rate is how many calls in how much time, written "10/s", "100/min" or "1000/h". The zero Rate is no limit.
type Rate struct {
	Calls int
	Per   time.Duration
}

var units = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// UnmarshalText reads what String writes; anything else is [revoke.Invalid].
func (r *Rate) UnmarshalText(text []byte) error {
	calls, unit, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(calls)
	per, known := units[unit]
	if err != nil || !known || n < 1 || n > 10_000 {
		return revoke.Invalid{Problem: "is not a rate", Fix: `write calls and a unit such as "10/s", "100/min" or "1000/h"`}
	}
	*r = Rate{n, per}
	return nil
}

// MarshalText writes what String returns.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns r as it is written in the configuration, empty for no limit.
func (r Rate) String() string {
	for unit, per := range units {
		if per == r.Per && r.Calls > 0 {
			return strconv.Itoa(r.Calls) + "/" + unit
		}
	}
	return ""
}

// IsZero reports whether there is no limit.
func (r Rate) IsZero() bool { return r.Calls == 0 }
