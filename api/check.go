package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

// maxChecked is how many tokens one request may ask about, maxFaults how much of what is wrong with them is said.
const (
	maxChecked = 1000
	maxFaults  = 100
)

// question is one element of the body of POST /v1/check.
type question struct {
	Subject  json.RawMessage `json:"subject" validate:"required"`
	IssuedAt json.RawMessage `json:"iat" validate:"required"`
	AuthTime json.RawMessage `json:"auth_time"`
	Kind     string          `json:"kind" validate:"required,oneof=browser mobile desktop api device"`
	App      string          `json:"app" validate:"max=200,plain"`
	Session  string          `json:"session" validate:"max=512,plain"`
	Device   deviceOrID      `json:"device"`
}

// deviceOrID is a device as a registration names it, or a text that means its id.
type deviceOrID device

// UnmarshalJSON reads either.
func (d *deviceOrID) UnmarshalJSON(raw []byte) error {
	if raw[0] == '"' {
		return json.Unmarshal(raw, &d.ID)
	}
	return json.Unmarshal(raw, (*device)(d))
}

// checkTokens answers whether stateless tokens would live if they were sessions. Gateways ask it on each of their own requests,
// so a sound body is read by [scanner] and the answer written by hand.
func (a *App) checkTokens(c *fiber.Ctx, t *token) error {
	if err := asJSON(&c.Request().Header); err != nil {
		return err
	}
	body := c.Request().Body() // Fiber would copy it once more
	questions, ok := scanQuestions(body, t)
	if !ok {
		var err error
		if questions, err = a.readQuestions(body, t); err != nil {
			return err
		}
	}
	ctx, cancel := asking()
	defer cancel()
	verdicts, err := a.cfg.Service.Check(ctx, t.voice, questions)
	if err != nil {
		return fmt.Errorf("check %d tokens: %w", len(questions), err)
	}
	h := &c.Response().Header
	h.SetContentTypeBytes(jsonType)
	h.SetCanonical(cacheControl, noStore)
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Response().SetBodyRaw(appendVerdicts(verdicts))
	return nil
}

// scanQuestions reads a body that is plain and sound, and reports whether it was.
func scanQuestions(body []byte, t *token) ([]revoke.Question, bool) {
	s := scanner{text: string(body)}
	ids := t.ids()
	// As many as there can be: an element that is all there holds two braces, and both lists grow where that was wrong.
	room := min(bytes.Count(body, []byte{'{'})/2+1, maxChecked)
	questions, named := make([]revoke.Question, 0, room), make([]revoke.Identifier, 0, room)
	for more := s.open('[', ']'); more; more = s.more(']') {
		if len(questions) == maxChecked {
			s.fail()
			break
		}
		var q revoke.Question
		before := len(named)
		named = s.question(&q, named, ids)
		q.Subject = named[before:len(named):len(named)]
		if app, err := t.allows(q.App); err == nil {
			q.App = app
		} else {
			s.fail()
		}
		questions = append(questions, q)
	}
	return questions, s.end() && utf8.ValidString(s.text)
}

// The members of a question, as bits.
const (
	asksSubject = 1 << iota
	asksIssuedAt
	asksAuthTime
	asksKind
	asksApp
	asksSession
	asksDevice
)

// question reads one element but for its subject, which it appends to named.
func (s *scanner) question(q *revoke.Question, named []revoke.Identifier, ids string) []revoke.Identifier {
	have := 0
	for more := s.open('{', '}'); more; more = s.more('}') {
		bit := 0
		switch s.name() {
		case "subject":
			bit, named = asksSubject, s.subject(named, ids, true)
		case "iat":
			bit, q.IssuedAt = asksIssuedAt, s.date()
		case "auth_time":
			if bit = asksAuthTime; !s.null() {
				q.AuthTime = s.date()
			}
		case "kind":
			bit, q.Kind = asksKind, s.kind()
		case "app":
			bit, q.App = asksApp, s.plain(200)
		case "session":
			bit, q.ClientID = asksSession, s.plain(512)
		case "device":
			bit, q.Device = asksDevice, s.deviceOrID()
		}
		have = s.once(have, bit)
	}
	if needs := asksSubject | asksIssuedAt | asksKind; have&needs != needs {
		s.fail()
	}
	return named
}

// date reads a NumericDate.
func (s *scanner) date() revoke.Instant {
	text := s.number()
	if len(text) == 10 && text[0] != '0' { // whole seconds from 2001 to 2286
		if at, err := strconv.Atoi(text); err == nil {
			return revoke.Instant(at) * 1e6
		}
	}
	at, ok := numericDate(text)
	if !ok {
		s.fail()
	}
	return at
}

// kind reads the kind of a session.
func (s *scanner) kind() revoke.Kind {
	switch kind := revoke.Kind(s.string()); kind {
	case revoke.Browser, revoke.Mobile, revoke.Desktop, revoke.API, revoke.DeviceKind:
		return kind
	default:
		s.fail()
		return ""
	}
}

// deviceOrID reads a device or its id.
func (s *scanner) deviceOrID() []revoke.DeviceIdentifier {
	var d device
	if s.peek() == '"' {
		d.ID = s.plain(512)
	} else {
		d = s.device()
	}
	return d.identifiers()
}

// readQuestions is the general reader: it takes what [scanQuestions] takes, and says of anything else what is wrong.
func (a *App) readQuestions(body []byte, t *token) ([]revoke.Question, error) {
	var each []json.RawMessage
	if err := inspect(body, reflect.TypeFor[[]question]()); err != nil {
		return nil, faults(err)
	}
	if err := json.Unmarshal(body, &each); err != nil {
		return nil, malformed("The body cannot be read as a list.")
	}
	if len(each) > maxChecked {
		return nil, meaningless(fieldError{"", "has more than 1,000 elements: ask about the rest in another request"})
	}
	in, wrong := make([]question, len(each)), []fieldError(nil)
	for i, raw := range each {
		err := json.Unmarshal(raw, &in[i])
		if bad, ok := mistyped(err); ok {
			wrong = append(wrong, inElement(i, bad)...)
		} else if err != nil {
			return nil, malformed("The body cannot be read as what this path takes.")
		}
	}
	if len(wrong) > 0 {
		return nil, faults(meaningless(wrong...))
	}
	questions := make([]revoke.Question, len(in))
	for i := range in {
		app, err := t.allows(in[i].App)
		if err != nil {
			return nil, err
		}
		in[i].App = app
	}
	for i := range in {
		q, bad := a.meant(&in[i], t)
		questions[i], wrong = q, append(wrong, inElement(i, bad...)...)
	}
	if len(wrong) > 0 {
		return nil, faults(meaningless(wrong...))
	}
	return questions, nil
}

// meant returns what a question asks, or what is wrong with it.
func (a *App) meant(in *question, t *token) (revoke.Question, []fieldError) {
	wrong := a.check(in)
	q := revoke.Question{Kind: revoke.Kind(in.Kind), App: in.App, ClientID: in.Session, Device: (*device)(&in.Device).identifiers()}
	date := func(raw json.RawMessage, field string, into *revoke.Instant) {
		at, ok := numericDate(string(raw))
		if *into = at; !ok {
			wrong = append(wrong, fieldError{field, "is not a NumericDate (RFC 7519) of 1970 to 9999: write seconds such as 1795430000"})
		}
	}
	if len(in.IssuedAt) > 0 {
		date(in.IssuedAt, "iat", &q.IssuedAt)
	}
	if len(in.AuthTime) > 0 && string(in.AuthTime) != "null" {
		date(in.AuthTime, "auth_time", &q.AuthTime)
	}
	if len(in.Subject) > 0 {
		who, bad := subject(in.Subject, t)
		q.Subject, wrong = who, append(wrong, bad...)
	}
	return q, wrong
}

// inElement says that what is wrong is so in the i-th element of the list.
func inElement(i int, wrong ...fieldError) []fieldError {
	for n := range wrong {
		before := "[" + strconv.Itoa(i) + "]"
		if wrong[n].Field != "" {
			before += "."
		}
		wrong[n].Field = before + wrong[n].Field
	}
	return wrong
}

// faults keeps an answer about a thousand elements short.
func faults(err error) error {
	p, ok := err.(*problem) //nolint:errorlint // it was made just now
	if !ok || len(p.errors) <= maxFaults {
		return err
	}
	short := *p
	short.errors = append(p.errors[:maxFaults:maxFaults], fieldError{"", "has more faults like these: correct them first"})
	return &short
}

// appendVerdicts writes the answer. After an order for many all the dead ones are so for one reason, which is written once and
// copied.
func appendVerdicts(verdicts []revoke.Verdict) []byte {
	b := append(make([]byte, 0, 2+len(verdicts)*len(`{"live":true},`)), '[')
	var dead revoke.Verdict
	var said []byte
	for i := range verdicts {
		if i > 0 {
			b = append(b, ',')
		}
		if verdicts[i].Live {
			b = append(b, `{"live":true}`...)
			continue
		}
		if said == nil || verdicts[i] != dead {
			dead, said = verdicts[i], appendDead(said[:0], verdicts[i])
		}
		b = append(b, said...)
	}
	return append(b, ']')
}

// appendDead writes the verdict on a dead token, as [becauseOf] has it.
func appendDead(b []byte, v revoke.Verdict) []byte {
	b = append(b, `{"live":false,"because":`...)
	return append(append(b, encode(becauseOf(v))...), '}')
}
