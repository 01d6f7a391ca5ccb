package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// paste writes what the commands of the documentation really print into its pages, in place of what stands there:
//
//	go test ./cmd/curfew -run TestProgram/pages -paste
var paste = flag.Bool("paste", false, "write what the commands of the documentation print into its pages")

// pagesThatType are the pages whose console blocks are run, each from its first to its last against a server of its own. In such a
// block a line that begins with "$ " is a command, which goes on behind a backslash, inside of quotes, and in lines that begin with "> ";
// what follows is what it prints. What is different each time (ids, instants, durations) only has to be of its form; an id that
// stands in a later command is taken for the one that came in its place.
//
// Comments prepare what a person would find: <!-- session: {"id": "s-1", "kind": "mobile"} --> registers a session of Sally.
// A block of `yaml settings` holds the settings that the page asks for, beside those of docs/README.md. A comment such as
// <!-- portal: 422 --> lets the imitation application answer so from then on, <!-- wait: parked --> waits until a delivery
// is in that state, and <!-- wait: reloaded --> until the settings were read again.
func pagesThatType(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, folder := range []string{"developers", "operators"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "docs", folder, "*.md"))
		if err != nil || len(found) == 0 {
			t.Fatalf("docs/%s holds no page (%v)", folder, err)
		}
		all = append(all, found...)
	}
	for _, name := range []string{"README.md", "docs/README.md", "docs/alarms.md"} {
		all = append(all, filepath.Join("..", "..", filepath.FromSlash(name)))
	}
	return all
}

// secretsOfPages is what the documentation's settings and commands take from the environment.
func secretsOfPages() map[string]string {
	return map[string]string{
		"DIRECTORY_TOKEN": directoryToken, "PORTAL_TOKEN": portalToken, "GATEWAY_TOKEN": gatewayToken, "OPS_TOKEN": opsToken,
		"SOC_TOKEN": "soc-0123456789abcdef", "NORTH_TOKEN": "north-0123456789abcdef", "PROMETHEUS_TOKEN": "prometheus-0123456789abcdef",
		"OKTA_HOOK_SECRET": oktaSecret, "PORTAL_HOOK": portalHook, "ALARM_HOOK": portalHook, "NEW_PORTAL_TOKEN": "new-portal-0123456789abcdef",
	}
}

func (p program) pages(t *testing.T) {
	t.Helper()
	t.Parallel()
	for _, file := range pagesThatType(t) {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := p.tryPage(t, string(text))
			if *paste && got != string(text) {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// exchange is a command of a page, and what it prints there.
type exchange struct {
	before  []string // lines of the page before it
	command []string // its lines as the page shows them
	said    []string
	wait    string   // what to wait for first
	portal  int      // how the application answers from here on
	signIns []string // the members of sessions that are registered first
}

var (
	waitComment  = regexp.MustCompile(`^<!-- wait: (\w+) -->$`)
	otherComment = regexp.MustCompile(`^<!-- portal: (\d+) -->$`)
	signComment  = regexp.MustCompile(`^<!-- session: \{(.*)\} -->$`)
)

// exchanges takes a page apart. What follows the last command comes back as rest.
func exchanges(t *testing.T, text string) (all []exchange, rest []string) {
	t.Helper()
	var next exchange
	inside, quoted := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		last := len(all) - 1
		switch {
		case !inside && line == "```console":
			inside = true
			next.before = append(next.before, line)
		case !inside:
			if m := waitComment.FindStringSubmatch(line); m != nil {
				next.wait = m[1]
			}
			if m := otherComment.FindStringSubmatch(line); m != nil {
				next.portal, _ = strconv.Atoi(m[1])
			}
			if m := signComment.FindStringSubmatch(line); m != nil {
				next.signIns = append(next.signIns, m[1])
			}
			next.before = append(next.before, line)
		case line == "```":
			inside, next = false, exchange{before: []string{line}}
		case strings.HasPrefix(line, "$ "):
			next.command = []string{line}
			all, next = append(all, next), exchange{}
			quoted = goesOn(all[last+1].command)
		case quoted || last >= 0 && len(all[last].said) == 0 && strings.HasPrefix(line, "> "):
			all[last].command = append(all[last].command, line)
			quoted = goesOn(all[last].command)
		case last < 0 || len(next.before) > 0:
			t.Fatalf("a console block begins with %q, which is no command", line)
		default:
			all[last].said = append(all[last].said, line)
		}
	}
	return all, next.before
}

// goesOn reports whether a command goes on in the next line: behind a backslash, or inside of quotes.
func goesOn(command []string) bool {
	text := strings.ReplaceAll(strings.Join(command, "\n"), `\'`, "")
	return strings.HasSuffix(text, `\`) || strings.Count(text, "'")%2 == 1
}

// typed is what a person types.
func (e *exchange) typed() string {
	lines := slices.Clone(e.command)
	lines[0] = strings.TrimPrefix(lines[0], "$ ")
	for i := range lines[1:] {
		if !goesOn(e.command[:i+1]) {
			lines[i+1] = strings.TrimPrefix(lines[i+1], "> ")
		}
	}
	return strings.Join(lines, "\n")
}

// tryPage runs the page's commands and returns the page with what they print.
func (p program) tryPage(t *testing.T, text string) string {
	t.Helper()
	all, rest := exchanges(t, text)
	var out []string
	if len(all) == 0 {
		return text
	}
	folder := t.TempDir()
	var answers atomic.Int64
	answers.Store(http.StatusNoContent)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(answers.Load()))
	}))
	t.Cleanup(app.Close)
	file := settingsOfPage(t, folder, text, app.URL)
	r := p.start(t, file)
	sh := p.prompt(t, r, folder)
	known := map[string]string{} // what stands on the page, and what came in its place
	for _, e := range all {
		if e.portal != 0 {
			answers.Store(int64(e.portal))
		}
		for _, members := range e.signIns {
			if a := r.post("/v1/sessions", portalToken, `{"subject": {"format": "email", "email": "`+sally+`"}, `+members+`}`); a.status != http.StatusCreated {
				t.Fatalf("register {%s}: got %d %s", members, a.status, a.body)
			}
		}
		if e.wait != "" {
			eventually(t, e.wait, func() bool { return r.awaited(e.wait) })
		}
		typed := varying.ReplaceAllStringFunc(e.typed(), func(s string) string {
			if here, ok := known[s]; ok {
				return here
			}
			return s
		})
		got := readable(strings.ReplaceAll(sh(typed), r.base, "http://127.0.0.1:8080"))
		want := strings.Join(e.said, "\n")
		if !*paste && steady(got) != steady(want) {
			t.Errorf("%s\nprints\n%s\nand not, as the page says,\n%s", e.typed(), got, want)
		}
		news, olds := varying.FindAllString(got, -1), varying.FindAllString(want, -1)
		for i := range min(len(news), len(olds)) {
			known[olds[i]] = news[i]
		}
		if *paste {
			for _, s := range news { // from here on the page speaks of these
				known[s] = s
			}
			e.said = nil
			if got != "" {
				e.said = strings.Split(got, "\n")
			}
			for i, line := range e.command {
				e.command[i] = varying.ReplaceAllStringFunc(line, func(s string) string {
					if here, ok := known[s]; ok {
						return here
					}
					return s
				})
			}
		}
		out = slices.Concat(out, e.before, e.command, e.said)
	}
	return strings.Join(append(out, rest...), "\n") + "\n"
}

// awaited reports whether a thing that a page waits for has happened: the settings were reloaded, or a delivery is in a state.
func (r *running) awaited(what string) bool {
	if what == "reloaded" {
		return strings.Contains(r.log.String(), `"settings were read again",`)
	}
	var found page[json.RawMessage]
	a := r.get("/v1/deliveries?state="+what, "Bearer "+opsToken)
	return json.Unmarshal(a.body, &found) == nil && len(found.Items) > 0
}

// varying is what differs each time.
var varying = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
	`|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)` + `|\b[0-9a-f]{64}\b|\b1[789]\d{8}\b|\bc(urfew|ft)_[0-9A-Za-z_-]{20,}|\b[2-7A-Z]{52}\b`)

var (
	durations = regexp.MustCompile(`\b\d+(\.\d+)? ?(ms|µs)\b|\b(\d+h)?\d+m\d+s\b|"took_ms": ?\d+`)
	spaces    = regexp.MustCompile(`\s+`)
)

// steady is a text without what differs each time.
func steady(text string) string {
	text = varying.ReplaceAllStringFunc(text, func(s string) string {
		switch {
		case strings.HasPrefix(s, "c") && strings.Contains(s, "_"):
			return "<token>"
		case len(s) == 52 && strings.ToUpper(s) == s && !strings.Contains(s, "-"):
			return "<link>"
		case len(s) == 64:
			return "<hash>"
		case strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "UTC"):
			return "<instant>"
		case !strings.Contains(s, "-"):
			return "<seconds>"
		}
		return "<id>"
	})
	return spaces.ReplaceAllString(durations.ReplaceAllString(text, "<duration>"), " ")
}

// readable breaks JSON into lines that a page can show.
func readable(text string) string {
	text = strings.TrimRight(text, "\n")
	if !json.Valid([]byte(text)) || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return text
	}
	return spread(json.RawMessage(text), "")
}

const pageWidth = 110

// spread writes JSON on one line where it is short, else a line for each member.
func spread(raw json.RawMessage, indent string) string {
	if raw[0] != '{' && raw[0] != '[' {
		return string(raw)
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	opening, _ := in.Token()
	var members []string
	for in.More() {
		var member string
		if opening == json.Delim('{') {
			name, _ := in.Token()
			member = strconv.Quote(name.(string)) + ": "
		}
		var value json.RawMessage
		_ = in.Decode(&value)
		members = append(members, member+spread(value, indent+"  "))
	}
	closing, _ := in.Token()
	if line := fmt.Sprint(opening) + strings.Join(members, ", ") + fmt.Sprint(closing); len(indent)+len(line) <= pageWidth && !strings.Contains(line, "\n") {
		return line
	}
	return fmt.Sprint(opening) + "\n" + indent + "  " + strings.Join(members, ",\n"+indent+"  ") + "\n" + indent + fmt.Sprint(closing)
}

var (
	settingsBlock = regexp.MustCompile("(?s)```yaml settings\n(.*?)```")
	topLevel      = regexp.MustCompile(`(?m)^[a-z_]+:`)
	secretName    = regexp.MustCompile(`\$\{(\w+)\}`)
)

// settingsOfPage writes curfew.yaml: the settings of docs/README.md, with the page's own in the place of those of the same key.
func settingsOfPage(t *testing.T, folder, text, app string) string {
	t.Helper()
	index, err := os.ReadFile(filepath.Join("..", "..", "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, from := range []string{string(index), text, "```yaml settings\nlisten: 127.0.0.1:0\ndatabase: sqlite:" + filepath.Join(folder, "curfew.db") + "\nlog: {format: json}\n```"} {
		for _, block := range settingsBlock.FindAllStringSubmatch(from, -1) {
			starts := append(topLevel.FindAllStringIndex(block[1], -1), []int{len(block[1])})
			for i, at := range starts[:len(starts)-1] {
				keys[block[1][at[0]:at[1]]] = block[1][at[0]:starts[i+1][0]]
			}
		}
	}
	secrets := secretsOfPages()
	var all string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		all += strings.TrimRight(keys[key], "\n") + "\n"
	}
	all = strings.ReplaceAll(all, "http://127.0.0.1:9000", app)
	all = secretName.ReplaceAllStringFunc(all, func(s string) string {
		secret, ok := secrets[secretName.FindStringSubmatch(s)[1]]
		if !ok {
			t.Fatalf("the page's settings ask for %s, which the test does not set", s)
		}
		return secret
	})
	file := filepath.Join(folder, "curfew.yaml")
	if err := os.WriteFile(file, []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// prompt starts one bash for a page and returns how to type into it and read what it prints.
func (p program) prompt(t *testing.T, r *running, folder string) func(command string) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	sh := exec.CommandContext(ctx, "bash", "--noprofile", "--norc")
	sh.Dir = folder
	sh.Env = []string{"PATH=" + filepath.Dir(p.path) + ":" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C.UTF-8", "CURFEW_PUBLIC_URL=" + r.base, "CURFEW_PID=" + strconv.Itoa(r.cmd.Process.Pid)}
	for name, secret := range secretsOfPages() {
		sh.Env = append(sh.Env, name+"="+secret)
	}
	in, err := sh.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := sh.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sh.Start(); err != nil {
		t.Fatalf("start bash, which the documentation's commands are for: %v", err)
	}
	t.Cleanup(func() { stop(); _ = sh.Wait() })
	lines := bufio.NewReader(out)
	return func(command string) string {
		command = strings.ReplaceAll(command, "http://127.0.0.1:8080", r.base)
		_, _ = fmt.Fprintf(in, "{ %s\n} </dev/null 2>&1; code=$?; echo; echo it is over; (exit $code)\n", command)
		var said strings.Builder
		for {
			line, err := lines.ReadString('\n')
			if line == "it is over\n" {
				return strings.TrimSuffix(said.String(), "\n")
			}
			said.WriteString(line)
			if err != nil {
				t.Fatalf("bash ended at\n%s\nafter it had printed\n%s", command, &said)
			}
		}
	}
}
