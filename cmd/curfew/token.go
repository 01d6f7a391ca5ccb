package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

type tokenCommand struct {
	Name      string   `arg:"" help:"The token's name, which is its source's name."`
	Scope     []string `required:"" placeholder:"SCOPE" values:"scopes" help:"What it may do: ${scopes}. Several: --scope sessions --scope changes."`
	App       string   `help:"Whose sessions it may see, for scopes sessions and check: the app's name, or * for all. The token's name when absent."`
	Authority string   `help:"Whose blocks it sets and lifts, when other sources speak for the same directory."`
	IDs       string   `name:"ids" help:"The namespace of its own user ids."`
}

// Help shows an example.
func (tokenCommand) Help() string {
	return `Prints the secret and, on the second line, what to paste below tokens: in the configuration. That line holds only the
secret's SHA-256, so that the file gives nothing away. Changes nothing itself.

  curfew token okta-scim --scope scim
  curfew token portal --scope sessions --app portal`
}

// tokenPrefix makes a token recognisable to people and to scanners of leaked secrets.
const tokenPrefix = "curfew_"

func newToken() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (Go 1.24)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

type madeToken struct {
	Name   string `json:"name"`
	Secret string `json:"secret"`
	SHA256 string `json:"sha256"`
	Line   string `json:"line"`
}

// Run prints a new token.
func (c tokenCommand) Run(sh *shell) error {
	for flag, text := range map[string]string{"NAME": c.Name, "--authority": c.Authority, "--ids": c.IDs} {
		if text != "" && !nameText.MatchString(text) {
			return usage("%s must be a short name of letters, digits, dots, dashes and underscores, for example okta-scim", flag)
		}
	}
	if c.App != "" && c.App != "*" && !nameText.MatchString(c.App) {
		return usage(`--app must be the name of an app, or "*" for all`)
	}
	for _, s := range c.Scope {
		if !slices.Contains(scopes, s) {
			return usage("%q is not a scope: use one of %s", s, strings.Join(scopes, ", "))
		}
	}
	made := c.make()
	if sh.json {
		return sh.printJSON(made)
	}
	sh.note("the secret, shown only now, and the line to paste below tokens: in %s:", defaultFile)
	_, err := fmt.Fprintf(sh.out, "%s\n%s\n", made.Secret, made.Line)
	return err
}

func (c tokenCommand) make() madeToken {
	secret := newToken()
	sum := sha256.Sum256([]byte(secret))
	digest := hex.EncodeToString(sum[:])
	return madeToken{c.Name, secret, digest, c.line(`sha256: "` + digest + `"`)}
}

// line is the token's entry in the configuration, with what proves it.
func (c tokenCommand) line(proof string) string {
	app := c.App
	if app == "" && (slices.Contains(c.Scope, "sessions") || slices.Contains(c.Scope, "check")) {
		app = c.Name
	}
	parts := []string{"name: " + quoteName(c.Name), "scopes: [" + strings.Join(c.Scope, ", ") + "]"}
	for _, p := range [][2]string{{"app", app}, {"authority", c.Authority}, {"ids", c.IDs}} {
		if p[1] != "" {
			parts = append(parts, p[0]+": "+quoteName(p[1]))
		}
	}
	return "  - {" + strings.Join(append(parts, proof), ", ") + "}"
}

// quoteName puts in quotes what YAML would not read as text.
func quoteName(name string) string {
	if name == "*" || looksLikeNumber.MatchString(name) {
		return `"` + name + `"`
	}
	return name
}
