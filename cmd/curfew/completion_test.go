package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func completionOf(t *testing.T, shellName string, lines []completedCommand) string {
	t.Helper()
	var out bytes.Buffer
	if err := writeCompletion(&out, shellName, lines); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func allCommands(t *testing.T) []completedCommand {
	t.Helper()
	lines, err := completable()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// bash completes each line in a real bash. The words of a line are parted as bash parts them: = stands by itself.
func bash(t *testing.T, script string, lines []string) []string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"curfew.bash": script, "curfew.yaml": "", "c d.yaml": ""} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := "set -u\nsource ./curfew.bash\nrm curfew.bash\nt() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=(); _curfew; local IFS='|'; echo \"${COMPREPLY[*]-}\"; }\n"
	for _, line := range lines {
		words := strings.Split(strings.TrimSuffix(strings.ReplaceAll(line, "=", " = "), "= "), " ")
		if strings.HasSuffix(line, "=") {
			words[len(words)-1] = "="
		}
		for i := range words {
			words[i] = "'" + strings.ReplaceAll(words[i], "'", `'\''`) + "'"
		}
		text += "t " + strings.Join(words, " ") + "\n"
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--norc", "--noprofile", "-c", text)
	cmd.Dir = folder
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("bash: %v\n%s", err, &errs)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(lines) {
		t.Fatalf("bash answered %d lines of %d:\n%s", len(answers), len(lines), out)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("completing a line left %v behind (%v)", left, err)
	}
	return answers
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	cases := [][2]string{
		{"curfew us", "user"},
		{"curfew user ", "show|block|lift"},
		{"curfew user b", "block"},
		{"curfew --config any.yaml --json user b", "block"},
		{"curfew --config= user b", "block"},
		{"curfew --config=any.yaml session e", "end"},
		{"curfew --config user session e", "end"}, // a value that reads like a command
		{"curfew user show --s", "--server"},
		{"curfew user show sally@example.edu --js", "--json"},
		{"curfew token portal --scope s", "scim|sessions"},
		{"curfew token portal --scope=ch", "check|changes"},
		{"curfew token portal --scope sessions --scope ch", "check|changes"},
		{"curfew revoke --kind m", "mobile"},
		{"curfew revoke --user user --k", "--kind"},
		{"curfew serve --log-format=j", "json"},
		{"curfew serve --log-format=", "text|json"},
		{"curfew serve --log-level ", "debug|info|warn|error"},
		{"curfew serve --metrics-open ", "true|false"},
		{"curfew serve --listen ", ""},
		{"curfew completion ", "bash|zsh|fish|powershell"},
		{"curfew --config c", "c d.yaml|curfew.yaml"},
		{"curfew --config=cu", "curfew.yaml"},
		{"curfew nonsense us", "user"},
		{"curfew $(touch evil) `touch evil` us", "user"},
		{"curfew --config $(touch,evil) us", "user"},
		{"curfew user * ", "show|block|lift"},
		{"curfew nothing-begins-so", ""},
	}
	lines := make([]string, len(cases))
	for i := range cases {
		lines[i] = cases[i][0]
	}
	for i, got := range bash(t, completionOf(t, "bash", allCommands(t)), lines) {
		offers := strings.Split(got, "|")
		slices.Sort(offers)
		want := strings.Split(cases[i][1], "|")
		slices.Sort(want)
		if !slices.Equal(offers, want) {
			t.Errorf("%q: bash offers %q, want %q", cases[i][0], offers, want)
		}
	}
}

// TestBashCompletesEverything: every command, flag and value there is.
func TestBashCompletesEverything(t *testing.T) {
	t.Parallel()
	var lines, wants []string
	add := func(line, want string) { lines, wants = append(lines, line), append(wants, want) }
	for _, c := range allCommands(t) {
		at := strings.TrimSpace("curfew " + c.Path)
		var flags []string
		for _, f := range c.Flags {
			flags = append(flags, f.Name)
			if len(f.Values) > 0 {
				add(at+" "+f.Name+" ", strings.Join(f.Values, "|"))
			}
		}
		add(at+" --", strings.Join(flags, "|"))
		if len(c.Words) > 0 {
			add(at+" ", names(c.Words, func(w completedWord) string { return w.Name }))
		}
	}
	for i, got := range bash(t, completionOf(t, "bash", allCommands(t)), lines) {
		if want := strings.ReplaceAll(wants[i], " ", "|"); got != want {
			t.Errorf("%q: bash offers\n%s, want\n%s", lines[i], got, want)
		}
	}
	if len(lines) < 40 {
		t.Errorf("only %d lines were completed", len(lines))
	}
}

// TestEveryShellIsToldEverything looks in each script for each command, flag and value in the form of that shell.
func TestEveryShellIsToldEverything(t *testing.T) {
	t.Parallel()
	lines := allCommands(t)
	zsh, fish, powershell := completionOf(t, "zsh", lines), completionOf(t, "fish", lines), completionOf(t, "powershell", lines)
	want := func(script, part, shellName string) {
		if !strings.Contains(script, part) {
			t.Errorf("%s is not told %q", shellName, part)
		}
	}
	for _, c := range lines {
		at := `complete -c curfew -n '__curfew_at "` + c.Path + `"'`
		_, zshHere, _ := strings.Cut(zsh, "\n    '"+c.Path+"')")
		zshHere, _, _ = strings.Cut(zshHere, ";;")
		_, powerHere, _ := strings.Cut(powershell, "\n        '"+c.Path+"' = @{")
		powerHere, _, _ = strings.Cut(powerHere, "\n        }")
		for _, w := range c.Words {
			want(zshHere, " '"+w.Name+":", "zsh, of "+c.Path)
			want(fish, at+" -a '"+w.Name+"' -d '", "fish")
			want(fish, " '"+strings.TrimSpace(c.Path+" "+w.Name)+"'", "fish")
			want(powerHere, " '"+w.Name+"' = '", "PowerShell, of "+c.Path)
		}
		for _, f := range c.Flags {
			want(zshHere, " '"+f.Name+":", "zsh, of "+c.Path)
			want(powerHere, " '"+f.Name+"' = '", "PowerShell, of "+c.Path)
			name, values := at+" -l '"+strings.TrimPrefix(f.Name, "--")+"'", strings.Join(f.Values, " ")
			switch {
			case f.Files:
				want(fish, name+" -rF -d '", "fish")
				want(zsh, "'"+c.Path+" "+f.Name+"') files=yes ;;", "zsh")
			case len(f.Values) > 0:
				want(fish, name+" -x -a '"+values+"' -d '", "fish")
				want(zsh, "'"+c.Path+" "+f.Name+"') args='"+values+"' ;;", "zsh")
				want(powerHere, " '"+f.Name+"' = '"+values+"';", "PowerShell, of "+c.Path)
			case f.Takes:
				want(fish, name+" -x -d '", "fish")
				want(zshHere, " "+f.Name+" ", "zsh, of "+c.Path)
				want(powerHere, " '"+f.Name+"' = '';", "PowerShell, of "+c.Path)
			default:
				want(fish, name+" -d '", "fish")
			}
		}
		if values := strings.Join(c.Values, " "); values != "" {
			want(zshHere, "args='"+values+"'", "zsh, of "+c.Path)
			want(fish, at+" -a '"+values+"'", "fish")
			want(powerHere, "Values = '"+values+"'", "PowerShell, of "+c.Path)
		}
	}
	want(zsh, "#compdef curfew\n", "zsh")
	want(powershell, "Register-ArgumentCompleter -Native -CommandName curfew", "PowerShell")
}

// TestNoHelpEndsItsQuotes: whatever a help says, a script shows it and runs none of it.
func TestNoHelpEndsItsQuotes(t *testing.T) {
	t.Parallel()
	evil := []completedCommand{{Words: []completedWord{{"one", `it's: a "b" $(touch evil) \ ’x`}}}}
	for shellName, want := range map[string]string{
		"zsh":        `'one:it'\''s\: a "b" $(touch evil) \ ’x'`,
		"fish":       `-d 'it\'s: a "b" $(touch evil) \\ ’x'`,
		"powershell": `'one' = 'it''s: a "b" $(touch evil) \ ’’x';`,
	} {
		if got := completionOf(t, shellName, evil); !strings.Contains(got, want+"\n") && !strings.Contains(got, want+" ") {
			t.Errorf("%s: got\n%s\nwant %s in it", shellName, got, want)
		}
	}
	if got := completionOf(t, "bash", evil); strings.Contains(got, "touch") {
		t.Errorf("bash shows no help, and the script holds one:\n%s", got)
	}
}

func TestCompletionNeedsAShellItKnows(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, shell{out: &out, err: &errs, lookup: lookupIn(nil)}); code != exitUsage || out.Len() > 0 {
			t.Errorf("curfew %s: got exit code %d and %q, want 2 and nothing", strings.Join(args, " "), code, &out)
		}
	}
}
