package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// employment is what an HR system says about one person when it is read.
type employment struct {
	out  revoke.SignalKind // terminated or suspended for whoever may not work there now, else empty
	mail string            // the work address; a private one never names anybody here
	told bool              // the last day was told, if only that there is none
	last string            // the last day, such as 2026-12-24; empty when there is none
}

// employmentNote is what is kept of a read, for the next one to compare with.
type employmentNote struct {
	Out  revoke.SignalKind `json:"out,omitempty"`
	Mail string            `json:"mail,omitempty"`
	Last string            `json:"last,omitempty"` // as it was announced
	Cut  bool              `json:"cut,omitempty"`  // access was taken ahead of the last day: working on gives nothing back
}

// noted returns what was kept, and whether anything was.
func noted(raw json.RawMessage) (note employmentNote, is bool) {
	return note, len(raw) > 0 && json.Unmarshal(raw, &note) == nil
}

// kept is the note for the next read.
func (n employmentNote) kept() json.RawMessage {
	raw, _ := json.Marshal(n) // plain values always encode
	return raw
}

// follow compares what was read with what was known, and says what follows. Who is out already is not put out again: the address
// of somebody who left may be another person's by now.
func (e employment) follow(src revoke.Source, who revoke.Subject, before employmentNote, seen bool, at revoke.Instant) Finding {
	who.Add(revoke.NamespaceEmail, e.mail)
	note := employmentNote{Out: e.out, Mail: e.mail, Last: before.Last, Cut: before.Cut}
	ends, dated := endOfDay(e.last, src.Zone)
	f := Finding{Teaches: who}
	say := func(s revoke.Signal) {
		s.Subject = who
		f.Signals = append(f.Signals, s)
	}
	switch {
	case e.out != "":
		note.Last = e.last
		f.Note = "it says that the person does not work there"
		if before.Out == e.out && (before.Mail != "" || e.mail == "") {
			break
		}
		s := revoke.Signal{Kind: e.out, Reason: "HR says that the person does not work there"}
		if !seen && dated && ends < at {
			s.OccurredAt = ends // long ago, perhaps, when the address was still the person's
		}
		say(s)
	case !e.told:
		f.Note = "it says that the person works there, and does not show us a last day"
	case e.last == "":
		if note.Last = ""; before.Last != "" {
			say(revoke.Signal{Kind: revoke.Terminated, Planned: true, Reason: "HR took the last day back"})
		}
		f.Note = "it says that the person works there, with no last day"
	case ends <= at:
		f.Note = "it says that the person works there, although the last day is over" // it may say so until its own night's work is done
	default:
		if note.Last = e.last; before.Last != e.last {
			say(revoke.Signal{Kind: revoke.Terminated, Planned: true, EffectiveAt: ends, Reason: "HR says that the last day is " + e.last})
		}
		f.Note = "it says that the last day is " + e.last
	}
	if e.out == "" && before.Out != "" && !before.Cut {
		say(revoke.Signal{Kind: revoke.Reactivated, Reason: "HR says that the person works there again"})
	}
	f.Keep = note.kept()
	return f
}

// hrAPI is the API of an HR system, which takes a user and a password (RFC 7617).
type hrAPI struct {
	name           string // of the system, for errors
	base           string
	user, password revoke.Secret
	client         *http.Client
	clock          revoke.Clock
}

const maxEmployee = 1 << 20 // bytes of an answer

// newHRAPI checks where the API stands and the credential, of which field is the key in the settings.
func newHRAPI(api hrAPI, field string, credential revoke.Secret, deps Deps) (*hrAPI, error) {
	_, err := outbound.ParseAddress("api.url", api.base, false)
	if credential.IsZero() {
		err = errors.Join(err, revoke.Invalid{Field: "api." + field, Problem: "is empty", Fix: "set the variable or the file that it comes from"})
	}
	if err != nil {
		return nil, err
	}
	api.base, api.client, api.clock = strings.TrimSuffix(api.base, "/"), deps.Clients.Configured(), deps.Clock
	return &api, nil
}

// ask calls the API once and returns the members of the object that it answers; nil where it knows no such thing.
func (h *hrAPI) ask(ctx context.Context, method, path string, send any) (members, error) {
	var body io.Reader = http.NoBody
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, h.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: its address cannot be called", h.name)
	}
	r.SetBasicAuth(h.user.Reveal(), h.password.Reveal())
	r.Header.Set("Accept", "application/json")
	if send != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a, err := outbound.Do(h.client, r, maxEmployee)
	if err == nil && a.Status == http.StatusNotFound {
		return nil, nil
	}
	if err == nil {
		err = outbound.Judge(a, h.clock.Now().Time())
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", h.name, err)
	}
	var out members
	if checkJSON(a.Body) != nil || json.Unmarshal(a.Body, &out) != nil || out == nil {
		return nil, fmt.Errorf("ask %s: its answer is none that it documents", h.name)
	}
	return out, nil
}

// members are those of an object of an answer, as they stand there.
type members map[string]json.RawMessage

// text returns a member's text, "" for null, and whether it is there at all: what is not there says nothing.
func (m members) text(name string) (string, bool) {
	var out *string
	raw, there := m[name]
	if !there || json.Unmarshal(raw, &out) != nil {
		return "", false
	}
	if out == nil {
		return "", true
	}
	return strings.TrimSpace(*out), true
}

// day returns a member that is a day, "" where it says that there is none, and whether it can be read.
func (m members) day(name string) (string, bool) {
	text, ok := m.text(name)
	if text = strings.TrimSpace(strings.TrimSuffix(text, "T00:00:00")); !ok || text == "" || text == "0000-00-00" {
		return "", ok
	}
	_, err := time.Parse(time.DateOnly, text)
	return text, err == nil
}

var employeeNumber = regexp.MustCompile(`^[1-9][0-9]{0,24}$`)

// employeeID returns the id of an employee, which HR systems write as text and as a number; "" for what is none.
func employeeID(raw json.RawMessage) string {
	id := strings.Trim(string(raw), `"`)
	if !employeeNumber.MatchString(id) { // 0 is whoever owns the API key
		return ""
	}
	return id
}

// aboutEmployee is [Item.Read] of an employee.
func aboutEmployee(id string) string { return "employees/" + id }

// employeeAbout takes it back, for a path.
func employeeAbout(about string) string {
	return url.PathEscape(strings.TrimPrefix(about, "employees/"))
}
