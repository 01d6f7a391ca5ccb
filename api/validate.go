package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-playground/validator/v10"

	"curfew/revoke"
)

// newValidator returns a validator that names members as they stand in JSON.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	must := func(err error) {
		if err != nil { // only for an empty tag or function
			panic(err)
		}
	}
	must(v.RegisterValidation("plain", func(fl validator.FieldLevel) bool {
		return !strings.ContainsFunc(fl.Field().String(), unprintable)
	}))
	must(v.RegisterValidation("instant", func(fl validator.FieldLevel) bool {
		_, ok := parseInstant(fl.Field().String())
		return ok
	}))
	return v
}

// unprintable reports whether a character would make people read something else in a log or a terminal than what is there:
// controls, separators of lines, and those that turn the direction of writing (UAX #9 section 2.2).
func unprintable(r rune) bool { return unicode.IsControl(r) || r >= '\u2028' && r <= '\u202e' }

// check validates a decoded body and says all that is wrong with it in sentences; nil when nothing is.
func (a *App) check(body any) []fieldError {
	err := a.valid.Struct(body)
	found, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return nil
	}
	var wrong []fieldError
	for _, f := range found {
		_, field, _ := strings.Cut(f.Namespace(), ".") // without the name of our struct
		wrong = append(wrong, fieldError{field, explain(f)})
	}
	return wrong
}

// explain says what is wrong with a member and what to write there.
func explain(f validator.FieldError) string {
	switch f.Tag() {
	case "required", "required_if":
		if f.Kind() == reflect.Slice {
			return "is missing: " + exampleOf(f.Field())
		}
		return "is missing or empty: " + exampleOf(f.Field())
	case "oneof":
		return "is not one we know: write " + orList(strings.Fields(f.Param()))
	case "max":
		n, _ := strconv.Atoi(f.Param())
		return "is longer than " + strconv.Itoa(n) + " characters: write less"
	case "ip":
		return `is not an IP address: write one such as "192.0.2.7" or "2001:db8::7"`
	case "plain":
		return "holds unprintable characters: write plain text"
	case "instant":
		return `is not a time: write RFC 3339 such as "2026-11-23T10:00:00Z"`
	default:
		return "cannot be used: look this member up in the documentation"
	}
}

func exampleOf(member string) string {
	switch member {
	case "subject":
		return `name the person, as in {"format": "email", "email": "sally@example.edu"}`
	case "kind":
		return "write " + orList(wordsOf(revoke.Kinds()))
	case "iat":
		return "give the token's NumericDate (RFC 7519), in seconds since 1970 such as 1795430000"
	case "signal":
		return `write one such as "credential-changed"`
	case "scope":
		return `write "user", "device", "session", "kind", "app" or "everyone"`
	case "with":
		return "write one of the members that GET /v1/users/{id} shows"
	case "until":
		return `write a time to come such as "2027-01-31T18:00:00Z"`
	case "reason":
		return "say in a few words why; people read it in the log"
	case "session":
		return "give the session's id, ours or the application's own"
	case "device":
		return `name the device, as in {"id": "ipad-17"}`
	default:
		return "give it"
	}
}

func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " or " + quoted[len(quoted)-1]
}

// wordsOf returns the words of a closed set.
func wordsOf[W ~string](set []W) []string {
	words := make([]string, len(set))
	for i, w := range set {
		words[i] = string(w)
	}
	return words
}

// parseInstant reads RFC 3339. The empty text is no time; a time before 1970 is nobody's.
func parseInstant(text string) (revoke.Instant, bool) {
	if text == "" {
		return 0, true
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if err != nil || t.Unix() <= 0 || t.Year() > 9999 {
		return 0, false
	}
	return revoke.InstantOf(t), true
}

// instant is parseInstant of what was checked before.
func instant(text string) revoke.Instant {
	at, _ := parseInstant(text)
	return at
}

// subjectMembers are those of RFC 9493 section 3, by format. A subject identifier has no others.
func subjectMembers(format string) []string {
	switch format {
	case "email":
		return []string{"email"}
	case "phone_number":
		return []string{"phone_number"}
	case "opaque":
		return []string{"id"}
	case "account":
		return []string{"uri"}
	case "iss_sub":
		return []string{"iss", "sub"}
	case "aliases":
		return []string{"identifiers"}
	default:
		return nil
	}
}

// subject reads a subject identifier whose shape the core then understands. An opaque id is one in the caller's own
// namespace, or where it has none one of our user ids.
func subject(raw json.RawMessage, t *token) (revoke.Subject, []fieldError) {
	ids := t.ids()
	if wrong := subjectShape(raw, ids, "subject"); wrong != nil {
		return nil, wrong
	}
	s, err := revoke.ParseSubject(raw, ids)
	if err != nil {
		return nil, []fieldError{subjectError(err, "subject")}
	}
	return s, nil
}

// ids is the namespace of the opaque ids that the token's holder sends.
func (t *token) ids() string { return cmp.Or(t.voice.IDs, revoke.NamespaceCurfew) }

// subjectError puts what the core says about a subject below the field where that subject stands.
func subjectError(err error, field string) fieldError {
	bad, ok := errors.AsType[revoke.Invalid](err)
	if !ok {
		return fieldError{field, "cannot be read: " + exampleOf("subject")}
	}
	bad.Field = field + strings.TrimPrefix(bad.Field, "subject")
	return fieldErrorOf(bad)
}

// subjectShape finds what the core would pass over: members that no format has, and which of several aliases is wrong.
func subjectShape(raw json.RawMessage, ids, field string) []fieldError {
	var have map[string]json.RawMessage
	if json.Unmarshal(raw, &have) != nil {
		return nil // the core says what it should be
	}
	var format string
	_ = json.Unmarshal(have["format"], &format)
	allowed := subjectMembers(format)
	if allowed == nil {
		return []fieldError{{field + ".format", "is missing or not one we know: use email, iss_sub, opaque, account, phone_number or aliases (RFC 9493)"}}
	}
	var wrong []fieldError
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if name != "format" && !slices.Contains(allowed, name) {
			wrong = append(wrong, fieldError{field + "." + clip(name), "does not belong to the format " + format + ": leave it out"})
		}
	}
	var aliases []json.RawMessage
	for _, name := range allowed {
		var text string
		switch {
		case name == "identifiers":
			if json.Unmarshal(have[name], &aliases) != nil {
				wrong = append(wrong, fieldError{field + "." + name, "is missing or not a list: list the person's identifiers there"})
			}
		case json.Unmarshal(have[name], &text) != nil || strings.TrimSpace(text) == "":
			wrong = append(wrong, fieldError{field + "." + name, "is missing, empty or not text: give the value that the format " + format + " names"})
		}
	}
	for i, each := range aliases {
		below := field + ".identifiers[" + strconv.Itoa(i) + "]"
		if bad := subjectShape(each, ids, below); bad != nil {
			wrong = append(wrong, bad...)
		} else if _, err := revoke.ParseSubject(each, ids); err != nil {
			wrong = append(wrong, subjectError(err, below))
		}
	}
	return wrong
}
