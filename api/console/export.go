package console

import (
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"

	"curfew/revoke"
)

// exported answers with a list as a file, when the address asks for one by format=json or format=csv, and reports whether it did.
func (v *visit) exported(list any) bool {
	switch v.r.URL.Query().Get("format") {
	case "json":
		v.w.Header().Set("Content-Type", "application/json")
		v.w.Header().Set("Content-Disposition", `attachment; filename="curfew.json"`)
		_ = json.NewEncoder(v.w).Encode(list) // a browser that has gone needs no answer
	case "csv":
		v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		v.w.Header().Set("Content-Disposition", `attachment; filename="curfew.csv"`)
		w := csv.NewWriter(v.w)
		for _, row := range table(reflect.ValueOf(list).FieldByName("Items")) {
			_ = w.Write(row) // as above
		}
		w.Flush()
	default:
		return false
	}
	return true
}

// table makes rows of a list of structs: the names of the members first, then their values as text.
func table(items reflect.Value) [][]string {
	of := items.Type().Elem()
	var head []string
	for f := range of.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		head = append(head, name)
	}
	rows := [][]string{head}
	for i := range items.Len() {
		var row []string
		for _, f := range items.Index(i).Fields() {
			row = append(row, cell(f))
		}
		rows = append(rows, row)
	}
	return rows
}

// cell is a value as text that no spreadsheet takes for a formula (OWASP, CSV injection).
func cell(value reflect.Value) string {
	text := ""
	switch x := value.Interface().(type) {
	case string:
		text = x
	case revoke.Instant:
		if x != 0 {
			text = x.String()
		}
	default:
		raw, err := json.Marshal(x)
		if err != nil {
			return ""
		}
		text = strings.Trim(string(raw), `"`)
	}
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		text = "'" + text
	}
	return text
}
