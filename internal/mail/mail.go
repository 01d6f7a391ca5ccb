// Package mail sends Curfew's messages by SMTP: alarms to those on call, and to people what happened to their own devices. Nothing
// that a person or a sender wrote stands in a subject, and no link leads anywhere but to this server.
package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"curfew/revoke"
)

// Config names everything a Mailer depends on.
type Config struct {
	Host     string
	Port     int
	From     string
	User     string // empty: the server asks nobody who they are
	Password revoke.Secret
	Clock    revoke.Clock
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: the network
}

// Mailer sends mail. It is safe for concurrent use; each message has a connection of its own.
type Mailer struct {
	cfg    Config
	domain string // of message ids
	dial   []gomail.Option
}

// implicitTLS is the port on which everything is encrypted from the first byte (RFC 8314 section 3.3).
const implicitTLS = 465

// timeout is of one message, from dialling to the server's last word.
const timeout = 10 * time.Second

// New checks cfg. It makes no call. The connection is encrypted, and the server's certificate checked, unless the server is this
// machine.
func New(cfg Config) (*Mailer, error) {
	if cfg.Host == "" || cfg.Port == 0 || cfg.Clock == nil {
		return nil, errors.New("mail.New: Host, Port and Clock are needed")
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, revoke.Invalid{Field: "from", Problem: "is not an address", Fix: "from: curfew@example.edu"}
	}
	if !cfg.Password.IsZero() && cfg.User == "" {
		return nil, revoke.Invalid{Field: "user", Problem: "is missing beside the password", Fix: "user: curfew"}
	}
	m := &Mailer{cfg: cfg, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	m.dial = []gomail.Option{gomail.WithPort(cfg.Port), gomail.WithTimeout(timeout), gomail.WithHELO("curfew")}
	switch {
	case cfg.Port == implicitTLS:
		m.dial = append(m.dial, gomail.WithSSL())
	case loopback(cfg.Host):
		m.dial = append(m.dial, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		m.dial = append(m.dial, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if cfg.User != "" {
		m.dial = append(m.dial, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(cfg.User), gomail.WithPassword(cfg.Password.Reveal()))
	}
	if _, err := gomail.NewClient(cfg.Host, m.dial...); err != nil {
		return nil, fmt.Errorf("set up mail by %s: %w", cfg.Host, err)
	}
	return m, nil
}

// call opens a connection.
func (m *Mailer) call(ctx context.Context, network, address string) (net.Conn, error) {
	if m.cfg.Dial != nil {
		return m.cfg.Dial(ctx, network, address)
	}
	return (&net.Dialer{Timeout: timeout}).DialContext(ctx, network, address)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Send tells a person what happened to their devices, each address by itself: whoever took one over learns no other.
func (m *Mailer) Send(ctx context.Context, msg revoke.Message) error {
	subject, body := words(msg)
	var failed error
	for _, to := range msg.To {
		failed = errors.Join(failed, m.post(ctx, msg.ID+" "+to, to, subject, body))
	}
	return failed
}

// words says it.
func words(m revoke.Message) (subject, body string) {
	var b strings.Builder
	at := m.At.Time().Format("2 January 2006, 15:04 MST")
	switch m.Kind {
	case revoke.NoticeNewDevice:
		subject = "A new device signed in"
		fmt.Fprintf(&b, "Somebody signed in to your account on a new device, on %s:\n\n", at)
		for _, name := range m.Devices {
			fmt.Fprintf(&b, "  %s\n", plain(name))
		}
		b.WriteString("\nIf that was you, there is nothing to do. If it was not, sign that device out and say that it was not you.\n")
	case revoke.NoticeOwnSignOut:
		subject = "You signed out everywhere"
		fmt.Fprintf(&b, "You signed out everywhere on %s. You can sign in again any time.\n\nIf that was not you, somebody else is signed in as you: look at your devices.\n", at)
	case revoke.NoticeSignedOut:
		subject = "You were signed out everywhere"
		fmt.Fprintf(&b, "You were signed out everywhere on %s, because %s.\n", at, revoke.PlainReason(m.Signal))
	}
	if m.Page != "" {
		fmt.Fprintf(&b, "\nYour devices: %s\n", m.Page)
	}
	return subject, b.String()
}

// maxName is how many characters of a device's name are shown.
const maxName = 60

// plain makes a name of somebody else's harmless: one line of printable characters, that no mail program takes for a link.
func plain(name string) string {
	var b strings.Builder
	n := 0
	for _, r := range name {
		switch {
		case n == maxName:
			b.WriteString("…")
			return b.String()
		case r == '/' || r == '@' || r == '<' || r == '>' || r == '.':
			b.WriteRune(' ')
		case r >= ' ' && r != 0x7f && (r < 0x2000 || r > 0x206f) && r != 0xfeff:
			b.WriteRune(r)
		default:
			continue
		}
		n++
	}
	return b.String()
}

// Alarms returns what sends alarms to these addresses.
func (m *Mailer) Alarms(to []string) revoke.Receiver { return alarms{m, to} }

type alarms struct {
	*Mailer
	to []string
}

// Tell sends an alarm in one message to all of the addresses.
func (a alarms) Tell(ctx context.Context, alarm revoke.Alarm) error {
	body := fmt.Sprintf("%s\n\nkind    %s\nabout   %s\norg     %s\nsince   %s\nlast    %s\ntimes   %d\nalarm   %s\n",
		alarm.Text, alarm.Kind, alarm.About, alarm.Org, alarm.RaisedAt, alarm.LastAt, alarm.Count, alarm.ID)
	var failed error
	for _, to := range a.to {
		failed = errors.Join(failed, a.post(ctx, fmt.Sprintf("%s:%d %s", alarm.ID, alarm.Count, to), to, "Curfew alarm: "+string(alarm.Kind), body))
	}
	return failed
}

// post sends one message. The same id makes the same message: a mail program shows it once. Errors name no recipient, since they
// reach the log.
func (m *Mailer) post(ctx context.Context, id, to, subject, body string) error {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.From(m.cfg.From); err != nil {
		return fmt.Errorf("mail from %s: %w", m.cfg.From, err)
	}
	if err := msg.To(to); err != nil {
		return errors.New("an address is none: mail was not sent there")
	}
	sum := sha256.Sum256([]byte(id))
	msg.SetMessageIDWithValue(hex.EncodeToString(sum[:12]) + "@" + m.domain)
	msg.SetDateWithValue(m.cfg.Clock.Now().Time())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: nobody answers it by themselves
	msg.Subject(subject)
	msg.SetBodyString(gomail.TypeTextPlain, body)
	options, line := m.dial, net.Conn(nil)
	if m.cfg.Port != implicitTLS { // else the library must dial by itself to know that the line is encrypted
		options = append(slices.Clip(options), gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			line, err = m.call(ctx, network, address)
			return line, err
		}))
	}
	client, err := gomail.NewClient(m.cfg.Host, options...)
	if err != nil {
		return fmt.Errorf("mail by %s: %w", m.cfg.Host, err)
	}
	defer func() { // the library leaves a line open that could not be encrypted
		if line != nil {
			_ = line.Close()
		}
	}()
	err = client.DialAndSendWithContext(ctx, msg)
	if refused, ok := errors.AsType[*gomail.SendError](err); ok {
		return fmt.Errorf("mail server %s did not take a message: code %d, at %s", m.cfg.Host, refused.ErrorCode(), refused.Reason)
	}
	if err != nil {
		return fmt.Errorf("mail by %s: %w", m.cfg.Host, err)
	}
	return nil
}
