// Package targets holds the systems in which Curfew revokes, one file each: what it takes to end a person's sessions
// there, and what the system's answers mean. A type registers itself; cmd/curfew opens one target for each entry below
// `targets:` of the configuration, and [revoke.Dispatcher] calls them.
package targets

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Type is the code for one system.
type Type struct {
	Name     string          // as in `type: webhook`
	Docs     string          // the page that says the least rights and what stays alive: "docs/targets/webhook.md"
	Settings Settings        // a zero value of the type's settings, for cmd to make a new one of
	Covers   revoke.Coverage // what it can end, before any target of the type is configured

	// New returns a target. [Type.Open] calls it, which checks Deps and what all settings share; New checks the rest. It makes
	// no call and starts nothing. Errors are [revoke.Invalid], several of them joined.
	New func(Settings, Deps) (revoke.Target, error)
}

// Deps is what a target is given.
type Deps struct {
	Name    string          // the target's name in the configuration
	Clients *outbound.Maker // the only way to an http.Client
	Clock   revoke.Clock
	Machine revoke.Clock // by which receivers judge the age of what we sign; nil: [revoke.MachineClock]
	Log     *slog.Logger
}

func (d Deps) machine() revoke.Clock {
	if d.Machine == nil {
		return revoke.MachineClock{}
	}
	return d.Machine
}

// registered is filled while the program's packages initialise and only read afterwards.
var registered struct {
	sync.RWMutex
	types map[string]Type
}

// Register makes a type known. It panics on an empty name, a missing constructor, settings or page, and on a name taken.
func Register(t Type) {
	registered.Lock()
	defer registered.Unlock()
	switch _, taken := registered.types[t.Name]; {
	case t.Name == "":
		panic("targets: a type without a name")
	case t.New == nil:
		panic("targets: type " + t.Name + " has no constructor")
	case t.Settings == nil || reflect.TypeOf(t.Settings).Kind() != reflect.Struct:
		panic("targets: type " + t.Name + " has no struct of settings")
	case t.Docs == "":
		panic("targets: type " + t.Name + " has no page of documentation")
	case taken:
		panic("targets: type " + t.Name + " registers twice")
	}
	if registered.types == nil {
		registered.types = map[string]Type{}
	}
	registered.types[t.Name] = t
}

// Types returns every type, by name.
func Types() []Type {
	registered.RLock()
	defer registered.RUnlock()
	out := make([]Type, 0, len(registered.types))
	for _, t := range registered.types {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Lookup returns the type of a name, and whether there is one.
func Lookup(name string) (Type, bool) {
	registered.RLock()
	defer registered.RUnlock()
	t, ok := registered.types[name]
	return t, ok
}

// Open makes a target of the type out of decoded settings, which must be of the type of t.Settings. It makes no call.
// What is wrong in the settings comes as [revoke.Invalid], all of it at once, joined by errors.Join: Field is the key
// below the target ("url", "secrets[1]"), and cmd puts file, line and the target's name before it.
func (t Type) Open(s Settings, d Deps) (revoke.Target, error) {
	if d.Clients == nil || d.Clock == nil || d.Log == nil {
		return nil, errors.New("open target: Clients, Clock and Log are needed")
	}
	if reflect.TypeOf(s) != reflect.TypeOf(t.Settings) {
		return nil, fmt.Errorf("open target %s: settings are %T, not the %T of type %s", d.Name, s, t.Settings, t.Name)
	}
	err := errors.Join(checkName(d.Name), s.Shared().check())
	target, invalid := t.New(s, d)
	if err = errors.Join(err, invalid); err != nil {
		return nil, err
	}
	return target, nil
}

// checkName refuses names that could not stand in a header, a log line or a path, and a point: a delivery's name holds
// the target's, is the webhook-id, and Standard Webhooks joins that by points with what it signs.
func checkName(name string) error {
	ok := name != "" && len(name) <= 64
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}
	if !ok {
		return revoke.Invalid{Problem: "has a name that is not 1 to 64 letters, digits, - and _", Fix: `name it such as "canvas-main"`}
	}
	return nil
}
