package mail_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"

	"curfew/internal/mail"
	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// postOffice is a mail server that keeps what it takes, and refuses whom it is told to.
type postOffice struct {
	net.Listener
	mu     sync.Mutex
	letter []letter
	refuse string // a recipient whom it does not know
}

type letter struct{ to, text string }

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postOffice{Listener: ln}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		serving.Wait()
	})
	return p
}

func (p *postOffice) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = fmt.Fprint(conn, line+"\r\n") }
	say("220 office")
	var to string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "RCPT":
			to = strings.Trim(strings.TrimSpace(line[len("RCPT TO:"):]), "<>")
			p.mu.Lock()
			unknown := p.refuse != "" && to == p.refuse
			p.mu.Unlock()
			if unknown {
				say("550 5.1.1 no such mailbox " + to)
				continue
			}
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for line, err := in.ReadString('\n'); err == nil && line != ".\r\n"; line, err = in.ReadString('\n') {
				text.WriteString(line)
			}
			p.mu.Lock()
			p.letter = append(p.letter, letter{to, text.String()})
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postOffice) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.letter)
}

func (p *postOffice) mailer(t *testing.T) *mail.Mailer {
	t.Helper()
	m, err := mail.New(mail.Config{Host: "127.0.0.1", Port: p.Addr().(*net.TCPAddr).Port, From: "curfew@example.edu", Clock: revoketest.NewClock(0)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// unfolded undoes quoted-printable's soft ends of lines and its one escape that our texts need.
func unfolded(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "=\r\n", ""), "=E2=80=A6", "…")
}

func TestPeopleAreToldWhy(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t)
	hostile := "Sally's iPad\r\nBcc: all@example.edu https://evil.example/x" + strings.Repeat("y", 200)
	for _, c := range []struct {
		m        revoke.Message
		subject  string
		has, not []string
	}{
		{revoke.Message{Kind: revoke.NoticeSignedOut, Signal: revoke.CredentialChanged}, "You were signed out everywhere", []string{"because your password or another way of signing in was changed."}, nil},
		{revoke.Message{Kind: revoke.NoticeOwnSignOut, Signal: revoke.SessionsCleared}, "You signed out everywhere", []string{"You can sign in again any time."}, nil},
		{revoke.Message{Kind: revoke.NoticeNewDevice, Devices: []string{hostile}}, "A new device signed in", []string{"Sally's iPad", "…"}, []string{"evil.example", "\nBcc:", "https://evil"}},
	} {
		c.m.ID, c.m.To, c.m.At, c.m.Page = "1:"+string(c.m.Kind), []string{"sally@example.edu", "old@example.edu"}, revoketest.Start, "https://curfew.example.edu/me"
		before := len(p.letters())
		for range 2 { // the second is the same message
			if err := p.mailer(t).Send(t.Context(), c.m); err != nil {
				t.Fatalf("%s: %v", c.m.Kind, err)
			}
		}
		got := p.letters()[before:]
		if len(got) != 4 || got[0].to != "sally@example.edu" || got[1].to != "old@example.edu" {
			t.Fatalf("%s: %d letters, want two to each of two addresses", c.m.Kind, len(got))
		}
		var ids []string
		for _, l := range got {
			msg, err := netmail.ReadMessage(strings.NewReader(l.text))
			if err != nil {
				t.Fatalf("%s: %v in\n%s", c.m.Kind, err, l.text)
			}
			ids = append(ids, msg.Header.Get("Message-Id"))
			if msg.Header.Get("Subject") != c.subject || msg.Header.Get("Auto-Submitted") != "auto-generated" || msg.Header.Get("Bcc") != "" {
				t.Errorf("%s: headers are %v", c.m.Kind, msg.Header)
			}
			if to := msg.Header.Get("To"); !strings.Contains(to, l.to) || strings.Count(to, "@") != 1 {
				t.Errorf("%s: sent to %q, want %s alone: nobody learns another address", c.m.Kind, to, l.to)
			}
			text := unfolded(l.text)
			for _, want := range append(c.has, "https://curfew.example.edu/me") {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %q is missing in\n%s", c.m.Kind, want, text)
				}
			}
			for _, not := range c.not {
				if strings.Contains(text, not) {
					t.Errorf("%s: %q stands in\n%s", c.m.Kind, not, text)
				}
			}
			if strings.Count(text, "https://") != 1 {
				t.Errorf("%s: links to elsewhere in\n%s", c.m.Kind, text)
			}
		}
		if ids[0] != ids[2] || ids[1] != ids[3] || ids[0] == ids[1] {
			t.Errorf("%s: message ids %v, want one for each address, the same on every try", c.m.Kind, ids)
		}
	}
}

func TestAlarmsGoToEverybodyOnCall(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t)
	a := revoke.NewAlarm(revoke.AlarmKey{Org: "main", Kind: revoke.AlarmHeld, About: "okta"}, "an event waits for a person", revoketest.Start)
	p.refuse = "gone@example.edu"
	err := p.mailer(t).Alarms([]string{"gone@example.edu", "soc@example.edu"}).Tell(t.Context(), a)
	if err == nil || strings.Contains(err.Error(), "@example.edu") || !strings.Contains(err.Error(), "550") {
		t.Errorf("got %v, want the refusal with its code and without the address", err)
	}
	got := p.letters()
	if len(got) != 1 || got[0].to != "soc@example.edu" || !strings.Contains(got[0].text, "Subject: Curfew alarm: held") || !strings.Contains(unfolded(got[0].text), a.Text) {
		t.Errorf("letters %+v, want one to whom the server knows", got)
	}
}

func TestMailSettings(t *testing.T) {
	t.Parallel()
	good := mail.Config{Host: "mail.example.edu", Port: 587, From: "curfew@example.edu", User: "curfew", Password: revoke.NewSecret("p"), Clock: revoketest.NewClock(0)}
	if _, err := mail.New(good); err != nil {
		t.Fatalf("good settings: %v", err)
	}
	for what, change := range map[string]func(*mail.Config){
		"host": func(c *mail.Config) { c.Host = "" }, "port": func(c *mail.Config) { c.Port = 0 }, "clock": func(c *mail.Config) { c.Clock = nil },
		"from": func(c *mail.Config) { c.From = "nobody" }, "user": func(c *mail.Config) { c.User = "" },
	} {
		bad := good
		change(&bad)
		if _, err := mail.New(bad); err == nil {
			t.Errorf("without %s: no error", what)
		}
	}
	// A server that is not this machine and offers no encryption gets nothing.
	p := newPostOffice(t)
	m, err := mail.New(mail.Config{
		Host: "mail.example.edu", Port: 587, From: "curfew@example.edu", Clock: revoketest.NewClock(0),
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, p.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Send(t.Context(), revoke.Message{Kind: revoke.NoticeSignedOut, To: []string{"sally@example.edu"}}); err == nil || len(p.letters()) != 0 {
		t.Errorf("an unencrypted server took the message: %v", err)
	}
}
