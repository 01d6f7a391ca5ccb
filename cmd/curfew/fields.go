package main

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// examples are good values of keys that the types of sources and targets bring without one.
var examples = map[string]string{
	"type": "webhook", "url": "https://portal.example.edu/logout", "org": "main", "insecure": "true", "rate": "10/s", "concurrency": "4", "recheck": "15m",
	"secret": `"${PORTAL_HOOK}"`, "secrets": `["${OKTA_HOOK_SECRET}"]`, "token": `"${CANVAS_TOKEN}"`, "header": "X-Curfew-Secret",
}

func exampleOf(f reflect.StructField, key string) string {
	return cmp.Or(f.Tag.Get("example"), examples[key])
}

// required and leastOf read the tags that types of sources and targets write for the validator.
func required(f reflect.StructField) bool {
	return f.Tag.Get("required") == "true" || slices.Contains(strings.Split(f.Tag.Get("validate"), ","), "required")
}

func leastOf(f reflect.StructField) int64 {
	for rule := range strings.SplitSeq(f.Tag.Get("validate"), ",") {
		if text, ok := strings.CutPrefix(rule, "min="); ok {
			least, _ := strconv.ParseInt(text, 10, 64)
			return least
		}
	}
	return 0
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// settingsOf returns the fields of a struct of settings by key, those of embedded structs too.
func settingsOf(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			continue
		}
		out[name] = f
	}
	return out
}

// nearest returns the known word that a typing slip would make of word, empty when none is near.
func nearest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if n := slips(word, k); n < distance {
			best, distance = k, n
		}
	}
	return best
}

// slips counts the letters to insert, drop or replace that make b of a.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
