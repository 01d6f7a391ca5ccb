package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"curfew/api/console"
)

var pictures = flag.String("pictures", "", "the folder into which TestBrowser/pages puts a picture of every page; a path")

// judge is axe-core over the rules of WCAG 2.2 AA. What it cannot decide is not counted.
const judge = `axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}, rules: {"target-size": {enabled: true}}, resultTypes: ["violations"]})
	.then(r => ({checked: r.passes.reduce((n, p) => n + p.nodes.length, 0), wrong: r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.html.slice(0, 200) + "\n" + n.failureSummary))}))`

// everyPage looks at every page that the console's own table of routes names, and at the states that only a form leads to: axe-core
// finds nothing against WCAG 2.2 AA in light nor dark, and nothing is wider than 320 px of reading width (its criterion 1.4.10).
func everyPage(t *testing.T, s *campus) {
	axe, err := os.ReadFile(filepath.Join(npmPackages(t), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	s.fill()
	student, admin := s.student(), s.enters("--role", "admin")
	w := &walk{t: t, axe: string(axe)}
	places := s.places(student, admin)
	for _, r := range console.Routes() {
		switch path := r.Path; {
		case r.Method != http.MethodGet || path == "/me/news" || path == "/me/data/sessions.json": // these two answer JSON
		case len(places[path]) == 0:
			t.Errorf("no address is known of the page %s: name one in places", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(places)) {
		for i, at := range places[path] {
			b := admin
			if strings.HasPrefix(path, "/me") {
				b = student
			}
			b.open(at)
			w.looks(b, fmt.Sprintf("%s-%d", strings.Trim(strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path), "-"), i+1))
		}
	}
	w.formsLeadTo(s, student, admin)
}

// formsLeadTo looks at what stands after a form was sent: previews, what was refused, news, and the pages of signing in.
func (w *walk) formsLeadTo(s *campus, student, admin *tab) {
	w.t.Helper()
	admin.open("/console/many")
	admin.types("#why", "a leak")
	admin.press("button[value=try]")
	admin.sees(`document.querySelector("input[name=confirm]")`)
	w.looks(admin, "many-preview")
	admin.types("input[name=confirm]", "1")
	admin.press("button[value=end]")
	admin.sees(`document.querySelector("[role=alert]")`)
	w.looks(admin, "many-refused")
	admin.open("/console/schedules")
	admin.types("#name", "autumn")
	admin.types("input[name=yearly]", "11-01")
	admin.types("#why", "a new term")
	admin.press("button[value=try]")
	admin.reads("/console/schedules", "autumn would run")
	w.looks(admin, "schedules-preview")
	admin.open("/console/policies")
	admin.chooses("#allowed", "no")
	admin.types("#why", "exams")
	admin.press("button[value=try]")
	admin.sees(`document.querySelector("input[name=confirm]")`)
	w.looks(admin, "policies-preview")
	admin.open("/console/there-is-no-such-page")
	w.looks(admin, "refused")
	approver := s.enters("--role", "approver")
	approver.open("/console/held")
	w.looks(approver, "held-approver")

	student.open("/me")
	student.press(signsOut("iPad"))
	student.sees(`document.querySelector("dialog[open]")`)
	w.looks(student, "me-dialog")
	student.press("dialog[open] button.main")
	student.sees(`document.getElementById("news")`)
	w.looks(student, "me-news")
	visitor := s.browser.tab(w.t, s.base)
	visitor.open("/login")
	w.looks(visitor, "login")
	visitor.open(s.link())
	w.looks(visitor, "login-link")
	visitor.open("/login/link/used")
	visitor.press("form button")
	visitor.reads("/login/link/used", "does not work any more")
	w.looks(visitor, "login-gone")
}

// walk goes from page to page.
type walk struct {
	t   *testing.T
	axe string
}

// looks judges the page that stands there, in both themes, and takes pictures of it when they are wanted.
func (w *walk) looks(b *tab, name string) {
	w.t.Helper()
	b.sees("document.querySelector('h1')")
	b.do("bring the judge", chromedp.Evaluate[chromedp.Void](w.axe+"; undefined"))
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		for _, wide := range []int64{1280, 360} {
			w.picture(b, fmt.Sprintf("%s-%d-%s.png", name, wide, theme), wide)
		}
		got := promised[struct {
			Checked int
			Wrong   []string
		}](b, judge)
		if got.Checked == 0 {
			w.t.Errorf("%s, %s: nothing was checked\n%s", name, theme, b.shown())
		}
		for _, wrong := range got.Wrong {
			w.t.Errorf("%s, %s: %s", name, theme, wrong)
		}
	}
	b.theme("light")
	b.do("make it narrow", chromedp.EmulateViewport(320, 740))
	if wide := ask[int](b, "document.documentElement.scrollWidth"); wide > 320 {
		w.t.Errorf("%s: %d wide where there are 320: %s", name, wide, ask[string](b, `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > 320 && !e.closest(".scroll")).slice(0, 3).map(e => e.outerHTML.slice(0, 150)).join("\n")`))
	}
	b.do("make it wide", chromedp.EmulateViewport(1280, 800))
}

// picture writes what the page looks like, at a width.
func (w *walk) picture(b *tab, name string, wide int64) {
	w.t.Helper()
	if *pictures == "" {
		return
	}
	b.do("set the width", chromedp.EmulateViewport(wide, 800))
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name), image, 0o600)
	}
	if err != nil {
		w.t.Fatalf("take a picture of %s: %v", name, err)
	}
	b.do("set the width", chromedp.EmulateViewport(1280, 800))
}

// theme is what the reader's system asks for: light or dark, and without motion, which would be judged half way.
func (b *tab) theme(name string) {
	b.t.Helper()
	b.do("set the theme", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}
