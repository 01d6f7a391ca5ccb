package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Form is what settings say of a sender: how it proves itself, and what its messages mean. The type custom has these keys, and a
// preset is a file of them.
type Form struct {
	Verify    verifySettings    `yaml:"verify" example:"{hmac: {header: X-Signature, secrets: [\"${EDR_KEY}\"]}}" help:"how the sender proves itself: one of static, basic, query, hmac, standard, jwt and mtls, or the word none"`
	Format    string            `yaml:"format" oneof:"json form json-lines" example:"json" help:"json, form, or json-lines; json when absent"`
	Headers   []string          `yaml:"headers" example:"[X-Event-Type]" help:"headers that expressions see, as headers['x-event-type']; they are kept with the event"`
	Split     string            `yaml:"split" example:"body.events" help:"the list of items in a message; when absent a list is its elements, and all else one item"`
	EventType string            `yaml:"event_type" example:"body.type" help:"the sender's word for what happened; body.type, body.event_type, body.eventType or body.event when absent"`
	Ignore    string            `yaml:"ignore" example:"event_type in ['user.created', 'ping']" help:"items that are known and mean nothing; what neither this nor map knows is listed as unknown"`
	Every     Mapping           `yaml:"every" example:"{id: body.id, occurred_at: body.at, email: body.user.email}" help:"the keys of map that are the same in all of its entries"`
	Map       []entrySettings   `yaml:"map" example:"[{when: 'body.type == \"user.disabled\"', signal: deactivated, email: body.user.email}]" help:"which items say which signal about whom; every entry whose when holds makes one"`
	Answer    int               `yaml:"answer" example:"200" help:"the status of success, where the sender asks for one: 200, 201, 202 or 204; 204 when absent"`
	Challenge challengeSettings `yaml:"challenge" example:"{query: validationToken}" help:"the sender's greeting, which is echoed"`
}

// Mapping is the expressions that say about whom a signal is, and when it happened. Each may be left out.
type Mapping struct {
	ID          string `yaml:"id" example:"body.id" help:"the sender's id of the item, the same on every retry"`
	OccurredAt  string `yaml:"occurred_at" example:"body.at" help:"when it happened: RFC 3339, or seconds, milliseconds or microseconds since 1970"`
	EffectiveAt string `yaml:"effective_at" example:"body.last_day" help:"of an announced termination: its instant, or its day, at whose end it takes effect; the text none takes it back"`
	Email       string `yaml:"email" example:"body.user.email" help:"the person's e-mail address"`
	UserName    string `yaml:"user_name" example:"body.user.login" help:"the person's user name"`
	ExternalID  string `yaml:"external_id" example:"body.user.employee_number" help:"the person's externalId"`
	Phone       string `yaml:"phone" example:"body.user.phone" help:"the person's telephone number"`
	Account     string `yaml:"account" example:"body.user.acct" help:"the person's acct: address (RFC 7565)"`
	UserID      string `yaml:"user_id" example:"body.user.id" help:"the sender's own id of the person, in the namespace of ids"`
	Iss         string `yaml:"iss" example:"\"'https://id.example.edu'\"" help:"with sub: the issuer that knows the person"`
	Sub         string `yaml:"sub" example:"body.user.sub" help:"with iss: the person's subject there"`
	Subject     string `yaml:"subject" example:"body.sub_id" help:"the person as an RFC 9493 subject identifier"`
	DeviceID    string `yaml:"device_id" example:"body.device.id" help:"the device, as applications call it"`
	Serial      string `yaml:"serial" example:"body.device.serial" help:"the device's serial number"`
	UDID        string `yaml:"udid" example:"body.device.udid" help:"the device's UDID"`
	MDM         string `yaml:"mdm" example:"body.device.jss_id" help:"the device management's id of the device"`
	SID         string `yaml:"sid" example:"body.session.id" help:"the one session that it is about"`
	Reason      string `yaml:"reason" example:"body.summary" help:"why, for people to read; the event type when absent"`
	Actor       string `yaml:"actor" example:"body.by" help:"who did it, for the event's note"`
}

// entrySettings are one entry of a mapping.
type entrySettings struct {
	When    string `yaml:"when" example:"'body.type == \"user.disabled\"'" help:"whether the entry speaks of the item; it always does when absent"`
	Signal  string `yaml:"signal" required:"true" example:"deactivated" help:"what the item says"`
	For     string `yaml:"for" example:"body.devices" help:"a list: a signal for each of its elements, which is it in the other expressions"`
	Mapping `yaml:",inline"`
}

// verifySettings choose one way of verification.
type verifySettings struct {
	Static   *staticSettings   `yaml:"static" example:"{header: X-Secret, secrets: [\"${HOOK_SECRET}\"]}" help:"a secret in a header"`
	Basic    *basicSettings    `yaml:"basic" example:"{user: curfew, secrets: [\"${HOOK_PASSWORD}\"]}" help:"a name and a password (HTTP Basic)"`
	Query    *querySettings    `yaml:"query" example:"{secrets: [\"${HOOK_SECRET}\"]}" help:"a secret in the address, for senders that hold nothing else"`
	HMAC     *hmacSettings     `yaml:"hmac" example:"{header: X-Signature, secrets: [\"${HOOK_KEY}\"]}" help:"a signature by a shared secret"`
	Standard *standardSettings `yaml:"standard" example:"{secrets: [\"${HOOK_SECRET}\"]}" help:"a signature by Standard Webhooks, or by Svix"`
	JWT      *jwtSettings      `yaml:"jwt" example:"{jwks: https://id.example.edu/keys, issuer: https://id.example.edu, audience: curfew}" help:"a signed token"`
	MTLS     *mtlsSettings     `yaml:"mtls" example:"{fingerprints: [\"9F:86:D0:81:…\"]}" help:"a client certificate"`

	none bool
}

// SetWord reads the one word that may stand in place of a way.
func (v *verifySettings) SetWord(word string) error {
	if word != "none" {
		return errors.New("is neither a mapping with a way of verification nor the word none")
	}
	v.none = true
	return nil
}

// challengeSettings say where a sender's greeting holds what is to be echoed, and how it is answered.
type challengeSettings struct {
	Header string `yaml:"header" example:"X-Challenge" help:"it is in this header of a GET or POST; it needs no proof"`
	Query  string `yaml:"query" example:"validationToken" help:"it is this parameter of the address of a GET or POST; it needs no proof"`
	Body   string `yaml:"body" example:"challenge" help:"it is this member of a verified message"`
	Member string `yaml:"member" example:"challenge" help:"the answer is a JSON object with this member; plain text when absent"`
}

// verifier makes the way that was chosen. There is no other way in than those: no settings at all are an error.
func (v verifySettings) verifier(clients *outbound.Maker) (verifier, error) {
	var ways []string
	var made verifier
	var wrong error
	way := func(name string, there bool, build func() (verifier, error)) {
		if there {
			ways = append(ways, name)
			if made, wrong = build(); wrong != nil {
				wrong = below("verify."+name, wrong)
			} else {
				made = made.below("verify." + name)
			}
		}
	}
	way("static", v.Static != nil, func() (verifier, error) { return newStatic(*v.Static) })
	way("basic", v.Basic != nil, func() (verifier, error) { return newBasic(*v.Basic) })
	way("query", v.Query != nil, func() (verifier, error) { return newQuery(*v.Query) })
	way("hmac", v.HMAC != nil, func() (verifier, error) { return newHMAC(*v.HMAC) })
	way("standard", v.Standard != nil, func() (verifier, error) { return newStandard(*v.Standard) })
	way("jwt", v.JWT != nil, func() (verifier, error) { return newJWT(*v.JWT, clients) })
	way("mtls", v.MTLS != nil, func() (verifier, error) { return newMTLS(*v.MTLS) })
	switch {
	case len(ways) > 1:
		return nil, revoke.Invalid{Field: "verify", Problem: "names several ways: " + strings.Join(ways, ", "), Fix: "choose one; for two, make two sources with one authority"}
	case v.none && len(ways) == 0:
		return func(Request) (Evidence, error) { return Evidence{Proof: ProvedTransport, Key: "nothing"}, nil }, nil
	case len(ways) == 0:
		return nil, revoke.Invalid{Field: "verify", Problem: "is missing, which would let anybody in", Fix: `write verify: {hmac: {header: X-Signature, secrets: ["${HOOK_KEY}"]}}`}
	}
	return made, wrong
}

// ClientCertificates reports whether the sender proves itself in the handshake of our own TLS, so that the server must ask for a
// certificate.
func (f Form) ClientCertificates() bool { return f.Verify.MTLS != nil && f.Verify.MTLS.Header == "" }

// mapping is a [Mapping], compiled.
type mapping struct {
	id, occurredAt, effectiveAt, iss, sub, subject, sid, reason, actor expression
	people                                                             []named // each under its namespace
	devices                                                            []named
}

type named struct {
	namespace string
	expression
}

// entry is entrySettings, compiled.
type entry struct {
	word       string // its condition, as it was written
	when, each expression
	signal     revoke.SignalKind
	mapping
}

// or fills what stands in no entry of its own from what is the same in all.
func (m Mapping) or(every Mapping) Mapping {
	into, from := reflect.ValueOf(&m).Elem(), reflect.ValueOf(every)
	for i := range into.NumField() {
		into.Field(i).SetString(cmp.Or(into.Field(i).String(), from.Field(i).String()))
	}
	return m
}

// compile reads the expressions of a mapping that stands under a key.
func (m Mapping) compile(l language, key string, src revoke.Source) (out mapping, err error) {
	var wrong []error
	one := func(field, text string, want []*cel.Type) expression {
		e, err := l.compile(strings.TrimPrefix(key+"."+field, "."), text, want)
		if err != nil {
			wrong = append(wrong, err)
		}
		return e
	}
	many := func(into *[]named, namespace, field, text string) {
		if e := one(field, text, aText); !e.absent() {
			*into = append(*into, named{namespace, e})
		}
	}
	out.id, out.reason, out.actor, out.sid = one("id", m.ID, aText), one("reason", m.Reason, aText), one("actor", m.Actor, aText), one("sid", m.SID, aText)
	out.occurredAt, out.effectiveAt = one("occurred_at", m.OccurredAt, aTime), one("effective_at", m.EffectiveAt, aTime)
	out.iss, out.sub, out.subject = one("iss", m.Iss, aText), one("sub", m.Sub, aText), one("subject", m.Subject, anObject)
	many(&out.people, src.IDs, "user_id", m.UserID)
	many(&out.people, revoke.NamespaceExternalID, "external_id", m.ExternalID)
	many(&out.people, revoke.NamespaceUserName, "user_name", m.UserName)
	many(&out.people, revoke.NamespaceEmail, "email", m.Email)
	many(&out.people, revoke.NamespacePhone, "phone", m.Phone)
	many(&out.people, revoke.NamespaceAccount, "account", m.Account)
	many(&out.devices, revoke.NamespaceMDM, "mdm", m.MDM)
	many(&out.devices, revoke.NamespaceSerial, "serial", m.Serial)
	many(&out.devices, revoke.NamespaceUDID, "udid", m.UDID)
	many(&out.devices, revoke.NamespaceDeviceID, "device_id", m.DeviceID)
	if (m.Iss == "") != (m.Sub == "") {
		wrong = append(wrong, revoke.Invalid{Field: strings.TrimPrefix(key+".sub", "."), Problem: "and iss go together", Fix: "write both, or neither"})
	}
	return out, errors.Join(wrong...)
}

// named reports whether the mapping can name anybody or anything.
func (m mapping) names() bool {
	return len(m.people) > 0 || len(m.devices) > 0 || !m.sub.absent() || !m.subject.absent() || !m.sid.absent()
}

// compile reads one entry. Errors name the entry's own keys; what is wrong in every is said there.
func (e entrySettings) compile(l language, key string, every Mapping, src revoke.Source) (entry, error) {
	out := entry{word: cmp.Or(e.When, "everything"), signal: revoke.SignalKind(e.Signal)}
	var wrong []error
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: key + field, Problem: problem, Fix: fix})
	}
	var err error
	if out.when, err = l.compile(key+".when", e.When, aCondition); err != nil {
		wrong = append(wrong, err)
	}
	if out.each, err = l.compile(key+".for", e.For, aList); err != nil {
		wrong = append(wrong, err)
	}
	if _, err = e.Mapping.compile(l, key, src); err != nil {
		wrong = append(wrong, err)
	}
	if out.mapping, err = e.or(every).compile(l, key, src); err != nil && len(wrong) == 0 {
		wrong = append(wrong, err)
	}
	switch {
	case e.Signal == "":
		invalid(".signal", "is missing", "write signal: deactivated")
	case !slices.Contains(revoke.SignalKinds(), out.signal):
		invalid(".signal", "is none that Curfew knows", "write one of "+kinds())
	case !out.effectiveAt.absent() && out.signal != revoke.Terminated:
		invalid(".effective_at", "stands beside a signal that takes effect at once", "write signal: terminated, or leave it out")
	}
	if err == nil && !out.names() {
		invalid("", "names nobody", "write email: body.user.email, or what else the sender knows the person by")
	}
	return out, errors.Join(wrong...)
}

func kinds() string {
	var out []string
	for _, k := range revoke.SignalKinds() {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

// check refuses what cannot be answered, echoed or read.
func (s Form) check() (wrong []error) {
	invalid := func(field, problem, fix string) {
		wrong = append(wrong, revoke.Invalid{Field: field, Problem: problem, Fix: fix})
	}
	if !slices.Contains([]int{0, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}, s.Answer) {
		invalid("answer", "is no status of success that a sender could ask for", "write answer: 200, 201, 202 or 204")
	}
	if !slices.Contains([]string{"", "json", "form", "json-lines"}, s.Format) {
		invalid("format", "is none that we read", "write format: json")
	}
	for i, name := range s.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		wrong = append(wrong, checkHeader(field, name)...)
		if slices.Contains([]string{"authorization", "proxy-authorization", "cookie"}, strings.ToLower(name)) || s.Verify.uses(name) {
			invalid(field, "holds a credential, and what expressions see is kept", "leave it out")
		}
	}
	if len(s.Map) == 0 {
		invalid("map", "is missing", "write map: [{when: 'body.type == \"user.disabled\"', signal: deactivated, email: body.user.email}]")
	}
	c, places := s.Challenge, 0
	for _, place := range []string{c.Header, c.Query, c.Body} {
		if place != "" {
			places++
		}
	}
	if c != (challengeSettings{}) && places != 1 {
		invalid("challenge", "says in no place or in several where the greeting stands", "write one of header, query and body")
	}
	if c.Header != "" {
		wrong = append(wrong, checkHeader("challenge.header", c.Header)...)
	}
	return wrong
}

// uses reports whether a header holds what proves the sender.
func (v verifySettings) uses(header string) bool {
	var used []string
	if v.Static != nil {
		used = append(used, v.Static.Header)
	}
	if v.JWT != nil {
		used = append(used, v.JWT.Header)
	}
	return slices.ContainsFunc(used, func(name string) bool { return strings.EqualFold(name, header) })
}
