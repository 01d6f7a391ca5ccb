package webhooks

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

// The vectors of WEBHOOKS.md.
const (
	vectorSecret    = "whsec_Y3VyZmV3LXRlc3Qtc2VjcmV0LTAxMjM0NTY3ODlhYmNk"
	vectorPublic    = "whpk_yfl+GD66bEB5C69jC012b4OCTj0TCYS44kcIA85m5eQ="
	vectorSignature = "v1,y5rpdOdl+bKr6zkN9PKFRPDxu+HxO0QfByER0hYjWxM="
	vectorV1a       = "v1a,dUyWwcV+EujOgDw3di2ge0aAPg4sxSBS/4KfxLvNjd1XvO6HL5rmJo/sY9UsKAPGZuw+lqRzAALE4q0/0t3wAg=="
	otherSecret     = "whsec_b3RoZXItc2VjcmV0LTAxMjM0NTY3ODlhYmNkZWY="
)

// vector is the message of the vectors under signatures, with headers in place of its own.
func vector(signatures string, headers ...string) Request {
	r := message("Webhook-Id", "msg_1", "Webhook-Timestamp", "1795430000", "Webhook-Signature", signatures)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func standardOf(t *testing.T, all ...string) verifier {
	t.Helper()
	v, err := newStandard(standardSettings{Secrets: keys(all...)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// seed is the key of the vectors for v1a.
func seed() ed25519.PrivateKey {
	of := sha256.Sum256([]byte("curfew-ed25519-seed"))
	return ed25519.NewKeyFromSeed(of[:])
}

func TestStandardSignatures(t *testing.T) {
	t.Parallel()
	otherV1a := base64.StdEncoding.EncodeToString(ed25519.Sign(seed(), []byte("msg_1.1795430000."+testBody+"\n")))
	long := strings.Repeat("v1,"+strings.Repeat("A", 43)+"= ", maxEntries-1)
	for name, c := range map[string]struct {
		keys    []string
		request Request
		key     string // "" where it is refused
		why     Why
	}{
		"vector v1":                                {[]string{vectorSecret}, vector(vectorSignature), "secrets[0]", ""},
		"vector v1a":                               {[]string{vectorPublic}, vector(vectorV1a), "secrets[0]", ""},
		"both, and both keys":                      {[]string{vectorSecret, vectorPublic}, vector(vectorSignature + " " + vectorV1a), "secrets[1]", ""},
		"case 1, no signature":                     {[]string{vectorSecret}, message(), "", WhyMissing},
		"case 3, v1a over another body":            {[]string{vectorPublic}, vector("v1a," + otherV1a), "", WhyMismatch},
		"case 5, junk and one good entry":          {[]string{vectorSecret}, vector("v1,AAAA v1 , v9,x v1,no~base64 " + vectorSignature + "  v2,y"), "secrets[0]", ""},
		"case 5, as many entries as are looked at": {[]string{vectorSecret}, vector(long + vectorSignature), "secrets[0]", ""},
		"case 5, more entries than that":           {[]string{vectorSecret}, vector(long + "v1,AAAA " + vectorSignature), "", WhyMalformed},
		"case 6, an unknown version":               {[]string{vectorSecret, vectorPublic}, vector("v2" + vectorSignature[2:]), "", WhyMismatch},
		"case 6, a version in capitals":            {[]string{vectorSecret}, vector("V1" + vectorSignature[2:]), "", WhyMismatch},
		"case 7, v1 where only v1a is trusted":     {[]string{vectorPublic}, vector(vectorSignature), "", WhyMismatch},
		"case 7, v1a where only v1 is trusted":     {[]string{vectorSecret}, vector(vectorV1a), "", WhyMismatch},
		"case 7, v1a under the name of v1":         {[]string{vectorPublic}, vector("v1" + vectorV1a[3:]), "", WhyMismatch},
		"case 7, v1 by the public key as a secret": {[]string{vectorPublic}, vector(standardV1(vectorPublic[len(publicKey):], "msg_1.1795430000."+testBody)), "", WhyMismatch},
		"case 7, v1 by a secret of no bytes":       {[]string{vectorPublic}, vector(standardV1("", "msg_1.1795430000."+testBody)), "", WhyMismatch},
		"case 8, the old key":                      {[]string{otherSecret, vectorSecret}, vector(vectorSignature), "secrets[1]", ""},
		"case 8, the old key once it is gone":      {[]string{otherSecret}, vector(vectorSignature), "", WhyMismatch},
		"case 15, another id":                      {[]string{vectorSecret}, vector(vectorSignature, "Webhook-Id", "msg_2"), "", WhyMismatch},
		"no id":                                    {[]string{vectorSecret}, vector(vectorSignature, "Webhook-Id", ""), "", WhyMalformed},
		"an id with a full stop":                   {[]string{vectorSecret}, vector(standardV1(vectorSecret[6:], "msg.1.1795430000."+testBody), "Webhook-Id", "msg.1"), "", WhyMalformed},
		"a full stop moved into the time":          {[]string{vectorSecret}, vector(vectorSignature, "Webhook-Timestamp", "1795430000."), "", WhyMalformed},
		"svix-id beside a webhook-id that differs": {[]string{vectorSecret}, vector(vectorSignature, "Svix-Id", "msg_2"), "", WhyMalformed},
		"svix-timestamp that differs":              {[]string{vectorSecret}, vector(vectorSignature, "Svix-Timestamp", "1795430001"), "", WhyMalformed},
		"both families":                            {[]string{vectorSecret}, vector(vectorSignature, "Svix-Id", "msg_1", "Svix-Timestamp", "1795430000", "Svix-Signature", vectorSignature), "secrets[0]", ""},
		"the family svix":                          {[]string{vectorSecret}, message("Svix-Id", "msg_1", "Svix-Timestamp", "1795430000", "Svix-Signature", vectorSignature), "secrets[0]", ""},
	} {
		got, err := standardOf(t, c.keys...)(c.request)
		checkEvidence(t, name, got, err, c.key, c.why)
		if err == nil && got.Delivery != "msg_1" {
			t.Errorf("%s: got delivery %q", name, got.Delivery)
		}
	}
}

// checkEvidence compares what a verifier said with the key that it should name, or the class of refusal.
func checkEvidence(t *testing.T, name string, got Evidence, err error, key string, why Why) {
	t.Helper()
	if key != "" && (err != nil || got.Key != key || got.Proof != ProvedSender) {
		t.Errorf("%s: got %+v and %v, want %s", name, got, err, key)
	}
	if refused, ok := errors.AsType[unverified](err); key == "" && (!ok || refused.why != why || got != (Evidence{})) {
		t.Errorf("%s: got %+v and %v, want %s", name, got, err, why)
	}
}

// standardV1 signs with a key in base64.
func standardV1(key, content string) string {
	raw, _ := base64.StdEncoding.DecodeString(key)
	v := hmacVerifier{algorithm: sha256.New, parts: []string{"{body}"}}
	return "v1," + base64.StdEncoding.EncodeToString(v.mac(raw, []byte(content), "", ""))
}

// TestStandardWindow is case 16. Both ends of the window are inside, to the microsecond.
func TestStandardWindow(t *testing.T) {
	t.Parallel()
	v := standardOf(t, vectorSecret)
	at := func(off time.Duration) (Evidence, error) {
		r := vector(vectorSignature)
		r.ReceivedAt = testTime.Add(off)
		return v(r)
	}
	for off, why := range map[time.Duration]Why{
		5*time.Minute - time.Second: "", 5 * time.Minute: "", 5*time.Minute + time.Microsecond: whyStale, 5*time.Minute + time.Second: whyStale,
		-5*time.Minute + time.Second: "", -5 * time.Minute: "", -5*time.Minute - time.Microsecond: whyFuture, -5*time.Minute - time.Second: whyFuture,
	} {
		key := ""
		if why == "" {
			key = "secrets[0]"
		}
		got, err := at(off)
		checkEvidence(t, off.String(), got, err, key, why)
	}
	for _, sent := range []string{"-1795430000", "+1795430000", "1795430000000", "1e9", "1000000000000000000", "99999999999999999999", "NaN", "", " 1795430000", "0x6B03F030", "1795430"} {
		got, err := v(vector(standardV1(vectorSecret[6:], "msg_1."+sent+"."+testBody), "Webhook-Timestamp", sent))
		checkEvidence(t, "at "+sent, got, err, "", WhyMalformed)
	}
}

// TestStandardKeys holds what is not accepted as a key: case 9, and what would let anybody in.
func TestStandardKeys(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	smallOrder := make([]byte, 32)
	smallOrder[0] = 1 // the neutral point
	for name, all := range map[string][]string{
		"none": {}, "empty": {""}, "one of two": {vectorSecret, ""}, "only the prefix": {"whsec_"}, "no prefix": {vectorSecret[6:]}, "no base64": {"whsec_~"},
		"short": {"whsec_" + b64(make([]byte, 23))}, "long": {"whsec_" + b64(make([]byte, 65))}, "cut off": {vectorSecret[:len(vectorSecret)-1]},
		"private": {"whsk_" + b64(seed())}, "a public key that is short": {"whpk_" + b64(make([]byte, 31))}, "a line break": {vectorSecret + "\n"},
		"zero bytes": {"whpk_" + b64(make([]byte, 32))}, "the neutral point": {"whpk_" + b64(smallOrder)}, "a public key as a secret's": {"whsec_" + vectorPublic},
	} {
		_, err := newStandard(standardSettings{Secrets: keys(all...)})
		bad, ok := errors.AsType[revoke.Invalid](err)
		if !ok || !strings.HasPrefix(bad.Field, "secrets") || bad.Fix == "" {
			t.Errorf("%s: got %v, want an Invalid of secrets", name, err)
		}
		for _, key := range all {
			if len(key) > 10 && strings.Contains(err.Error(), key) {
				t.Errorf("%s: the error shows the key", name)
			}
		}
	}
	if anybodySigns(seed().Public().(ed25519.PublicKey)) {
		t.Error("an ordinary key is taken for one of small order")
	}
}
