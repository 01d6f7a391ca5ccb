package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// findsWhy takes an operator from a name to the sentence that says why, in three clicks at most (W30).
func findsWhy(t *testing.T, s *campus) {
	resource := s.provision(t, sally)
	if a := s.setActive(resource, false); a.status != http.StatusOK {
		t.Fatalf("deactivate: got %d %s", a.status, a.body)
	}
	b := s.enters("--role", "operator")
	b.hits(slashKey)
	b.sees(`document.activeElement.id === "find"`)
	b.types("#find", sally+kb.Enter) // one
	b.sees(`document.querySelector("h1").innerText.includes("sally@example.edu")`)
	if strings.HasPrefix(ask[string](b, "location.pathname + location.search"), "/console/people?") {
		t.Error("a whole address leads to a list, want the person")
	}
	b.press(`.note.over a[href^="/console/revocations/"]`) // two
	b.sees(`location.pathname.startsWith("/console/revocations/")`)
	sentence := ask[string](b, `document.getElementById("sentence").innerText`)
	for _, word := range []string{"sally@example.edu", "directory", "deactivated"} {
		if !strings.Contains(strings.ToLower(sentence), word) {
			t.Errorf("the sentence is %q, want %q in it", sentence, word)
		}
	}
}

// ordersForLater previews a schedule, which changes nothing, and runs one at once, which does.
func ordersForLater(t *testing.T, s *campus) {
	b := s.enters("--role", "admin")
	b.open("/console/schedules")
	fill := func(name string) {
		b.types("#name", name)
		b.chooses("#scope", "kind")
		b.chooses("#kind", "mobile")
		b.types("#why", "a new school year")
	}
	fill("every-week")
	b.press("input[value=days]")
	b.types("input[name=days]", "7")
	b.chooses("input[name=from]", time.Now().AddDate(0, 0, 1).Format(time.DateOnly))
	b.press("button[value=try]")
	b.sees(`document.querySelector(".note b").innerText.includes("every-week would run")`)
	if preview := ask[string](b, `document.querySelector(".note").innerText`); strings.Count(preview, "would end 2 sessions") != 5 {
		t.Errorf("the preview says %q, want five runs that would end 2 sessions each", preview)
	}
	if a := s.get("/v1/schedules", "Bearer "+opsToken); a.status != http.StatusOK || strings.Contains(string(a.body), "every-week") {
		t.Errorf("a preview was kept: %d %s", a.status, a.body)
	}
	s.only("iPhone", "iPad", "laptop")
	b.press("button[value=keep]")
	b.reads("/console/schedules", "The schedule was kept.")
	s.only("iPhone", "iPad", "laptop")
	fill("at-once")
	b.press("input[value=now]")
	b.press("button[value=keep]")
	b.sees(`document.querySelector("table") && document.querySelector("table").innerText.includes("at-once")`)
	eventually(t, "the schedule has run", func() bool { return !s.lives(sally, "Sally's iPhone") && !s.lives(sally, "Sally's iPad") })
	s.only("laptop")
}

// approvesWhatWasHeld needs a second person: whoever asked cannot approve, and nothing has ended until somebody else did.
func approvesWhatWasHeld(t *testing.T, s *campus) {
	asker := s.enters("--role", "admin")
	asker.open("/console/many")
	asker.chooses("#scope", "kind")
	asker.chooses("#kind", "mobile")
	asker.types("#why", "phones of a lost shipment")
	asker.press("button[value=try]")
	asker.sees(`document.querySelector(".note b").innerText.includes("2 live sessions")`)
	asker.types("input[name=confirm]", "2")
	asker.press("button[value=end]")
	asker.sees(`document.body.innerText.includes("held until somebody else approves")`)
	s.only("iPhone", "iPad", "laptop")
	asker.open("/console/held")
	asker.reads("/console/held", "phones of a lost shipment")
	asker.sees(`document.querySelector("td .tag").innerText === "Waits for an approver" && !document.querySelector("td button")`)
	second := s.enters("--role", "approver")
	second.open("/console/held")
	second.types("td input[name=reason]", "I know of it")
	second.press("td button[value=approve]")
	second.reads("/console/held", "Approved. It was carried out.")
	s.only("laptop")
}

// hostile is what somebody who wants to run script, or to make a list unreadable, calls a device.
func hostile() []string {
	return []string{
		`<script planted>alert(1)</script>`, `"><img planted src=x onerror=alert(2)>`, `'--></style><iframe planted src="javascript:alert(3)">`,
		`</select><svg planted onload=alert(4)>`, `{{.}}</title><b planted>` + strings.Repeat("W", 400),
		`javascript:alert(5)//` + strings.Repeat("\u0301", 200),
	}
}

// hostileNamesAreInert looks at every page that shows what outsiders wrote: no element is made of it, nothing runs, nothing is
// turned round, and nothing makes a page wider than a phone.
func hostileNamesAreInert(t *testing.T, s *campus) {
	for i, name := range hostile() {
		s.registers(sally, name, "mobile", name, name+strings.Repeat(" W", 800))
		if a := s.do(http.MethodPost, "/scim/v2/Users", "Bearer "+directoryToken, "application/scim+json", fmt.Sprintf(
			`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %s, "displayName": %s, "active": true, "emails": [{"value": "pupil-%d@example.edu"}]}`,
			quoted(name), quoted(name), i)); a.status != http.StatusCreated {
			t.Fatalf("provision %q: got %d %s", name, a.status, a.body)
		}
		if a := s.post("/v1/revocations", opsToken, fmt.Sprintf(`{"scope": "user", "subject": {"format": "email", "email": "pupil-%d@example.edu"}, "block": true, "reason": %s}`, i, quoted(name))); a.status != http.StatusCreated {
			t.Fatalf("block: got %d %s", a.status, a.body)
		}
	}
	const turned = "\u202eesrever\u2066\u200f"
	if a := s.post("/v1/sessions", portalToken, fmt.Sprintf(`{"subject": {"format": "email", "email": %q}, "kind": "mobile", "device": {"name": %q}}`, sally, turned)); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a device's name that turns text round: got %d %s, want 422", a.status, a.body)
	}
	if a := s.okta(oktaSecret, "user.lifecycle."+turned, "e-"+turned, turned+"@example.edu", time.Now()); a.status/100 != 2 {
		t.Errorf("an event with names that turn text round: got %d %s", a.status, a.body)
	}
	if a := s.do(http.MethodPost, "/scim/v2/Users", "Bearer "+directoryToken, "application/scim+json", fmt.Sprintf(
		`{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": %s, "active": true, "emails": [{"value": "turned@example.edu"}]}`, quoted(turned))); a.status != http.StatusCreated {
		t.Errorf("a user name that turns text round: got %d %s", a.status, a.body)
	}
	look := func(b *tab, path string) {
		b.open(path)
		b.sees("true")
		if got := ask[string](b, `[...document.querySelectorAll("[planted], img, iframe, object, embed, main script, main style")].map(e => e.outerHTML).join("\n")`); got != "" {
			t.Errorf("%s: elements were made of names: %s", path, got)
		}
		if got := ask[bool](b, `/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/.test(document.body.innerText)`); got {
			t.Errorf("%s: what turns text round is on the page\n%s", path, b.shown())
		}
		if wide := ask[int](b, "document.documentElement.scrollWidth"); wide > 360 {
			t.Errorf("%s: %d wide on a phone of 360", path, wide)
		}
	}
	phone := func(b *tab) *tab {
		b.do("be a phone", chromedp.EmulateViewport(360, 740))
		return b
	}
	student := phone(s.student())
	opened := student.dialogs()
	look(student, "/me")
	student.reads("/me", "<script planted>alert(1)</script>")
	for _, path := range ask[[]string](student, `[...document.querySelectorAll("main a[data-dialog]")].map(a => a.getAttribute("href")).slice(0, 12)`) {
		look(student, path)
	}
	admin := phone(s.enters("--role", "admin"))
	alerted := admin.dialogs()
	for _, path := range []string{"/console", "/console/people?q=pupil", "/console/people?q=" + "%3Cscript+planted%3E", "/console/events", "/console/find?q=" + sally, "/console/why?session=%3Cscript+planted%3Ealert(1)"} {
		look(admin, path)
	}
	for _, q := range []string{sally, "pupil-0@example.edu", "pupil-3@example.edu", "pupil-4@example.edu", "turned@example.edu"} {
		look(admin, "/console/find?q="+q)
		if at := ask[string](admin, "location.pathname"); !strings.HasPrefix(at, "/console/people/") {
			t.Fatalf("%s was not found: %s", q, admin.shown())
		}
		for _, path := range ask[[]string](admin, `[...document.querySelectorAll('main a[href^="/console/revocations/"], main a[href^="/console/events/"], main a[href$="/sessions"]')].map(a => a.getAttribute("href")).slice(0, 6)`) {
			look(admin, path)
		}
	}
	if opened()+alerted() > 0 {
		t.Error("a name opened a dialog")
	}
}
