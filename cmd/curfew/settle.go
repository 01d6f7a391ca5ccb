package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"curfew/revoke"
)

// The scopes of tokens (DESIGN section 6).
var scopes = []string{"scim", "sessions", "check", "changes", "revoke", "metrics", "admin"}

const shortestSecret = 16

// settle checks what one value alone cannot show, fills in what follows from other settings, and names what this build lacks.
func (l *Loaded) settle(d *decoder) {
	if _, set := l.Origins["public_url"]; !set {
		l.PublicURL = reachable(l.Listen, l.TLS.Cert != "")
	}
	l.settleTokens(d)
	l.settleSources(d)
	l.settleTargets(d)
	l.settleBrake(d)
	l.settleMessages(d)
	if l.Freshness <= 0 {
		d.problem(l.at("freshness"), "freshness", "must be more than nothing", "1s")
	}
	if l.Approvals != 1 && l.Approvals != 2 {
		d.problem(l.at("approvals"), "approvals", "must be 1 or 2", "1")
	}
	l.settleTLS(d)
	for i, b := range l.BreakGlass {
		key := fmt.Sprintf("break_glass[%d]", i)
		if _, err := revoke.NewIdentifier(revoke.NamespaceIssuer, b.identifier()); (err != nil || strings.TrimSpace(b.Subject) == "") && !d.troubled(key) {
			d.problem(l.at(key), key, "names nobody who could sign in", "{iss: https://id.example.edu, sub: root}")
		}
	}
	l.Warnings = append(l.Warnings, l.planned()...)
}

// reachable is how a server is reached that listens there and says nothing else.
func reachable(listen address, secure bool) baseURL {
	host, port, err := net.SplitHostPort(string(listen))
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	return baseURL(scheme + net.JoinHostPort(host, port))
}

// settleTLS reads certificate and key once, so that a server that cannot speak TLS does not start. Paths are beside the
// file that names them.
func (l *Loaded) settleTLS(d *decoder) {
	const example = "{cert: /etc/curfew/tls.crt, key: /etc/curfew/tls.key}"
	if l.TLS == (tlsSettings{}) {
		return
	}
	if l.TLS.Cert == "" || l.TLS.Key == "" {
		d.problem(l.at("tls"), "tls", "needs both cert and key", example)
		return
	}
	for key, path := range map[string]*string{"tls.cert": &l.TLS.Cert, "tls.key": &l.TLS.Key} {
		if at := l.at(key); at.line != 0 && !filepath.IsAbs(*path) {
			*path = filepath.Join(filepath.Dir(at.file), *path)
		}
		if _, err := os.ReadFile(*path); err != nil {
			d.problem(l.at(key), key, "names a file that cannot be read: "+fileReason(err), example)
		}
	}
	if d.troubled("tls") {
		return
	}
	if _, err := tls.LoadX509KeyPair(l.TLS.Cert, l.TLS.Key); err != nil {
		d.problem(l.at("tls"), "tls", "names a certificate and a key that do not go together, or are not PEM", example)
	}
}

// at is where a key was set, or what stands around it.
func (l *Loaded) at(key string) position {
	for ; key != ""; key = parentKey(key) {
		if o, ok := l.Origins[key]; ok {
			return o.at
		}
	}
	return position{}
}

var sha256Text = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

func (l *Loaded) settleTokens(d *decoder) {
	names, secrets := map[givenName]string{}, map[[sha256.Size]byte]string{}
	for i := range l.Tokens {
		t, key := &l.Tokens[i], fmt.Sprintf("tokens[%d]", i)
		if first, taken := names[t.Name]; taken && t.Name != "" {
			d.problem(l.at(key+".name"), key+".name", "is the name of the token at "+first+" too", "a name of its own")
		}
		names[t.Name] = l.at(key + ".name").String()
		t.Org = cmp.Or(t.Org, mainOrg)
		t.Authority = cmp.Or(t.Authority, t.Name)
		if t.Authority == revoke.AdminAuthority && !slices.Contains(t.Scopes, "admin") {
			d.problem(l.at(key+".name"), key, "would share the authority admin, which is the admins' own", "authority: okta")
		}
		l.settleRules(d, key, t.Rules)
		for j, s := range t.Scopes {
			if !slices.Contains(scopes, s) {
				what := "is not a scope"
				if near := nearest(s, scopes); near != "" {
					what += ": did you mean " + near + "?"
				}
				at := fmt.Sprintf("%s.scopes[%d]", key, j)
				d.problem(l.at(at), at, what, "one of "+strings.Join(scopes, ", "))
			}
		}
		if _, set := l.Origins[key+".scopes"]; set && len(t.Scopes) == 0 {
			d.problem(l.at(key+".scopes"), key+".scopes", "is empty, so that the token could do nothing", "[sessions]")
		}
		if t.App == "" && (slices.Contains(t.Scopes, "sessions") || slices.Contains(t.Scopes, "check")) {
			d.problem(l.at(key+".name"), key+".app", "is missing: scopes sessions and check are about the sessions of an app", "app: portal, or app: \"*\" for all")
		}
		l.settleTokenSecrets(d, t, key, secrets)
		t.IDs = cmp.Or(t.IDs, t.usualIDs())
	}
}

// usualIDs is the namespace of a token's own user ids. What everybody calls external_id is a directory's externalId; an
// application's own numbers mean nothing to others; an operator has none, and names people by ours.
func (t *tokenSettings) usualIDs() givenName {
	switch {
	case slices.Contains(t.Scopes, "scim"):
		return revoke.NamespaceExternalID
	case slices.Contains(t.Scopes, "admin"):
		return revoke.NamespaceCurfew
	case slices.Contains(t.Scopes, "sessions"):
		return t.Name
	default:
		return revoke.NamespaceCurfew
	}
}

func (l *Loaded) settleTokenSecrets(d *decoder, t *tokenSettings, key string, seen map[[sha256.Size]byte]string) {
	ways := 0
	for _, is := range []bool{!t.Secret.IsZero(), len(t.Secrets) > 0, t.SHA256 != ""} {
		if is {
			ways++
		}
	}
	if ways != 1 && !d.troubled(key) {
		d.problem(l.at(key+".name"), key, "needs exactly one of secret, secrets and sha256", `secret: "${PORTAL_TOKEN}"`)
	}
	if t.SHA256 != "" && !sha256Text.MatchString(t.SHA256) {
		d.problem(l.at(key+".sha256"), key+".sha256", "must be the 64 hexadecimal digits of the token's SHA-256", `the output of: printf %s "$TOKEN" | sha256sum`)
	}
	long := func(at string, s revoke.Secret) {
		if !s.IsZero() && len(s.Reveal()) < shortestSecret {
			d.problem(l.at(at), at, "is shorter than 16 characters", "what `curfew token "+cmp.Or(string(t.Name), "NAME")+" --scope S` prints")
		}
	}
	long(key+".secret", t.Secret)
	for i, s := range t.Secrets {
		long(fmt.Sprintf("%s.secrets[%d]", key, i), s)
	}
	if d.troubled(key) {
		return
	}
	hashes, _ := t.hashes() // sha256 was looked at above
	for _, h := range hashes {
		if first, taken := seen[h]; taken {
			d.problem(l.at(key+".name"), key, "has a secret that the token at "+first+" has too, so that nobody could tell who calls", "a secret of its own")
		}
		seen[h] = l.at(key + ".name").String()
	}
}

// troubled reports whether something at or below key was wrong already.
func (d *decoder) troubled(key string) bool {
	return slices.ContainsFunc(d.problems, func(p problem) bool { return strings.HasPrefix(p.key, key) })
}

func (l *Loaded) settleBrake(d *decoder) {
	b := &l.Brake
	for key, n := range map[string]int{"users": b.Users, "hour": b.Hour, "day": b.Day, "spare_day": b.SpareDay} {
		if n < 1 {
			d.problem(l.at("brake."+key), "brake."+key, "must be 1 or more", "50")
		}
	}
	if b.Percent < 1 || b.Percent > 100 {
		d.problem(l.at("brake.percent"), "brake.percent", "must be from 1 to 100", "20")
	}
	if b.Window <= 0 {
		d.problem(l.at("brake.window"), "brake.window", "must be more than nothing", "10m")
	}
}

func (l *Loaded) settleMessages(d *decoder) {
	for i, a := range l.Alarms {
		key := fmt.Sprintf("alarms[%d]", i)
		switch {
		case a.Type == "webhook" && a.URL == "" && !d.troubled(key):
			d.problem(l.at(key), key+".url", "is missing for an alarm of type webhook", "url: https://chat.example.edu/hook")
		case a.Type == "mail" && len(a.To) == 0 && !d.troubled(key):
			d.problem(l.at(key), key+".to", "is missing for an alarm of type mail", "to: [soc@example.edu]")
		case a.Type == "mail" && l.Mail.SMTP == "" && !d.troubled("mail"):
			d.problem(l.at(key), "mail.smtp", "is missing for an alarm of type mail", "mail: {smtp: mail.example.edu:587, from: curfew@example.edu}")
		case a.Type == "webhook" && !d.troubled(key):
			l.invalid(d, key, a.check(key))
		}
	}
	if (l.Notify.SignedOut || l.Notify.NewDevice) && l.Mail.SMTP == "" && !d.troubled("mail") {
		d.problem(l.at("notify"), "mail.smtp", "is missing: people are told by mail", "mail: {smtp: mail.example.edu:587, from: curfew@example.edu}")
	}
	if l.Mail.SMTP != "" && !d.troubled("mail") {
		_, err := l.Mail.open(&revoke.ProcessClock{})
		l.invalid(d, "mail", err)
	}
}

// planned names the keys that are set and whose feature this build lacks.
func (l *Loaded) planned() []string {
	var out []string
	fields, usual := settingsOf(reflect.TypeFor[Config]()), reflect.ValueOf(defaults())
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		lacks := f.Tag.Get("planned")
		if lacks == "" || !l.wasSet(name) {
			continue
		}
		same := reflect.DeepEqual(reflect.ValueOf(l.Config).FieldByIndex(f.Index).Interface(), usual.FieldByIndex(f.Index).Interface())
		if same {
			continue // what it asks for is how this version behaves
		}
		out = append(out, fmt.Sprintf("%s is set (%s), but this version has no %s yet: it changes nothing", name, l.at(name), strings.TrimPrefix(lacks, "the ")))
	}
	return out
}

func (l *Loaded) wasSet(name string) bool {
	for key := range l.Origins {
		if rest, ok := strings.CutPrefix(key, name); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// brake is what the core holds decisions by.
func (l *Loaded) brake() revoke.Brake {
	b := &l.Brake
	out := revoke.Brake{
		On: !b.Off, Users: b.Users, Percent: b.Percent, Window: b.Window, Hour: b.Hour, Day: b.Day,
		Spare: b.Spare.Count, SparePer: b.Spare.Per, SpareDay: b.SpareDay, Approvals: l.Approvals,
	}
	if !b.Wait.Never {
		out.Wait = b.Wait.Duration
	}
	return out
}

// SetWord lets the brake be switched off by one word.
func (b *brakeSettings) SetWord(word string) error {
	if word != "off" {
		return errors.New("must be a mapping or the word off")
	}
	b.Off = true
	return nil
}

// shownSettings is one line when the brake is off.
func (b *brakeSettings) shownSettings(key string) []setKey {
	if b.Off {
		return []setKey{{Key: key, Value: "off"}}
	}
	return effectiveFields(key, reflect.ValueOf(b).Elem())
}
