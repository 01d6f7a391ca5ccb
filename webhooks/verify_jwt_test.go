package webhooks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"curfew/revoke"
)

// signer is an issuer of tokens: golang-jwt signs, its keys stand in a set that it publishes.
type signer struct {
	t      *testing.T
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	set    atomic.Pointer[string]
	status atomic.Int32
	reads  atomic.Int32
	url    string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{t: t}
	var err, also error
	s.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	s.ec, also = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err, also); err != nil {
		t.Fatalf("make keys: %v", err)
	}
	s.publish(jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "r1", Use: "sig", Algorithm: "RS256"}, jose.JSONWebKey{Key: s.ec.Public(), KeyID: "e1"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.reads.Add(1)
		if status := s.status.Load(); status != 0 {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(int(status))
			return
		}
		_, _ = w.Write([]byte(*s.set.Load()))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *signer) publish(keys ...jose.JSONWebKey) {
	s.t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		s.t.Fatalf("encode: %v", err)
	}
	text := string(raw)
	s.set.Store(&text)
}

func (s *signer) verifier(change func(*jwtSettings)) verifier {
	s.t.Helper()
	set := jwtSettings{JWKS: s.url, Issuer: "https://id.example.edu", Audience: "curfew", Algorithms: []string{"RS256", "ES256"}}
	if change != nil {
		change(&set)
	}
	v, err := newJWT(set, nil)
	if err != nil {
		s.t.Fatalf("make: %v", err)
	}
	return v
}

// claims are those of a good token, changed.
func claims(changes ...any) jwt.MapClaims {
	now := int64(testTime) / 1e6
	c := jwt.MapClaims{"iss": "https://id.example.edu", "aud": "curfew", "iat": now, "exp": now + 300, "jti": "d-1"}
	for i := 0; i < len(changes); i += 2 {
		if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(c, changes[i].(string))
		}
	}
	return c
}

func (s *signer) sign(method jwt.SigningMethod, kid string, key any, c jwt.MapClaims, head ...any) string {
	s.t.Helper()
	token := jwt.NewWithClaims(method, c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	for i := 0; i < len(head); i += 2 {
		token.Header[head[i].(string)] = head[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		s.t.Fatalf("sign: %v", err)
	}
	return text
}

func bearer(token string) Request { return message("Authorization", "Bearer "+token) }

// Case 10, and what tokens say.
func TestJWT(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	v := s.verifier(func(set *jwtSettings) { set.Claims, set.Type = map[string]string{"azp": "app-1"}, "JWT" })
	now := int64(testTime) / 1e6
	good := func(changes ...any) jwt.MapClaims { return claims(append([]any{"azp", "app-1"}, changes...)...) }
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: short.Public(), KeyID: "r1"})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	var jwk map[string]any
	_ = json.Unmarshal(public, &jwk)
	rs := func(c jwt.MapClaims, head ...any) string {
		return s.sign(jwt.SigningMethodRS256, "r1", s.rsa, c, head...)
	}
	for what, c := range map[string]struct {
		token string
		want  Why
	}{
		"RS256":                     {rs(good()), ""},
		"ES256":                     {s.sign(jwt.SigningMethodES256, "e1", s.ec, good()), ""},
		"no kid":                    {s.sign(jwt.SigningMethodRS256, "", s.rsa, good()), ""},
		"several audiences":         {rs(good("aud", []string{"x", "curfew"})), ""},
		"over, within the leeway":   {rs(good("exp", now-59)), ""},
		"over":                      {rs(good("exp", now-60)), whyStale},
		"valid for ever":            {rs(good("exp", now+10*86400)), whyFuture},
		"not yet":                   {rs(good("nbf", now+61)), whyFuture},
		"issued tomorrow":           {rs(good("iat", now+86400)), whyFuture},
		"milliseconds":              {rs(good("exp", (now+300)*1000)), WhyMalformed},
		"without an end":            {rs(good("exp", nil)), WhyMalformed},
		"another issuer":            {rs(good("iss", "https://id.example.edu/")), whyIssuer},
		"no issuer":                 {rs(good("iss", nil)), whyIssuer},
		"another audience":          {rs(good("aud", "somebody")), whyAudience},
		"an audience of no text":    {rs(good("aud", 7)), WhyMalformed},
		"another application":       {rs(good("azp", "app-2")), whyAudience},
		"no application":            {rs(good("azp", nil)), whyAudience},
		"another type":              {rs(good(), "typ", "secevent+jwt"), WhyMalformed},
		"the type in full":          {rs(good(), "typ", "application/jwt"), ""},
		"a critical member":         {rs(good(), "crit", []string{"x"}, "x", 1), WhyMalformed},
		"an unknown key":            {s.sign(jwt.SigningMethodRS256, "../../etc/passwd", s.rsa, good()), whyKey},
		"another's key of our name": {s.sign(jwt.SigningMethodRS256, "r1", short, good()), WhyMismatch},
		"a key that it brings":      {s.sign(jwt.SigningMethodRS256, "r1", short, good(), "jwk", jwk), WhyMismatch},
		"a key that it points to":   {s.sign(jwt.SigningMethodRS256, "r1", short, good(), "jku", s.url), WhyMismatch},
		"an algorithm of the owner's, not of the key": {s.sign(jwt.SigningMethodRS512, "r1", s.rsa, good()), WhyMalformed},
		"none":                    {s.sign(jwt.SigningMethodNone, "r1", jwt.UnsafeAllowNoneSignatureType, good()), WhyMalformed},
		"HS256 by the public key": {s.sign(jwt.SigningMethodHS256, "r1", []byte(*s.set.Load()), good()), WhyMalformed},
		"no token":                {"", WhyMalformed},
		"no JWS":                  {"a.b", WhyMalformed},
		"very long":               {strings.Repeat("a", maxToken+1), WhyMalformed},
		"cut off":                 {rs(good())[:400], WhyMismatch},
		"no claims":               {rs(jwt.MapClaims{}), whyIssuer},
	} {
		got := class(t, v, bearer(c.token))
		if got != c.want && (c.want != WhyMismatch || got != WhyMalformed) {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
	if n := s.reads.Load(); n != 1 {
		t.Errorf("the keys were read %d times in one minute, want once", n)
	}
	e, err := v(bearer(rs(good())))
	if err != nil || e.Delivery != "d-1" || e.Key != "jwks" {
		t.Errorf("got %+v, %v", e, err)
	}
	r := bearer(rs(good()))
	r.Header.Add("Authorization", r.Header.Get("Authorization"))
	if got := class(t, v, r); got != WhyMalformed {
		t.Errorf("twice: got %q", got)
	}
}

// FusionAuth's way: the token speaks of the body.
func TestJWTOfTheBody(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	sum := sha256.Sum256([]byte(testBody))
	key := "curfew-test-secret-0123456789abcdef"
	v, err := newJWT(jwtSettings{Header: "X-FusionAuth-Signature-JWT", Secrets: keys("x"+key, key), BodyHash: "request_body_sha256"}, nil)
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	token := s.sign(jwt.SigningMethodHS256, "", []byte(key), jwt.MapClaims{"request_body_sha256": base64.StdEncoding.EncodeToString(sum[:])})
	r := message("X-FusionAuth-Signature-JWT", token)
	if e, err := v(r); err != nil || e.Key != "secrets[1]" {
		t.Errorf("got %+v, %v", e, err)
	}
	r.Body = append(r.Body, ' ')
	if got := class(t, v, r); got != WhyMismatch {
		t.Errorf("another body: got %q", got)
	}
	for what, c := range map[string]jwt.MapClaims{"no hash": {}, "hash of nothing": {"request_body_sha256": ""}, "a number": {"request_body_sha256": 1}} {
		if got := class(t, v, message("X-FusionAuth-Signature-JWT", s.sign(jwt.SigningMethodHS256, "", []byte(key), c))); got != WhyMismatch {
			t.Errorf("%s: got %q", what, got)
		}
	}
}

// Case 10: a flood of unknown keys costs one read a minute, a key that is new is found, and keys that cannot be read make nobody lose
// a message.
func TestKeySet(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	v := s.verifier(nil)
	at := func(r Request, d time.Duration) Request {
		r.ReceivedAt = testTime.Add(d)
		return r
	}
	token := func(kid string, key crypto.Signer) string {
		return s.sign(jwt.SigningMethodRS256, kid, key, claims("exp", int64(testTime)/1e6+7200))
	}
	s.status.Store(http.StatusFound)
	if _, err := v(bearer(token("r1", s.rsa))); !errors.Is(err, revoke.ErrUnavailable) || s.reads.Load() != 1 {
		t.Fatalf("a redirect in place of keys: got %v after %d reads, want ErrUnavailable after one", err, s.reads.Load())
	}
	s.status.Store(0)
	if _, err := v(at(bearer(token("r1", s.rsa)), time.Second)); !errors.Is(err, revoke.ErrUnavailable) || s.reads.Load() != 1 {
		t.Errorf("a second later: got %v after %d reads, want no further one", err, s.reads.Load())
	}
	if _, err := v(at(bearer(token("r1", s.rsa)), 6*time.Second)); err != nil || s.reads.Load() != 2 {
		t.Errorf("once they can be read: got %v after %d reads", err, s.reads.Load())
	}
	for i := range 200 {
		if got := class(t, v, at(bearer(token(fmt.Sprint("k", i), s.rsa)), 7*time.Second)); got != whyKey {
			t.Fatalf("an unknown key: got %q", got)
		}
	}
	if s.reads.Load() != 2 {
		t.Errorf("a flood of unknown keys caused %d reads", s.reads.Load()-2)
	}
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	s.publish(jose.JSONWebKey{Key: next.Public(), KeyID: "r2"})
	if _, err := v(at(bearer(token("r2", next)), 70*time.Second)); err != nil || s.reads.Load() != 3 {
		t.Errorf("the next key: got %v after %d reads", err, s.reads.Load())
	}
	s.status.Store(http.StatusInternalServerError)
	if _, err := v(at(bearer(token("r2", next)), 62*time.Minute)); err != nil {
		t.Errorf("a known key while the set cannot be read: %v", err)
	}
	if _, err := v(at(bearer(token("r3", next)), 64*time.Minute)); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("an unknown key while the set cannot be read: got %v, want ErrUnavailable, so that the sender tries again", err)
	}
	if _, err := v(at(bearer(token("r2", next)), 30*time.Hour)); !errors.Is(err, revoke.ErrUnavailable) {
		t.Errorf("a day later: got %v, want ErrUnavailable", err)
	}
}

func TestKeySetTakesOnlyKeysThatCanVerify(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	one := func(k jose.JSONWebKey) string {
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k}})
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		return string(raw)
	}
	for what, document := range map[string]string{
		"a shared secret":  one(jose.JSONWebKey{Key: []byte(testKey), KeyID: "x"}),
		"a private key":    one(jose.JSONWebKey{Key: s.rsa, KeyID: "x"}),
		"for encryption":   one(jose.JSONWebKey{Key: s.rsa.Public(), KeyID: "x", Use: "enc"}),
		"RSA of 1024 bits": `{"keys":[{"kty":"RSA","kid":"x","e":"AQAB","n":"` + base64.RawURLEncoding.EncodeToString(append([]byte{0x80}, make([]byte, 127)...)) + `"}]}`,
		"none":             `{"keys":[]}`,
		"no set":           `{}`,
		"no JSON":          `<html>`,
		"too many":         `{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`,
		"the member twice": `{"keys":[],"keys":[]}`,
	} {
		if got, err := parseKeys([]byte(document)); err == nil {
			t.Errorf("%s: got %d keys, want none and an error", what, len(got))
		}
	}
	mixed, err := parseKeys([]byte(`{"keys":[{"kty":"of tomorrow"},` + strings.TrimPrefix(one(jose.JSONWebKey{Key: s.ec.Public(), KeyID: "e1"}), `{"keys":[`)))
	if err != nil || len(mixed) != 1 {
		t.Errorf("a key beside one that nobody knows: got %d, %v", len(mixed), err)
	}
}
