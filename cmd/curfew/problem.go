package main

import (
	"fmt"
	"slices"
	"strings"
)

// position is where a setting stands. A setting from a variable or a flag has only a name there.
type position struct {
	file         string // or CURFEW_NAME, or --name
	line, column int
}

func (p position) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column)
}

// problem is one mistake in the settings. It never holds a value from the file: the value may be a secret on the wrong line.
type problem struct {
	at      position
	key     string
	what    string
	example string
}

func (p problem) String() string {
	var b strings.Builder
	if p.at != (position{}) {
		b.WriteString(p.at.String() + ": ")
	}
	if p.key != "" {
		b.WriteString(p.key + " ")
	}
	b.WriteString(p.what)
	if p.example != "" {
		b.WriteString("; write for example " + p.example)
	}
	return b.String()
}

// badConfig is every mistake in the settings at once.
type badConfig []problem

func (b badConfig) Error() string {
	lines := make([]string, len(b))
	for i, p := range b {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders problems as a reader meets them: by file, then line.
func (b badConfig) sorted() badConfig {
	slices.SortStableFunc(b, func(x, y problem) int {
		if c := strings.Compare(x.at.file, y.at.file); c != 0 {
			return c
		}
		if x.at.line != y.at.line {
			return x.at.line - y.at.line
		}
		return x.at.column - y.at.column
	})
	return b
}
