package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// settingsFolder is a curfew.yaml with what it includes.
type settingsFolder struct {
	t    *testing.T
	path string
}

func newSettingsFolder(t *testing.T, files ...string) settingsFolder {
	t.Helper()
	f := settingsFolder{t, t.TempDir()}
	for i := 0; i < len(files); i += 2 {
		f.write(files[i], files[i+1])
	}
	return f
}

func (f settingsFolder) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		f.t.Fatal(err)
	}
}

func (f settingsFolder) load() (*Loaded, error) {
	return load(settingsInput{file: filepath.Join(f.path, "curfew.yaml"), lookup: lookupIn(canarySettings)})
}

// mistakes returns what is wrong, without the folder's name.
func (f settingsFolder) mistakes() []string {
	f.t.Helper()
	_, err := f.load()
	bad, ok := errors.AsType[badConfig](err)
	if err != nil && !ok {
		f.t.Fatal(err)
	}
	var out []string
	for _, p := range bad {
		if strings.Contains(p.String(), canary) {
			f.t.Errorf("%s shows a secret", p)
		}
		out = append(out, strings.ReplaceAll(p.String(), f.path+string(filepath.Separator), ""))
	}
	return out
}

func TestIncludesAddUp(t *testing.T) {
	t.Parallel()
	f := newSettingsFolder(t,
		"curfew.yaml", `include: conf.d/*.yaml
logout: everywhere
log: {format: json}
tokens: [{name: a, scopes: [scim], secret: "file:a.secret"}]
sources: {okta: {type: okta, secrets: ["${A_SECRET}"]}}
trusted_proxies: [10.0.0.0/8]
`,
		"a.secret", canary+"-in-a-file\n",
		"conf.d/20.yaml", "tokens: [{name: c, scopes: [scim], secret: \"${B_SECRET}\"}]\n",
		"conf.d/10.yaml", `tokens: [{name: b, scopes: [scim], secret: "file:b.secret"}]
listen: 127.0.0.1:1
log: {level: warn}
sources: {entra: {type: okta, secrets: ["${A_SECRET}"]}}
trusted_proxies: [192.168.0.0/16]
`,
		"conf.d/b.secret", canary+"-beside-it",
		"conf.d/empty.yaml", "", "conf.d/comment.yaml", "# nothing yet\n", "conf.d/notes.txt", "listne: x", "conf.d/.hidden", "listne: x",
	)
	loaded, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, token := range loaded.Tokens {
		names = append(names, string(token.Name))
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("tokens: got %q, want the main file's, then each file's in the order of their names", names)
	}
	if loaded.Tokens[1].Secret.Reveal() != canary+"-beside-it" {
		t.Error("file: in an included file: want the file beside it")
	}
	if loaded.Listen != "127.0.0.1:1" || loaded.Log != (logSettings{"json", "warn"}) || len(loaded.Sources) != 2 || len(loaded.TrustedProxies) != 2 {
		t.Errorf("got listen %s, log %+v, %d sources, %d proxies: want those of both files", loaded.Listen, loaded.Log, len(loaded.Sources), len(loaded.TrustedProxies))
	}
	for _, s := range loaded.Effective() {
		if want := map[string]string{
			"listen": "10.yaml:2:9", "log.level": "10.yaml:3:14", "tokens[2].name": "20.yaml:1:17", "logout": "curfew.yaml:2:9",
		}[s.Key]; !strings.HasSuffix(s.Origin, want) {
			t.Errorf("%s is shown as from %s, want %s", s.Key, s.Origin, want)
		}
	}
}

func TestIncludesGoWrong(t *testing.T) {
	t.Parallel()
	const main = "include: conf.d/*.yaml\nlogout: everywhere\nbrake: off\ntokens: [{name: a, scopes: [scim], secret: \"${A_SECRET}\"}]\nsources: {okta: {type: okta, secrets: [\"${A_SECRET}\"]}}\n"
	for _, c := range []struct{ what, main, more, want string }{
		{"a setting in both", main, "logout: session", `conf.d/10.yaml:1:1: logout is set at curfew.yaml:2:9 too`},
		{"a word here, a mapping there", main, "brake: {users: 9}", `conf.d/10.yaml:1:1: brake is set at curfew.yaml:3:8 too`},
		{"a name in both", main, "sources: {okta: {type: okta, secrets: [\"${B_SECRET}\"]}}", `conf.d/10.yaml:1:11: sources.okta is named at curfew.yaml:5:`},
		{"a token's name in both", main, "tokens: [{name: a, scopes: [scim], secret: \"${B_SECRET}\"}]", `conf.d/10.yaml:1:17: tokens[1].name is the name of the token at curfew.yaml:4:17 too`},
		{"a secret in both", main, "tokens: [{name: b, scopes: [scim], secret: \"${A_SECRET}\"}]", `conf.d/10.yaml:1:17: tokens[1] has a secret that the token at curfew.yaml:4:17 has too`},
		{"a token that is a source elsewhere", main, "tokens: [{name: okta, scopes: [scim], secret: \"${B_SECRET}\"}]", `curfew.yaml:5:`},
		{"a key twice in one file", main, "listen: :1\nlisten: :2", `conf.d/10.yaml:2:1: listen stands here a second time, after `},
		{"an unknown key", main, "\n\nlistne: x", `conf.d/10.yaml:3:1: listne is not a key that Curfew knows: did you mean listen?`},
		{"a bad value", main, "approvals: 7", `conf.d/10.yaml:1:12: approvals must be 1 or 2`},
		{"a secret that is no file", main, "mail: {password: \"file:none\"}", `conf.d/10.yaml:1:18: mail.password names a file that cannot be read: there is no such file`},
		{"no YAML", main, "a: [" + canary, `conf.d/10.yaml:1:`},
		{"including on", main, "include: more.yaml", `conf.d/10.yaml:1:10: include stands in an included file`},
		{"no such file", "include: conf.d/11.yaml", "", `curfew.yaml:1:10: include names a file that is not there`},
		{"no such file in a list", "include: [conf.d/*.yaml, conf.d/11.yaml]", "", `curfew.yaml:1:26: include[1] names a file that is not there`},
		{"no pattern", "include: \"conf.d/[\"", "", `curfew.yaml:1:10: include is not a pattern of files`},
		{"a folder", "include: conf.d", "", `conf.d: cannot be read: it is a folder`},
		{"an unset variable", "include: ${UNSET_HERE}/*.yaml", "", `curfew.yaml:1:10: include needs the variable UNSET_HERE`},
	} {
		f := newSettingsFolder(t, "curfew.yaml", c.main, "conf.d/10.yaml", c.more)
		if got := f.mistakes(); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
			t.Errorf("%s: got\n%s\nwant one mistake: %s", c.what, strings.Join(got, "\n"), c.want)
		}
	}
}

func TestIncludesMayMeanAFileTwice(t *testing.T) {
	t.Parallel()
	for _, main := range []string{
		"include: [conf.d/*.yaml, conf.d/10.yaml, \"conf.d/../conf.d/1*\"]", // by several patterns
		"include: \"*/10.yaml\"", "include: [\"*.yaml\", conf.d/10.yaml]", // itself among them
		"include: [none/*.yaml, \"conf.d/[0-9]?.yaml\"]", // a pattern that matches nothing
		"include: \"${FOLDER}/*.yaml\"",
	} {
		f := newSettingsFolder(t, "conf.d/10.yaml", "listen: 127.0.0.1:1\ntokens: [{name: a, scopes: [scim], secret: \"${A_SECRET}\"}]\n")
		f.write("curfew.yaml", strings.ReplaceAll(main, "${FOLDER}", filepath.Join(f.path, "conf.d")))
		loaded, err := f.load()
		if err != nil || loaded.Listen != "127.0.0.1:1" || len(loaded.Tokens) != 1 {
			t.Fatalf("%s: got %v, want the included file once", main, err)
		}
		if warned := strings.Contains(strings.Join(loaded.Warnings, "\n"), "curfew.yaml:1:11) matches no file"); warned != strings.Contains(main, "none/") {
			t.Errorf("%s: warnings %q, want one where a pattern matches nothing", main, loaded.Warnings)
		}
	}
}

// TestIncludesAreBesideTheFileThatSaysSo: not beside the shell that names the file.
func TestIncludesAreBesideTheFileThatSaysSo(t *testing.T) {
	f := newSettingsFolder(t, "etc/curfew.yaml", "include: conf.d/*.yaml", "etc/conf.d/10.yaml", "listen: 127.0.0.1:1", "conf.d/10.yaml", "listen: 127.0.0.1:2")
	t.Chdir(f.path)
	loaded, err := load(settingsInput{file: "etc/curfew.yaml", lookup: lookupIn(nil)})
	if err != nil || loaded.Listen != "127.0.0.1:1" {
		t.Fatalf("got %+v, %v; want the file in etc/conf.d", loaded, err)
	}
}
