package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// Token is a configured bearer token.
type Token struct {
	Name   string // also the name of its source
	Scopes []string
	App    string // whose sessions it may see; "*" for all
	Hashes [][sha256.Size]byte
	Source revoke.Source
}

// scopes is a set of scopes.
type scopes uint16

const (
	scopeSCIM scopes = 1 << iota
	scopeSessions
	scopeCheck
	scopeRevoke
	scopeAdmin
	scopeChanges
	scopeMetrics
)

const (
	usableV1    = scopeSessions | scopeCheck | scopeRevoke | scopeAdmin | scopeChanges
	usableOAuth = scopeSessions | scopeCheck
)

func parseScope(name string) (scopes, bool) {
	switch name {
	case "scim":
		return scopeSCIM, true
	case "sessions":
		return scopeSessions, true
	case "check":
		return scopeCheck, true
	case "revoke":
		return scopeRevoke, true
	case "admin": // includes all but scim; no other scope includes another
		return scopeAdmin | scopeSessions | scopeCheck | scopeRevoke | scopeChanges | scopeMetrics, true
	case "changes":
		return scopeChanges, true
	case "metrics":
		return scopeMetrics, true
	default:
		return 0, false
	}
}

// token is a Token made ready for judging.
type token struct {
	name   string
	scopes scopes
	names  []string // of the scopes, as configured
	app    string   // empty: all apps
	hashes [][sha256.Size]byte
	source revoke.Source // as configured, for handlers that are mounted
	voice  revoke.Source // as it speaks on the JSON doors: an operator's blocks are the admin's
	actor  revoke.Actor
	signIn *revoke.SignIn // who signed in; nil for a bearer token
}

// admin reports whether the token has the scope admin itself.
func (t *token) admin() bool { return t.scopes&scopeAdmin != 0 }

func newTokens(configured []Token) ([]token, error) {
	out := make([]token, 0, len(configured))
	seen := map[[sha256.Size]byte]string{}
	for _, c := range configured {
		t := token{name: c.Name, names: c.Scopes, app: c.App, hashes: c.Hashes, source: c.Source, voice: c.Source, actor: revoke.Actor{Kind: "source", Name: c.Name}}
		for _, name := range c.Scopes {
			s, ok := parseScope(name)
			if !ok {
				return nil, fmt.Errorf("token %s: scope %q is not one: use scim, sessions, check, revoke, admin, changes or metrics", c.Name, name)
			}
			t.scopes |= s
		}
		if t.scopes == 0 || len(c.Hashes) == 0 || c.Source.Org == "" || c.Source.Name == "" {
			return nil, fmt.Errorf("token %s: needs a scope, a secret and a source with an org", c.Name)
		}
		for _, h := range c.Hashes {
			if h == sha256.Sum256(nil) || h == ([sha256.Size]byte{}) {
				return nil, fmt.Errorf("token %s: an empty secret is no secret", c.Name)
			}
			if other, ok := seen[h]; ok {
				return nil, fmt.Errorf("tokens %s and %s have the same secret: give each its own", other, c.Name)
			}
			seen[h] = c.Name
		}
		switch {
		case t.app == "*", t.admin():
			t.app = ""
		case t.app == "" && t.scopes&(scopeSessions|scopeCheck) != 0:
			return nil, fmt.Errorf("token %s: scopes sessions and check need an app, or app: \"*\"", c.Name)
		}
		if t.admin() {
			t.voice.Admin, t.voice.Authority = true, revoke.AdminAuthority
		}
		if t.scopes&(scopeAdmin|scopeRevoke) != 0 {
			t.voice.Devices = true
			t.actor.Kind = "operator"
		}
		out = append(out, t)
	}
	return out, nil
}

// find returns the token with this secret. It hashes first and looks at every token, so that neither a prefix nor a
// place in the list shows in the time it takes.
func (a *App) find(secret []byte) *token {
	sum := sha256.Sum256(secret)
	found := -1
	for i := range a.tokens {
		for j := range a.tokens[i].hashes {
			found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], a.tokens[i].hashes[j][:]), i, found)
		}
	}
	if found < 0 {
		return nil
	}
	return &a.tokens[found]
}

// authenticate returns the token that a request proves, and whether it offered any credential at all. Two Authorization
// headers are none: whoever reads the other one later would believe somebody else.
func (a *App) authenticate(h *fasthttp.RequestHeader, d door) (t *token, offered bool) {
	value := bytes.TrimSpace(h.Peek(fasthttp.HeaderAuthorization))
	if len(value) == 0 {
		return nil, false
	}
	if secret, ok := cutScheme(value, "Bearer "); ok {
		return a.find(secret), true
	}
	basic, isBasic := cutScheme(value, "Basic ")
	switch {
	case d == doorV1, d == doorMetrics:
		return nil, true
	case !isBasic && d == doorSCIM: // some clients send the bare secret
		return a.find(value), true
	case !isBasic:
		return nil, true
	}
	name, secret, ok := decodeBasic(basic)
	if !ok {
		return nil, true
	}
	if d == doorSCIM {
		return a.find([]byte(secret)), true
	}
	if t = a.find([]byte(secret)); t != nil && t.name == name {
		return t, true
	}
	// RFC 6749 section 2.3.1 has name and secret form-encoded inside Basic; many clients leave that out.
	name, errName := url.QueryUnescape(name)
	secret, errSecret := url.QueryUnescape(secret)
	if errName == nil && errSecret == nil {
		if t = a.find([]byte(secret)); t != nil && t.name == name {
			return t, true
		}
	}
	return nil, true
}

// severalCredentials is what headerReceived puts in the place of more than one Authorization header. It is too short for
// a secret.
const severalCredentials = "several"

// cutScheme returns what follows an authentication scheme, whose name has no case (RFC 9110 section 11.1).
func cutScheme(value []byte, scheme string) ([]byte, bool) {
	if len(value) <= len(scheme) || !strings.EqualFold(string(value[:len(scheme)]), scheme) {
		return nil, false
	}
	return bytes.TrimSpace(value[len(scheme):]), true
}

func decodeBasic(value []byte) (name, secret string, ok bool) {
	text, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

type callerKey struct{}

// callerOf returns whom serve let in, nil for nobody.
func callerOf(ctx *fasthttp.RequestCtx) *token {
	t, _ := ctx.UserValue(callerKey{}).(*token)
	return t
}

// allows reports whether a body's app may be used with the token, and returns the app that is meant.
func (t *token) allows(app string) (string, error) {
	switch {
	case t.app == "":
		return app, nil
	case app != "" && app != t.app:
		return "", errOtherApp
	default:
		return t.app, nil
	}
}

var errOtherApp = &problem{
	status: fasthttp.StatusForbidden, word: "scope", title: "Not within this token's scope",
	detail: "This token may only be used for its own app: leave \"app\" out, or use that app's token.",
}
