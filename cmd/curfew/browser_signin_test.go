package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const providerSecret = "provider-0123456789abcdef"

// signsInAtAProvider is the way in for everybody (issue 7): over oidc-provider's own pages, in a browser.
func signsInAtAProvider(t *testing.T, p program, c chromium) {
	provider := converse(t, nodeScript(t, "provider.mjs"))
	issuer := provider.do("listen", nil).ID
	s := newCampus(t, p, c, "approvals: 2", fmt.Sprintf(
		"sign_in: {issuer: %q, client_id: curfew, client_secret: %s, roles: {claim: groups, admin: [curfew-admins], approver: [heads], operator: [helpdesk]}}", issuer, providerSecret))
	provider.do("serve", with{"redirect": s.base + "/login/callback", "secret": providerSecret})
	resource := s.provision(t, "ada@example.edu")
	proves := func(b *tab, email string) {
		t.Helper()
		b.sees(`location.origin === ` + quoted(issuer) + ` && document.querySelector("input[name=login]")`)
		b.types("input[name=login]", email)
		b.types("input[name=password]", "any")
		b.press("button[type=submit]")
	}
	comes := func(email, path string) *tab {
		t.Helper()
		b := c.tab(t, s.base)
		b.open(path)
		proves(b, email)
		return b
	}

	ada := comes("ada@example.edu", "/console/sources")
	ada.reads("/console/sources", "Sign out many")
	otto := comes("otto@example.edu", "/console")
	otto.reads("/console", "Every signal is decided")
	if text := otto.shown(); strings.Contains(text, "Sign out many") {
		t.Errorf("the help desk is shown what only admins may:\n%s", text)
	}

	her := comes(sally, "/me")
	her.reads("/me", "Sally's iPad") // hers by the verified address
	her.open("/console")
	her.reads("/console", "This is not open to you")
	provider.do("age", with{"seconds": 3600})
	her.open("/login?next=/me") // once more, without being asked: her provider knows her since an hour
	her.reads("/me", "Sally's iPad")
	her.press(signsOut("iPad"))
	proves(her, sally) // a step-up
	her.sees(`location.pathname.startsWith("/me/devices/") && document.querySelector("h1").innerText.includes("Sally's iPad")`)
	s.only("iPhone", "iPad", "laptop")
	her.press(".ask button.main")
	her.sees(`document.getElementById("news")`)
	s.only("iPhone", "laptop")

	asker := comes("hana@example.edu", "/console/many")
	asker.reads("/console/many", "Sign out many")
	asker.chooses("#scope", "kind")
	asker.chooses("#kind", "mobile")
	asker.types("#why", "a lost shipment")
	asker.press("button[value=try]")
	asker.sees(`document.querySelector("input[name=confirm]")`)
	asker.types("input[name=confirm]", "1")
	asker.press("button[value=end]")
	asker.sees(`document.body.innerText.includes("held until somebody else approves")`)
	approves := func(b *tab) {
		t.Helper()
		b.open("/console/held")
		b.types("td input[name=reason]", "I know of it")
		b.press("td button[value=approve]")
	}
	approves(asker) // has the role, and asked
	asker.sees(`document.querySelector("[role=alert]")`)
	s.only("iPhone", "laptop")
	second := comes("carla@example.edu", "/console/held")
	second.reads("/console/held", "a lost shipment")
	approves(second)
	second.reads("/console/held", "Approved. It was carried out.")
	s.only("laptop")

	if a := s.setActive(resource, false); a.status != http.StatusOK {
		t.Fatalf("deactivate: got %d %s", a.status, a.body)
	}
	ada.press(`a[href="/console/people"]`) // her provider still lets her in; we do not
	ada.reads("/login/callback", "You cannot sign in")
	ada.open("/console/people")
	ada.reads("/login/callback", "You cannot sign in")
}
