package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// notFromElsewhere lets a page of another origin, on another port of this machine, send what our forms send, with the person's own
// cookie: browsers call that the same site, so that SameSite alone would let it in.
func notFromElsewhere(t *testing.T, s *campus) {
	fields := `<input name="form" value="x"><input name="scope" value="everyone"><input name="kind" value="mobile"><input name="allowed" value="no">
		<input name="do" value="%s"><input name="confirm" value="%s"><input name="reason" value="x">`
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>elsewhere</title>")
		for _, f := range [][3]string{
			{"/me/end/others"},
			{"/me/end/everywhere"},
			{"/me/devices/here/end"},
			{"/login/out"},
			{"/console/many", "end", "3"},
			{"/console/policies", "set", "2"},
			{"/v1/revocations", "end", "3"},
		} {
			_, _ = fmt.Fprintf(w, `<form method="post" action="%s">`+fields+`<button>You have won</button></form>`, s.base+f[0], f[1], f[2])
		}
	}))
	t.Cleanup(elsewhere.Close)
	for _, who := range [][]string{{"--user", sally}, {"--role", "admin"}} {
		b := s.enters(who...)
		visit := func() {
			t.Helper()
			b.do("go elsewhere", chromedp.Navigate(elsewhere.URL))
			b.sees("document.title === 'elsewhere'")
		}
		visit()
		forms := ask[[]string](b, "[...document.forms].map(f => f.action)")
		for i, to := range forms {
			visit()
			b.press(fmt.Sprintf("form:nth-of-type(%d) button", i+1))
			b.sees("location.href === " + quoted(to))
			if text := b.shown(); !strings.Contains(text, "This came from another site") && !strings.Contains(text, "/problems/") {
				t.Errorf("as %v, a form for %s from elsewhere is answered\n%s", who, to, text)
			}
		}
		visit()
		for _, to := range forms { // as script there would: no answer may be read, and nothing may be done
			for _, how := range []string{`{method: "POST", credentials: "include", body: new URLSearchParams(new FormData(document.forms[4]))}`, `{method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: '{"scope": "everyone", "confirm": 3, "reason": "x"}'}`, `{credentials: "include"}`} {
				if got := promised[string](b, fmt.Sprintf("fetch(%s, %s).then(r => 'read ' + r.status, () => 'refused')", quoted(to), how)); got != "refused" {
					t.Errorf("as %v, %s of %s from elsewhere: %s, want that it cannot be read", who, how, to, got)
				}
			}
		}
		s.only("iPhone", "iPad", "laptop")
		b.open("/me")
		b.sees(`location.pathname === "/me"`) // and still signed in
	}
	if a := s.get("/v1/policies", "Bearer "+opsToken); a.status != http.StatusOK || len(a.member(t, "items").([]any)) != 0 {
		t.Errorf("policies after the forgeries: %d %s", a.status, a.body)
	}
}
