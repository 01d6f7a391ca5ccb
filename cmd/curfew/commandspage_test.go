package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var writePages = flag.Bool("write-pages", false, "write docs/commands.md anew")

// TestCommandsPage holds docs/commands.md against what the commands say of themselves.
func TestCommandsPage(t *testing.T) {
	t.Parallel()
	const page = "../../docs/commands.md"
	want := commandsPage(model(t))
	if *writePages {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	have, wanted := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i := range min(len(have), len(wanted)) {
		if have[i] != wanted[i] {
			t.Fatalf("docs/commands.md is stale at line %d: got\n%s\nwant\n%s\nWrite it anew: go test ./cmd/curfew -run TestCommandsPage -write-pages", i+1, have[i], wanted[i])
		}
	}
	if len(have) != len(wanted) {
		t.Errorf("docs/commands.md has %d lines, want %d: go test ./cmd/curfew -run TestCommandsPage -write-pages", len(have), len(wanted))
	}
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := new(commands).parser(newSettingFlags())
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

const commandsPageStart = `# Commands

Made from the program's own help (` + "`curfew --help`, `curfew user block --help`" + `); a test holds the two together.

Data goes to standard output and everything else to standard error. With ` + "`--json`" + ` data is JSON, as the API says it.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed: the server does not answer, the settings have mistakes, or something that was asked for did not come about |
| 2 | used wrongly: a flag that nobody knows, a value that cannot be |
| 3 | not found: nobody and nothing is known by that name |
| 4 | refused: by the token's scope, by a conflict, or because a person must approve or give the number of what ends |

`

const commandsPageRemote = `## Flags of every command

A command that is about people, sessions, deliveries, sources or targets speaks to the running server over its API: the one at ` + "`--server`" + `,
else at the ` + "`public_url`" + ` of the settings, with the token of ` + "`--token-file`, else of `CURFEW_TOKEN`" + `, else the first ` + "`admin`" + ` token of the
settings whose secret stands there. A token is never a flag: every process can read a command line.

`

const commandsPageSettings = `## Flags for settings

` + "`serve`, `check` and `migrate`" + ` take every setting outside lists and named mappings as a flag too, over the file and over ` + "`CURFEW_…`" + `
([configuration](configuration.md)).

`

// commandsPage is the whole page.
func commandsPage(app *kong.Application) string {
	var b strings.Builder
	b.WriteString(commandsPageStart)
	b.WriteString("| command | what |\n|---|---|\n")
	leaves := app.Leaves(true)
	for _, n := range leaves {
		_, _ = fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", n.Path(), strings.ReplaceAll(n.Path(), " ", "-"), n.Help)
	}
	b.WriteString("\n" + commandsPageRemote)
	writeFlags(&b, app.Flags)
	var settings []*kong.Flag
	for _, n := range leaves {
		_, _ = fmt.Fprintf(&b, "## %s\n\n%s\n\n    %s\n", n.Path(), n.Help, usageOf(app, n))
		writeDetail(&b, n.Detail)
		if len(n.Positional) > 0 {
			b.WriteString("\n| argument | what |\n|---|---|\n")
			for _, v := range n.Positional {
				_, _ = fmt.Fprintf(&b, "| `%s` | %s |\n", v.Summary(), cell(v.Help))
			}
		}
		own := slices.Clone(n.Flags)
		if slices.ContainsFunc(own, isSetting) {
			settings = slices.DeleteFunc(slices.Clone(own), func(f *kong.Flag) bool { return !isSetting(f) })
		}
		if own = slices.DeleteFunc(own, isSetting); len(own) > 0 {
			b.WriteString("\n")
			writeFlags(&b, own)
		} else {
			b.WriteString("\n")
		}
	}
	b.WriteString(commandsPageSettings)
	writeFlags(&b, settings)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func isSetting(f *kong.Flag) bool { return f.Group != nil }

// usageOf is the line that help begins with, without the flags of every command.
func usageOf(app *kong.Application, n *kong.Node) string {
	line := app.Name + " " + n.Path()
	for _, f := range n.Flags {
		if f.Required {
			line += " " + f.Summary()
		}
	}
	for _, v := range n.Positional {
		line += " " + v.Summary()
	}
	if len(n.Flags) > 0 {
		line += " [flags]"
	}
	return line
}

// writeDetail writes what a command says of itself, paragraph by paragraph: indented ones are examples.
func writeDetail(b *strings.Builder, text string) {
	for block := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if strings.HasPrefix(block, "  ") {
			block = "```sh\n" + strings.ReplaceAll("\n"+block, "\n  ", "\n")[1:] + "\n```"
		}
		b.WriteString("\n" + block + "\n")
	}
}

func writeFlags(b *strings.Builder, flags []*kong.Flag) {
	b.WriteString("| flag | what |\n|---|---|\n")
	for _, f := range flags {
		help := f.Help
		if values := valuesOf(f.Value); len(values) > 0 && !strings.Contains(strings.ToLower(help), values[0]+",") && !strings.Contains(strings.ToLower(help), values[0]+" or") {
			help += " One of " + strings.Join(values, ", ") + "."
		}
		if f.HasDefault {
			help += " When absent: " + f.Default + "."
		}
		if f.Required {
			help += " Needed."
		}
		_, _ = fmt.Fprintf(b, "| `%s` | %s |\n", f.Summary(), cell(help))
	}
	b.WriteString("\n")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// TestExamplesCanBeTyped reads the examples of every help as the program would.
func TestExamplesCanBeTyped(t *testing.T) {
	t.Parallel()
	for _, n := range model(t).Leaves(true) {
		found := 0
		for line := range strings.SplitSeq(n.Detail, "\n") {
			line, example := strings.CutPrefix(line, "  ")
			if !example {
				continue
			}
			line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
			for _, end := range []string{" > ", " | ", "    "} {
				line, _, _ = strings.Cut(line, end)
			}
			words := wordsOfLine(line)
			if len(words) == 0 || words[0] != "curfew" {
				t.Errorf("%s: the example %q does not begin with curfew", n.Path(), line)
				continue
			}
			if strings.HasPrefix(line, "curfew "+strings.TrimPrefix(n.Path(), "curfew ")) {
				found++
			}
			parser, err := new(commands).parser(newSettingFlags())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(words[1:]); err != nil {
				t.Errorf("%s: the example %q: %v", n.Path(), line, err)
			}
		}
		if found == 0 {
			t.Errorf("%s: its help shows no example of it", n.Path())
		}
	}
}

// wordsOfLine parts a line as a shell does, as far as quotes go.
func wordsOfLine(line string) []string {
	var out []string
	quoted, open := "", false
	for part := range strings.SplitSeq(line, `"`) {
		if open {
			quoted += part
			out = append(out, quoted)
			quoted = ""
		} else {
			fields := strings.Fields(part)
			out = append(out, fields...)
		}
		open = !open
	}
	return out
}
