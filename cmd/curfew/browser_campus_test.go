package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// campus is a school's server, as its students and staff find it.
type campus struct {
	*running
	t       *testing.T
	program program
	browser chromium
	file    string
}

// newCampus starts a server on which Sally has an iPhone, an iPad and a laptop.
func newCampus(t *testing.T, p program, c chromium, more ...string) *campus {
	t.Helper()
	folder := t.TempDir()
	file := configure(t, folder, "sqlite:"+folder+"/curfew.db", "http://127.0.0.1:1", append([]string{
		"organisation: Greenfield College", "password_url: https://id.example.edu/password", "",
	}, more...)...)
	s := &campus{p.start(t, file), t, p, c, file}
	for _, d := range []struct{ name, kind, platform, agent string }{
		{"Sally's iPhone", "mobile", "iOS 26", "PortalApp/7.1 (iPhone; iOS 26.1)"},
		{"Sally's iPad", "mobile", "iPadOS 26", "PortalApp/7.1 (iPad; iPadOS 26.0)"},
		{"Sally's laptop", "browser", "macOS 26", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"},
	} {
		s.registers(sally, d.name, d.kind, d.platform, d.agent)
	}
	return s
}

// registers signs somebody in on a device.
func (s *campus) registers(email, device, kind, platform, agent string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"subject": map[string]string{"format": "email", "email": email}, "kind": kind, "id": email + " " + device,
		"device": map[string]string{"id": device, "name": device, "platform": platform}, "ip": "192.0.2.7", "user_agent": agent,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.post("/v1/sessions", portalToken, string(body))
	if a.status != 201 {
		s.t.Fatalf("register %s: got %d %s", device, a.status, a.body)
	}
}

// lives reports whether somebody's session on a device does.
func (s *campus) lives(email, device string) bool {
	s.t.Helper()
	a := s.get("/v1/sessions/"+strings.NewReplacer(" ", "%20", "'", "%27").Replace(email+" "+device)+"?app=portal", "Bearer "+portalToken)
	if a.status != 200 {
		s.t.Fatalf("ask for %s of %s: got %d %s", device, email, a.status, a.body)
	}
	return a.member(s.t, "live") == true
}

// only checks which of Sally's devices live.
func (s *campus) only(devices ...string) {
	s.t.Helper()
	for _, d := range []string{"iPhone", "iPad", "laptop"} {
		want := false
		for _, name := range devices {
			want = want || name == d
		}
		if got := s.lives(sally, "Sally's "+d); got != want {
			s.t.Errorf("Sally's %s lives: got %t, want %t", d, got, want)
		}
	}
}

// link makes a one-time link as whoever runs the server does, and returns its path.
func (s *campus) link(args ...string) string {
	s.t.Helper()
	code, out, errs := s.program.run(s.t, s.t.TempDir(), append([]string{"--config", s.file, "link"}, args...)...)
	at := strings.Index(out, "/login/link/")
	if code != exitDone || at < 0 {
		s.t.Fatalf("curfew link: got exit code %d, %s %s", code, out, errs)
	}
	return strings.TrimSpace(out[at:])
}

// enters opens a link in a new browser and signs in by it: to one's own devices, or with a role to the console.
func (s *campus) enters(args ...string) *tab {
	s.t.Helper()
	return s.entersBy(s.browser.tab(s.t, s.base), args...)
}

func (s *campus) entersBy(b *tab, args ...string) *tab {
	s.t.Helper()
	b.open(s.link(args...))
	b.press("form button")
	b.sees("location.pathname === '/me' || location.pathname === '/console'")
	return b
}

func (s *campus) student() *tab { return s.enters("--user", sally) }
