package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/revoke"
)

// origin says where a setting came from and, for a secret, by which reference.
type origin struct {
	at        position
	reference string // "${NAME}" or "file:PATH" when the value itself stands elsewhere
}

func (o origin) String() string {
	if o.reference != "" {
		return o.at.String() + " from " + o.reference
	}
	return o.at.String()
}

// decoder fills settings from nodes. Structs say by the tag yaml what a key is called, by example what a good value looks
// like, by oneof which values there are, and by required that it must be there.
type decoder struct {
	lookup   func(string) (string, bool) // the environment
	problems badConfig
	origins  map[string]origin // by key, for everything that was set
	known    []string          // keys that stand beside those of the struct being decoded
}

// custom settings decode themselves, because their shape depends on one of their keys.
type custom interface {
	decodeSettings(d *decoder, key string, n *node)
}

// worded settings are mappings that may also be one word.
type worded interface{ setWord(word string) error }

func (d *decoder) problem(at position, key, what, example string) {
	d.problems = append(d.problems, problem{at, key, what, example})
}

// value decodes n into v. example is a good value, in words of the file.
func (d *decoder) value(key string, n *node, v reflect.Value, example string) {
	if c, ok := v.Addr().Interface().(custom); ok {
		c.decodeSettings(d, key, n)
		return
	}
	if w, ok := v.Addr().Interface().(worded); ok && n.form == scalarForm {
		text, o, ok := d.expand(key, n, example)
		if !ok {
			return
		}
		if err := w.setWord(text); err != nil {
			d.problem(n.at, key, err.Error(), example)
			return
		}
		d.origins[key] = o
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[revoke.Secret]():
		d.secret(key, n, v, example)
	case isScalar(v.Type()):
		d.scalar(key, n, v, example)
	case v.Kind() == reflect.Slice:
		d.list(key, n, v, example)
	case v.Kind() == reflect.Map:
		d.named(key, n, v, example)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(key, n, v.Elem(), example)
	case v.Kind() == reflect.Struct:
		d.structure(key, n, v, example)
	default:
		panic("settings: no way to decode " + v.Type().String() + " at " + key)
	}
}

// isScalar reports whether one value in the file makes a value of the type.
func isScalar(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	default:
		return t == reflect.TypeFor[revoke.Secret]()
	}
}

func (d *decoder) scalar(key string, n *node, v reflect.Value, example string) {
	if n.form != scalarForm {
		d.problem(n.at, key, "must be a single value, not "+n.form.String(), example)
		return
	}
	text, o, ok := d.expand(key, n, example)
	if ok && v.Type() == reflect.TypeFor[databaseURL]() { // it may hold a password
		text, o, ok = d.fromFile(key, n, text, o, example)
	}
	if !ok {
		return
	}
	if err := setScalar(v, text, n.quoted); err != nil {
		what := err.Error()
		if in, ok := errors.AsType[revoke.Invalid](err); ok {
			what, example = in.Problem, cmp.Or(example, in.Fix)
		}
		d.problem(n.at, key, what, example)
		return
	}
	d.origins[key] = o
}

var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

func setScalar(v reflect.Value, text string, quoted bool) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		span, err := parseSpan(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(span))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if strings.TrimSpace(text) == "" {
			return fmt.Errorf("is empty")
		}
		v.SetString(text)
	case reflect.Bool:
		if quoted || text != "true" && text != "false" {
			return fmt.Errorf("must be true or false, without quotes")
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || quoted || !wholeNumber.MatchString(text) {
			return fmt.Errorf("must be a whole number")
		}
		v.SetInt(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || quoted {
			return fmt.Errorf("must be a number")
		}
		v.SetFloat(number)
	}
	return nil
}

var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// parseSpan reads a duration with its unit; d is a day of 24 hours.
func parseSpan(text string) (time.Duration, error) {
	if m := days.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return time.Duration(n) * 24 * time.Hour, err
	}
	span, err := time.ParseDuration(text)
	if err != nil || span < 0 {
		return 0, fmt.Errorf("must be a time with its unit (ms, s, m, h or d)")
	}
	return span, nil
}

// looksLikeNumber is what YAML would read as something else than text.
var looksLikeNumber = regexp.MustCompile(`^([-+]?[0-9][0-9_.eE+-]*|0[xob][0-9a-fA-F_]+|true|false|yes|no|null|~|[-+]?\.(inf|nan))$`)

func (d *decoder) secret(key string, n *node, v reflect.Value, example string) {
	example = cmp.Or(example, `"${SECRET_NAME}" or "file:/run/secrets/name"`)
	switch {
	case n.form != scalarForm:
		d.problem(n.at, key, "must be a text, not "+n.form.String(), example)
		return
	case !n.quoted && looksLikeNumber.MatchString(n.text):
		d.problem(n.at, key, "must be a text: put it in quotes, or digits may be read as a number and change", example)
		return
	}
	text, o, ok := d.expand(key, n, example)
	if ok {
		text, o, ok = d.fromFile(key, n, text, o, example)
	}
	if !ok {
		return
	}
	if strings.TrimSpace(text) == "" {
		d.problem(n.at, key, "is empty, and an empty secret would be an open door", example)
		return
	}
	v.Set(reflect.ValueOf(revoke.NewSecret(text)))
	d.origins[key] = o
}

// fromFile reads what text names where the setting itself says file:; what a variable holds is never a file's name.
func (d *decoder) fromFile(key string, n *node, text string, o origin, example string) (string, origin, bool) {
	path, isFile := strings.CutPrefix(text, "file:")
	if !isFile || !strings.HasPrefix(n.text, "file:") {
		return text, o, true
	}
	if !filepath.IsAbs(path) && n.at.line != 0 {
		path = filepath.Join(filepath.Dir(n.at.file), path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file that holds the secret
	if err != nil {
		d.problem(n.at, key, "names a file that cannot be read: "+fileReason(err), example)
		return "", o, false
	}
	o.reference = n.text
	return strings.TrimRight(string(content), "\r\n"), o, true
}

func fileReason(err error) string {
	switch {
	case os.IsNotExist(err):
		return "there is no such file"
	case os.IsPermission(err):
		return "this user may not read it"
	default:
		return "reading it went wrong"
	}
}

var variable = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

// expand replaces every ${NAME} by the environment's value; $${ is a plain ${.
func (d *decoder) expand(key string, n *node, example string) (string, origin, bool) {
	good, o := true, origin{at: n.at}
	var references []string
	text := variable.ReplaceAllStringFunc(n.text, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name := match[2 : len(match)-1]
		if !variableName.MatchString(name) {
			good = false
			d.problem(n.at, key, "has a ${…} that does not hold the name of a variable", cmp.Or(example, "${NAME}"))
			return ""
		}
		value, set := d.lookup(name)
		if !set {
			good = false
			d.problem(n.at, key, "needs the variable "+name+", which is not set", "export "+name+"=… before the start, or file:/run/secrets/name in its place")
			return ""
		}
		references = append(references, match)
		return value
	})
	o.reference = strings.Join(references, " ")
	return text, o, good
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (d *decoder) list(key string, n *node, v reflect.Value, example string) {
	switch n.form {
	case emptyForm:
		return
	case scalarForm, mapForm:
		d.problem(n.at, key, "must be a list, not "+n.form.String(), example)
		return
	case listForm:
	}
	for _, item := range n.items {
		at := fmt.Sprintf("%s[%d]", key, v.Len())
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		d.value(at, item, v.Index(v.Len()-1), example)
	}
	d.origins[key] = origin{at: n.at}
}

// named decodes a mapping whose keys are names that the operator chose.
func (d *decoder) named(key string, n *node, v reflect.Value, example string) {
	switch n.form {
	case emptyForm:
		return
	case scalarForm, listForm:
		d.problem(n.at, key, "must be a mapping from names, not "+n.form.String(), example)
		return
	case mapForm:
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, e := range n.entries {
		at := key + "." + e.key
		if v.MapIndex(reflect.ValueOf(e.key)).IsValid() {
			d.problem(e.at, at, "is named in another file too", "each name in one file only")
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.value(at, e.value, value, example)
		v.SetMapIndex(reflect.ValueOf(e.key), value)
		if _, set := d.origins[at]; !set {
			d.origins[at] = origin{at: e.at}
		}
	}
}

func (d *decoder) structure(key string, n *node, v reflect.Value, example string) {
	switch n.form {
	case emptyForm:
		n = &node{at: n.at, form: mapForm}
	case scalarForm, listForm:
		d.problem(n.at, key, "must be a mapping, not "+n.form.String(), example)
		return
	case mapForm:
	}
	if _, set := d.origins[key]; key != "" && !set {
		d.origins[key] = origin{at: n.at}
	}
	fields := settingsOf(v.Type())
	for _, e := range n.entries {
		f, ok := fields[e.key]
		if !ok {
			d.unknown(e, key, slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(fields)), d.known...))))
			continue
		}
		at := join(key, e.key)
		if _, twice := d.origins[at]; twice && isScalar(f.Type) {
			d.problem(e.at, at, "is set in another file too", "each setting in one file only")
			continue
		}
		if e.value.form == emptyForm && isScalar(f.Type) {
			d.problem(e.at, at, "has no value", exampleOf(f, e.key))
			continue
		}
		field := v.FieldByIndex(f.Index)
		d.value(at, e.value, field, exampleOf(f, e.key))
		if least := leastOf(f); field.CanInt() && field.Int() < least && !d.troubled(at) {
			d.problem(e.value.at, at, "is too small", exampleOf(f, e.key))
		}
		if allowed := f.Tag.Get("oneof"); allowed != "" && field.Kind() == reflect.String && field.String() != "" &&
			!slices.Contains(strings.Fields(allowed), field.String()) {
			d.problem(e.value.at, at, "must be one of "+strings.Join(strings.Fields(allowed), ", "), f.Tag.Get("example"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if f := fields[name]; required(f) && n.get(name) == nil {
			d.problem(n.at, join(key, name), "is missing", name+": "+exampleOf(f, name))
		}
	}
}

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
	for _, rule := range strings.Split(f.Tag.Get("validate"), ",") {
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

func (d *decoder) unknown(e entry, key string, known []string) {
	what := "is not a key that Curfew knows"
	if near := nearest(e.key, known); near != "" {
		what += ": did you mean " + near + "?"
	}
	d.problem(e.at, join(key, printable(e.key)), what, "one of "+strings.Join(known, ", "))
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
