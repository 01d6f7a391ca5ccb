package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"curfew/api"
	"curfew/revoke"
)

// letterbox is the senders of a test: a message is a list of words, each a signal about one address. What no word was taught
// is unknown; taught says which are.
type letterbox struct {
	taught map[string]revoke.SignalKind
	reads  bool     // of what changed it says only so
	down   bool     // its API does not answer
	asked  []string // at its API
}

type letter struct {
	ID    string `json:"id"`
	Word  string `json:"word"`
	Email string `json:"email"`
}

func (l *letterbox) event(source string, one letter) revoke.Event {
	body, _ := json.Marshal(one)
	ev := revoke.Event{Org: "main", Source: source, Authority: source, SenderID: one.ID, Type: one.Word, Body: body}
	if about, changed := strings.CutPrefix(one.Word, "changed:"); changed && l.reads {
		ev.State, ev.Read = revoke.EventReading, about
		return ev
	}
	kind, ok := l.taught[one.Word]
	if !ok {
		ev.State, ev.Note = revoke.EventUnknown, "nobody has taught us this word"
		return ev
	}
	var who revoke.Subject
	who.Add(revoke.NamespaceEmail, one.Email)
	ev.Signals = []revoke.Signal{{Kind: kind, Subject: who}}
	return ev
}

func (l *letterbox) Read(source string, header http.Header, body []byte) ([]revoke.Event, error) {
	var letters []letter
	if header.Get("Authorization") != "" || json.Unmarshal(body, &letters) != nil {
		return nil, revoke.Invalid{Problem: "is no list of letters", Fix: "send one"}
	}
	var out []revoke.Event
	for _, one := range letters {
		out = append(out, l.event(source, one))
	}
	return out, nil
}

func (l *letterbox) Reread(ev revoke.Event) (revoke.Event, error) {
	var one letter
	if err := json.Unmarshal(ev.Body, &one); err != nil || one.Word == "" {
		return ev, revoke.ErrNotFound
	}
	return l.event(ev.Source, one), nil
}

// Foresee asks the API of hr, which says of everybody that their employment ended.
func (l *letterbox) Foresee(_ context.Context, ev revoke.Event) (revoke.Instant, revoke.ReadAnswer, error) {
	l.asked = append(l.asked, ev.Read)
	if l.down {
		return 0, revoke.ReadAnswer{}, errors.New("the API of hr answered 502")
	}
	who, ok := strings.CutPrefix(ev.Read, "ended/")
	if !ok {
		return 1, revoke.ReadAnswer{Note: "still employed"}, nil
	}
	sig := revoke.Signal{Kind: revoke.Terminated}
	sig.Subject.Add(revoke.NamespaceEmail, who)
	return 1, revoke.ReadAnswer{Signals: []revoke.Signal{sig}, Note: "employment ended"}, nil
}

// hr is a sender of the test, and rejected one of another org.
func hr() revoke.Source {
	return revoke.Source{Name: "hr", Org: "main", Type: "letters", Authority: "hr", IDs: "hr", Learns: true}
}

func withLetters(l *letterbox) func(*api.Config) {
	return func(cfg *api.Config) {
		elsewhere(cfg)
		abroad := hr()
		abroad.Name, abroad.Authority, abroad.Org = "hr-abroad", "hr-abroad", "college"
		cfg.Read = l
		cfg.Senders = []api.Sender{{Source: hr(), Built: true}, {Source: abroad, Built: true}, {Source: revoke.Source{Name: "sap", Org: "main", Type: "sap", Authority: "sap", IDs: "sap"}}}
	}
}

// post lets hr's letters come in at the door of webhooks.
func (b *bundle) post(l *letterbox, letters ...letter) []string {
	b.t.Helper()
	var ids []string
	for _, one := range letters {
		out, err := b.service.Receive(b.t.Context(), revoke.Actor{Kind: "source", Name: "hr"}, hr(), l.event("hr", one))
		if err != nil {
			b.t.Fatalf("receive %v: %v", one, err)
		}
		ids = append(ids, out[0].Event.String())
	}
	return ids
}

func TestEventsAreListedWithWhatWasDecided(t *testing.T) {
	t.Parallel()
	l := &letterbox{taught: map[string]revoke.SignalKind{"fired": revoke.Terminated}}
	b := start(t, withLetters(l))
	b.register("sally@example.edu", "browser", "laptop")
	ids := b.post(l, letter{"1", "fired", "sally@example.edu"}, letter{"2", "promoted", "sally@example.edu"}, letter{"3", "promoted", "tom@example.edu"})
	got := b.want("one", b.as("ops", "GET", "/v1/events/"+ids[0], ""), 200)
	for member, want := range map[string]any{
		"source": "hr", "authority": "hr", "sender_id": "1", "type": "fired", "state": "decided", "known": true, "body.email": "sally@example.edu",
		"revocations.kind": "block", "revocations.signal": "terminated", "revocations.blocked": true,
	} {
		if got.member(member) != want {
			t.Errorf("%s is %v, want %v", member, got.member(member), want)
		}
	}
	if r := b.want("its revocation", b.as("ops", "GET", "/v1/revocations/"+got.text("revocations.id"), ""), 200); r.text("event") != ids[0] {
		t.Errorf("its revocation is of another event: %s", r.body)
	}
	for query, want := range map[string][]string{
		"source=hr":                          {ids[2], ids[1], ids[0]},
		"source=hr&state=unknown":            {ids[2], ids[1]},
		"type=fired":                         {ids[0]},
		"source=hr&type=promoted&state=held": nil,
		"source=portal&state=unknown":        nil,
	} {
		var have []string
		path, next := "/v1/events?limit=1&"+query, ""
		for range 10 {
			page := b.want(query, b.as("ops", "GET", path+next, ""), 200)
			if page.text("items.id") != "" {
				have = append(have, page.text("items.id"))
			}
			if strings.Contains(page.body, `"body"`) {
				t.Errorf("a list shows bodies: %s", page.body)
			}
			cursor := page.text("next")
			if cursor == "" {
				break
			}
			next = "&cursor=" + cursor
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s lists %v, want %v", query, have, want)
		}
	}
	b.want("a state that is none", b.as("ops", "GET", "/v1/events?state=lost", ""), 422, "invalid")
	b.want("a cursor that is none", b.as("ops", "GET", "/v1/events?cursor=x", ""), 422, "invalid")
	b.want("no event", b.as("ops", "GET", "/v1/events/019aaf3c-5b40-7000-8000-000000000000", ""), 404, "not-found")
	b.want("no id", b.as("ops", "GET", "/v1/events/x", ""), 404, "not-found")
}

// TestReplayDoesWhatFollowsToday teaches a word and reads again what was kept when nobody knew it.
func TestReplayDoesWhatFollowsToday(t *testing.T) {
	t.Parallel()
	l := &letterbox{taught: map[string]revoke.SignalKind{}}
	b := start(t, withLetters(l))
	b.register("sally@example.edu", "browser", "laptop")
	id := b.post(l, letter{"1", "fired", "sally@example.edu"})[0]
	path := "/v1/events/" + id + "/replay"
	before := b.done()
	if got := b.want("nobody knows the word", b.as("ops", "POST", path, ""), 200); got.text("state") != "unknown" || got.member("dry_run") != false {
		t.Errorf("replayed without knowing more: %s", got.body)
	}
	if after := b.done(); after != before {
		t.Errorf("a replay that found nothing wrote: %v, was %v", after, before)
	}
	l.taught["fired"] = revoke.Terminated
	dry := b.want("dry run", b.as("ops", "POST", path, `{"dry_run": true}`), 200)
	if dry.text("state") != "decided" || dry.member("dry_run") != true || dry.text("revocations.kind") != "block" || dry.member("revocations.id") != nil {
		t.Errorf("dry run: %s", dry.body)
	}
	b.wantLive("after a dry run", map[string]bool{"laptop": true})
	got := b.want("replay", b.as("ops", "POST", path, `{}`), 200)
	if got.text("id") != id || got.text("state") != "decided" || got.text("revocations.id") == "" || got.member("known") != true {
		t.Errorf("replay: %s", got.body)
	}
	b.wantLive("after a replay", map[string]bool{"laptop": false})
	before = b.done()
	again := b.want("replay again", b.as("ops", "POST", path, ""), 200)
	if again.body != got.body {
		t.Errorf("replayed again: %s, was %s", again.body, got.body)
	}
	if after := b.done(); after != before {
		t.Errorf("a decided event was decided again: %v, was %v", after, before)
	}
	who := false
	for _, line := range b.store.Audit() {
		who = who || line.Kind == "replay" && strings.Contains(string(line.Entry), `"ops"`)
	}
	if !who {
		t.Error("the audit log does not say who replayed")
	}
}

// A dry replay of what says only who changed asks the sender's API, says what would follow, and changes nothing.
func TestDryReplayReads(t *testing.T) {
	t.Parallel()
	l := &letterbox{}
	b := start(t, withLetters(l))
	b.register("sally@example.edu", "browser", "laptop")
	ids := b.post(l, letter{"1", "changed:ended/sally@example.edu", ""}, letter{"2", "changed:tom", ""})
	l.reads = true
	before := b.done()
	dry := func(id string) reply {
		return b.want("dry run", b.as("ops", "POST", "/v1/events/"+id+"/replay", `{"dry_run": true}`), 200)
	}
	got := dry(ids[0])
	for member, want := range map[string]any{
		"dry_run": true, "state": "decided", "note": "employment ended", "known": true, "revocations.kind": "block", "revocations.signal": "terminated", "revocations.id": nil,
	} {
		if got.member(member) != want {
			t.Errorf("%s is %v, want %v: %s", member, got.member(member), want, got.body)
		}
	}
	if got := dry(ids[1]); got.text("state") != "ignored" || got.text("note") != "still employed; it was read, and nothing follows" {
		t.Errorf("a read from which nothing follows: %s", got.body)
	}
	l.down = true
	if got := dry(ids[0]); got.text("state") != "reading" || got.text("note") != "it would wait to be read: the API of hr answered 502" || strings.Contains(got.body, "terminated") {
		t.Errorf("an API that is down: %s", got.body)
	}
	if len(l.asked) != 3 || b.done() != before {
		t.Errorf("asked %q, and wrote %v, was %v", l.asked, b.done(), before)
	}
	b.wantLive("after dry runs", map[string]bool{"laptop": true})
	if got := b.want("replay", b.as("ops", "POST", "/v1/events/"+ids[0]+"/replay", ""), 200); got.text("state") != "reading" || len(l.asked) != 3 {
		t.Errorf("a replay that is meant waits to be read: %s, asked %q", got.body, l.asked)
	}
}

func TestReplayOfWhatAnApplicationSaid(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	b := start(t, func(c *api.Config) { elsewhere(c); cfg = *c })
	b.register("sally@example.edu", "browser", "laptop")
	said := b.want("locked", b.as("portal", "POST", "/v1/signals", `{"signal": "locked", "subject": `+sally+`}`), 201)
	if said.text("state") != "ignored" {
		t.Fatalf("locked: %s", said.body)
	}
	path := "/v1/events/" + said.text("id") + "/replay"
	b.want("another org's", b.as("abroad", "POST", path, ""), 404, "not-found")
	for i := range cfg.Tokens {
		if cfg.Tokens[i].Name == "portal" {
			cfg.Tokens[i].Source.Rules = map[revoke.SignalKind]revoke.Rule{revoke.Locked: {Cut: revoke.AtReceipt}}
		}
	}
	if err := b.app.Replace(cfg); err != nil {
		t.Fatal(err)
	}
	if got := b.want("promoted", b.as("ops", "POST", path, ""), 200); got.text("state") != "decided" || got.text("revocations.scope") != "user" {
		t.Errorf("replayed under another rule: %s", got.body)
	}
	b.wantLive("after it", map[string]bool{"laptop": false})

	ignored := b.want("raised", b.as("portal", "POST", "/v1/signals", `{"signal": "risk-raised", "subject": `+sally+`}`), 201).text("id")
	cfg.Tokens = cfg.Tokens[:1:1]
	cfg.Tokens = append(cfg.Tokens, tokens()[5])
	if err := b.app.Replace(cfg); err != nil {
		t.Fatal(err)
	}
	b.want("its source is gone", b.as("ops", "POST", "/v1/events/"+ignored+"/replay", ""), 409, "conflict")
	if got := b.want("decided, and its source is gone", b.as("ops", "POST", path, ""), 200); got.text("state") != "decided" {
		t.Errorf("a decided event whose source is gone: %s", got.body)
	}
	moved := tokens()[1]
	moved.Source.Org = "college"
	moved.Source.Rules = map[revoke.SignalKind]revoke.Rule{revoke.RiskRaised: {Cut: revoke.AtReceipt}}
	cfg.Tokens = append(cfg.Tokens, moved)
	if err := b.app.Replace(cfg); err != nil {
		t.Fatal(err)
	}
	b.want("its source speaks for another org now", b.as("ops", "POST", "/v1/events/"+ignored+"/replay", ""), 409, "conflict")
	b.want("nothing of the kind", b.as("ops", "POST", "/v1/events/019aaf3c-5b40-7000-8000-000000000000/replay", ""), 404, "not-found")
	b.want("a member that is none", b.as("ops", "POST", "/v1/events/"+ignored+"/replay", `{"force": true}`), 422, "invalid")
}
