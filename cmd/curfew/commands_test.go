package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// commands are judged by what scripts see: exit code, standard output, standard error.
func (p program) commands(t *testing.T, folder, database string) {
	t.Helper()
	file := configure(t, folder, database, "http://127.0.0.1:1")
	r := p.start(t, file)
	first := r.signIn(t, "mobile")
	second := r.signIn(t, "browser")
	speak := func(args ...string) []string { return append([]string{"--config", file, "--server", r.base}, args...) }

	code, out, errs := p.run(t, folder, speak("user", "show", sally, "--json")...)
	var shown struct {
		ID       string
		Live     int
		Sessions []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(out), &shown); code != exitDone || err != nil || shown.Live != 2 || len(shown.Sessions) != 2 {
		t.Fatalf("user show --json: got %d, %v\n%s%s", code, err, out, errs)
	}
	one := shown.Sessions[0].ID
	portalFile := filepath.Join(folder, "portal.token")
	if err := os.WriteFile(portalFile, []byte(portalToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		out  string // on standard output
		errs string // on standard error
	}{
		{speak("user", "show", sally), exitDone, "live sessions", ""},
		{speak("user", "show", shown.ID), exitDone, sally, ""},
		{speak("user", "show", "nobody@example.edu"), exitNotFound, "", "nobody is known"},
		{speak("session", "list", "--user", sally), exitDone, one, ""},
		{speak("session", "list", "--json"), exitDone, `"items"`, ""},
		{speak("session", "show", one), exitDone, "live", ""},
		{speak("session", "why", one), exitDone, "the session is live", ""},
		{speak("session", "end", one), exitDone, "dead", ""},
		{speak("session", "end", one), exitDone, "dead", ""},
		{speak("session", "why", one), exitDone, "was ended", ""},
		{speak("session", "show", "no-such-session"), exitNotFound, "", "404"},
		{speak("revoke", "--user", sally, "--reason", "lost her phone"), exitDone, "revocation", ""},
		{speak("revoke", "--user", sally, "--block", "--reason", "left", "--json"), exitDone, `"blocked": true`, ""},
		{speak("user", "show", sally), exitDone, "blocked: admin", ""},
		{speak("revoke", "--user", "new@example.edu", "--reason", "to come"), exitDone, "revocation", "nobody is known"},
		{speak("revoke", "--user", "no-address", "--reason", "x"), exitNotFound, "", "nobody is known"},
		{speak("revoke", "--session", one, "--reason", "x"), exitDone, "nothing was left to end", ""},
		{speak("revoke", "--everyone", "--confirm", "0", "--reason", "broken into"), exitDone, "covers 0 live sessions", ""},
		{speak("revoke", "--user", sally), exitUsage, "", "--reason"},
		{speak("revoke", "--reason", "x"), exitUsage, "", "--user"},
		{speak("revoke", "--everyone", "--user", sally, "--reason", "x"), exitUsage, "", ""},
		{speak("revoke", "--everyone", "--block", "--reason", "x"), exitUsage, "", "--block"},
		{speak("parked", "list"), exitDone, "DELIVERY", ""},
		{speak("parked", "retry", "--all"), exitDone, "0 deliveries", ""},
		{speak("parked", "retry"), exitUsage, "", "--all"},
		{speak("parked", "retry", shown.ID+":nowhere"), exitNotFound, "", "404"},
		{speak("user", "show", sally, "--token-file", portalFile), exitRefused, "", "403"},
		{speak("user", "shwo", sally), exitUsage, "", `did you mean "show"`},
		{[]string{"--config", file, "--server", "http://127.0.0.1:1", "session", "list"}, exitFailed, "", "is it running"},
		{[]string{"--config", file, "--server", "nowhere", "session", "list"}, exitUsage, "", "--server"},
		{[]string{"--config", file, "check"}, exitDone, "[secret]", "good"},
		{[]string{"--config", file, "check", "--targets"}, exitFailed, "", "target portal"},
		{[]string{"--config", "nowhere.yaml", "check"}, exitFailed, "", "nowhere.yaml"},
		{[]string{"version"}, exitDone, "curfew ", ""},
		{[]string{"version", "--json"}, exitDone, `"platform"`, ""},
		{[]string{"token", "portal", "--scope", "sessions"}, exitDone, "app: portal, sha256:", "only now"},
		{[]string{"token", "portal", "--scope", "sesions"}, exitUsage, "", "is not a scope"},
		{[]string{"token", "a b", "--scope", "scim"}, exitUsage, "", "short name"},
		{[]string{"revoke", "--help"}, exitDone, "curfew revoke --user", ""},
		{nil, exitUsage, "", "serve"},
	} {
		code, out, errs := p.run(t, folder, c.args...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("curfew %s: got exit code %d, want %d\nstandard output, wants %q: %s\nstandard error, wants %q: %s",
				strings.Join(c.args, " "), code, c.code, c.out, out, c.errs, errs)
		}
		if code != exitDone && out != "" && !slices.Contains(c.args, "check") {
			t.Errorf("curfew %s: failed and wrote to standard output: %s", strings.Join(c.args, " "), out)
		}
		for _, secret := range []string{opsToken, portalToken, directoryToken, oktaSecret, portalHook} {
			if strings.Contains(out+errs, secret) {
				t.Errorf("curfew %s shows a secret", strings.Join(c.args, " "))
			}
		}
	}
	for _, token := range []string{first, second} {
		if r.active(t, token) {
			t.Error("a session lives that was ended by command")
		}
	}
	made, line := p.newToken(t, folder)
	loaded, err := loadText(t, "tokens:\n"+line+"\n")
	if err != nil {
		t.Fatalf("the line that token prints: %v", err)
	}
	hashes, err := loaded.Tokens[0].hashes()
	if err != nil || len(hashes) != 1 || !sameToken(hashes[0], made) {
		t.Errorf("the line that token prints does not let its secret in (%v)", err)
	}
	r.stop(t)
	if code, _, errs := p.run(t, folder, "--config", file, "migrate"); code != exitDone {
		t.Errorf("migrate of a current schema: got %d %s", code, errs)
	}
}

func (p program) newToken(t *testing.T, folder string) (secret, line string) {
	t.Helper()
	code, out, errs := p.run(t, folder, "token", "okta-scim", "--scope", "scim", "--ids", "okta")
	secret, line, ok := strings.Cut(strings.TrimSuffix(out, "\n"), "\n")
	if code != exitDone || !ok || !strings.HasPrefix(secret, tokenPrefix) || len(secret) < len(tokenPrefix)+43 {
		t.Fatalf("token: got %d %q %q, want a secret of 256 bits and a line", code, out, errs)
	}
	return secret, line
}

func sameToken(hash [sha256.Size]byte, token string) bool {
	return sha256.Sum256([]byte(token)) == hash
}
