package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"curfew/revoke"
)

// Loaded is a configuration with where each setting came from.
type Loaded struct {
	Config
	File     string            // the main file, empty when there is none
	Origins  map[string]origin // by key, for everything that was set
	Warnings []string
	Unbuilt  []string // keys of sources and targets whose type this build lacks
}

// settingsInput is what a configuration is read from.
type settingsInput struct {
	file   string            // --config; empty means curfew.yaml where it stands
	flags  map[string]string // by flag, those that were given
	lookup func(string) (string, bool)
}

const defaultFile = "curfew.yaml"

// load reads the settings. Its error is a badConfig with every mistake, unless a file cannot be read at all.
func load(in settingsInput) (*Loaded, error) {
	out := &Loaded{Config: defaults(), Origins: map[string]origin{}}
	d := &decoder{lookup: in.lookup, origins: out.Origins}
	file, err := findFile(in.file)
	if err != nil {
		return nil, err
	}
	if out.File = file; file != "" {
		d.file(file, &out.Config, true)
	}
	config := reflect.ValueOf(&out.Config).Elem()
	for _, s := range scalarKeys() {
		if text, set := in.lookup(s.variable()); set {
			d.single(s, &node{at: position{file: s.variable()}, text: text}, config)
		}
	}
	for _, s := range scalarKeys() {
		if text, set := in.flags[s.flag()]; set {
			d.flag(s, text, config)
		}
	}
	out.settle(d)
	if len(d.problems) > 0 {
		return nil, d.problems.sorted()
	}
	out.Warnings = append(d.warnings, out.Warnings...)
	return out, nil
}

func findFile(named string) (string, error) {
	file := cmp.Or(named, defaultFile)
	_, err := os.Stat(file)
	switch {
	case err == nil:
		return file, nil
	case named == "" && errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", badConfig{{at: position{file: file}, what: "cannot be read: " + fileReason(err), example: "--config curfew.yaml"}}
	}
}

func (d *decoder) file(file string, into *Config, main bool) {
	text, err := os.ReadFile(file) //nolint:gosec // G304: the operator names the settings file
	if err != nil {
		example := "--config curfew.yaml"
		if !main {
			example = "include: conf.d/*.yaml"
		}
		d.problem(position{file: file}, "", "cannot be read: "+fileReason(err), example)
		return
	}
	d.document(file, text, into, main)
}

// document reads the settings that stand in text.
func (d *decoder) document(file string, text []byte, into *Config, main bool) {
	root, problems := parseYAML(file, text)
	d.problems = append(d.problems, problems...)
	if root == nil {
		return
	}
	if include := root.get("include"); include != nil && !main {
		d.problem(include.at, "include", "stands in an included file", "include: in the main file only")
		return
	}
	d.value("", root, reflect.ValueOf(into).Elem(), mappingExample)
	if !main {
		return
	}
	for _, each := range d.included(file, into.Include) {
		d.file(each, into, false)
	}
}

// included returns the files that the patterns of a file name: those of a pattern in the order of their names, and each
// once, however often it is meant. A pattern may match nothing; a name without * ? [ is a file that must be there.
func (d *decoder) included(file string, patterns []string) []string {
	var out []string
	for i, pattern := range patterns {
		key, path := fmt.Sprintf("include[%d]", i), pattern
		if _, listed := d.origins[key]; !listed {
			key = "include"
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file), path)
		}
		more, err := filepath.Glob(path)
		switch {
		case err != nil:
			d.problem(d.origins[key].at, key, "is not a pattern of files", "conf.d/*.yaml")
		case len(more) == 0 && !strings.ContainsAny(pattern, "*?["):
			d.problem(d.origins[key].at, key, "names a file that is not there", "conf.d/*.yaml, which may match nothing")
		case len(more) == 0:
			d.warnings = append(d.warnings, fmt.Sprintf("%s (%s) matches no file", key, d.origins[key].at))
		}
		for _, each := range more {
			if !sameFile(each, file) && !slices.ContainsFunc(out, func(other string) bool { return sameFile(each, other) }) {
				out = append(out, each)
			}
		}
	}
	return out
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// scalarKey is a setting outside lists and named maps: it also has a variable and a flag.
type scalarKey struct {
	key   string // dotted
	field reflect.StructField
	index [][]int // from Config to the field
}

func (s scalarKey) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(s.key) }
func (s scalarKey) variable() string {
	return "CURFEW_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// scalarKeys lists them in the order of their names.
func scalarKeys() []scalarKey {
	var out []scalarKey
	var walk func(t reflect.Type, key string, index [][]int)
	walk = func(t reflect.Type, key string, index [][]int) {
		for name, f := range settingsOf(t) {
			s := scalarKey{key: join(key, name), field: f, index: append(slices.Clone(index), f.Index)}
			if isScalar(f.Type) || f.Type.Kind() == reflect.Struct && mayBeWord(f.Type) {
				out = append(out, s)
			}
			if f.Type.Kind() == reflect.Struct && !isScalar(f.Type) {
				walk(f.Type, s.key, s.index)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "", nil)
	slices.SortFunc(out, func(a, b scalarKey) int { return strings.Compare(a.key, b.key) })
	return out
}

func (s scalarKey) in(config reflect.Value) reflect.Value {
	for _, index := range s.index {
		config = config.FieldByIndex(index)
	}
	return config
}

// single sets one key from a variable or a flag, over what the file said.
func (d *decoder) single(s scalarKey, n *node, config reflect.Value) {
	n.quoted = s.field.Type == reflect.TypeFor[revoke.Secret]()
	v, before := s.in(config), d.origins[s.key]
	delete(d.origins, s.key)
	d.value(s.key, n, v, s.field.Tag.Get("example"))
	if allowed := strings.Fields(s.field.Tag.Get("oneof")); len(allowed) > 0 && !slices.Contains(allowed, v.String()) {
		d.problem(n.at, s.key, "must be one of "+strings.Join(allowed, ", "), s.field.Tag.Get("example"))
	}
	if _, set := d.origins[s.key]; !set && before.at != (position{}) {
		d.origins[s.key] = before
	}
}

// flag sets one key from a flag. A secret on the command line would stand in the list of processes, so that only a
// reference to it is taken.
func (d *decoder) flag(s scalarKey, text string, config reflect.Value) {
	n := &node{at: position{file: "--" + s.flag()}, text: text}
	reference := strings.HasPrefix(text, "file:") || variable.MatchString(text)
	if s.field.Type == reflect.TypeFor[revoke.Secret]() && !reference {
		d.problem(n.at, s.key, "takes no secret on the command line, where every process sees it", "'${SECRET_NAME}' or file:/run/secrets/name")
		return
	}
	var database databaseURL
	if s.key == "database" && database.UnmarshalText([]byte(text)) == nil && database.hasPassword() && !reference {
		d.problem(n.at, s.key, "takes no password on the command line, where every process sees it", "'${CURFEW_DATABASE_URL}', or the variable CURFEW_DATABASE")
		return
	}
	d.single(s, n, config)
}

// setKey is one setting as `check` shows it.
type setKey struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Effective lists every setting that is set or has a default, in the order of keys, without secrets.
func (l *Loaded) Effective() []setKey {
	var out []setKey
	for _, s := range effective("", reflect.ValueOf(&l.Config).Elem()) {
		o, set := l.Origins[s.Key]
		switch s.Origin = "default"; {
		case !set && s.Value == "false":
			continue
		case set:
			s.Origin = o.String()
		}
		if s.Value != hiddenSecret && o.hides(s.Value) {
			s.Value = "[" + o.reference + "]"
		}
		out = append(out, s)
	}
	return out
}

const hiddenSecret = "[secret]"

// parentKey returns the key around a key, empty at the top.
func parentKey(key string) string {
	at := strings.LastIndexAny(key, ".[")
	return key[:max(at, 0)]
}

// shown is a setting that says itself how it is printed.
type shown interface{ shownSettings(key string) []setKey }

func effective(key string, v reflect.Value) []setKey {
	if s, ok := reflect.TypeAssert[shown](v.Addr()); ok {
		return s.shownSettings(key)
	}
	var out []setKey
	t := v.Type()
	switch {
	case t == reflect.TypeFor[revoke.Secret]():
		if !v.IsZero() {
			out = append(out, setKey{Key: key, Value: hiddenSecret})
		}
	case isScalar(t):
		if !v.IsZero() || t.Kind() == reflect.Bool {
			out = append(out, setKey{Key: key, Value: printed(v)})
		}
	case t.Kind() == reflect.Slice:
		for i := range v.Len() {
			out = append(out, effective(fmt.Sprintf("%s[%d]", key, i), v.Index(i))...)
		}
	case t.Kind() == reflect.Map:
		names := slices.SortedFunc(maps.Keys(mapKeys(v)), strings.Compare)
		for _, name := range names {
			value := reflect.New(t.Elem()).Elem()
			value.Set(v.MapIndex(reflect.ValueOf(name)))
			out = append(out, effective(join(key, name), value)...)
		}
	case t.Kind() == reflect.Pointer:
		if !v.IsNil() {
			out = append(out, effective(key, v.Elem())...)
		}
	case t.Kind() == reflect.Struct:
		out = append(out, effectiveFields(key, v)...)
	}
	return out
}

func effectiveFields(key string, v reflect.Value) []setKey {
	var out []setKey
	fields := settingsOf(v.Type())
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		out = append(out, effective(join(key, name), v.FieldByIndex(fields[name].Index))...)
	}
	return out
}

// printed is a scalar as it may be shown: a query can hold a key, and so can what a variable was put into.
func printed(v reflect.Value) string {
	text := fmt.Sprint(v.Interface())
	switch {
	case v.Kind() != reflect.String:
	case strings.Contains(text, "://"):
		if address, query, ok := strings.Cut(text, "?"); ok && query != "" {
			return address + "?[hidden]"
		}
	}
	return text
}

func mapKeys(v reflect.Value) map[string]bool {
	out := map[string]bool{}
	for _, k := range v.MapKeys() {
		out[k.String()] = true
	}
	return out
}
