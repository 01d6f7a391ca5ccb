package webhooks

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

const (
	testKey  = "curfew-test-secret-0123456789abcd"
	testBody = `{"type":"user.deleted","data":{"id":"u-1"}}`
	testTime = revoke.Instant(1_795_430_000_000_000)
)

func keys(all ...string) (out []revoke.Secret) {
	for _, k := range all {
		out = append(out, revoke.NewSecret(k))
	}
	return out
}

// openssl signs as somebody else's program does.
func openssl(t *testing.T, algorithm, text string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", "dgst", "-"+algorithm, "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString([]byte(testKey)), "-binary")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	return out
}

func base64Of(t *testing.T, raw []byte, urlSafe bool) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", "base64", "-A")
	cmd.Stdin = strings.NewReader(string(raw))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	if urlSafe {
		return strings.NewReplacer("+", "-", "/", "_").Replace(string(out))
	}
	return string(out)
}

func message(headers ...string) Request {
	r := Request{Method: http.MethodPost, Header: http.Header{}, Query: url.Values{}, Body: []byte(testBody), ReceivedAt: testTime}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// class is why a request is refused, "" when it is not.
func class(t *testing.T, v verifier, r Request) Why {
	t.Helper()
	e, err := v(r)
	if err == nil {
		if e.Proof != ProvedSender || e.Key == "" {
			t.Errorf("accepted with %+v", e)
		}
		return ""
	}
	u, ok := errors.AsType[unverified](err)
	if !ok {
		t.Errorf("refused with %v, want an unverified", err)
	}
	return u.why
}

// The signatures are made by openssl, each as its sender documents it.
func TestHMACOfEverySender(t *testing.T) {
	t.Parallel()
	seconds := strconv.FormatInt(int64(testTime)/1e6, 10)
	millis := strconv.FormatInt(int64(testTime)/1e3, 10)
	for sender, c := range map[string]struct {
		settings hmacSettings
		headers  []string
	}{
		"github":    {hmacSettings{Header: "X-Hub-Signature-256", Prefix: "sha256="}, []string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(openssl(t, "sha256", testBody))}},
		"hibob":     {hmacSettings{Header: "Bob-Signature", Algorithm: "sha512", Encoding: "base64"}, []string{"Bob-Signature", base64Of(t, openssl(t, "sha512", testBody), false)}},
		"merge":     {hmacSettings{Header: "X-Merge-Webhook-Signature", Encoding: "base64url"}, []string{"X-Merge-Webhook-Signature", base64Of(t, openssl(t, "sha256", testBody), true)}},
		"capitals":  {hmacSettings{Header: "X-Sig"}, []string{"X-Sig", strings.ToUpper(hex.EncodeToString(openssl(t, "sha256", testBody)))}},
		"keycloak1": {hmacSettings{Header: "X-Keycloak-Signature", Algorithm: "sha1", AllowSHA1: true}, []string{"X-Keycloak-Signature", hex.EncodeToString(openssl(t, "sha1", testBody))}},
		"pagerduty": {
			hmacSettings{Header: "X-PagerDuty-Signature", Prefix: "v1=", Separator: ","},
			[]string{"X-PagerDuty-Signature", "v2=zz,v1=" + strings.Repeat("0", 64) + ",v1=" + hex.EncodeToString(openssl(t, "sha256", testBody))},
		},
		"slack": {
			hmacSettings{Header: "X-Slack-Signature", Prefix: "v0=", Signed: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp"},
			[]string{"X-Slack-Signature", "v0=" + hex.EncodeToString(openssl(t, "sha256", "v0:"+seconds+":"+testBody)), "X-Slack-Request-Timestamp", seconds},
		},
		"bamboohr": {
			hmacSettings{Header: "X-BambooHR-Signature", Signed: "{body}{timestamp}", TimestampHeader: "X-BambooHR-Timestamp"},
			[]string{"X-BambooHR-Signature", hex.EncodeToString(openssl(t, "sha256", testBody+seconds)), "X-BambooHR-Timestamp", seconds},
		},
		"workos": {
			hmacSettings{Header: "WorkOS-Signature", Prefix: "v1=", Separator: ",", TimestampPrefix: "t=", TimestampUnit: "ms", Signed: "{timestamp}.{body}", Window: 3 * time.Minute},
			[]string{"WorkOS-Signature", "t=" + millis + ", v1=" + hex.EncodeToString(openssl(t, "sha256", millis+"."+testBody))},
		},
		"finch": {
			hmacSettings{Header: "Finch-Signature", Prefix: "v1,", Separator: " ", Encoding: "base64", Signed: "{id}.{timestamp}.{body}", TimestampHeader: "Finch-Timestamp", IDHeader: "Finch-Event-Id"},
			[]string{"Finch-Signature", "v1," + base64Of(t, openssl(t, "sha256", "e-1."+seconds+"."+testBody), false), "Finch-Timestamp", seconds, "Finch-Event-Id", "e-1"},
		},
	} {
		t.Run(sender, func(t *testing.T) {
			t.Parallel()
			c.settings.Secrets = keys("the key before it", testKey)
			v, err := newHMAC(c.settings)
			if err != nil {
				t.Fatalf("make: %v", err)
			}
			if why := class(t, v, message(c.headers...)); why != "" {
				t.Errorf("what %s signed is refused: %s", sender, why)
			}
			for what, change := range map[string]func(*Request){
				"a byte more":        func(r *Request) { r.Body = append(r.Body, '\n') },
				"a byte changed":     func(r *Request) { r.Body = []byte(strings.Replace(testBody, "u-1", "u-2", 1)) },
				"no body":            func(r *Request) { r.Body = nil },
				"another header":     func(r *Request) { r.Header.Set(c.headers[0], strings.ReplaceAll(c.headers[1], "a", "b")+"0") },
				"cut off":            func(r *Request) { r.Header.Set(c.headers[0], c.headers[1][:len(c.headers[1])-2]) },
				"long":               func(r *Request) { r.Header.Set(c.headers[0], strings.Repeat("a", 10_000)) },
				"not ASCII":          func(r *Request) { r.Header.Set(c.headers[0], "\xff\u00e9") },
				"empty":              func(r *Request) { r.Header.Set(c.headers[0], "") },
				"an unknown version": func(r *Request) { r.Header.Set(c.headers[0], "v9"+c.headers[1]+"0") },
			} {
				r := message(c.headers...)
				change(&r)
				if class(t, v, r) == "" {
					t.Errorf("%s: accepted", what)
				}
			}
			for i := 2; i < len(c.headers); i += 2 {
				r := message(c.headers...)
				r.Header.Set(c.headers[i], c.headers[i+1]+"0")
				if class(t, v, r) == "" {
					t.Errorf("another %s: accepted", c.headers[i])
				}
			}
		})
	}
}

// Case 16.
func TestHMACWindow(t *testing.T) {
	t.Parallel()
	v, err := newHMAC(hmacSettings{Header: "X-Sig", Signed: "{timestamp}.{body}", TimestampHeader: "X-Time", Secrets: keys(testKey)})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	for text, want := range map[string]Why{
		"1795430000": "", "1795429701": "", "1795429700": "", "1795429699": whyStale, "1795430300": "", "1795430301": whyFuture, "-1": WhyMalformed,
		"1795430000000": WhyMalformed, "1000000000000000000": WhyMalformed, "NaN": WhyMalformed, "": WhyMalformed, "1795430000.5": WhyMalformed, "0x6b": WhyMalformed,
		" 1795430000": WhyMalformed, "2026-11-23T10:33:20Z": WhyMalformed, "99999999999999999999999": WhyMalformed,
	} {
		r := message("X-Sig", hex.EncodeToString(openssl(t, "sha256", text+"."+testBody)), "X-Time", text)
		if got := class(t, v, r); got != want {
			t.Errorf("signed at %q: got %q, want %q", text, got, want)
		}
	}
}

func TestVerifiersRefuseSettingsThatCannotWork(t *testing.T) {
	t.Parallel()
	for field, make := range map[string]func() (verifier, error){
		"secrets":    func() (verifier, error) { return newHMAC(hmacSettings{Header: "X-Sig"}) },
		"secrets[0]": func() (verifier, error) { return newHMAC(hmacSettings{Header: "X-Sig", Secrets: keys("")}) },
		"secrets[1]": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Secrets: keys(testKey, "short")})
		},
		"algorithm": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Algorithm: "sha1", Secrets: keys(testKey)})
		},
		"signed": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Signed: "x", Secrets: keys(testKey)})
		},
		"timestamp_header": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Signed: "{timestamp}{body}", Secrets: keys(testKey)})
		},
		"header":          func() (verifier, error) { return newHMAC(hmacSettings{Header: "Host", Secrets: keys(testKey)}) },
		"user":            func() (verifier, error) { return newBasic(basicSettings{User: "a:b", Secrets: keys(testKey)}) },
		"parameter":       func() (verifier, error) { return newQuery(querySettings{Parameter: "a=b", Secrets: keys(testKey)}) },
		"fingerprints":    func() (verifier, error) { return newMTLS(mtlsSettings{}) },
		"fingerprints[0]": func() (verifier, error) { return newMTLS(mtlsSettings{Fingerprints: []string{"abc"}}) },
		"jwks":            func() (verifier, error) { return newJWT(jwtSettings{Issuer: "i", Audience: "a"}, nil) },
		"algorithms[0]": func() (verifier, error) {
			return newJWT(jwtSettings{JWKS: "https://id.example.edu/keys", Algorithms: []string{"HS256"}, Issuer: "i", Audience: "a"}, nil)
		},
		"issuer": func() (verifier, error) {
			return newJWT(jwtSettings{JWKS: "https://id.example.edu/keys", Audience: "a"}, nil)
		},
		"audience": func() (verifier, error) {
			return newJWT(jwtSettings{JWKS: "https://id.example.edu/keys", Issuer: "i"}, nil)
		},
		"timestamp_prefix": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Signed: "{timestamp}{body}", TimestampPrefix: "t=", TimestampHeader: "X-T", Separator: ",", Secrets: keys(testKey)})
		},
		"window": func() (verifier, error) {
			return newHMAC(hmacSettings{Header: "X-Sig", Window: -1, Secrets: keys(testKey)})
		},
	} {
		v, err := make()
		bad, ok := errors.AsType[revoke.Invalid](err)
		if v != nil || !ok || bad.Field != field || bad.Fix == "" {
			t.Errorf("%s: got %v and %v, want no verifier and an Invalid there", field, v != nil, err)
		}
		if err != nil && strings.Contains(err.Error(), testKey) {
			t.Errorf("%s: the error shows the secret", field)
		}
	}
}

func TestBasicAndQuery(t *testing.T) {
	t.Parallel()
	basic, err := newBasic(basicSettings{User: "curfew", Secrets: keys("one password", testKey)})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	of := func(user, password string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return r.Header.Get("Authorization")
	}
	for value, want := range map[string]Why{
		of("curfew", testKey): "", of("curfew", "one password"): "", of("curfew", ""): WhyMismatch, of("", testKey): WhyMismatch, of("curfew:", testKey): WhyMismatch,
		of("Curfew", testKey): WhyMismatch, "": WhyMissing, "Bearer " + testKey: WhyMalformed, "Basic ???": WhyMalformed, "Basic": WhyMismatch,
	} {
		if got := class(t, basic, message("Authorization", value)); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
	if got := class(t, basic, message("Authorization", of("curfew", testKey), "Authorization", of("curfew", testKey))); got != WhyMalformed {
		t.Errorf("twice: got %q", got)
	}
	query, err := newQuery(querySettings{Secrets: keys(testKey)})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	for raw, want := range map[string]Why{
		"key=" + testKey: "", "x=1&key=" + testKey: "", "key=": WhyMissing, "": WhyMissing, "key=" + testKey + "&key=" + testKey: WhyMalformed, "key=" + testKey[1:]: WhyMismatch, "Key=" + testKey: WhyMissing,
	} {
		r := message()
		r.Query, _ = url.ParseQuery(raw)
		if got := class(t, query, r); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
}

func TestMTLS(t *testing.T) {
	t.Parallel()
	certificate := &x509.Certificate{Raw: []byte("a certificate")}
	sum := sha256.Sum256(certificate.Raw)
	digits := hex.EncodeToString(sum[:])
	var colons []string
	for i := 0; i < len(digits); i += 2 {
		colons = append(colons, strings.ToUpper(digits[i:i+2]))
	}
	direct, err := newMTLS(mtlsSettings{Fingerprints: []string{strings.Repeat("00", 32), strings.Join(colons, ":")}})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	r := message("X-Client-Cert-Sha256", digits)
	r.Proxied = true
	if got := class(t, direct, r); got != WhyMissing {
		t.Errorf("a header where our own TLS is asked: got %q", got)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}}
	if got := class(t, direct, r); got != "" {
		t.Errorf("the certificate: got %q", got)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("another")}, certificate}}
	if got := class(t, direct, r); got != WhyMismatch {
		t.Errorf("another certificate, and ours behind it: got %q", got)
	}
	proxied, err := newMTLS(mtlsSettings{Fingerprints: []string{digits}, Header: "x-client-cert-sha256"})
	if err != nil {
		t.Fatalf("make: %v", err)
	}
	for what, c := range map[string]struct {
		value string
		trust bool
		want  Why
	}{
		"from the proxy": {strings.Join(colons, ":"), true, ""}, "from anybody": {digits, false, WhyMissing}, "another": {strings.Repeat("11", 32), true, WhyMismatch},
		"none": {"", true, WhyMissing}, "no fingerprint": {"(null)", true, WhyMalformed},
	} {
		r := message("X-Client-Cert-Sha256", c.value)
		r.Proxied = c.trust
		if got := class(t, proxied, r); got != c.want {
			t.Errorf("%s: got %q, want %q", what, got, c.want)
		}
	}
}
