package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// Help shows an example.
func (completionCommand) Help() string {
	return `Prints a script for the shell; for the one that is open, or for every one that is opened later:

  source <(curfew completion bash)
  curfew completion bash > /etc/bash_completion.d/curfew
  curfew completion zsh > "${fpath[1]}/_curfew"
  curfew completion fish > ~/.config/fish/completions/curfew.fish
  curfew completion powershell | Out-String | Invoke-Expression`
}

// Run prints the script.
func (c completionCommand) Run(sh *shell) error {
	lines, err := completable()
	if err != nil {
		return err
	}
	return writeCompletion(sh.out, c.Shell, lines)
}

func writeCompletion(w io.Writer, shell string, lines []completedCommand) error {
	if err := completionScripts.ExecuteTemplate(w, shell, lines); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// completedCommand is a command as far as a shell completes it.
type completedCommand struct {
	Path   string // "user show"; empty for curfew itself
	Words  []completedWord
	Flags  []completedFlag
	Values []string // of its argument
	Files  bool     // its argument is a file
}

type completedWord struct{ Name, Help string }

type completedFlag struct {
	completedWord
	Takes  bool // a value follows
	Values []string
	Files  bool
}

// completable lists every command, curfew itself first. The flags of a command are its own and those of everybody.
func completable() ([]completedCommand, error) {
	parser, err := new(commands).parser(newSettingFlags())
	if err != nil {
		return nil, err
	}
	var out []completedCommand
	var walk func(n *kong.Node, path []string)
	walk = func(n *kong.Node, path []string) {
		c := completedCommand{Path: strings.Join(path, " ")}
		for _, flags := range n.AllFlags(true) {
			for _, f := range flags {
				c.Flags = append(c.Flags, completedFlag{completedWord{"--" + f.Name, f.Help}, !f.IsBool(), valuesOf(f.Value), isFile(f.Value)})
			}
		}
		slices.SortFunc(c.Flags, func(a, b completedFlag) int { return cmp.Compare(a.Name, b.Name) })
		for _, v := range n.Positional {
			c.Values, c.Files = append(c.Values, valuesOf(v)...), c.Files || isFile(v)
		}
		for _, sub := range n.Children {
			c.Words = append(c.Words, completedWord{sub.Name, sub.Help})
		}
		out = append(out, c)
		for _, sub := range n.Children {
			walk(sub, append(slices.Clip(path), sub.Name))
		}
	}
	walk(parser.Model.Node, nil)
	return out, nil
}

// valuesOf lists what a flag or argument can be, where that is a closed set.
func valuesOf(v *kong.Value) []string {
	switch named := v.Tag.Get("values"); {
	case v.Enum != "":
		return v.EnumSlice()
	case wordLists()[named] != nil:
		return wordLists()[named]
	default:
		return strings.Fields(named)
	}
}

func isFile(v *kong.Value) bool {
	return v.Tag.PlaceHolder == "FILE" || v.Name == "file"
}

func names[T any](list []T, name func(T) string) string {
	out := make([]string, len(list))
	for i, each := range list {
		out[i] = name(each)
	}
	return strings.Join(out, " ")
}

var completionScripts = template.Must(template.New("").Funcs(template.FuncMap{
	"words": func(list []completedWord) string { return names(list, func(w completedWord) string { return w.Name }) },
	"flags": func(list []completedFlag) string { // one that takes a value ends in =
		return names(list, func(f completedFlag) string {
			if f.Takes {
				return f.Name + "="
			}
			return f.Name
		})
	},
	"join": func(list []string) string { return strings.Join(list, " ") },
	"bare": func(flag string) string { return strings.TrimPrefix(flag, "--") },
	// Each shell has its own way to let a quote stand in a quoted text.
	"zsh":        strings.NewReplacer(`'`, `'\''`, `:`, `\:`).Replace,
	"fish":       strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace,
	"powershell": strings.NewReplacer(`'`, `''`, "’", "’’", "‘", "‘‘").Replace,
}).Parse(completionTexts))
