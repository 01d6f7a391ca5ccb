package webhooks

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// Type is the code for one sender, as `type:` names it in the configuration.
type Type struct {
	Name string
	Docs string // the page that says how to connect it, from the root of the repository

	// Settings is a zero value of the struct that holds the type's own keys. Its tags are those that cmd/curfew reads: yaml for
	// the key, required, oneof, and example and help for the documentation. See [Type.NewSettings].
	Settings any

	// New checks the settings, a pointer that [Type.NewSettings] made, and returns the receiver of one source. It has no side
	// effects. Settings that cannot work are [revoke.Invalid] with the key as its field, several of them joined; a missing or
	// empty secret is one. cmd/curfew adds file and line.
	New func(src revoke.Source, settings any) (Receiver, error)

	// Open is New for a type that calls its sender; a type has one of the two.
	Open func(src revoke.Source, settings any, deps Deps) (Receiver, error)

	// Learns is what `learn:` means for this type when it is not set: whether the sender is a directory, whose signals teach
	// identifiers.
	Learns bool

	// Devices says that the sender manages devices: what it says of one ends everybody's sessions on it.
	Devices bool

	// HandshakeBeforeAuth says that the type's [Handshaker] speaks to senders that proved nothing yet.
	HandshakeBeforeAuth bool
}

// Explainer is a [Receiver] that can say what its sender's words mean. Every type with words of its own is one.
type Explainer interface {
	// Means returns what each word says, by word. It makes no call.
	Means() []revoke.Meaning
}

// Means returns what a source's words say, by word; nil where its type does not tell.
func (h *Handler) Means(source string) []revoke.Meaning {
	if s, ok := h.seats[source]; ok {
		if e, tells := s.receiver.(Explainer); tells {
			return e.Means()
		}
	}
	return nil
}

// Deps is what a type is given that calls its sender.
type Deps struct {
	Clients *outbound.Maker  // makes the clients: Configured for addresses in the settings, Guarded for any other
	Tokens  *outbound.Tokens // access tokens by client credentials, kept until they end and shared by all senders
	Clock   revoke.Clock
	Hook    string // where the source is reached from outside: the public URL and /hooks/NAME
}

// Make returns the receiver of one source, as New or Open says.
func (t Type) Make(src revoke.Source, settings any, deps Deps) (Receiver, error) {
	if t.Open == nil {
		return t.New(src, settings)
	}
	return t.Open(src, settings, deps)
}

// NewSettings returns a pointer to a fresh settings struct. cmd/curfew decodes a source's own keys into it (what is left of
// the mapping after the keys that every source has), with text turned into [revoke.Secret] after `${ENV}` and `file:` were
// replaced; validates it; and hands it on in [Source.Settings].
func (t Type) NewSettings() any { return reflect.New(reflect.TypeOf(t.Settings)).Interface() }

// registered is filled by the init functions of this package and never changes afterwards.
var registered = map[string]Type{}

// Register makes a type known. It panics on an empty name, missing settings, a nil constructor or a duplicate: each is a
// mistake in the program that must show at the first start.
func Register(t Type) {
	switch _, taken := registered[t.Name]; {
	case t.Name == "":
		panic("webhooks.Register: a type without a name")
	case (t.New == nil) == (t.Open == nil):
		panic(fmt.Sprintf("webhooks.Register: type %s needs one constructor, New or Open", t.Name))
	case t.Docs == "":
		panic(fmt.Sprintf("webhooks.Register: type %s has no page of documentation", t.Name))
	case t.Settings == nil || reflect.TypeOf(t.Settings).Kind() != reflect.Struct:
		panic(fmt.Sprintf("webhooks.Register: the settings of type %s are not a struct", t.Name))
	case taken:
		panic(fmt.Sprintf("webhooks.Register: type %s is registered twice", t.Name))
	}
	registered[t.Name] = t
}

// Types returns every type that is built in, by name.
func Types() []Type {
	return slices.SortedFunc(maps.Values(registered), func(a, b Type) int { return cmp.Compare(a.Name, b.Name) })
}

// Lookup returns the type of that name, and whether it is built in.
func Lookup(name string) (Type, bool) {
	t, ok := registered[name]
	return t, ok
}
