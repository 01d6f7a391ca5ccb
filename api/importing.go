package api

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// linesType is the type of a body that holds a registration a line, and of its answer.
const linesType = "application/x-ndjson"

// maxLines is how many of them one request may hold.
const maxLines = 1000

// line is one line of such a body that is not empty.
type line struct {
	number  int // from one, counting empty lines too
	refused *problem
	at      int // among those that the core was asked to record
}

// importSessions registers up to a thousand sessions, each as if it had come alone: what is wrong with one line refuses that
// line only. Sending the same body again is safe where lines carry an id or a token.
func (a *App) importSessions(c *fiber.Ctx, t *token) error {
	if encoded(&c.Request().Header) {
		return errEncoding
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	lines, sound, err := a.readLines(ctx, string(c.BodyRaw()), t)
	if err != nil {
		return err
	}
	var done []revoke.RegisteredOr
	if len(sound) > 0 {
		if done, err = a.cfg.Service.RegisterMany(ctx, t.voice, sound); err != nil {
			return fmt.Errorf("register %d sessions: %w", len(sound), err)
		}
	}
	b := make([]byte, 0, 96*len(lines))
	for i, l := range lines {
		if l.refused == nil {
			if b, err = a.appendRegistered(ctx, b, l, &done[l.at]); err == nil {
				continue
			}
			if l.refused = problemOf(notRegistered(err)); l.refused == nil || l.refused.status >= 500 {
				return err
			}
			lines[i].refused = l.refused
		}
		b = appendRefused(b, l)
	}
	keepLines(c, lines, done)
	answerLines(c, b)
	return nil
}

func answerLines(c *fiber.Ctx, b []byte) {
	h := &c.Response().Header
	h.SetContentType(linesType)
	h.SetCanonical(cacheControl, noStore)
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Response().SetBodyRaw(b)
}

// readLines reads a body line by line, and returns what the core is to record beside them.
func (a *App) readLines(ctx context.Context, body string, t *token) ([]line, []revoke.Registration, error) {
	var lines []line
	var sound []revoke.Registration
	number := 0
	for text := range strings.SplitSeq(body, "\n") {
		number++
		if strings.Trim(text, " \t\r") == "" {
			continue
		}
		if len(lines) == maxLines {
			return nil, nil, meaningless(fieldError{"", "has more than 1,000 lines: send the rest in another request"})
		}
		l := line{number: number, at: len(sound)}
		r, sessionToken, err := a.readRegistration(ctx, text, t)
		if err == nil && sessionToken == newToken {
			err = errNewInBulk
		}
		if err != nil {
			if l.refused = problemOf(err); l.refused == nil || l.refused.status >= 500 {
				return nil, nil, err
			}
		} else {
			if sessionToken != "" {
				r.Token = revoke.HashToken(sessionToken)
			}
			sound = append(sound, r)
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, nil, malformed("The body is empty: send a JSON object a line.")
	}
	return lines, sound, nil
}

// A token that we make is shown once. When the answer to a thousand lines is lost on its way, or lies in the file that somebody
// piped it to, nobody can say any more which of them are known to whom.
var errNewInBulk = meaningless(fieldError{"token", `cannot be "new" where many sessions are registered at once: give the token, or register this session alone`})

// appendRegistered writes the answer to a line that the core took, or returns why it did not.
func (a *App) appendRegistered(ctx context.Context, b []byte, l line, done *revoke.RegisteredOr) ([]byte, error) {
	if done.Err != nil {
		return b, done.Err
	}
	verdict, err := a.cfg.Service.Judge(ctx, &done.Session)
	if err != nil {
		return b, fmt.Errorf("judge session %s: %w", done.Session.ID, err)
	}
	b = strconv.AppendInt(append(b, `{"line":`...), int64(l.number), 10)
	b = appendText(append(b, `,"id":`...), done.Session.Name())
	b = strconv.AppendBool(append(b, `,"created":`...), done.Created)
	b = strconv.AppendBool(append(b, `,"live":`...), verdict.Live)
	return append(b, "}\n"...), nil
}

// appendRefused writes the answer to a line that was refused: the problem that it would be alone.
func appendRefused(b []byte, l line) []byte {
	b = strconv.AppendInt(append(b, `{"line":`...), int64(l.number), 10)
	b = append(append(b, `,"problem":`...), encode(l.refused.view())...)
	return append(b, "}\n"...)
}

// The members of a registration, as bits.
const (
	saysSubject = 1 << iota
	saysKind
	saysApp
	saysDevice
	saysID
	saysToken
	saysIssuedAt
	saysAuthTime
	saysExpiresAt
	saysSID
	saysIP
	saysUserAgent
)

// scanRegistration reads a registration that is plain and sound, and reports whether it was. [App.readRegistration] says of any
// other what is wrong, or takes it.
func scanRegistration(body string, t *token) (r revoke.Registration, sessionToken string, ok bool) {
	s := scanner{text: body}
	have := 0
	for more := s.open('{', '}'); more; more = s.more('}') {
		bit := 0
		switch s.name() {
		case "subject":
			bit, r.Subject = saysSubject, s.subject(nil, t.ids(), true)
		case "kind":
			bit, r.Kind = saysKind, s.kind()
		case "app":
			bit, r.App = saysApp, s.plain(200)
		case "device":
			bit = saysDevice
			d := s.device()
			d.describe(&r)
		case "id":
			bit, r.ClientID = saysID, s.plain(512)
		case "token":
			bit, sessionToken = saysToken, s.token()
		case "issued_at":
			bit, r.IssuedAt = saysIssuedAt, s.instant()
		case "auth_time":
			bit, r.AuthTime = saysAuthTime, s.instant()
		case "expires_at":
			bit, r.ExpiresAt = saysExpiresAt, s.instant()
		case "sid":
			bit, r.SID = saysSID, s.plain(512)
		case "ip":
			bit, r.Facts.IP = saysIP, s.ip()
		case "user_agent":
			bit, r.Facts.UserAgent = saysUserAgent, s.plain(2048)
		}
		have = s.once(have, bit)
	}
	app, err := t.allows(r.App)
	r.App = app
	needs := saysSubject | saysKind
	return r, sessionToken, s.end() && have&needs == needs && err == nil && app != "" && utf8.ValidString(body)
}

// token reads a session token.
func (s *scanner) token() string {
	if s.null() {
		return ""
	}
	text := s.string()
	if len(text) > 16384 { // bytes; the general reader counts characters
		s.fail()
	}
	return text
}

// instant reads an RFC 3339 time, or none.
func (s *scanner) instant() revoke.Instant {
	if s.null() {
		return 0
	}
	at, ok := parseInstant(s.string())
	if !ok {
		s.fail()
	}
	return at
}

// ip reads an IP address, or none.
func (s *scanner) ip() string {
	if s.null() {
		return ""
	}
	text := s.string()
	if text != "" && net.ParseIP(text) == nil {
		s.fail()
	}
	return text
}
