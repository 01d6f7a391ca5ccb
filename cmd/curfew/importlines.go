package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// importLine is one registration of a file.
type importLine struct {
	number int    // where it begins in the file, from one
	text   []byte // a JSON object; nil: it was refused here
	why    string // it was refused
	again  bool   // it names its session, so that sending it twice registers one
}

const longestLine = 1 << 20 // no body may be longer

// importLines calls each with the registrations that r holds: JSON, an object a line, or CSV, which does not begin with {.
func importLines(r io.Reader, app string, each func(importLine) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // spreadsheets begin a file so
	}
	start, err := in.Peek(1)
	for empty := 1; err == nil && bytes.ContainsAny(start[empty-1:], " \t\r\n") && empty < in.Size(); {
		empty++
		start, err = in.Peek(empty)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the file: %w", err)
	}
	if len(start) > 0 && start[len(start)-1] == '{' || len(bytes.TrimSpace(start)) == 0 {
		return importJSON(in, app, each)
	}
	return importCSV(in, app, each)
}

func importJSON(in *bufio.Reader, app string, each func(importLine) error) error {
	for number := 1; ; number++ {
		text, tooLong, last, err := oneLine(in)
		if err != nil {
			return fmt.Errorf("read line %d: %w", number, err)
		}
		text = bytes.TrimSpace(text)
		line := importLine{number: number, text: text}
		switch {
		case tooLong:
			line = importLine{number: number, why: "longer than 1 MiB"}
		case len(text) > 0:
			line.text, line.again = completed(text, app)
		}
		if line.why != "" || len(line.text) > 0 {
			if err := each(line); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// oneLine reads to the end of a line. Of one that is too long it keeps nothing.
func oneLine(in *bufio.Reader) (text []byte, tooLong, last bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if !tooLong {
			text = append(text, part...)
		}
		if len(text) > longestLine {
			text, tooLong = nil, true
		}
		switch {
		case errors.Is(err, io.EOF):
			return text, tooLong, true, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return text, tooLong, false, err
		}
	}
}

// completed adds the app to a registration that has none, and reports whether it names its session. What is no object the
// server refuses.
func completed(text []byte, app string) ([]byte, bool) {
	var has struct{ App, ID, Token json.RawMessage }
	if err := json.Unmarshal(text, &has); err != nil {
		return text, true
	}
	if app != "" && has.App == nil {
		rest := bytes.TrimSpace(text[1:])
		name, _ := json.Marshal(app) // a string can be written
		comma := ","
		if rest[0] == '}' {
			comma = ""
		}
		text = append(fmt.Appendf(nil, `{"app":%s%s`, name, comma), rest...)
	}
	return text, has.ID != nil || has.Token != nil
}

// importCSV reads a table whose first row names the members, those within others with a dot: device.id. A cell that is
// empty is a member that is not there.
func importCSV(in io.Reader, app string, each func(importLine) error) error {
	table := csv.NewReader(in)
	table.ReuseRecord, table.TrimLeadingSpace = true, true
	header, err := table.Read()
	if err != nil {
		return usage("the first row does not name the members of a registration: %v", csvReason(err))
	}
	var columns [][]string
	for _, name := range header {
		columns = append(columns, strings.Split(strings.ToLower(strings.TrimSpace(name)), "."))
	}
	table.FieldsPerRecord = len(columns)
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line := importLine{}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			line.number, line.why = wrong.StartLine, csvReason(err).Error()
		} else if err != nil {
			return fmt.Errorf("read the file: %w", err)
		} else {
			line.number, _ = table.FieldPos(0)
			text, err := object(columns, row)
			if err != nil {
				return err
			}
			line.text, line.again = completed(text, app)
		}
		if err := each(line); err != nil {
			return err
		}
	}
}

func csvReason(err error) error {
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		return wrong.Err // the rest repeats the place
	}
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	return err
}

// object makes a registration of a row. What a subject's members are says which format it has.
func object(columns [][]string, row []string) ([]byte, error) {
	out := map[string]any{}
	for i, path := range columns {
		if row[i] == "" {
			continue
		}
		if len(path) == 1 && path[0] == "email" {
			path = []string{"subject", "email"}
		}
		at := out
		for _, name := range path[:len(path)-1] {
			inner, ok := at[name].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[name] = inner
			}
			at = inner
		}
		at[path[len(path)-1]] = row[i]
	}
	if subject, ok := out["subject"].(map[string]any); ok && subject["format"] == nil {
		for member, format := range map[string]string{"email": "email", "sub": "iss_sub", "id": "opaque", "uri": "account", "phone_number": "phone_number"} {
			if subject[member] != nil {
				subject["format"] = format
			}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write a row as JSON: %w", err)
	}
	return text, nil
}
