package main

import (
	"strings"
	"testing"
)

// TestTextAsWritten: what a person wrote is what holds, however YAML would read it.
func TestTextAsWritten(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	for name, text := range map[string]string{
		"quoted":        "tokens: [{name: '007', scopes: [scim], secret: \"" + secret + "\"}]",
		"plain digits":  "tokens: [{name: 007, scopes: [scim], secret: '" + secret + "'}]",
		"block":         "tokens:\n  - name: 007\n    scopes:\n      - scim\n    secret: |\n      " + secret + "\n",
		"folded":        "tokens:\n- name: 007\n  scopes: [scim]\n  secret: >-\n    " + secret + "\n",
		"line ends":     "tokens:\r\n  - name: 007\r\n    scopes: [scim]\r\n    secret: '" + secret + "'\r\n",
		"comments":      "# one\ntokens: # two\n  # three\n  - {name: 007, scopes: [scim], secret: '" + secret + "'} # four\n# five",
		"document mark": "---\ntokens: [{name: 007, scopes: [scim], secret: '" + secret + "'}]\n",
	} {
		loaded, err := loadText(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := loaded.Tokens[0]; got.Name != "007" || got.Secret.Reveal() != secret || got.Scopes[0] != "scim" {
			t.Errorf("%s: got name %q and scopes %q, want 007, scim, and the secret as it was written", name, got.Name, got.Scopes)
		}
	}
}

func TestPlacesAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"approvals: 3":                                        ":1:12: approvals",
		"\n\nlog:\n  level: loud\n":                           ":4:10: log.level",
		"log: {format: text, level: loud}":                    ":1:28: log.level",
		"tokens:\n  - {name: a, scopes: [scim]}\n":            ":2:12: tokens[0]",
		"brake: {users: 1.5}":                                 ":1:16: brake.users",
		"sources:\n  a:\n    type: okta\n    secrets: ['']\n": ":4:15: sources.a.secrets[0]",
	} {
		_, err := loadText(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestValues holds the forms that single values have.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		good bool
	}{
		{"freshness: 1500ms", true},
		{"freshness: 2d", true},
		{"freshness: -1s", false},
		{"freshness: 0s", false},
		{"freshness: 1", false},
		{"approvals: 1", true},
		{"approvals: 01", false},
		{"approvals: 1.0", false},
		{"approvals: 1e0", false},
		{"approvals: \"1\"", false},
		{"approvals: 0x1", false},
		{"approvals:", false},
		{"listen: ':8080'", true},
		{"listen: '[::1]:8080'", true},
		{"listen: localhost", false},
		{"listen: localhost:http", false},
		{"listen: localhost:99999", false},
		{"listen: ''", false},
		{"public_url: https://curfew.example.edu/base", true},
		{"public_url: https://curfew.example.edu/?x=1", false},
		{"public_url: 'https://curfew.example.edu/../x'", false},
		{"public_url: ftp://curfew.example.edu", false},
		{"public_url: //curfew.example.edu", false},
		{"database: sqlite:", false},
		{"database: 'sqlite::memory:'", false},
		{"database: 'sqlite:x.db?mode=memory'", false},
		{"database: curfew.db", false},
		{"database: postgres://h", false},
		{"database: postgresql://u@h:5432/d?sslmode=verify-full", true},
		{"embed: https://portal.example.edu:8443", true},
		{"trusted_proxies: ['::1', 10.0.0.1, fd00::/8]", true},
		{"trusted_proxies: [10.0.0.0/33]", false},
		{"time_zone: Local", false},
		{"time_zone: UTC", true},
		{"forward_auth: {cookie: __Host-session}", true},
		{"forward_auth: {cookie: ''}", false},
		{"notify: {signed_out: yes}", false},
		{"notify: {signed_out: on}", false},
		{"brake: {wait: 0s}", true},
		{"brake: {spare: 0/min}", false},
		{"tokens: [[]]", false},
		{"tokens: [{}]", false},
		{"tokens:\n- name: a\n  scopes: [scim]\n  secret: '0123456789abcdef'\n  sha256: '" + strings.Repeat("a", 64) + "'", false},
		{"tokens:\n- {name: a, scopes: [], secret: '0123456789abcdef'}", false},
		{"tokens:\n- {name: a, scopes: [check], app: '*', secret: '0123456789abcdef'}", true},
		{"tokens:\n- {name: admin, scopes: [admin], secret: '0123456789abcdef'}", true},
		{"tokens:\n- {name: admin, scopes: [scim], secret: '0123456789abcdef'}", false},
		{"tokens:\n- {name: a, scopes: [scim], secret: '0123456789abcdef'}\n- {name: b, scopes: [scim], secret: '0123456789abcdef'}", false},
		{"tokens:\n- {name: a, scopes: [scim], secrets: ['0123456789abcdef', 'fedcba9876543210']}\n- {name: b, scopes: [scim], secret: 'fedcba9876543210'}", false},
		{"tokens:\n- {name: a, scopes: [scim], secret: '0123456789abcdef'}\n- {name: b, scopes: [scim], sha256: 9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f}", false},
		{"tokens:\n- {name: a, scopes: [scim], secret: '0123456789abcdef'}\nsources: {a: {type: okta, secrets: [abcdefabcdefabcdef]}}", false},
		{"sources: {a/b: {type: okta, secrets: [abcdefabcdefabcdef]}}", false},
		{"sources: {admin: {type: okta, secrets: [abcdefabcdefabcdef]}}", false},
		{"targets: {a.b: {type: webhook, url: https://x.example.edu, secret: \"${HOOK}\"}}", false},
		{"targets: {a: {type: webhook, url: http://x.example.edu, secret: \"${HOOK}\"}}", false},
		{"targets: {a: {type: webhook, url: http://x.example.edu, insecure: true, secret: \"${HOOK}\"}}", true},
		{"targets: {a: {type: webhook, url: http://127.0.0.1:1/, secret: \"${HOOK}\"}}", true},
		{"- a", false},
		{"just text", false},
		{"1: 2", false},
		{"", true},
		{"---", true},
		{"# nothing", true},
	} {
		_, err := loadText(t, c.text)
		if (err == nil) != c.good {
			t.Errorf("%q: got %v, want good: %t", c.text, err, c.good)
		}
	}
}
