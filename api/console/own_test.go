package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"curfew/revoke"
)

// signIn registers a session of somebody on a device and returns it.
func (o *office) signIn(email, device string, kind revoke.Kind) revoke.Session {
	o.t.Helper()
	made, err := o.service.Register(o.t.Context(), revoke.Source{Name: "portal", Org: "main", Type: "token", Authority: "portal"}, revoke.Registration{
		Subject: revoke.Subject{{Namespace: revoke.NamespaceEmail, Value: email}}, Kind: kind, App: "portal", ClientID: email + " " + device,
		Device: []revoke.DeviceIdentifier{{Namespace: revoke.NamespaceDeviceID, Value: device}}, Facts: revoke.SessionFacts{DeviceID: device, DeviceName: device},
	})
	if err != nil {
		o.t.Fatalf("register %s on %s: %v", email, device, err)
	}
	return made.Session
}

// sits lets somebody look at the pages, having just proved who they are.
func (o *office) sits(user revoke.ID, name string, roles ...revoke.Role) {
	o.who = revoke.SignIn{Session: revoke.ID{9}, Org: "main", User: user, Name: name, Roles: roles, ProvedAt: o.store.Clock().Now()}
}

// live reports whether a session is.
func (o *office) live(s revoke.Session) bool {
	o.t.Helper()
	verdict, err := o.service.Judge(o.t.Context(), &s)
	if err != nil {
		o.t.Fatalf("judge %s: %v", s.ID, err)
	}
	return verdict.Live
}

// sent is the form that our pages send.
func sent() url.Values { return url.Values{"form": {"form-token"}} }

// W13, W26: whatever role somebody has, /me shows their own sessions and ends them, and nobody else's.
func TestEverybodyEndsTheirOwn(t *testing.T) {
	for _, role := range append([]revoke.Role{""}, revoke.Roles()...) {
		t.Run("role "+string(role), func(t *testing.T) {
			o := newOffice(t)
			hers, others := o.signIn("sally@example.edu", "Sally's iPad", revoke.Mobile), o.signIn("ben@example.edu", "Ben's iPad", revoke.Mobile)
			var roles []revoke.Role
			if role != "" {
				roles = append(roles, role)
			}
			o.sits(hers.User, "sally@example.edu", roles...)
			if text := o.own(http.MethodGet, "/me", nil).Body.String(); !strings.Contains(text, "Sally&#39;s iPad") || strings.Contains(text, "Ben") {
				t.Errorf("/me shows\n%s\nwant Sally's iPad and nothing of Ben", text)
			}
			for _, path := range []string{
				"/me/sessions/" + others.ID.String() + "/end", "/me/devices/d" + others.Device.String() + "/end", "/me/devices/d" + others.Device.String() + "/not-me",
			} {
				for _, method := range []string{http.MethodGet, http.MethodPost} { // a thing that is not hers is answered like one that is over
					if got := o.own(method, path, sent()); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/me?done=over" {
						t.Errorf("%s %s of Ben's: %d to %q, want 303 to /me?done=over", method, path, got.Code, got.Header().Get("Location"))
					}
				}
			}
			if got := o.own(http.MethodPost, "/me/sessions/"+hers.ID.String()+"/end", sent()); got.Code != http.StatusSeeOther {
				t.Errorf("end her own: %d, want 303", got.Code)
			}
			if o.live(hers) || !o.live(others) {
				t.Errorf("hers lives: %v, Ben's: %v, want only Ben's", o.live(hers), o.live(others))
			}
			if got := o.own(http.MethodPost, "/me/end/everywhere", sent()); got.Code != http.StatusSeeOther || !o.live(others) {
				t.Errorf("end everywhere: %d, and Ben's lives: %v, want 303 and true", got.Code, o.live(others))
			}
		})
	}
}

// W5: a device in two people's hands ends for her alone.
func TestSharedDeviceEndsForOne(t *testing.T) {
	o := newOffice(t)
	hers, phone, his := o.signIn("sally@example.edu", "family-ipad", revoke.Mobile), o.signIn("sally@example.edu", "phone", revoke.Mobile), o.signIn("ben@example.edu", "family-ipad", revoke.Mobile)
	o.sits(hers.User, "sally@example.edu")
	if got := o.own(http.MethodPost, "/me/devices/d"+hers.Device.String()+"/end", sent()); got.Code != http.StatusSeeOther {
		t.Fatalf("end the tablet: %d, want 303", got.Code)
	}
	if o.live(hers) || !o.live(phone) || !o.live(his) {
		t.Errorf("hers on the tablet lives: %v, her phone: %v, his on the tablet: %v, want false, true, true", o.live(hers), o.live(phone), o.live(his))
	}
}

// W3: everything but this one, then everything.
func TestEverywhereElseKeepsThisOne(t *testing.T) {
	o := newOffice(t)
	phone, token := o.signIn("sally@example.edu", "phone", revoke.Mobile), o.signIn("sally@example.edu", "script", revoke.API)
	laptop := o.signIn("sally@example.edu", "laptop", revoke.Browser)
	o.sits(laptop.User, "sally@example.edu")
	o.who.Session = laptop.ID
	if got := o.own(http.MethodPost, "/me/end/others", sent()); got.Code != http.StatusSeeOther || o.live(phone) || o.live(token) || !o.live(laptop) {
		t.Errorf("everywhere else: %d, live: phone %v, token %v, laptop %v, want 303 and only the laptop", got.Code, o.live(phone), o.live(token), o.live(laptop))
	}
	if got := o.own(http.MethodPost, "/me/end/everywhere", sent()); got.Header().Get("Location") != "/me/signed-out" || o.live(laptop) {
		t.Errorf("everywhere: to %q, and the laptop lives: %v, want /me/signed-out and false", got.Header().Get("Location"), o.live(laptop))
	}
}

// W4: "this wasn't me" ends it, tells security, leads to the password, and the record says why.
func TestNotMe(t *testing.T) {
	o := newOffice(t)
	strange := o.signIn("sally@example.edu", "unknown phone", revoke.Mobile)
	o.sits(strange.User, "sally@example.edu")
	got := o.own(http.MethodPost, "/me/devices/d"+strange.Device.String()+"/not-me", sent())
	if got.Code != http.StatusSeeOther || !strings.HasPrefix(got.Header().Get("Location"), "/me/not-me?") || o.live(strange) {
		t.Fatalf("not me: %d to %q, and it lives: %v, want 303 to /me/not-me, and false", got.Code, got.Header().Get("Location"), o.live(strange))
	}
	if text := o.own(http.MethodGet, got.Header().Get("Location"), nil).Body.String(); !strings.Contains(text, "https://id.example.edu/password") {
		t.Errorf("the next page leads to no password:\n%s", text)
	}
	alarms, err := o.store.Alarms(t.Context(), revoke.AlarmQuery{Org: "main", Limit: 10})
	if err != nil || !slices.ContainsFunc(alarms, func(a revoke.Alarm) bool {
		return a.Kind == revoke.AlarmUnrecognised && a.About == strange.User.String()
	}) {
		t.Errorf("alarms: %v and %v, want one about what she did not recognise", alarms, err)
	}
	var reasons []string
	for _, e := range o.store.Audit() {
		reasons = append(reasons, string(e.Entry)+string(e.Person))
	}
	if !slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(r, "unrecognised") }) {
		t.Errorf("audit: %v, want an entry whose reason is unrecognised", reasons)
	}
}

// Another site's form changes nothing, nor does one without what ours carry, nor with somebody else's.
func TestFormsFromElsewhere(t *testing.T) {
	o := newOffice(t)
	s := o.signIn("sally@example.edu", "phone", revoke.Mobile)
	o.sits(s.User, "sally@example.edu")
	forged := map[string]func(r *http.Request){
		"from another site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"from a sibling site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"of another origin":   func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"of no origin":        func(r *http.Request) { r.Header.Set("Origin", "null") },
	}
	post := func(path, body string, change func(*http.Request)) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://curfew.test"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		o.console.ServeHTTP(w, r)
		return w.Code
	}
	for _, path := range []string{"/me/devices/d" + s.Device.String() + "/end", "/me/devices/d" + s.Device.String() + "/not-me", "/me/sessions/" + s.ID.String() + "/end", "/me/end/others", "/me/end/everywhere"} {
		for name, change := range forged {
			if got := post(path, sent().Encode(), change); got != http.StatusForbidden {
				t.Errorf("POST %s %s: %d, want 403", path, name, got)
			}
		}
		for _, body := range []string{"", "form=", "form=form-toke", "form=form-token2", "FORM=form-token"} {
			if got := post(path, body, nil); got != http.StatusForbidden {
				t.Errorf("POST %s with %q: %d, want 403", path, body, got)
			}
		}
		if got := post(path+"?form=form-token", "", nil); got != http.StatusForbidden {
			t.Errorf("POST %s with the token in the address: %d, want 403", path, got)
		}
	}
	if !o.live(s) {
		t.Error("a forged form ended the session")
	}
}

// Every page says what a browser must not do with it, whoever asks and whether or not it is there.
func TestEveryAnswerIsStrict(t *testing.T) {
	o := newOffice(t)
	s := o.signIn("sally@example.edu", "phone", revoke.Mobile)
	directive := regexp.MustCompile(`(^|; )default-src 'none'(;|$)`)
	for _, name := range []string{"sally@example.edu", "nobody"} {
		o.who = revoke.SignIn{}
		if name != "nobody" {
			o.sits(s.User, name, revoke.RoleAdmin)
		}
		for _, path := range []string{"/me", "/me/data", "/me/data/sessions.json", "/me/signed-out", "/me/news", "/me/nothing", "/me/end/others", "/console", "/console/people", "/console/nothing", "/console/static/curfew.css"} {
			header := o.own(http.MethodGet, path, nil).Header()
			csp := header.Get("Content-Security-Policy")
			for _, want := range []string{"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"} {
				if !directive.MatchString(csp) || !strings.Contains(csp, want) {
					t.Errorf("%s as %s: Content-Security-Policy %q, want default-src 'none' and %s", path, name, csp, want)
				}
			}
			if strings.Contains(csp, "unsafe") || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") == "" {
				t.Errorf("%s as %s: headers %v, want nosniff, a Referrer-Policy and nothing unsafe", path, name, header)
			}
			if cache := header.Get("Cache-Control"); cache != "no-store" && !strings.HasPrefix(path, "/console/static/") {
				t.Errorf("%s as %s: Cache-Control %q, want no-store", path, name, cache)
			}
		}
	}
}

// A person's own name for a device stands on the page in place of the device's, until it is taken back; it is text, and hers.
func TestRename(t *testing.T) {
	o := newOffice(t)
	hers, his := o.signIn("sally@example.edu", "iPad", revoke.Mobile), o.signIn("ben@example.edu", "iPad", revoke.Mobile)
	o.sits(hers.User, "sally@example.edu")
	path := "/me/devices/d" + hers.Device.String() + "/name"
	for _, step := range []struct{ send, want string }{
		{"The kids' tablet", "<bdi>The kids&#39; tablet</bdi>"},
		{"  <b>big</b>\u202e\n\ttablet  ", "<bdi>&lt;b&gt;big&lt;/b&gt; tablet</bdi>"},
		{strings.Repeat("ü", 61), "<bdi>" + strings.Repeat("ü", 59)},
		{"", "<bdi>iPad</bdi>"},
	} {
		form := sent()
		form.Set("name", step.send)
		if got := o.own(http.MethodPost, path, form); got.Code != http.StatusSeeOther {
			t.Fatalf("name it %q: %d, want 303", step.send, got.Code)
		}
		text := o.own(http.MethodGet, "/me", nil).Body.String()
		if !strings.Contains(text, "<h3>"+step.want) || strings.Contains(text, strings.Repeat("ü", 61)) {
			t.Errorf("named %q, the page has no heading %q:\n%s", step.send, step.want, text)
		}
	}
	form := sent()
	form.Set("name", "hers")
	o.own(http.MethodPost, path, form)
	o.sits(his.User, "ben@example.edu")
	if text := o.own(http.MethodGet, "/me", nil).Body.String(); !strings.Contains(text, "<h3><bdi>iPad</bdi>") {
		t.Errorf("Ben's page bears Sally's name for the tablet:\n%s", text)
	}
	if !o.live(hers) || !o.live(his) {
		t.Error("naming a device ended a session")
	}
}
