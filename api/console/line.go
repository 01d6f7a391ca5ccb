package console

import (
	"cmp"
	"slices"

	"curfew/revoke"
)

// moment is one thing of a person's time line, as the API tells it.
type moment struct {
	At         revoke.Instant `json:"at"`
	What       string         `json:"what"`
	User       revoke.ID      `json:"user"`
	Session    *session       `json:"session"`
	Decision   *decision      `json:"revocation"`
	Identifier *identifier    `json:"identifier"`
	With       revoke.ID      `json:"with"`
	Plan       *plan          `json:"plan"`
	Authority  string         `json:"authority"`
	Event      revoke.ID      `json:"event"`
}

type decision struct {
	ID         revoke.ID         `json:"id"`
	Signal     revoke.SignalKind `json:"signal"`
	Scope      revoke.ScopeKind  `json:"scope"`
	Session    revoke.ID         `json:"session"`
	Cutoff     revoke.Instant    `json:"cutoff"`
	Blocked    bool              `json:"blocked"`
	Reason     string            `json:"reason"`
	Actor      actor             `json:"actor"`
	Said       *said             `json:"said"`
	Deliveries []delivery        `json:"deliveries"`
}

type actor struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

type said struct {
	Source     string         `json:"source"`
	Type       string         `json:"type"`
	ReceivedAt revoke.Instant `json:"received_at"`
	OccurredAt revoke.Instant `json:"occurred_at"`
	Note       string         `json:"note"`
}

type delivery struct {
	ID         string               `json:"id"`
	Revocation revoke.ID            `json:"revocation"`
	Target     string               `json:"target"`
	User       revoke.ID            `json:"user"`
	State      revoke.DeliveryState `json:"state"`
	DueAt      revoke.Instant       `json:"due_at"`
	FirstAt    revoke.Instant       `json:"first_at"`
	DoneAt     revoke.Instant       `json:"done_at"`
	LastError  string               `json:"last_error"`
	Receipt    *revoke.Receipt      `json:"receipt"`
	Attempts   attempts             `json:"attempts"`
}

// line is one line of a person's time line. Mark says what sort of thing it is: said, ended, told, owed or nothing.
type line struct {
	At   revoke.Instant
	Mark string
	Head string
	Link string // where more is to be read
	Word string // of the link
	More string // in small letters
	Sent revoke.Instant
}

// linesOf makes of each moment what there is to read of it: a decision also of what was said before it and of what targets made of it.
// All is in one order, the newest first.
func linesOf(moments []moment) []line {
	var out []line
	for i := range moments {
		out = append(out, moments[i].lines()...)
	}
	slices.SortStableFunc(out, func(a, b line) int { return cmp.Compare(b.At, a.At) })
	return out
}

func (m *moment) lines() []line {
	one := line{At: m.At}
	switch m.What {
	case "session-began":
		s := m.Session
		one.Head = "Signed in to " + short(40, s.App) + "."
		if s.Device != nil {
			one.Head = "Signed in to " + short(40, s.App) + " on " + s.Label() + "."
		}
		one.More = string(s.Kind) + " session, told to us " + stampText(s.RegisteredAt)
		one.Link, one.Word = "/console/why?session="+s.CurfewID.String(), "Is it live?"
	case "ended", "blocked", "lifted":
		return m.decided()
	case "identifier-gained":
		one.Head = "Known as " + short(80, m.Identifier.Value) + "."
		one.More = short(30, m.Identifier.Namespace)
		if m.Authority != "" {
			one.More += ", by " + short(60, m.Authority)
		}
	case "identifier-released":
		one.Head = "No longer known as " + short(80, m.Identifier.Value) + "."
		one.More = short(30, m.Identifier.Namespace)
	case "joined":
		one.Head, one.Link, one.Word = "Found to be one person with another user.", personPath(m.With), "The other"
	case "split":
		one.Head, one.Link, one.Word = "Split from another user; everything of both ended.", personPath(m.With), "The other"
	case "planned":
		one.Mark, one.Head = "said", short(60, m.Authority)+" announced the end for "+stampText(m.Plan.EffectiveAt)+"."
	case "plan-withdrawn":
		one.Mark, one.Head = "said", short(60, m.Authority)+" withdrew what it had announced."
	default:
		one.Head = short(60, m.What)
	}
	return []line{one}
}

// decided is a decision with what was said before and what was done after it.
func (m *moment) decided() []line {
	d := m.Decision
	var out []line
	if d.Said != nil && d.Actor.Kind == "source" {
		at := d.Said.ReceivedAt
		out = append(out, line{
			At: min(at, m.At), Mark: "said", Head: short(60, d.Actor.Name) + " said: " + words(d.Signal) + ".", Link: "/console/events/" + m.Event.String(), Word: short(80, cmp.Or(d.Said.Type, "The event")),
			More: short(120, d.Said.Note), Sent: d.Said.OccurredAt,
		})
	}
	what := map[string]string{"ended": endedWords(d), "blocked": "Blocked, and everything ended.", "lifted": "The block was lifted."}[m.What]
	by := ""
	if d.Actor.Kind != "source" {
		by = d.Actor.Kind + " " + short(60, d.Actor.Name)
	}
	if d.Reason != "" {
		by = joinWords(by, "“"+short(200, d.Reason)+"”")
	}
	mark := "ended"
	if m.What == "lifted" {
		mark = "told"
	}
	out = append(out, line{At: m.At, Mark: mark, Head: what, Link: "/console/revocations/" + d.ID.String(), Word: "Why?", More: by})
	for i := range d.Deliveries {
		out = append(out, d.Deliveries[i].line())
	}
	return out
}

func joinWords(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

func endedWords(d *decision) string {
	switch d.Scope {
	case revoke.ScopeSession:
		return "One session ended."
	case revoke.ScopeUserKind:
		return "Sessions of one kind ended."
	case revoke.ScopeUserApp:
		return "Sessions in one application ended."
	case revoke.ScopeDevice, revoke.ScopeUserDevice:
		return "Sessions on one device ended."
	case revoke.ScopeEveryone, revoke.ScopeKindOf, revoke.ScopeApp, revoke.ScopeUser:
	}
	return "Every session and device token ended."
}

// words writes a word of a closed set as people do.
func words[W ~string](word W) string {
	out := []byte(word)
	for i := range out {
		if out[i] == '-' || out[i] == '_' {
			out[i] = ' '
		}
	}
	return string(out)
}

// line says what a target made of a delivery.
func (d *delivery) line() line {
	target := short(60, d.Target)
	out := line{At: d.DoneAt, Mark: "told", Link: "/console/revocations/" + d.Revocation.String() + "#" + d.Target, Word: "Show", More: short(200, d.LastError)}
	tries := ""
	if d.Attempts.Count > 1 {
		tries = " after " + plural(d.Attempts.Count, "attempt")
	}
	switch d.State {
	case revoke.DeliveryDone:
		out.Head, out.More = target+" "+receiptWords(d.Receipt)+tries+".", ""
	case revoke.DeliveryParked:
		out.At, out.Mark, out.Head = d.FirstAt, "owed", target+" was given up for now: it waits for a person."
	case revoke.DeliveryDropped:
		out.Mark, out.Head = "", target+" is not told: somebody decided so."
	case revoke.DeliveryDue, revoke.DeliveryClaimed:
		out.At, out.Mark, out.Head = d.FirstAt, "owed", target+" is owed it."
		if d.Attempts.Count > 0 {
			out.Head = target + " has not confirmed" + tries + "; next try " + stampText(d.DueAt) + "."
		}
	default:
		out.At, out.Mark, out.Head = d.FirstAt, "owed", target+" waits by a person's order."
	}
	if out.At == 0 {
		out.At = d.FirstAt
	}
	return out
}

func receiptWords(r *revoke.Receipt) string {
	if r == nil {
		return "was told"
	}
	switch r.Evidence {
	case revoke.Confirmed:
		return "confirmed"
	case revoke.Accepted:
		return "accepted"
	case revoke.NothingThere:
		return "has nothing of theirs"
	}
	return "was told"
}

// stampText is an instant inside a sentence.
func stampText(at revoke.Instant) string {
	if at == 0 {
		return "at no known time"
	}
	return at.Time().UTC().Format("2006-01-02 15:04:05 UTC")
}
