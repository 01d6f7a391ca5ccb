package scim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bodyLimit is what a body may have (item 4).
const bodyLimit = 1 << 20

// aSecond is how long an answer may take. The race detector makes everything about ten times as long.
func aSecond() time.Duration {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 15 * time.Second
	}
	return time.Second
}

// inASecond holds that something takes no more than a second of a processor, whatever else the machine does.
func inASecond(tb testing.TB, what string, do func() reply) {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &u); err != nil {
			tb.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	got := do()
	if took := used() - before; took > aSecond() || got.StatusCode >= 500 {
		tb.Errorf("%s took %v and was answered %d %.200s", what, took, got.StatusCode, got.text)
	}
}

// upTo repeats what stands between two texts as often as there is room for it.
func upTo(most int, before, again, after string) string {
	return before + strings.Repeat(again, max(0, most-len(before)-len(after))/len(again)) + after
}

// costly are filters that try to cost more than they are long: by depth, by terms, by what a parser goes back over.
func costly(most int) map[string]string {
	nested := func(open, inner, end string) string {
		n := (most - len(inner)) / (len(open) + len(end))
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	return map[string]string{
		"parentheses":        nested("(", `type eq "a"`, ")"),
		"never closed":       upTo(most, "", "(", ""),
		"nots":               nested("not (", `type eq "a"`, ")"),
		"nots never closed":  upTo(most, "", "not (", ""),
		"brackets":           upTo(most, "", "emails[", ""),
		"nested brackets":    nested("emails[", `type eq "a"`, "]"),
		"terms":              upTo(most, `type eq "a"`, ` and type eq "a"`, ""),
		"alternatives":       upTo(most, `value eq "a"`, ` or value eq "a"`, ""),
		"mixed terms":        upTo(most, `type eq "a"`, ` and type eq "a" or not (type pr)`, ""),
		"no end":             upTo(most, `type eq "a"`, ` and type eq "a"`, " and"),
		"a long value":       upTo(most, `value eq "`, "a", `"`),
		"a value of escapes": upTo(most, `type eq "`, `\"`, `"`),
		"never quoted":       upTo(most, `type eq "`, `\\`, ""),
		"blanks":             upTo(most, "type", " ", `eq "a"`),
		"a long name":        upTo(most, "", "a", ` eq "a"`),
		"dots":               upTo(most, "a", ".a", ` eq "a"`),
		"colons":             upTo(most, "urn", ":a", `:type eq "a"`),
		"a long number":      upTo(most, "type eq ", "9", ""),
		"an exponent":        upTo(most, "type eq 1e", "9", ""),
		"not ASCII":          upTo(most, `type eq "`, "ﷺ", `"`),
		"quotes":             upTo(most, "", `"`, ""),
		"behind brackets":    upTo(most, `emails[type eq "a"]`, ".value", ` eq "a"`),
	}
}

func quoted(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

// as often as a body has room for it, but no more than a PATCH may have.
func operations(one string) string {
	return `{"Operations":[` + strings.TrimSuffix(strings.Repeat(one+",", min(1000, (bodyLimit-20)/(len(one)+1))), ",") + `]}`
}

// No filter and no path takes more than a second, however long it is and however often it stands in a body.
func TestItem7NothingTakesASecond(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id, group := b.sally(), b.do("POST", groups, `{"displayName":"G"}`).must(t, 201).id()
	doors, places := []string{users, groups}, []string{"filter", "sortBy", "attributes", "cursor"}
	forms := []string{"emails[%s].value", "members[%s]", "%s", core + ":emails[%s].value", "emails[%s]"}
	turn := 0
	for _, most := range []int{2040, 60_000, bodyLimit - 200} {
		all := costly(most)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			name, filter := fmt.Sprintf("%s of %d bytes", name, most), all[name]
			for i, door := range doors {
				in := places[(turn+i)%len(places)]
				for _, in := range slices.Compact([]string{"filter", in}) {
					if body := fmt.Sprintf(`{%q:%s}`, in, quoted(filter)); len(body) <= bodyLimit {
						inASecond(t, name+" as "+in+" of "+door, func() reply { return b.do("POST", door+"/.search", body) })
					}
				}
			}
			for _, form := range []string{forms[turn%2], forms[turn%len(forms)]} {
				path := quoted(fmt.Sprintf(form, filter))
				one := []string{`{"op":"replace","path":` + path + `,"value":"x"}`, `{"op":"remove","path":` + path + `}`, `{"op":"add","value":{` + path + `:"x"}}`}[turn%3]
				turn++
				if body := operations(one); len(body) <= bodyLimit {
					inASecond(t, name+" in "+form, func() reply { return b.do("PATCH", users+"/"+id, body) })
					inASecond(t, name+" in "+form+" of a group", func() reply { return b.do("PATCH", groups+"/"+group, body) })
				}
			}
		}
	}
}

// Many small operations on the longest list that there can be take no more than a second either; what honest clients send is done.
func TestItem9LongLists(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	id := b.sally()
	list := func(n int, element string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(element, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	for _, each := range []struct {
		element string
		most    []int
		others  []string
	}{
		{`"%03x"`, []int{1, 30, 1000}, []string{
			`{"op":"add","path":"roles.type","value":"x"}`, `{"op":"remove","path":"roles[value eq \"zz\"]"}`, `{"op":"replace","path":"roles[value sw \"0\"].display","value":"x"}`,
			`{"op":"replace","path":"roles[type eq \"` + strings.Repeat("x", 2000) + `\"].display","value":"x"}`,
			`{"op":"replace","path":"` + enterprise + `:employeeNumber","value":"x"}`,
		}},
		{`{"type":"%03x","display":"x"}`, []int{1000}, nil},
	} {
		for _, n := range each.most {
			for _, op := range []string{"add", "replace", "remove"} {
				each.others = append(each.others, fmt.Sprintf(`{"op":%q,"path":"roles","value":%s}`, op, list(n, each.element)))
			}
		}
		for _, one := range each.others {
			inASecond(t, fmt.Sprintf("%.80s again and again", one), func() reply {
				b.do("PATCH", users+"/"+id, `{"Operations":[{"op":"replace","path":"roles","value":`+list(1000, each.element)+`}]}`).must(t, 200)
				return b.do("PATCH", users+"/"+id, operations(one))
			})
		}
	}
	group := b.do("POST", groups, `{"displayName":"G"}`).must(t, 201).id()
	inASecond(t, "removals of many members by filters", func() reply {
		return b.do("PATCH", groups+"/"+group, operations(`{"op":"remove","path":"members[value eq \"x\"`+strings.Repeat(` or value eq \"x\"`, 100)+`]"}`))
	})
	b.do("PATCH", users+"/"+id, patch(op("remove", "roles", nil))).must(t, 200)
	var all []map[string]any
	for i := range 600 {
		all = append(all, op("add", "roles", fmt.Sprint(i)))
	}
	if roles, _ := b.do("PATCH", users+"/"+id, patch(all...)).must(t, 200).json["roles"].([]any); len(roles) != 600 {
		t.Errorf("%d roles after 600 additions", len(roles))
	}
}

// A page holds its resources against as many names as an address has room for, and a bulk request asks for no pages.
func TestItem9WhatIsShown(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.people(300)
	for _, name := range []string{"attributes", "excludedAttributes"} {
		inASecond(t, name, func() reply {
			return b.do("POST", users+"/.search", upTo(bodyLimit, `{"count":1000,"`+name+`":["x"`, `,"emails.a"`, "]}"))
		})
		if got := b.do("POST", users+"/.search", upTo(9000, `{"count":1000,"`+name+`":["x"`, `,"emails.a"`, "]}")).must(t, 200); len(got.json["Resources"].([]any)) != 300 {
			t.Errorf("%s: %.200s", name, got.text)
		}
	}
	got := b.do("POST", bulkPath, `{"Operations":[{"method":"POST","path":"/Users/.search","data":{}},{"method":"POST","path":"/Groups/.search","data":{}}]}`).must(t, 200)
	if diff := cmp.Diff([]string{"POST 400", "POST 400"}, statuses(got)); diff != "" {
		t.Errorf("statuses of searches (-want +got):\n%s", diff)
	}
}
