package main

import (
	"reflect"
	"strconv"
	"strings"
)

// settingFlags are a flag for each setting outside lists and named maps. The command line reads them into a struct that is
// made from the settings themselves, so that no setting lacks its flag.
type settingFlags struct {
	keys  []scalarKey
	flags any // a pointer to a struct of *string, one for each key
}

func newSettingFlags() *settingFlags {
	s := &settingFlags{keys: scalarKeys()}
	fields := make([]reflect.StructField, len(s.keys))
	for i, k := range s.keys {
		help := k.field.Tag.Get("help")
		values := k.field.Tag.Get("oneof")
		if k.field.Type.Kind() == reflect.Bool {
			values = "true false"
		}
		tag := `name:` + strconv.Quote(k.flag()) + ` values:` + strconv.Quote(values) + ` group:"Settings, over the file and CURFEW_…:" placeholder:` + strconv.Quote(placeholder(k.key)) +
			` help:` + strconv.Quote(strings.ToUpper(help[:1])+help[1:]+" ("+k.key+").")
		fields[i] = reflect.StructField{Name: "Flag" + strconv.Itoa(i), Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)}
	}
	s.flags = reflect.New(reflect.StructOf(fields)).Interface()
	return s
}

func placeholder(key string) string {
	return strings.ToUpper(key[strings.LastIndexByte(key, '.')+1:])
}

// given returns the flags that stood on the command line.
func (s *settingFlags) given() map[string]string {
	out := map[string]string{}
	v := reflect.ValueOf(s.flags).Elem()
	for i, k := range s.keys {
		if text, ok := reflect.TypeAssert[*string](v.Field(i)); ok && text != nil {
			out[k.flag()] = *text
		}
	}
	return out
}

func (sh *shell) load(flags *settingFlags) (*Loaded, error) {
	return load(settingsInput{file: sh.config, flags: flags.given(), lookup: sh.lookup})
}
