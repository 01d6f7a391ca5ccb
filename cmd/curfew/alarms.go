package main

import (
	"context"
	"fmt"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/targets"
)

// open makes a receiver of alarms. It makes no call.
func (a *alarmSettings) open(name string, d targets.Deps) (*targets.AlarmWebhook, error) {
	d.Name = name
	return targets.NewAlarmWebhook(targets.AlarmSettings{URL: string(a.URL), Insecure: a.Insecure, Secret: a.Secret}, d)
}

// check reports what is wrong with the settings of a webhook.
func (a *alarmSettings) check(name string) error {
	_, err := a.open(name, targets.Deps{Clients: outbound.NewMaker(outbound.Config{}), Clock: &revoke.ProcessClock{}})
	return err
}

// newTeller is what sends alarms to those whom the settings name, nil where they name nobody: whoever is named later then
// hears of all that stands.
func (s *server) newTeller(l *Loaded) (*revoke.Teller, error) {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	receivers := map[string]revoke.Receiver{}
	for i, a := range l.Alarms {
		name := fmt.Sprintf("alarms[%d]", i)
		if a.Type == "mail" {
			mailer, err := l.Mail.open(s.store.Clock())
			if err != nil {
				return nil, err
			}
			receivers[name] = mailer.Alarms(a.To)
			continue
		}
		receiver, err := a.open(name, targets.Deps{Clients: calls, Clock: s.store.Clock()})
		if err != nil {
			return nil, err
		}
		receivers[name] = receiver
	}
	if len(receivers) == 0 {
		return nil, nil
	}
	return revoke.NewTeller(revoke.TellerConfig{
		Notes: s.store, Clock: s.store.Clock(), Receivers: receivers, Woken: s.service.Alarms(), Log: s.log,
	})
}

// tell lets t tell of alarms in place of the one before it. What that one was about to tell is told by t.
func (p *parts) tell(ctx context.Context, t *revoke.Teller) {
	if p.hush != nil {
		p.hush()
		p.hush = nil
	}
	if t == nil {
		return
	}
	ctx, p.hush = context.WithCancel(ctx)
	p.start(ctx, t.Run)
}
