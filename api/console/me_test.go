package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"curfew/revoke"
)

// own asks as the person who signed in.
func (o *office) own(method, path string, form url.Values) *httptest.ResponseRecorder {
	o.t.Helper()
	r := httptest.NewRequest(method, "http://curfew.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	o.console.ServeHTTP(w, r)
	return w
}

// W9: three devices, three rows; ending one leaves the others.
func TestThreeDevices(t *testing.T) {
	o := newOffice(t)
	portal := revoke.Source{Name: "portal", Org: "main", Type: "token", Authority: "portal"}
	var sally revoke.ID
	hostile := "\u202e\u2066" + strings.Repeat(" ", 70) + strings.Repeat("x", 4096)
	for _, name := range []string{"iPhone", "iPad", "<script>alert(1)</script>"} {
		made, err := o.service.Register(t.Context(), portal, revoke.Registration{
			Subject: revoke.Subject{{Namespace: revoke.NamespaceEmail, Value: "sally@example.edu"}}, Kind: revoke.Mobile, App: "portal", ClientID: name,
			Device: []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: name}}, Facts: revoke.SessionFacts{DeviceID: name, DeviceName: name + hostile},
		})
		if err != nil {
			t.Fatalf("register %s: %v", name, err)
		}
		sally = made.Session.User
	}
	o.who = revoke.SignIn{Session: revoke.ID{9}, Org: "main", User: sally, Name: "sally@example.edu", ProvedAt: o.store.Clock().Now()}
	page := o.own(http.MethodGet, "/me", nil)
	text := page.Body.String()
	if page.Code != http.StatusOK || !strings.Contains(text, "3 devices, in 1 app") || strings.ContainsAny(text, "\u202e\u2066") || strings.Contains(text, strings.Repeat("x", 61)) || strings.Contains(text, "<script>alert") {
		t.Fatalf("/me: %d, want 3 devices and nothing that runs:\n%s", page.Code, text)
	}
	_, rest, _ := strings.Cut(text, "<bdi>iPad ")
	_, rest, _ = strings.Cut(rest, `href="`)
	path, _, _ := strings.Cut(strings.Replace(rest, "/not-me", "/end", 1), `"`)
	if got := o.own(http.MethodPost, path, nil); got.Code != http.StatusForbidden {
		t.Errorf("POST %s without the form's token: %d, want 403", path, got.Code)
	}
	form := url.Values{"form": {"form-token"}}
	for range 2 { // again is the same answer
		if got := o.own(http.MethodPost, path, form); got.Code != http.StatusSeeOther {
			t.Fatalf("POST %s: %d, want 303:\n%s", path, got.Code, got.Body)
		}
	}
	if text = o.own(http.MethodGet, "/me", nil).Body.String(); !strings.Contains(text, "2 devices, in 1 app") || !strings.Contains(text, "because you signed it out") {
		t.Errorf("/me afterwards, want 2 devices and why the third is out:\n%s", text)
	}
	o.who.ProvedAt = o.who.ProvedAt.Add(-16 * 60e9)
	if got := o.own(http.MethodGet, "/me/end/others", nil).Header().Get("Location"); got != "/login?next=%2Fme%2Fend%2Fothers&step_up=1" {
		t.Errorf("with an old proof the browser went to %q, want to prove again", got)
	}
	// Browsers hold form-action against redirects too: a form must not lead to the provider.
	if got := o.own(http.MethodPost, "/me/end/others", form); got.Code != http.StatusForbidden || got.Header().Get("Location") != "" || !strings.Contains(got.Body.String(), "step_up=1") {
		t.Errorf("POST with an old proof: %d to %q, want 403 with a link", got.Code, got.Header().Get("Location"))
	}
}

// A page with 500 sessions is made in less than 300 ms, and shown in parts that together are all of them.
func TestFiveHundredSessions(t *testing.T) {
	o := newOffice(t)
	portal := revoke.Source{Name: "portal", Org: "main", Type: "token", Authority: "portal"}
	var sally revoke.ID
	for n := range 500 {
		name := fmt.Sprintf("phone %03d", n)
		made, err := o.service.Register(t.Context(), portal, revoke.Registration{
			Subject: revoke.Subject{{Namespace: revoke.NamespaceEmail, Value: "sally@example.edu"}}, Kind: revoke.Mobile, App: "portal", ClientID: name,
			Device: []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: name}}, Facts: revoke.SessionFacts{DeviceID: name, DeviceName: name},
		})
		if err != nil {
			t.Fatalf("register %s: %v", name, err)
		}
		sally = made.Session.User
	}
	o.who = revoke.SignIn{Session: revoke.ID{9}, Org: "main", User: sally, Name: "sally@example.edu", ProvedAt: o.store.Clock().Now()}
	shown, pages := map[string]bool{}, 0
	began := revoke.MachineClock{}.Now()
	for path := "/me"; path != ""; pages++ {
		text := o.own(http.MethodGet, path, nil).Body.String()
		for _, found := range regexp.MustCompile(`<bdi>(phone \d+)</bdi>`).FindAllStringSubmatch(text, -1) {
			shown[found[1]] = true
		}
		path = ""
		if next := regexp.MustCompile(`href="(/me\?after=[^"#]+)`).FindStringSubmatch(text); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	took := revoke.MachineClock{}.Now().Sub(began) / time.Duration(pages)
	t.Logf("%d pages of %v each", pages, took)
	if len(shown) != 500 || pages != 10 || took > 300*time.Millisecond {
		t.Errorf("%d devices on %d pages of %v, want 500 on 10 of at most 300 ms", len(shown), pages, took)
	}
}
