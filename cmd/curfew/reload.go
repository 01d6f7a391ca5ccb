package main

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"curfew/revoke"
)

// databaseWithin is how long the database may take to record an alarm or to say what is owed.
const databaseWithin = 10 * time.Second

// reload reads the settings again and lets those hold that SIGHUP may change. A mistake changes nothing. The outcome is a
// line of the log and an alarm: whoever can write the settings can choose who is believed.
func (p *parts) reload(ctx context.Context) {
	next, err := p.read()
	var gone []string
	if err == nil {
		gone, err = p.take(ctx, next)
	}
	if err != nil {
		p.log.Error("settings were read again and have mistakes; nothing has changed", "err", err)
		p.alarm(ctx, "the settings were read again and have mistakes, so that nothing has changed: curfew check lists them")
		return
	}
	next.warn(p.log)
	p.forsaken(ctx, gone)
	if waiting := p.settings.changed(next); len(waiting) > 0 {
		p.log.Warn("configuration", "about", "changed, and takes a restart: "+strings.Join(waiting, ", "))
	}
	p.log.Info("settings were read again", "file", next.File, "tokens", len(next.Tokens), "sources", len(next.Sources), "targets", len(next.Targets))
	p.alarm(ctx, fmt.Sprintf("the settings were read again and hold: %d tokens, %d sources, %d targets", len(next.Tokens), len(next.Sources), len(next.Targets)))
}

// take lets next hold as far as SIGHUP may change it, all of it or nothing, and returns the targets that are gone.
func (p *parts) take(ctx context.Context, next *Loaded) (gone []string, err error) {
	next = p.settings.with(next)
	doors, attendant, err := p.doors(next) //nolint:contextcheck // each request has a context of its own
	if err != nil {
		return nil, err
	}
	d, err := p.dispatcher(next)
	if err != nil {
		return nil, err
	}
	teller, err := p.newTeller(next)
	if err != nil {
		return nil, err
	}
	before, after := p.settings.targetNames(), next.targetNames()
	// What a new caller orders is owed to the new targets, so they are there first.
	p.service.SetTargets(after)
	p.service.SetSources(next.listened())
	p.service.SetBrake(next.brake())
	p.metrics.Follow(next.sourceNames(), next.systemNames())
	if err := p.app.Replace(doors); err != nil { //nolint:contextcheck // each request has a context of its own
		p.service.SetTargets(before)
		p.service.SetSources(p.settings.listened())
		p.service.SetBrake(p.settings.brake())
		p.metrics.Follow(p.settings.sourceNames(), p.settings.systemNames())
		return nil, err
	}
	p.deliver(ctx, d)
	p.attend(ctx, attendant)
	p.tell(ctx, teller)
	if h, ok := p.log.Handler().(*logHandler); ok {
		h.set(next.Log)
	}
	p.settings = next
	for _, t := range before {
		if !slices.ContainsFunc(after, func(other revoke.TargetName) bool { return other.Name == t.Name }) {
			gone = append(gone, t.Name)
		}
	}
	return gone, nil
}

// alarm lets people know what became of a SIGHUP. A database that is away must not keep the server from stopping.
func (p *parts) alarm(ctx context.Context, text string) {
	p.group.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, databaseWithin)
		defer cancel()
		if err := p.service.Raise(ctx, revoke.AlarmKey{Org: mainOrg, Kind: revoke.AlarmSettings, About: "SIGHUP"}, text); err != nil {
			p.log.Error("alarm is not recorded", "alarm", revoke.AlarmSettings, "text", text, "err", err)
		}
	})
}

// forsaken says so when something is still owed to targets that were taken out.
func (p *parts) forsaken(ctx context.Context, targets []string) {
	ctx, cancel := context.WithTimeout(ctx, databaseWithin)
	defer cancel()
	for _, target := range targets {
		switch due, err := p.store.NextDue(ctx, target); {
		case err != nil:
			p.log.Warn("whether something is still owed to a target that was taken out is not known", "target_id", target, "err", err)
		case due != 0:
			p.log.Warn("what is owed to a target that was taken out waits until the settings name it again, or somebody drops it", "target_id", target)
		}
	}
}

// warn logs what is odd about the settings.
func (l *Loaded) warn(log *slog.Logger) {
	for _, w := range l.Warnings {
		log.Warn("configuration", "about", w)
	}
	if len(l.Tokens) == 0 {
		log.Warn("configuration", "about", "no tokens are configured: nobody can register a session or ask; `curfew token NAME --scope S` makes one")
	}
}

// with returns l with what SIGHUP may change taken from next.
func (l *Loaded) with(next *Loaded) *Loaded {
	out := *l
	into, from := reflect.ValueOf(&out.Config).Elem(), reflect.ValueOf(&next.Config).Elem()
	for _, f := range reflect.VisibleFields(into.Type()) {
		if reread(f) {
			into.FieldByIndex(f.Index).Set(from.FieldByIndex(f.Index))
		}
	}
	return &out
}

func reread(f reflect.StructField) bool { return f.Tag.Get("reread") == "true" }

// changed names the settings that are others in next and take a restart.
func (l *Loaded) changed(next *Loaded) []string {
	var out []string
	var walk func(key string, a, b reflect.Value)
	walk = func(key string, a, b reflect.Value) {
		if a.Kind() == reflect.Struct && !isScalar(a.Type()) {
			for name, f := range settingsOf(a.Type()) {
				if !reread(f) {
					walk(join(key, name), a.FieldByIndex(f.Index), b.FieldByIndex(f.Index))
				}
			}
			return
		}
		same := reflect.DeepEqual(a.Interface(), b.Interface())
		if z, ok := reflect.TypeAssert[zone](a); ok {
			same = z.String() == b.Interface().(zone).String() // a location remembers what it was asked
		}
		if !same && (l.wasSet(key) || next.wasSet(key)) { // public_url follows listen
			out = append(out, key)
		}
	}
	walk("", reflect.ValueOf(l.Config), reflect.ValueOf(next.Config))
	slices.Sort(out)
	return out
}
