package webhooks

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/revoke"
)

// assertionLife is how long an assertion is good for. Okta takes up to an hour; one is used at once.
const assertionLife = 5 * time.Minute

// newAssertion returns what proves a client by its private key (RFC 7523 section 3, private_key_jwt), for the token endpoint at
// audience. Errors are [revoke.Invalid] at key.
func newAssertion(key revoke.Secret, keyID, client, audience string) (func(time.Time) (string, error), error) {
	signer, err := assertionSigner(key.Reveal(), keyID)
	if err != nil {
		return nil, revoke.Invalid{Field: "key", Problem: err.Error(), Fix: `give the app's private key, PEM or JWK: "file:/etc/curfew/okta-key.pem"`}
	}
	return func(now time.Time) (string, error) {
		claims, err := json.Marshal(map[string]any{
			"iss": client, "sub": client, "aud": audience, "iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": rand.Text(),
		})
		if err != nil {
			return "", err
		}
		signed, err := signer.Sign(claims)
		if err != nil {
			return "", err
		}
		return signed.CompactSerialize()
	}, nil
}

// assertionSigner reads a private key. Its errors show nothing of it.
func assertionSigner(text, keyID string) (jose.Signer, error) {
	key := jose.JSONWebKey{}
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") {
		if err := key.UnmarshalJSON([]byte(text)); err != nil {
			return nil, errors.New("is no JWK")
		}
	} else {
		var err error
		if key.Key, err = privatePEM(text); err != nil {
			return nil, err
		}
	}
	if keyID != "" {
		key.KeyID = keyID
	}
	var algorithm jose.SignatureAlgorithm
	switch k := key.Key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, errors.New("has fewer than 2048 bits")
		}
		algorithm = jose.RS256
	case *ecdsa.PrivateKey:
		if algorithm = map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}[k.Curve.Params().BitSize]; algorithm == "" {
			return nil, errors.New("is of a curve that Okta does not take")
		}
	default:
		return nil, errors.New("is no private key of RSA or of an elliptic curve")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errors.New("cannot sign")
	}
	return signer, nil
}

func privatePEM(text string) (any, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("is missing, or neither PEM nor JWK")
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		if key, err := parse(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("is no private key without a password")
}
