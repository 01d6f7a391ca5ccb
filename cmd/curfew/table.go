package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

// table prints rows, the first of them the heads of the columns where there are any. What others named does not move the
// cursor.
func (sh *shell) table(rows ...[]string) error {
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = plainText(cell)
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// known leaves the rows out that have nothing to say.
func known(rows ...[]string) [][]string {
	var out [][]string
	for _, row := range rows {
		if row[1] != "" {
			out = append(out, row)
		}
	}
	return out
}

// plainText keeps what others named from moving the cursor.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// answered prints what the server answered: with --json as it is, else in words.
func answered[T any](sh *shell, raw json.RawMessage, inWords func(*T) error) error {
	if sh.json {
		return sh.printJSON(raw)
	}
	var out T
	if err := json.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return inWords(&out)
}

// answeredList prints a list: with --json in the form of the API, else as a table with a row for each item.
func answeredList[T any](sh *shell, raw []json.RawMessage, head []string, row func(*T) []string) error {
	if sh.json {
		if raw == nil {
			raw = []json.RawMessage{}
		}
		return sh.printJSON(map[string]any{"items": raw, "next": nil})
	}
	rows := [][]string{head}
	for _, each := range raw {
		var item T
		if err := json.Unmarshal(each, &item); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		rows = append(rows, row(&item))
	}
	return sh.table(rows...)
}
