package webhooks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"curfew/revoke"
)

func init() {
	Register(Type{
		Name: "custom", Docs: "docs/sources/custom.md", Settings: Form{}, HandshakeBeforeAuth: true,
		Open: func(src revoke.Source, settings any, deps Deps) (Receiver, error) {
			return newCustom(src, *settings.(*Form), deps)
		},
	})
}

// custom receives messages of any sender, proved by one verifier and read by expressions. It keeps to what its settings say: a
// message that these do not understand is kept and listed, and never lost.
type custom struct {
	source    revoke.Source
	verifies  verifier
	unsigned  bool
	language  language
	format    string
	headers   []string // lower case
	split     expression
	eventType expression
	ignore    expression
	ignored   string // as it was written
	every     mapping
	entries   []entry
	answer    int
	challenge challengeSettings
	body      int64 // bytes that a message may have; zero is what every type takes
}

const maxSignals = 1000 // of one item

// newCustom checks settings and compiles every expression in them.
func newCustom(src revoke.Source, s Form, deps Deps) (*custom, error) {
	l, err := newLanguage()
	if err != nil {
		return nil, err
	}
	c := &custom{source: src, language: l, format: cmp.Or(s.Format, "json"), answer: cmp.Or(s.Answer, http.StatusNoContent), challenge: s.Challenge, ignored: strings.TrimSpace(s.Ignore)}
	wrong := s.check()
	note := func(err error) {
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	for _, name := range s.Headers {
		c.headers = append(c.headers, strings.ToLower(name))
	}
	c.unsigned = s.Verify.none
	c.verifies, err = s.Verify.verifier(deps.Clients)
	note(err)
	for _, e := range []struct {
		into        *expression
		field, text string
		want        []*cel.Type
	}{{&c.split, "split", s.Split, aList}, {&c.eventType, "event_type", s.EventType, aText}, {&c.ignore, "ignore", s.Ignore, aCondition}} {
		*e.into, err = l.compile(e.field, e.text, e.want)
		note(err)
	}
	c.every, err = s.Every.compile(l, "every", src)
	note(err)
	common := s.Every
	if err != nil {
		common = Mapping{UserName: "'x'"} // it was said once; entries are still looked at
	}
	for i, each := range s.Map {
		compiled, err := each.compile(l, fmt.Sprintf("map[%d]", i), common, src)
		note(err)
		c.entries = append(c.entries, compiled)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return c, nil
}

// Means returns what each condition of the mapping says.
func (c *custom) Means() []revoke.Meaning {
	var out []revoke.Meaning
	for _, e := range c.entries {
		m := revoke.Meaning{Word: e.word, Signal: e.signal}
		switch {
		case !e.effectiveAt.absent():
			m.Note = "on the day that it names"
		case !e.each.absent():
			m.Note = "for each that it lists"
		case !e.sid.absent():
			m.Note = "that session"
		case len(e.devices) > 0:
			m.Note = "that device"
		}
		out = append(out, m)
	}
	if c.ignored != "" {
		out = append(out, revoke.Meaning{Word: c.ignored, Note: "it means nothing here"})
	}
	slices.SortStableFunc(out, func(a, b revoke.Meaning) int { return strings.Compare(a.Word, b.Word) })
	return out
}

// Limits says which media types are taken.
func (c *custom) Limits() Limits {
	switch c.format {
	case "form":
		return Limits{Body: c.body, ContentTypes: []string{"application/x-www-form-urlencoded"}}
	case "json-lines":
		return Limits{Body: c.body, ContentTypes: []string{"application/x-ndjson", "application/jsonl", "application/json-lines", "application/json", "text/plain"}, Raw: true}
	}
	return Limits{Body: c.body, ContentTypes: []string{"application/json", "application/cloudevents+json", "application/cloudevents-batch+json"}}
}

// Unsigned reports whether the sender need prove nothing.
func (c *custom) Unsigned() bool { return c.unsigned }

// Verify asks the way that was chosen.
func (c *custom) Verify(r Request) (Evidence, error) { return c.verifies(r) }

// Respond answers with the status that the sender asks for.
func (c *custom) Respond([]revoke.Outcome) Response { return Response{Status: c.answer} }

// Handshake echoes a greeting. It gives nothing away: whoever asks gets back what he sent, as text that no browser runs.
func (c *custom) Handshake(r Request) (Response, bool, error) {
	var token string
	switch {
	case c.challenge.Header != "":
		token = r.Header.Get(c.challenge.Header)
	case c.challenge.Query != "":
		token = r.Query.Get(c.challenge.Query)
	case c.challenge.Body != "" && r.Method == http.MethodPost && bytes.Contains(r.Body, []byte(c.challenge.Body)) && checkJSON(r.Body) == nil:
		var members map[string]maybe[string]
		_ = json.Unmarshal(r.Body, &members) // what is no object greets nobody
		token = members[c.challenge.Body].value
		if token != "" {
			if _, err := c.Verify(r); err != nil {
				return Response{}, true, err
			}
		}
	}
	if token == "" || r.Method != http.MethodPost && r.Method != http.MethodGet {
		return Response{}, false, nil
	}
	if len(token) > maxChallenge || !utf8.ValidString(token) || strings.ContainsFunc(token, func(r rune) bool { return unicode.IsControl(r) || r == '<' || r == '>' }) {
		return Response{}, true, revoke.Invalid{Field: "challenge", Problem: "is not one that a sender would send", Fix: "start the set-up at the sender once more"}
	}
	if c.challenge.Member == "" {
		return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(token)}, true, nil
	}
	body, err := json.Marshal(map[string]string{c.challenge.Member: token})
	return Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, true, err
}

// Items reads the items of a message. One that cannot be parted is one malformed item.
func (c *custom) Items(r Request) ([]Item, error) {
	b := newBudget()
	defer b.cancel()
	shown := map[string]string{}
	for _, name := range c.headers {
		if value := r.Header.Get(name); value != "" {
			shown[name] = plain(value)
		}
	}
	switch c.format {
	case "form":
		form, err := parseForm(r.Body)
		if err != nil {
			return nil, revoke.Invalid{Problem: err.Error(), Fix: "send application/x-www-form-urlencoded"}
		}
		return c.parts(b, form, quoted(r.Body), shown), nil
	case "json-lines":
		return c.lines(b, r.Body, shown), nil
	}
	return c.parts(b, parse(r.Body), r.Body, shown), nil
}

// lines reads each line as a message.
func (c *custom) lines(b *budget, body []byte, shown map[string]string) (items []Item) {
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case checkJSON(line) != nil:
			items = append(items, Item{State: revoke.EventMalformed, Note: "a line is not JSON that we read", Body: quoted(line)})
		default:
			items = append(items, c.parts(b, parse(line), line, shown)...)
		}
	}
	return items
}

// parts reads the items of one value.
func (c *custom) parts(b *budget, whole any, raw json.RawMessage, shown map[string]string) []Item {
	vars := c.vars(c.language.adapter.NativeToValue(whole), shown)
	var elements []ref.Val
	switch list, isList := whole.([]any); {
	case !c.split.absent():
		var err error
		if elements, err = b.list(c.split, vars); err != nil {
			return []Item{{State: revoke.EventMalformed, Note: err.Error(), Body: c.kept(raw, shown)}}
		}
	case isList && len(list) > 0:
		for _, each := range list {
			elements = append(elements, c.language.adapter.NativeToValue(each))
		}
	default:
		return []Item{c.item(b, vars, raw, shown)}
	}
	items := make([]Item, 0, len(elements))
	for _, each := range elements {
		body, err := written(each)
		if err != nil {
			items = append(items, Item{State: revoke.EventMalformed, Note: err.Error(), Body: c.kept(raw, shown)})
			continue
		}
		if _, ok := each.(objectValue); !ok { // made by an expression: it is read as it is kept
			each = c.language.adapter.NativeToValue(parse(body))
		}
		items = append(items, c.item(b, c.vars(each, shown), body, shown))
	}
	return items
}

func (c *custom) vars(body ref.Val, shown map[string]string) map[string]any {
	return map[string]any{"body": body, "headers": c.language.adapter.NativeToValue(shown), "event_type": types.String(""), "it": types.NullValue}
}

// keptItem is what is kept of an item where its headers count too.
type keptItem struct {
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// kept returns what is kept of an item: all that its meaning was read from.
func (c *custom) kept(body json.RawMessage, shown map[string]string) json.RawMessage {
	if len(c.headers) == 0 {
		return body
	}
	raw, err := json.Marshal(keptItem{shown, body})
	if err != nil { // the body has two meanings: the handler keeps it as text
		return body
	}
	return raw
}

// Item reads an item from what was kept of it.
func (c *custom) Item(body json.RawMessage) Item {
	b := newBudget()
	defer b.cancel()
	shown := map[string]string{}
	if len(c.headers) > 0 {
		var k keptItem
		if json.Unmarshal(body, &k) == nil && k.Body != nil {
			body, shown = k.Body, k.Headers
		}
	}
	return c.item(b, c.vars(c.language.adapter.NativeToValue(parse(body)), shown), body, shown)
}

// item reads one item.
func (c *custom) item(b *budget, vars map[string]any, body json.RawMessage, shown map[string]string) Item {
	item := Item{Body: c.kept(body, shown)}
	err := c.read(b, vars, &item)
	if err != nil {
		item.Signals, item.State, item.Note = nil, revoke.EventMalformed, plain(err.Error())
		if item.ID == "" { // so that its repetitions are known
			var known Item
			_ = c.identify(b, c.every, vars, &known) // what is wrong is said already
			item.ID, item.OccurredAt = known.ID, known.OccurredAt
		}
	}
	return item
}

func (c *custom) read(b *budget, vars map[string]any, item *Item) error {
	var err error
	if item.Type, err = c.typeOf(b, vars); err != nil {
		return err
	}
	item.Type = plain(item.Type)
	vars["event_type"] = types.String(item.Type)
	matched := false
	for _, e := range c.entries {
		holds, err := b.holds(e.when, vars)
		if err != nil {
			return err
		}
		if !holds {
			continue
		}
		matched = true
		if err := c.speak(b, e, vars, item); err != nil {
			return err
		}
	}
	switch {
	case len(item.Signals) > 0:
		return nil
	case matched:
		item.State, item.Note = revoke.EventIgnored, join("the list that it is about is empty", item.Note)
		return nil
	}
	ignored := false
	if !c.ignore.absent() {
		if ignored, err = b.holds(c.ignore, vars); err != nil {
			return err
		}
	}
	if item.State, item.Note = revoke.EventUnknown, "no entry of map speaks of it"; ignored {
		item.State, item.Note = revoke.EventIgnored, "it means nothing here"
	}
	return c.identify(b, c.every, vars, item)
}

// typeNames are where most senders write what happened.
var typeNames = []string{"type", "event_type", "eventType", "event"}

// typeOf returns the sender's word for what happened. What is no object says nothing.
func (c *custom) typeOf(b *budget, vars map[string]any) (string, error) {
	if !c.eventType.absent() {
		text, err := b.text(c.eventType, vars)
		if err == nil && text == "" {
			err = misread{c.eventType.field, "the message does not say what happened"}
		}
		return text, err
	}
	o, ok := vars["body"].(objectValue)
	if !ok {
		return "", misread{"body", "is no object"}
	}
	for _, name := range typeNames {
		if text, ok := o.object.members[name].(string); ok && text != "" {
			return text, nil
		}
	}
	return "", nil
}

// identify reads what is the same for all signals of an item: its id and its time. What an earlier entry said stands.
func (c *custom) identify(b *budget, m mapping, vars map[string]any, item *Item) error {
	id, err := b.text(m.id, vars)
	if err != nil {
		return err
	}
	at, ok, err := b.instant(m.occurredAt, vars)
	if err != nil {
		return err
	}
	if !ok { // news without a readable time is still news; it counts as of now
		item.Note = join(m.occurredAt.field+" is not a time that we read", item.Note)
	}
	item.ID, item.OccurredAt = cmp.Or(item.ID, id), cmp.Or(item.OccurredAt, at)
	return nil
}

// speak adds to item what an entry says: one signal, or one for each element of its list.
func (c *custom) speak(b *budget, e entry, vars map[string]any, item *Item) error {
	if err := c.identify(b, e.mapping, vars, item); err != nil {
		return err
	}
	about := []ref.Val{types.NullValue}
	if !e.each.absent() {
		var err error
		if about, err = b.list(e.each, vars); err != nil {
			return err
		}
	}
	if len(item.Signals)+len(about) > maxSignals {
		return misread{cmp.Or(e.each.field, "map"), fmt.Sprintf("makes more than %d signals of one item", maxSignals)}
	}
	for _, it := range about {
		vars["it"] = it
		signal, err := c.signal(b, e, vars, item)
		if err != nil {
			return err
		}
		item.Signals = append(item.Signals, signal)
	}
	vars["it"] = types.NullValue
	return nil
}

// signal reads one signal. One that names nobody is handed on as it is: the core keeps it as malformed and raises the alarm, for
// somebody may still be signed in.
func (c *custom) signal(b *budget, e entry, vars map[string]any, item *Item) (revoke.Signal, error) {
	s := revoke.Signal{Kind: e.signal, OccurredAt: item.OccurredAt}
	var texts [5]string
	for i, x := range []expression{e.reason, e.actor, e.sid, e.iss, e.sub} {
		var err error
		if texts[i], err = b.text(x, vars); err != nil {
			return s, err
		}
	}
	s.Reason = cmp.Or(plain(texts[0]), item.Type, "said by "+c.source.Name)
	if by := "by " + plain(texts[1]); by != "by " && !strings.Contains(item.Note, by) {
		item.Note = join(by, item.Note)
	}
	s.Session.SID = texts[2]
	if plain(s.Session.SID) != s.Session.SID {
		return s, misread{e.sid.field, "is no session's id"}
	}
	if err := c.subject(b, e, vars, &s.Subject); err != nil {
		return s, err
	}
	if texts[3] != "" && texts[4] != "" && !strings.ContainsAny(texts[3], " \t") {
		s.Subject.Add(revoke.NamespaceIssuer, texts[3]+" "+texts[4])
	}
	for _, d := range e.devices {
		value, err := b.text(d.expression, vars)
		if err != nil {
			return s, err
		}
		if value != "" && plain(value) == value {
			s.Device = append(s.Device, revoke.DeviceIdentifier{Namespace: d.namespace, Value: value})
		}
	}
	if len(s.Device) == 0 && slices.Contains([]revoke.SignalKind{revoke.DeviceLost, revoke.DeviceNoncompliant, revoke.DeviceUnenrolled}, s.Kind) {
		return s, misread{"map", "the item names no device"}
	}
	return s, c.plan(b, e, vars, &s)
}

// subject adds who it is about.
func (c *custom) subject(b *budget, e entry, vars map[string]any, into *revoke.Subject) error {
	for _, p := range e.people {
		value, err := b.text(p.expression, vars)
		if err != nil {
			return err
		}
		if p.namespace == revoke.NamespaceAccount {
			value = strings.TrimPrefix(value, "acct:")
		}
		into.Add(p.namespace, value)
	}
	value, err := b.eval(e.subject, vars)
	if err != nil || value == nil {
		return err
	}
	raw, err := written(value)
	if err != nil {
		return misread{e.subject.field, err.Error()}
	}
	read, err := revoke.ParseSubject(raw, c.source.IDs)
	if err != nil {
		return misread{e.subject.field, "is no subject identifier (RFC 9493)"}
	}
	for _, id := range read {
		into.Add(id.Namespace, id.Value)
	}
	return nil
}

// plan reads the day of an announcement. What is not there is not taken for the word none: a sender that leaves a date out has
// not said that nobody goes.
func (c *custom) plan(b *budget, e entry, vars map[string]any, s *revoke.Signal) error {
	if e.effectiveAt.absent() {
		return nil
	}
	value, err := b.eval(e.effectiveAt, vars)
	if err != nil {
		return err
	}
	s.Planned = true
	if text, ok := value.(types.String); ok {
		if strings.EqualFold(strings.TrimSpace(string(text)), "none") {
			return nil
		}
		if at, ok := endOfDay(string(text), c.source.Zone); ok {
			s.EffectiveAt = at
			return nil
		}
	}
	at, ok, err := b.instant(e.effectiveAt, vars)
	if err != nil {
		return err
	}
	if !ok || at == 0 {
		return misread{e.effectiveAt.field, "is neither a time, nor a day such as 2026-12-24, nor the word none"}
	}
	s.EffectiveAt = at
	return nil
}
