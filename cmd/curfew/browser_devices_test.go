package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// signsOut is the control that ends one of Sally's devices.
func signsOut(device string) string { return `[aria-label="Sign out Sally's ` + device + `"]` }

// endsTheTablet is W5 and W9: of three devices she ends the second one, and the others stay.
func endsTheTablet(t *testing.T, s *campus) {
	b := s.student()
	b.reads("/me", "You are signed in on 4 devices")
	b.press(signsOut("iPad"))
	b.sees(`document.querySelector("dialog[open] h2").innerText.includes("Sally's iPad") && document.activeElement.innerText === "Cancel"`)
	s.only("iPhone", "iPad", "laptop")
	b.press("dialog[open] button.main")
	b.sees(`location.pathname === "/me" && location.hash === "#news" && document.getElementById("news")`)
	s.only("iPhone", "laptop")
	b.sees(`!document.querySelector('` + strings.ReplaceAll(signsOut("iPad"), "'", `\'`) + `') && document.querySelector('ul[aria-labelledby=past]').innerText.includes("because you signed it out")`)
}

// wasNotMe is W4: a device that she does not know is signed out, and she is led to the others and to her password.
func wasNotMe(t *testing.T, s *campus) {
	b := s.student()
	b.press(`[aria-label="This wasn’t me: Sally's iPhone"]`)
	b.press("dialog[open] button.main")
	b.reads("/me/not-me", "Thank you for telling us")
	s.only("iPad", "laptop")
	if to := ask[string](b, `document.querySelector('a[target=_blank]').href`); to != "https://id.example.edu/password" {
		t.Errorf("the password is changed at %q", to)
	}
	b.press("main form button.main")
	b.sees(`location.pathname === "/me" && document.getElementById("news")`)
	s.only()
	admin := s.enters("--role", "admin")
	admin.open("/console/alarms")
	admin.reads("/console/alarms", "A person says that a sign-in of theirs was somebody else's")
}

// worksWithoutScript is both of them by pages alone: what script opens as a dialog is a page then.
func worksWithoutScript(t *testing.T, s *campus) {
	b := s.entersBy(s.browser.tab(t, s.base).withoutScript(), "--user", sally)
	b.press(signsOut("iPad"))
	b.sees(`location.pathname.startsWith("/me/devices/") && document.querySelector("h1").innerText.includes("Sally's iPad")`)
	s.only("iPhone", "iPad", "laptop")
	b.press(".ask button.main")
	b.sees(`location.pathname === "/me" && document.getElementById("news")`)
	s.only("iPhone", "laptop")
	b.press(`[aria-label="This wasn’t me: Sally's iPhone"]`)
	b.sees(`location.pathname.endsWith("/not-me") && document.querySelector(".ask button.main")`)
	b.press(".ask button.main")
	b.reads("/me/not-me", "Thank you for telling us")
	s.only("laptop")
	b.press("main form button.main")
	b.sees(`location.pathname === "/me" && document.getElementById("news")`)
	s.only()
}

// byKeyboardAlone ends one device without a mouse: what has the focus is always seen, and Escape leads back to where one was.
func byKeyboardAlone(t *testing.T, s *campus) {
	b := s.browser.tab(t, s.base)
	b.open(s.link("--user", sally))
	until := func(what, holds string) {
		t.Helper()
		for range 100 {
			b.hits(tabKey)
			if ask[bool](b, "Boolean(document.activeElement.matches(':focus-visible')) && "+holds) {
				if !ask[bool](b, "parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2") {
					t.Errorf("%s: the focus is not seen", what)
				}
				return
			}
		}
		t.Fatalf("by Tab alone nobody comes to %s\n%s", what, b.shown())
	}
	until("the link's button", `document.activeElement.tagName === "BUTTON"`)
	b.hits(enterKey)
	b.reads("/me", "You are signed in on")
	b.hits(tabKey)
	if first := ask[string](b, "document.activeElement.innerText"); first != "Skip to content" {
		t.Errorf("the first thing that Tab comes to is %q, want the skip link", first)
	}
	onTablet := `document.activeElement.getAttribute("aria-label") === "Sign out Sally's iPad"`
	until("the iPad", onTablet)
	b.hits(enterKey)
	b.sees(`document.querySelector("dialog[open]") && document.activeElement.innerText === "Cancel"`)
	b.hits(escapeKey)
	b.sees(`!document.querySelector("dialog[open]") && ` + onTablet)
	s.only("iPhone", "iPad", "laptop")
	b.hits(enterKey)
	b.sees(`document.querySelector("dialog[open]") && document.activeElement.innerText === "Cancel"`)
	until("the dialog's button", `document.activeElement.matches("dialog[open] button.main")`)
	b.hits(enterKey)
	b.sees(`location.pathname === "/me" && document.getElementById("news")`)
	s.only("iPhone", "laptop")
}

// twoTabs are open on the same list; what one has ended the other ends in vain, and is told so in a plain sentence.
func twoTabs(t *testing.T, s *campus) {
	one := s.student()
	other := one.another()
	other.open("/me")
	one.press(signsOut("iPad"))
	one.press("dialog[open] button.main")
	one.sees(`location.hash === "#news" && document.getElementById("news")`)
	s.only("iPhone", "laptop")
	other.press(signsOut("iPad"))
	other.press("dialog[open] button.main")
	other.reads("/me", "That was signed out already.")
	s.only("iPhone", "laptop")
	one.press("details.who summary")
	one.press("details.who button")
	one.reads("/login/out", "You left Curfew")
	other.press(signsOut("iPhone"))
	other.press("dialog[open] button.main")
	other.reads("/login", "Sign in by a link")
	s.only("iPhone", "laptop")
}

// fiveHundred sessions: all are there, a page at a time, and the last one can be ended.
func fiveHundred(t *testing.T, s *campus) {
	var lines strings.Builder
	for i := range 500 {
		fmt.Fprintf(&lines, `{"subject": {"format": "email", "email": %q}, "kind": "mobile", "id": "s-%d", "device": {"id": "d-%d", "name": "phone number %03d"}, "issued_at": "2026-01-01T00:%02d:%02dZ", "expires_at": "2127-01-01T00:00:00Z"}`+"\n",
			sally, i, i, i, i/60, i%60)
	}
	if a := s.do(http.MethodPost, "/v1/sessions", "Bearer "+portalToken, "application/x-ndjson", lines.String()); a.status != http.StatusOK {
		t.Fatalf("register 500: got %d %s", a.status, a.body)
	}
	b := s.student()
	b.reads("/me", "You are signed in on 504 devices")
	seen := map[string]bool{}
	const all = `[...document.querySelectorAll('ul[aria-labelledby=others] > li h3')].map(h => h.innerText)`
	for pages := 1; ; pages++ {
		for _, name := range ask[[]string](b, all) {
			seen[name] = true
		}
		if !ask[bool](b, `Boolean(document.querySelector("ul[aria-labelledby=others] + .more a"))`) {
			break
		}
		if pages > 50 {
			t.Fatalf("the list never ends\n%s", b.shown())
		}
		before := ask[string](b, "location.search")
		b.press("ul[aria-labelledby=others] + .more a")
		b.sees("location.search !== " + quoted(before))
	}
	if len(seen) != 503 { // the browser itself stands above them
		t.Errorf("%d other devices were listed, want 503", len(seen))
	}
	last := `[...document.querySelectorAll('ul[aria-labelledby=others] a[aria-label^="Sign out phone"]')].at(-1)`
	name := strings.TrimPrefix(ask[string](b, last+".getAttribute('aria-label')"), "Sign out ")
	b.press(`[aria-label="Sign out ` + name + `"]`)
	b.press("dialog[open] button.main")
	b.reads("/me", "You are signed in on 503 devices")
	a := s.get("/v1/sessions/s-"+strings.TrimLeft(strings.TrimPrefix(name, "phone number "), "0")+"?app=portal", "Bearer "+portalToken)
	if name != "phone number 000" && (a.status != http.StatusOK || a.member(t, "live") != false) {
		t.Errorf("%s: got %d %s, want it dead", name, a.status, a.body)
	}
}

// fromAProfile is W10: a link on an application's own profile page leads to /me, without a second password.
func fromAProfile(t *testing.T, s *campus) {
	a := s.post("/v1/links", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}}`, sally))
	if a.status != http.StatusCreated {
		t.Fatalf("ask for a link: got %d %s", a.status, a.body)
	}
	profile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>profile</title><a href="%s">Your devices</a>`, a.member(t, "url"))
	}))
	t.Cleanup(profile.Close)
	b := s.browser.tab(t, s.base)
	b.do("open the profile page", chromedp.Navigate(profile.URL))
	b.press("a")
	b.sees(`location.pathname.startsWith("/login/link/")`)
	b.press("form button")
	b.reads("/me", "Sally's iPad")
	b.press(signsOut("iPad")) // the profile page is no proof of who she is
	b.reads("/login", "Sign in by a link")
	s.only("iPhone", "iPad", "laptop")
}
