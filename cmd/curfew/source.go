package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type sourceCommand struct {
	List   sourceListCommand   `cmd:"" help:"List who sends news, and when each was heard last."`
	Rules  sourceRulesCommand  `cmd:"" help:"Say what each signal of a source does."`
	Try    sourceTryCommand    `cmd:"" help:"Read a sender's message and say what would follow; nothing does."`
	Retire sourceRetireCommand `cmd:"" help:"Take over the blocks of a source that is gone, or lift them."`
}

// newsSource is whoever sends us news, as the server knows it.
type newsSource struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Org       string  `json:"org"`
	Authority string  `json:"authority"`
	Built     bool    `json:"built"`
	State     string  `json:"state"`
	Since     string  `json:"known_since"`
	LastHeard string  `json:"last_heard"`
	Gap       float64 `json:"usual_gap"`
	Delay     *struct {
		Median float64 `json:"median"`
		Worst  float64 `json:"worst"`
	} `json:"delay"`
	Health []struct {
		State string `json:"state"`
	} `json:"health"`
	Unknown []struct {
		Type  string `json:"type"`
		Count int    `json:"count"`
	} `json:"unknown"`
	Rules []struct {
		Signal  string `json:"signal"`
		Cut     string `json:"cut"`
		Block   string `json:"block"`
		Changed bool   `json:"changed"`
	} `json:"rules"`
	Means []struct {
		Word   string `json:"word"`
		Signal string `json:"signal"`
		Note   string `json:"note"`
	} `json:"means"`
}

type sourceListCommand struct{}

// Help shows an example.
func (sourceListCommand) Help() string {
	return `Senders of webhooks, and tokens that can send. LAST HEARD is when it last proved who it is, USUAL GAP how long it says nothing at
most, usually, and DELAY how late half of what it sends comes; a source that states no time, as SCIM does, has none. UNKNOWN is what
it sends and nobody has taught Curfew.

  curfew source list`
}

// Run lists who sends news.
func (sourceListCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/sources", url.Values{}, 0)
	if err != nil {
		return err
	}
	head := []string{"SOURCE", "TYPE", "ORG", "AUTHORITY", "STATE", "LAST HEARD", "USUAL GAP", "DELAY", "UNKNOWN"}
	return answeredList(sh, raw, head, func(s *newsSource) []string {
		var unknown []string
		for _, u := range s.Unknown {
			unknown = append(unknown, fmt.Sprintf("%s (%d)", u.Type, u.Count))
		}
		return []string{s.Name, s.Type, s.Org, s.Authority, s.state(), s.heard(), cmp.Or(length(s.Gap), "-"), s.delay(), strings.Join(unknown, ", ")}
	})
}

// state is how the source speaks, with all that is not as it should be.
func (s *newsSource) state() string {
	words := make([]string, len(s.Health))
	for i, h := range s.Health {
		words[i] = h.State
	}
	return cmp.Or(strings.Join(words, ", "), s.State)
}

func (s *newsSource) heard() string {
	switch {
	case !s.Built:
		return "never: this version lacks its type"
	case s.LastHeard == "" && s.Since != "":
		return "never since " + s.Since
	}
	return cmp.Or(s.LastHeard, "never")
}

func (s *newsSource) delay() string {
	if s.Delay == nil {
		return "-"
	}
	return cmp.Or(length(s.Delay.Median), "none") + ", at worst " + cmp.Or(length(s.Delay.Worst), "none")
}

// length writes seconds for people, and nothing for none.
func length(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case d == 0:
		return ""
	case d < time.Second:
		return "under 1s"
	default:
		return d.Round(time.Second).String()
	}
}

type sourceRulesCommand struct {
	Name string `arg:"" help:"The source."`
}

// Help shows an example.
func (sourceRulesCommand) Help() string {
	return `Whether a signal ends sessions, as of when, and what becomes of the source's block. A rule of the settings that differs from
what holds by default is marked. Below stands which signal each of the sender's own words is.

  curfew source rules okta`
}

// Run says what each signal does.
func (c sourceRulesCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	raw, err := list[json.RawMessage](ctx, r, "/v1/sources", url.Values{}, 0)
	if err != nil {
		return err
	}
	for _, each := range raw {
		var s newsSource
		if err := json.Unmarshal(each, &s); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if s.Name != c.Name {
			continue
		}
		return answered(sh, each, func(s *newsSource) error {
			rows := [][]string{{"SIGNAL", "CUT", "BLOCK", ""}}
			for _, rule := range s.Rules {
				changed := ""
				if rule.Changed {
					changed = "changed by the settings"
				}
				rows = append(rows, []string{rule.Signal, rule.Cut, rule.Block, changed})
			}
			if err := sh.table(rows...); err != nil || len(s.Means) == 0 {
				return err
			}
			rows = [][]string{{"ITS WORD", "SIGNAL", ""}}
			for _, m := range s.Means {
				rows = append(rows, []string{m.Word, cmp.Or(m.Signal, "-"), m.Note})
			}
			_, _ = fmt.Fprintln(sh.out)
			return sh.table(rows...)
		})
	}
	return exitError{exitNotFound, fmt.Errorf("no source is called %s: curfew source list names them", c.Name)}
}

type sourceRetireCommand struct {
	Name   string `arg:"" help:"The source, or an authority that is not in the settings any more."`
	To     string `xor:"what" placeholder:"AUTHORITY" help:"Whose blocks they are from now on: another source's authority."`
	Lift   bool   `xor:"what" help:"Lift them: whoever only this source kept out may sign in again."`
	Reason string `required:"" help:"Why, in words for the audit log."`
}

// Help shows an example.
func (sourceRetireCommand) Help() string {
	return `A block is lifted by its authority or an admin; when a source goes for ever, somebody must follow it. What stops half-way is
done by asking again.

  curfew source retire okta --to okta-2 --reason "we moved to a new tenant"
  curfew source retire badges --lift --reason "the contract ended"`
}

// Run moves or lifts what a source left behind.
func (c sourceRetireCommand) Run(ctx context.Context, sh *shell) error {
	if c.Lift == (c.To != "") {
		return usage("say --to AUTHORITY, or --lift")
	}
	more := map[string]any{"to": nil}
	if !c.Lift {
		more["to"] = c.To
	}
	raw, err := sh.order(ctx, "/v1/sources/"+url.PathEscape(c.Name)+"/retire", c.Reason, more)
	if err != nil {
		return err
	}
	return answered(sh, raw, func(done *struct {
		Authority string
		To        *string
		People    int
	},
	) error {
		people := fmt.Sprintf("%d people", done.People)
		if done.People == 1 {
			people = "1 person"
		}
		text := fmt.Sprintf("the blocks of %s are lifted, for %s", done.Authority, people)
		if done.To != nil {
			text = fmt.Sprintf("the blocks of %s are those of %s now, for %s", done.Authority, *done.To, people)
		}
		_, err := fmt.Fprintln(sh.out, plainText(text))
		return err
	})
}

type sourceTryCommand struct {
	Name   string `arg:"" help:"A sender of webhooks."`
	Sample string `required:"" placeholder:"FILE" help:"Its message, or the whole request with its head, as it was recorded; - is standard input."`
}

// Help shows an example.
func (sourceTryCommand) Help() string {
	return `The message needs no proof, for nothing comes of it: no event is kept, nobody is cut and no target is told.

  curfew source try okta --sample event.json`
}

// tried is one item of a message, and what would follow of it.
type tried struct {
	Type       string `json:"type"`
	SenderID   string `json:"sender_id"`
	OccurredAt string `json:"occurred_at"`
	State      string `json:"state"`
	Note       string `json:"note"`
	Duplicate  bool   `json:"duplicate"`
	Known      bool   `json:"known"`
	User       string `json:"user"`
	Signals    []struct {
		Signal      string       `json:"signal"`
		Identifiers []identifier `json:"identifiers"`
		Device      []identifier `json:"device"`
		Session     string       `json:"session"`
		SID         string       `json:"sid"`
	} `json:"signals"`
	Revocations []struct {
		Scope   string `json:"scope"`
		Signal  string `json:"signal"`
		At      string `json:"at"`
		Blocked bool   `json:"blocked"`
	} `json:"revocations"`
	Conflicts []identifier `json:"conflicts"`
}

type identifier struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

func inWords(ids []identifier) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Namespace + " " + id.Value
	}
	return strings.Join(out, ", ")
}

// Run tries a message.
func (c sourceTryCommand) Run(ctx context.Context, sh *shell) error {
	r, err := sh.remote()
	if err != nil {
		return err
	}
	in := sh.in
	if c.Sample != "-" {
		file, err := os.Open(c.Sample)
		if err != nil {
			return usage("open the message: %w", err)
		}
		defer func() { _ = file.Close() }()
		in = file
	}
	header, body, err := readMessage(in)
	if err != nil {
		return err
	}
	answer, err := r.ask(ctx, http.MethodPost, "/v1/sources/"+url.PathEscape(c.Name)+"/try", header, body)
	if err != nil {
		return err
	}
	return answered(sh, answer.Body, func(m *struct{ Items []tried }) error {
		if len(m.Items) == 0 {
			sh.note("the message holds no item")
		}
		for i := range m.Items {
			if i > 0 {
				_, _ = fmt.Fprintln(sh.out)
			}
			if err := sh.table(m.Items[i].rows()...); err != nil {
				return err
			}
		}
		return nil
	})
}

// readMessage reads a message, or a recorded request with its head. What proved the sender stays here: the server takes our
// own proof in its place, and needs none for a try.
func readMessage(in io.Reader) (http.Header, []byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, longestMessage+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the message: %w", err)
	case len(text) > longestMessage:
		return nil, nil, usage("the message is longer than 1 MiB")
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if !strings.HasSuffix(strings.TrimRight(string(first), "\r"), " HTTP/1.1") {
		return http.Header{"Content-Type": {"application/json"}}, text, nil
	}
	head, body, whole := bytes.Cut(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	recorded, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(head) + "\n\n")))
	if err != nil || !whole {
		return nil, nil, usage("the message begins like a request, and its head cannot be read: %w", errors.Join(err, errors.New("an empty line ends it")))
	}
	header := recorded.Header
	for _, name := range []string{"Authorization", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "Host", "Accept-Encoding", "Expect", "User-Agent"} {
		header.Del(name)
	}
	return header, body, nil
}

const longestMessage = 1 << 20

// rows says what a message's item is and what would follow.
func (t *tried) rows() [][]string {
	rows := known([]string{"item", t.Type}, []string{"its id", t.SenderID}, []string{"happened", t.OccurredAt}, []string{"would be", t.State + duplicate(t.Duplicate)},
		[]string{"because", t.Note})
	for _, s := range t.Signals {
		rows = append(rows, []string{"signal", s.Signal + " about " + inWords(s.Identifiers)})
		rows = append(rows, known([]string{"device", inWords(s.Device)}, []string{"session", s.Session}, []string{"sid", s.SID})...)
	}
	switch {
	case t.User != "":
		rows = append(rows, []string{"person", t.User})
	case len(t.Signals) > 0:
		rows = append(rows, []string{"person", "nobody yet: who comes by that name later is covered too"})
	}
	for _, r := range t.Revocations {
		does := "ends what was born by " + r.At + " (" + r.Scope + ")"
		if r.Blocked {
			does += ", and blocks"
		}
		rows = append(rows, []string{"would follow", does})
	}
	if len(t.Revocations) == 0 {
		rows = append(rows, []string{"would follow", "nothing"})
	}
	if len(t.Conflicts) > 0 {
		rows = append(rows, []string{"conflicts", inWords(t.Conflicts) + ": another person's, who is not cut"})
	}
	return rows
}

func duplicate(is bool) string {
	if is {
		return ", as it was when it came before"
	}
	return ""
}
