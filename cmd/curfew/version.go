package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// Help shows an example.
func (versionCommand) Help() string { return "  curfew version --json" }

// Run prints what this program is.
func (versionCommand) Run(sh *shell) error {
	v := thisVersion()
	if sh.json {
		return sh.printJSON(v)
	}
	_, err := fmt.Fprintf(sh.out, "curfew %s%s %s %s\n", v.Version, v.commit(), v.Go, v.Platform)
	return err
}

type programVersion struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (v programVersion) commit() string {
	if len(v.Commit) < 12 {
		return ""
	}
	return " (" + v.Commit[:12] + ")"
}

// thisVersion reads what the Go tool wrote into the program.
func thisVersion() programVersion {
	out := programVersion{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		out.Version = cmp.Or(info.Main.Version, out.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				out.Commit = s.Value
			}
		}
	}
	return out
}
