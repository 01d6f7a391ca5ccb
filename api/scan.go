package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"curfew/revoke"
)

// scanner reads JSON of a shape that we know out of a text in UTF-8, and allocates nothing for what it passes. It never says
// what is wrong: at anything that is not plain and sound it gives up, and the general reader ([decodeJSON]), thirty times
// slower, finds fault with the body or takes it. Both take the same and read the same, which FuzzScanned holds them to.
type scanner struct {
	text   string
	at     int
	failed bool
	issuer string // the last one that the core took, so that a thousand tokens of one are parsed once
}

// fail gives up. It returns false for its callers to return.
func (s *scanner) fail() bool {
	s.failed = true
	return false
}

// peek passes blanks and returns the byte after them, zero at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take passes the byte that must come next.
func (s *scanner) take(c byte) bool {
	if s.failed || s.peek() != c {
		return s.fail()
	}
	s.at++
	return true
}

// open passes the beginning of an object or a list, and reports whether there is anything in it.
func (s *scanner) open(begin, end byte) bool {
	if !s.take(begin) {
		return false
	}
	if s.peek() == end {
		s.at++
		return false
	}
	return true
}

// more passes what stands behind an element, and reports whether there is another.
func (s *scanner) more(end byte) bool {
	if s.failed {
		return false
	}
	switch s.peek() {
	case ',':
		s.at++
		return true
	case end:
		s.at++
		return false
	default:
		return s.fail()
	}
}

// end reports whether all was read, and nothing stands behind it.
func (s *scanner) end() bool { return !s.failed && s.peek() == 0 && s.at == len(s.text) }

// name reads the name of a member, whose value is next.
func (s *scanner) name() string {
	name := s.string()
	s.take(':')
	return name
}

// string reads a text.
func (s *scanner) string() string {
	if !s.take('"') {
		return ""
	}
	from, at := s.at, s.at
	for at < len(s.text) && !ends[s.text[at]] {
		at++
	}
	switch s.at = at; {
	case at < len(s.text) && s.text[at] == '"':
		s.at++
		return s.short(s.text[from:at])
	case at < len(s.text) && s.text[at] == '\\':
		return s.escaped(from)
	}
	s.fail()
	return ""
}

// ends are the bytes at which the plain part of a text ends: a quote, an escape, and what may not stand in a text.
var ends = func() (is [256]bool) {
	for c := range ' ' {
		is[c] = true
	}
	is['"'], is['\\'] = true, true
	return is
}()

// escaped reads a text that holds an escape and began at from. PHP writes every slash of an issuer's address so.
func (s *scanner) escaped(from int) string {
	for ; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	if s.at >= len(s.text) {
		s.fail()
		return ""
	}
	s.at++
	var text string
	if json.Unmarshal([]byte(s.text[from-1:s.at]), &text) != nil {
		s.fail()
	}
	return s.short(text)
}

func (s *scanner) short(text string) string {
	if len(text) > maxText {
		s.fail()
	}
	return text
}

// null passes a null if one is next: a member that is null was left out.
func (s *scanner) null() bool {
	if s.failed || s.peek() != 'n' {
		return false
	}
	if !strings.HasPrefix(s.text[s.at:], "null") {
		return s.fail()
	}
	s.at += len("null")
	return true
}

// plain reads a text that may be null and has no more than so many characters, all of them printable.
func (s *scanner) plain(most int) string {
	if s.null() {
		return ""
	}
	text := s.string()
	if !plain(text, most) {
		s.fail()
	}
	return text
}

// plain reports whether the validator takes text where a tag says max and plain.
func plain(text string, most int) bool {
	if len(text) > most && utf8.RuneCountInString(text) > most {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f {
			return !strings.ContainsFunc(text, unprintable)
		}
	}
	return true
}

// number returns a number as it stands. What it is, whoever calls must check.
func (s *scanner) number() string {
	s.peek()
	from := s.at
	for s.at < len(s.text) && strings.IndexByte("0123456789.", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.text[from:s.at]
}

// device reads the names of a device.
func (s *scanner) device() (d device) {
	if s.null() {
		return d
	}
	have := 0
	for more := s.open('{', '}'); more; more = s.more('}') {
		bit := 0
		switch s.name() {
		case "id":
			bit, d.ID = 1, s.plain(512)
		case "name":
			bit, d.Name = 2, s.plain(512)
		case "platform":
			bit, d.Platform = 4, s.plain(512)
		case "serial":
			bit, d.Serial = 8, s.plain(512)
		case "udid":
			bit, d.UDID = 16, s.plain(512)
		case "mdm":
			bit, d.MDM = 32, s.plain(512)
		}
		have = s.once(have, bit)
	}
	return d
}

// once notes that a member was read. One that we do not know, or that was read before, is not for us.
func (s *scanner) once(have, bit int) int {
	if bit == 0 || have&bit != 0 {
		s.fail()
	}
	return have | bit
}

// The members of RFC 9493 section 3, as bits.
const (
	hasFormat = 1 << iota
	hasEmail
	hasPhone
	hasID
	hasURI
	hasIss
	hasSub
	hasIdentifiers
)

// subject reads a subject identifier and appends what it names to all. ids is the namespace of the sender's own ids.
func (s *scanner) subject(all []revoke.Identifier, ids string, aliases bool) []revoke.Identifier {
	var format, email, phone, id, iss, sub string
	have, before := 0, len(all)
	s.peek()
	from := s.at
	for more := s.open('{', '}'); more; more = s.more('}') {
		bit := 0
		switch s.name() {
		case "format":
			bit, format = hasFormat, s.string()
		case "email":
			bit, email = hasEmail, s.string()
		case "phone_number":
			bit, phone = hasPhone, s.string()
		case "id":
			bit, id = hasID, s.string()
		case "uri":
			bit = hasURI
			s.string()
		case "iss":
			bit, iss = hasIss, s.string()
		case "sub":
			bit, sub = hasSub, s.string()
		case "identifiers":
			if bit = hasIdentifiers; !aliases {
				s.fail()
			}
			for more := s.open('[', ']'); more; more = s.more(']') {
				all = s.subject(all, ids, false)
			}
		}
		have = s.once(have, bit)
	}
	if s.failed {
		return all
	}
	one := func(namespace, value string, needs int) []revoke.Identifier {
		named, err := revoke.NewIdentifier(namespace, value)
		if err != nil || have != hasFormat|needs {
			s.fail()
			return all
		}
		return append(all, named)
	}
	switch format {
	case "email":
		return one(revoke.NamespaceEmail, email, hasEmail)
	case "phone_number":
		return one(revoke.NamespacePhone, phone, hasPhone)
	case "opaque":
		return one(ids, id, hasID)
	case "iss_sub":
		if iss == "" || iss != s.issuer { // whether it is one the core says
			return s.parsed(all, from, ids, have == hasFormat|hasIss|hasSub, iss)
		}
		if strings.TrimSpace(sub) == "" {
			s.fail()
		}
		return one(revoke.NamespaceIssuer, iss+" "+sub, hasIss|hasSub)
	case "account":
		return s.parsed(all, from, ids, have == hasFormat|hasURI, s.issuer)
	case "aliases":
		if n := len(all) - before; have != hasFormat|hasIdentifiers || n == 0 || n > 20 {
			s.fail()
		}
		return all
	default:
		s.fail()
		return all
	}
}

// parsed lets the core read the subject that began at from.
func (s *scanner) parsed(all []revoke.Identifier, from int, ids string, sound bool, issuer string) []revoke.Identifier {
	if sound {
		if subject, err := revoke.ParseSubject(json.RawMessage(s.text[from:s.at]), ids); err == nil {
			s.issuer = issuer
			return append(all, subject...)
		}
	}
	s.fail()
	return all
}

// latest is the last second that a NumericDate may name: those of RFC 3339 end there.
const latest = 253402300799

// numericDate reads a NumericDate (RFC 7519 section 2): a JSON number of seconds since 1970, to the microsecond. What is finer
// is dropped, which is earlier, so that a token never lives by it. It reads digits, not floats: a float of this size is good
// to a quarter of a microsecond, and whether a token lives is decided at one.
func numericDate(text string) (revoke.Instant, bool) {
	mantissa, power := text, 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		mantissa = text[:at]
		exponent, err := strconv.Atoi(strings.TrimPrefix(text[at+1:], "+"))
		if err != nil || exponent > maxBody+12 || exponent < -maxBody-12 { // more than a body's digits could make up for
			return 0, false
		}
		power = exponent
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if whole == "" || dotted && fraction == "" || len(whole) > 1 && whole[0] == '0' {
		return 0, false
	}
	var at int64
	digits, first := 0, -1 // how many were passed, and which was the first that counts
	last := len(whole) + power + 6
	for _, part := range [2]string{whole, fraction} {
		for i := range len(part) {
			c := part[i]
			if c < '0' || c > '9' {
				return 0, false
			}
			if digits++; digits > last {
				continue
			}
			if first < 0 && c != '0' {
				first = digits
			}
			if first >= 0 && digits-first >= 18 { // more than any instant has
				return 0, false
			}
			at = at*10 + int64(c-'0')
		}
	}
	if at != 0 && last-first >= 18 {
		return 0, false
	}
	for ; digits < last && at != 0; digits++ {
		at *= 10
	}
	if at < 1e6 || at >= (latest+1)*1e6 {
		return 0, false
	}
	return revoke.Instant(at), true
}
