package main

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"maps"
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
	reference string          // "${NAME}" or "file:PATH" when the value itself stands elsewhere
	values    []revoke.Secret // what the variables held
}

// hides reports whether text shows what a variable held, which may be more than an operator meant to.
func (o origin) hides(text string) bool {
	return slices.ContainsFunc(o.values, func(v revoke.Secret) bool { return !v.IsZero() && strings.Contains(text, v.Reveal()) })
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
	warnings []string
}

// custom settings decode themselves, because their shape depends on one of their keys.
type custom interface {
	decodeSettings(d *decoder, key string, n *node)
}

// worded settings are mappings that may also be one word.
type worded interface{ SetWord(word string) error }

func mayBeWord(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[worded]())
}

func (d *decoder) problem(at position, key, what, example string) {
	d.problems = append(d.problems, problem{at, key, what, example})
}

// value decodes n into v. example is a good value, in words of the file.
func (d *decoder) value(key string, n *node, v reflect.Value, example string) {
	if c, ok := reflect.TypeAssert[custom](v.Addr()); ok {
		c.decodeSettings(d, key, n)
		return
	}
	if w, ok := reflect.TypeAssert[worded](v.Addr()); ok && n.form == scalarForm {
		text, o, ok := d.expand(key, n, example)
		if !ok {
			return
		}
		if err := w.SetWord(text); err != nil {
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
	return t == reflect.TypeFor[revoke.Secret]() ||
		slices.Contains([]reflect.Kind{reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64}, t.Kind())
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
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
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
	switch kind := v.Kind(); {
	case kind == reflect.String:
		if strings.TrimSpace(text) == "" {
			return errors.New("is empty")
		}
		v.SetString(text)
	case kind == reflect.Bool:
		if quoted || text != "true" && text != "false" {
			return errors.New("must be true or false, without quotes")
		}
		v.SetBool(text == "true")
	case v.CanInt():
		number, err := strconv.ParseInt(text, 10, 64)
		if err != nil || quoted || !wholeNumber.MatchString(text) {
			return errors.New("must be a whole number")
		}
		v.SetInt(number)
	case v.CanFloat():
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || quoted {
			return errors.New("must be a number")
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
		return 0, errors.New("must be a time with its unit (ms, s, m, h or d)")
	}
	return span, nil
}

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
			d.problem(e.at, at, "is named at "+d.origins[at].at.String()+" too", "each name in one file only")
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
		if first, twice := d.origins[at]; twice && (isScalar(f.Type) || mayBeWord(f.Type)) {
			d.problem(e.at, at, "is set at "+first.at.String()+" too", "each setting in one file only")
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

func (d *decoder) unknown(e entry, key string, known []string) {
	what := "is not a key that Curfew knows"
	if near := nearest(e.key, known); near != "" {
		what += ": did you mean " + near + "?"
	}
	d.problem(e.at, join(key, printable(e.key)), what, "one of "+strings.Join(known, ", "))
}
