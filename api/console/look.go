package console

import (
	"slices"
	"strings"

	"github.com/mileusna/useragent"

	"curfew/revoke"
)

// look is how people recognise what they are signed in on.
type look struct {
	Icon   string // of [icon]
	Thing  string // in words: Phone, Laptop or computer
	System string // iOS 19
	Client string // Firefox 152
}

// longestAgent is how much of a user agent is read: whoever sends more says nothing more.
const longestAgent = 400

// lookOf reads what a session was registered with. Nothing is decided by it.
func lookOf(s *revoke.Session) look {
	agent := s.Facts.UserAgent
	if len(agent) > longestAgent {
		agent = agent[:longestAgent]
	}
	ua := useragent.Parse(strings.ToValidUTF8(agent, ""))
	l := look{System: named(ua.OS, major(ua.OSVersion))}
	if ua.Device == "iPad" {
		l.System = named("iPadOS", major(ua.OSVersion))
	}
	if ua.OS == useragent.Windows || ua.OS == useragent.Linux || ua.OS == useragent.MacOS {
		l.System = ua.OS // these name versions that mean nothing to people
	}
	if ua.Name != agent {
		l.Client = named(ua.Name, major(ua.Version))
	}
	if l.System == "" {
		l.System = s.Facts.Platform
	}
	l.Icon, l.Thing = thing(s, &ua)
	return l
}

// thing says what sort of device it is: as the user agent says, else as the platform's name and the kind let us guess.
func thing(s *revoke.Session, ua *useragent.UserAgent) (drawn, words string) {
	platform := strings.ToLower(s.Facts.Platform)
	switch {
	case s.Kind == revoke.API || s.Kind == revoke.DeviceKind:
		return "key", "Long-lived token"
	case ua.Tablet || strings.Contains(platform, "ipad"):
		return "tablet", "Tablet"
	case ua.Mobile || s.Kind == revoke.Mobile || strings.Contains(platform, "ios") || strings.Contains(platform, "android"):
		return "phone", "Phone"
	case ua.Desktop || s.Kind == revoke.Desktop || slices.ContainsFunc([]string{"macos", "windows", "linux", "chromeos"}, func(name string) bool { return strings.Contains(platform, name) }):
		return "laptop", "Computer"
	case s.Kind == revoke.Browser && s.Facts.UserAgent != "":
		return "browser", "Browser"
	default:
		return "unknown", "Device of an unknown sort"
	}
}

// on says with what and on what: Firefox 152 on Windows.
func (l look) on() string {
	switch {
	case l.Client != "" && l.System != "":
		return l.Client + " on " + l.System
	case l.Client != "":
		return l.Client
	default:
		return l.System
	}
}

func named(name, version string) string { return strings.TrimSpace(name + " " + version) }

// major returns the part of a version that people know.
func major(version string) string {
	number, _, _ := strings.Cut(version, ".")
	if len(number) > 6 {
		return ""
	}
	return number
}
