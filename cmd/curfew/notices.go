package main

import (
	"context"
	"net"
	"strconv"

	"curfew/internal/mail"
	"curfew/revoke"
)

// open makes what sends mail. It makes no call.
func (m *mailSettings) open(clock revoke.Clock) (*mail.Mailer, error) {
	host, port, err := net.SplitHostPort(string(m.SMTP))
	if err != nil {
		return nil, err // the type of the setting has judged it
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	return mail.New(mail.Config{Host: host, Port: number, From: m.From, User: m.User, Password: m.Password, Clock: clock})
}

// newNotifier is what tells people about their own devices, nil where the settings do not ask for it.
func (s *server) newNotifier(l *Loaded) (*revoke.Notifier, error) {
	s.service.SetNotify(revoke.Notify{SignedOut: l.Notify.SignedOut, NewDevice: l.Notify.NewDevice})
	if !l.Notify.SignedOut && !l.Notify.NewDevice {
		return nil, nil
	}
	mailer, err := l.Mail.open(s.store.Clock())
	if err != nil {
		return nil, err
	}
	return revoke.NewNotifier(revoke.NotifierConfig{
		Store: s.store, Clock: s.store.Clock(), Messengers: map[string]revoke.Messenger{"mail": mailer}, Page: s.publicURL + "/me",
		Woken: s.service.Untold(), Log: s.log,
		Failing: func(ctx context.Context, err error) {
			text := "people are not told what happened to their devices: " + err.Error()
			if err := s.service.Raise(ctx, revoke.AlarmKey{Org: mainOrg, Kind: revoke.AlarmMail, About: "mail"}, text); err != nil {
				s.log.Error("alarm", "alarm", revoke.AlarmMail, "text", text, "err", err)
			}
		},
	})
}
