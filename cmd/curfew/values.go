package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no zone files
)

// address is where a server listens: host and port.
type address string

func (a *address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	_, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || strings.ContainsAny(host, " /") {
		return errors.New("must be a host and a port")
	}
	*a = address(text)
	return nil
}

// webURL is an http or https address without user info and fragment.
type webURL string

func (u *webURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || strings.ContainsAny(string(text), " \t\n") {
		return errors.New("must be an http or https address with a host")
	}
	if parsed.User != nil || parsed.Fragment != "" {
		return errors.New("must not carry a user name, password or fragment")
	}
	*u = webURL(text)
	return nil
}

// baseURL is a webURL that paths are appended to.
type baseURL string

func (u *baseURL) UnmarshalText(text []byte) error {
	var full webURL
	if err := full.UnmarshalText(text); err != nil {
		return err
	}
	parsed, _ := url.Parse(string(text))
	if parsed.RawQuery != "" || parsed.ForceQuery {
		return errors.New("must not carry a query")
	}
	if parsed.Path != "" && parsed.Path != "/" && path.Clean(parsed.Path) != strings.TrimSuffix(parsed.Path, "/") {
		return errors.New("must have a plain path or none")
	}
	*u = baseURL(strings.TrimSuffix(string(text), "/"))
	return nil
}

// originURL is a scheme and a host, as browsers compare origins (RFC 6454 section 4).
type originURL string

func (u *originURL) UnmarshalText(text []byte) error {
	var base baseURL
	if err := base.UnmarshalText(text); err != nil {
		return err
	}
	if parsed, _ := url.Parse(string(base)); parsed.Path != "" {
		return errors.New("must be an origin: scheme and host without a path")
	}
	*u = originURL(base)
	return nil
}

// databaseURL says which database. It may hold a password, so it prints without one.
type databaseURL struct{ value string }

func (d *databaseURL) UnmarshalText(text []byte) error {
	value := string(text)
	if file, ok := strings.CutPrefix(value, "sqlite:"); ok {
		if file == "" || strings.Contains(file, "?") || strings.Contains(file, ":memory:") {
			return errors.New("must name the file of the SQLite database, without parameters: it has to outlive the server")
		}
		d.value = value
		return nil
	}
	parsed, err := url.Parse(value)
	if err != nil || parsed.Scheme != "postgres" && parsed.Scheme != "postgresql" || parsed.Path == "" || parsed.Path == "/" {
		return errors.New("must be sqlite: and a file, or postgres:// with a host and a database")
	}
	d.value = value
	return nil
}

// String hides the password.
func (d databaseURL) String() string {
	if strings.HasPrefix(d.value, "sqlite:") {
		return d.value
	}
	parsed, err := url.Parse(d.value)
	if err != nil {
		return "postgres://[secret]"
	}
	if q := parsed.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		parsed.RawQuery = q.Encode()
	}
	return parsed.Redacted()
}

// hasPassword reports whether a password stands in the value itself.
func (d databaseURL) hasPassword() bool {
	parsed, err := url.Parse(d.value)
	if err != nil {
		return true
	}
	_, inUser := parsed.User.Password()
	return inUser || parsed.Query().Has("password")
}

// zone is a time zone by its IANA name.
type zone struct{ *time.Location }

func (z *zone) UnmarshalText(text []byte) error {
	loc, err := time.LoadLocation(string(text))
	if err != nil || string(text) == "Local" || len(text) == 0 {
		return errors.New("is not the name of a time zone (IANA)")
	}
	z.Location = loc
	return nil
}

// rate is how often something may happen.
type rate struct {
	Count int
	Per   time.Duration
}

var rateText = regexp.MustCompile(`^([1-9][0-9]{0,6})/(s|min|h|d)$`)

func (r *rate) UnmarshalText(text []byte) error {
	m := rateText.FindStringSubmatch(string(text))
	if m == nil {
		return errors.New("must be a count for each s, min, h or d")
	}
	r.Count, _ = strconv.Atoi(m[1])
	r.Per = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	return nil
}

func (r rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "min", time.Hour: "h", 24 * time.Hour: "d"}[r.Per]
	return fmt.Sprintf("%d/%s", r.Count, unit)
}

// size is a number of bytes.
type size int64

var sizeText = regexp.MustCompile(`^([1-9][0-9]{0,9})(KiB|MiB|)$`)

func (s *size) UnmarshalText(text []byte) error {
	m := sizeText.FindStringSubmatch(string(text))
	if m == nil {
		return errors.New("must be a number of bytes, with KiB or MiB or without")
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	*s = size(n * map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20}[m[2]])
	if *s > 64<<20 {
		return errors.New("must not be more than 64MiB")
	}
	return nil
}

// patience is a time, or never.
type patience struct {
	Never bool
	time.Duration
}

func (p *patience) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*p = patience{Never: true}
		return nil
	}
	span, err := parseSpan(string(text))
	*p = patience{Duration: span}
	return err
}

func (p patience) String() string {
	if p.Never {
		return "never"
	}
	return p.Duration.String()
}

// network is a range of addresses.
type network struct{ netip.Prefix }

func (n *network) UnmarshalText(text []byte) error {
	if a, err := netip.ParseAddr(string(text)); err == nil {
		n.Prefix = netip.PrefixFrom(a, a.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return errors.New("must be an address or a range of addresses (CIDR)")
	}
	n.Prefix = prefix.Masked()
	return nil
}

// cookieName is a token of RFC 6265 section 4.1.1.
type cookieName string

var cookieText = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,128}$")

func (c *cookieName) UnmarshalText(text []byte) error {
	if !cookieText.Match(text) {
		return errors.New("is not the name of a cookie")
	}
	*c = cookieName(text)
	return nil
}

// mailHost is a mail server's host and port.
type mailHost = address

// givenName is a name that stands in addresses and logs.
type givenName string

var nameText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (g *givenName) UnmarshalText(text []byte) error {
	if !nameText.Match(text) {
		return errors.New("must be a short name of letters, digits, dots, dashes and underscores")
	}
	*g = givenName(text)
	return nil
}

// patterns are one pattern of file names, or a list.
type patterns []string

func (p *patterns) SetWord(word string) error {
	if word == "" {
		return errors.New("is empty")
	}
	*p = patterns{word}
	return nil
}
