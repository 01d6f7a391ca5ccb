package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	"curfew/internal/outbound"
	"curfew/revoke"
	"curfew/targets"
	"curfew/webhooks"
)

// sourceSettings is a configured sender of webhooks: what every source has, and what its own type reads.
type sourceSettings struct {
	Type                  string        `yaml:"type" required:"true" example:"okta" help:"which sender"`
	IDs                   givenName     `yaml:"ids" example:"okta" help:"the namespace of its own user ids; its authority when absent"`
	Authority             givenName     `yaml:"authority" example:"okta" help:"whose blocks it sets and lifts; its name when absent"`
	Org                   givenName     `yaml:"org" example:"main" help:"whose people"`
	Learn                 *bool         `yaml:"learn" example:"true" help:"whether it teaches identifiers; as its type does when absent"`
	Rules                 rulesSettings `yaml:"rules" example:"{locked: {cut: receipt, block: set}}" help:"what a signal does, where it differs from DESIGN"`
	MaxBody               size          `yaml:"max_body" example:"1MiB" help:"the largest request; what its type needs when absent"`
	InsecureTransportOnly bool          `yaml:"insecure_transport_only" example:"true" help:"believe a sender that cannot sign"`

	own any // a pointer to the type's settings; nil when this build lacks the type
}

// ruleSettings is one changed row of the decision table.
type ruleSettings struct {
	Cut   string `yaml:"cut" example:"receipt" oneof:"never event receipt" help:"never, event (at its time) or receipt"`
	Block string `yaml:"block" example:"set" oneof:"keep set lift" help:"keep, set or lift"`
}

// targetSettings is a configured system in which we revoke.
type targetSettings struct {
	targets.Common
	own any // a pointer to the type's settings, Common included; nil when this build lacks the type
}

const sourceExample = `okta: {type: okta, secrets: ["${OKTA_HOOK_SECRET}"]}`

func (s *sourceSettings) decodeSettings(d *decoder, key string, n *node) {
	if n.form != mapForm {
		d.problem(n.at, key, "must be a mapping, not "+n.form.String(), sourceExample)
		return
	}
	shared, own := split(n, settingsOf(reflect.TypeFor[sourceSettings]()))
	d.structure(key, shared, reflect.ValueOf(s).Elem(), sourceExample)
	if t, ok := webhooks.Lookup(s.Type); ok {
		s.own = t.NewSettings()
		d.known = slices.Sorted(maps.Keys(settingsOf(reflect.TypeFor[sourceSettings]())))
		d.structure(key, own, reflect.ValueOf(s.own).Elem(), sourceExample)
		d.known = nil
		return
	}
	d.unbuilt(key, s.Type, own, plannedSources, namesOf(webhooks.Types(), func(t webhooks.Type) string { return t.Name }), n)
}

const targetExample = `portal: {type: webhook, url: https://portal.example.edu/logout, secret: "${PORTAL_HOOK}"}`

func (s *targetSettings) decodeSettings(d *decoder, key string, n *node) {
	if n.form != mapForm {
		d.problem(n.at, key, "must be a mapping, not "+n.form.String(), targetExample)
		return
	}
	var name string
	if is := n.get("type"); is != nil {
		name = is.text
	}
	if t, ok := targets.Lookup(name); ok {
		s.own = reflect.New(reflect.TypeOf(t.Settings)).Interface()
		d.structure(key, n, reflect.ValueOf(s.own).Elem(), targetExample)
		s.Common = reflect.ValueOf(s.own).Elem().Interface().(targets.Settings).Shared()
		return
	}
	shared, own := split(n, settingsOf(reflect.TypeFor[targets.Common]()))
	shared.entries = slices.DeleteFunc(shared.entries, func(e entry) bool { return e.key == "url" }) // not every system has one
	before := len(d.problems)
	d.structure(key, shared, reflect.ValueOf(&s.Common).Elem(), targetExample)
	d.problems = slices.DeleteFunc(d.problems, func(p problem) bool { return p.key == key+".url" })
	if len(d.problems) == before {
		d.unbuilt(key, s.Type, own, plannedTargets, namesOf(targets.Types(), func(t targets.Type) string { return t.Name }), n)
	}
}

func namesOf[T any](types []T, name func(T) string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = name(t)
	}
	return out
}

// split parts a mapping into the keys that fields know and the rest.
func split(n *node, fields map[string]reflect.StructField) (known, rest *node) {
	known, rest = &node{at: n.at, form: mapForm}, &node{at: n.at, form: mapForm}
	for _, e := range n.entries {
		if _, ok := fields[e.key]; ok {
			known.entries = append(known.entries, e)
		} else {
			rest.entries = append(rest.entries, e)
		}
	}
	return known, rest
}

// unbuilt judges an entry of a type that this build lacks: one that is to come is only a warning, which [Loaded.settle]
// gives, but what its secrets refer to must be there all the same.
func (d *decoder) unbuilt(key, name string, own *node, planned []string, built []string, n *node) {
	switch {
	case name == "":
	case slices.Contains(planned, name):
		d.references(key, own)
	default:
		at, what := n.at, "is a type that nobody knows"
		if is := n.get("type"); is != nil {
			at = is.at
		}
		if near := nearest(name, append(slices.Clone(built), planned...)); near != "" {
			what += ": did you mean " + near + "?"
		}
		d.problem(at, key+".type", what, "one that this version has: "+strings.Join(built, ", "))
	}
}

// references looks only whether every ${NAME} below n is set.
func (d *decoder) references(key string, n *node) {
	switch n.form {
	case scalarForm:
		_, _, _ = d.expand(key, n, "")
	case emptyForm:
	case listForm:
		for i, item := range n.items {
			d.references(fmt.Sprintf("%s[%d]", key, i), item)
		}
	case mapForm:
		for _, e := range n.entries {
			d.references(join(key, e.key), e.value)
		}
	}
}

// invalid turns what a type said about its own settings into problems with their place.
func (l *Loaded) invalid(d *decoder, key string, err error) {
	switch many, ok := err.(interface{ Unwrap() []error }); {
	case err == nil:
	case ok:
		for _, each := range many.Unwrap() {
			l.invalid(d, key, each)
		}
	default:
		in, isInvalid := errors.AsType[revoke.Invalid](err)
		if !isInvalid {
			d.problem(l.at(key), key, "cannot be used with these settings", "see docs/")
			return
		}
		at := key
		if in.Field != "" {
			at = join(key, in.Field)
		}
		d.problem(l.at(at), at, in.Problem, strings.TrimPrefix(in.Fix, "write "))
	}
}

func (l *Loaded) settleSources(d *decoder) {
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		s, key := l.Sources[name], "sources."+name
		if !nameText.MatchString(name) {
			d.problem(l.at(key), "sources", "holds a name that cannot stand in an address", "okta-main, of letters, digits, dots, dashes and underscores")
			continue
		}
		if slices.ContainsFunc(l.Tokens, func(t tokenSettings) bool { return string(t.Name) == name }) {
			d.problem(l.at(key), key, "is the name of a token too, and both are names of sources", "a name of its own; share authority: where they speak for one directory")
		}
		s.Org, s.Authority = cmp.Or(s.Org, mainOrg), cmp.Or(s.Authority, givenName(name))
		s.IDs = cmp.Or(s.IDs, s.Authority)
		if s.Authority == revoke.AdminAuthority {
			d.problem(l.at(key), key, "would have the authority admin, which is the admins' own", "authority: okta")
		}
		l.settleRules(d, key, s.Rules)
		if s.InsecureTransportOnly {
			l.Warnings = append(l.Warnings, fmt.Sprintf("source %s (%s) has insecure_transport_only: whoever reaches its address is believed", name, l.at(key)))
		}
		if s.own == nil {
			l.Warnings = append(l.Warnings, fmt.Sprintf("source %s (%s) has type %s, which this version lacks: /hooks/%s answers 503, so that the sender tries again", name, l.at(key), s.Type, name))
			l.Unbuilt = append(l.Unbuilt, key)
			continue
		}
		if t, _ := webhooks.Lookup(s.Type); !d.troubled(key) {
			receiver, err := t.Make(s.source(name, l.TimeZone), s.own, calling(&revoke.ProcessClock{}))
			if err == nil {
				err = webhooks.Believable(receiver, s.InsecureTransportOnly)
			}
			l.invalid(d, key, err)
		}
	}
}

// calling is what a sender's type is given to call it with.
func calling(clock revoke.Clock) webhooks.Deps {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	return webhooks.Deps{Clients: calls, Tokens: outbound.NewTokens(calls, clock), Clock: clock}
}

// source is what the core needs to know of a configured sender.
func (s *sourceSettings) source(name string, days zone) revoke.Source {
	t, _ := webhooks.Lookup(s.Type)
	out := revoke.Source{
		Name: name, Org: string(s.Org), Type: s.Type, Authority: string(s.Authority), IDs: string(s.IDs), Learns: t.Learns, Devices: t.Devices, Zone: days.Location,
	}
	if s.Learn != nil {
		out.Learns = *s.Learn
	}
	out.Rules = s.Rules.rules()
	return out
}

// rulesSettings are what signals do at a source, by signal.
type rulesSettings map[string]ruleSettings

func (l *Loaded) settleRules(d *decoder, key string, rules rulesSettings) {
	for signal := range rules {
		if !slices.Contains(revoke.SignalKinds(), revoke.SignalKind(signal)) {
			d.problem(l.at(key+".rules."+signal), key+".rules."+printable(signal), "is not a signal", "locked: {cut: receipt, block: set}")
		}
	}
}

func (s rulesSettings) rules() map[revoke.SignalKind]revoke.Rule {
	if len(s) == 0 {
		return nil
	}
	out := map[revoke.SignalKind]revoke.Rule{}
	for signal, r := range s {
		out[revoke.SignalKind(signal)] = r.over(revoke.SignalKind(signal))
	}
	return out
}

// over changes what the rule says of a signal.
func (r ruleSettings) over(kind revoke.SignalKind) revoke.Rule {
	rule := revoke.DefaultRule(kind)
	switch r.Cut {
	case "never":
		rule.Cut = revoke.Never
	case "event":
		rule.Cut = revoke.AtEvent
	case "receipt":
		rule.Cut = revoke.AtReceipt
	}
	switch r.Block {
	case "keep":
		rule.Block = revoke.Keep
	case "set":
		rule.Block = revoke.SetBlock
	case "lift":
		rule.Block = revoke.LiftIt
	}
	if rule.Block != revoke.Keep && rule.Class == "" {
		// A block made of a lock-out is lifted only by unlocked (DESIGN section 3).
		if rule.Class = revoke.ClassPlain; kind == revoke.Locked {
			rule.Class = revoke.ClassLocked
		}
	}
	return rule
}

func (l *Loaded) settleTargets(d *decoder) {
	for _, name := range slices.Sorted(maps.Keys(l.Targets)) {
		s, key := l.Targets[name], "targets."+name
		s.Org = cmp.Or(s.Org, mainOrg)
		if s.Recheck != 0 {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%s.recheck is set (%s), but this version has no policies yet: it changes nothing", key, l.at(key+".recheck")))
		}
		if s.own == nil {
			l.Warnings = append(l.Warnings, fmt.Sprintf("target %s (%s) has type %s, which this version lacks: nothing is revoked there", name, l.at(key), s.Type))
			l.Unbuilt = append(l.Unbuilt, key)
			continue
		}
		if !d.troubled(key) {
			_, err := s.open(name, targets.Deps{Clients: outbound.NewMaker(outbound.Config{}), Clock: &revoke.ProcessClock{}, Log: slog.New(slog.DiscardHandler)})
			l.invalid(d, key, err)
		}
	}
}

// open makes the target. It makes no call.
func (s *targetSettings) open(name string, deps targets.Deps) (revoke.Target, error) {
	t, ok := targets.Lookup(s.Type)
	if !ok {
		return nil, fmt.Errorf("target %s: this version lacks type %s", name, s.Type)
	}
	deps.Name = name
	target, err := t.Open(reflect.ValueOf(s.own).Elem().Interface().(targets.Settings), deps)
	if err != nil {
		return nil, fmt.Errorf("open target %s: %w", name, err)
	}
	return target, nil
}

// shownSettings lists what is set, the type's own keys among it.
func (s *sourceSettings) shownSettings(key string) []setKey {
	out := effectiveFields(key, reflect.ValueOf(s).Elem())
	if s.own != nil {
		out = append(out, effectiveFields(key, reflect.ValueOf(s.own).Elem())...)
	}
	return out
}

func (s *targetSettings) shownSettings(key string) []setKey {
	if s.own != nil {
		return effectiveFields(key, reflect.ValueOf(s.own).Elem())
	}
	return effectiveFields(key, reflect.ValueOf(&s.Common).Elem())
}
