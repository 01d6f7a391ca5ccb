package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestWhatSIGHUPReads holds the tags against DESIGN section 6.
func TestWhatSIGHUPReads(t *testing.T) {
	t.Parallel()
	var got []string
	for name, f := range settingsOf(reflect.TypeFor[Config]()) {
		if reread(f) {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if want := []string{"alarms", "brake", "include", "log", "sources", "targets", "tokens"}; !slices.Equal(got, want) {
		t.Errorf("SIGHUP reads %q, want %q", got, want)
	}
}

func TestEverythingElseTakesARestart(t *testing.T) {
	t.Parallel()
	plain, err := loadText(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for key, c := range keyCases {
		if c.good == "" || c.key == "" {
			continue
		}
		changed, err := loadText(t, c.good)
		if err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(key, ".")
		top, _, _ = strings.Cut(top, "[")
		named := slices.ContainsFunc(plain.changed(changed), func(k string) bool { return k == top || strings.HasPrefix(k, top+".") })
		if reread(settingsOf(reflect.TypeFor[Config]())[top]) == named && !isUsual(plain, changed, top) {
			t.Errorf("%s: set where it was not before; named as what takes a restart: %t (%q)", key, named, plain.changed(changed))
		}
		if again := changed.changed(changed); len(again) > 0 {
			t.Errorf("%s: the same settings twice, and %q are named as changed", key, again)
		}
		if top == "time_zone" || top == "database" {
			twice, err := loadText(t, c.good)
			if again := changed.changed(twice); err != nil || len(again) > 0 {
				t.Errorf("%s: read twice (%v), and %q are named as changed", key, err, again)
			}
		}
	}
	held := plain.with(&Loaded{Config: Config{Listen: "x", Logout: "everywhere", Tokens: []tokenSettings{{Name: "new"}}, Log: logSettings{Level: "debug"}}})
	if held.Listen != plain.Listen || held.Logout != plain.Logout || len(held.Tokens) != 1 || held.Log.Level != "debug" || len(plain.Tokens) != 0 {
		t.Errorf("got %+v: want tokens and log of the new settings, listen and logout of the old", held.Config)
	}
}

// isUsual reports whether a good example says what holds anyway.
func isUsual(plain, changed *Loaded, top string) bool {
	value := func(l *Loaded) string {
		var out []string
		for _, s := range l.Effective() {
			if s.Key == top || strings.HasPrefix(s.Key, top+".") {
				out = append(out, s.Key+"="+s.Value)
			}
		}
		return strings.Join(out, " ")
	}
	return value(plain) == value(changed)
}
