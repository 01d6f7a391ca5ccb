package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	maxDepth  = 32
	maxText   = 64 << 10
	maxMember = 10_000 // of one list or object
)

// decode reads a JSON body into a struct. What cannot be read at all is 400; what can be read but not meant (a member
// that we do not know, text where a number belongs) is 422, all of it at once.
func decode(c *fiber.Ctx, into any) error {
	if err := asJSON(&c.Request().Header); err != nil {
		return err
	}
	return decodeJSON(c.BodyRaw(), into)
}

// asJSON refuses a body that is compressed or says that it is something else.
func asJSON(h *fasthttp.RequestHeader) error {
	if encoded(h) {
		return errEncoding
	}
	if len(h.ContentType()) > 0 && !saysUTF8(h, "application/json") {
		return errNotJSON
	}
	return nil
}

// saysUTF8 reports whether a body says that it is of a media type, in UTF-8.
func saysUTF8(h *fasthttp.RequestHeader, media string) bool {
	said, params, err := mime.ParseMediaType(string(h.ContentType()))
	charset := params["charset"]
	return err == nil && said == media && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// encoded reports whether the body is compressed: what it grows to nobody knows before it is too late.
func encoded(h *fasthttp.RequestHeader) bool {
	for _, value := range h.PeekAll(fasthttp.HeaderContentEncoding) {
		if len(value) > 0 && !strings.EqualFold(string(bytes.TrimSpace(value)), "identity") {
			return true
		}
	}
	return false
}

func decodeJSON(body []byte, into any) error {
	if err := inspect(body, reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	err := json.Unmarshal(body, into)
	if wrong, ok := mistyped(err); ok {
		return meaningless(wrong)
	}
	if err != nil {
		return malformed("The body cannot be read as what this path takes.")
	}
	return nil
}

// inspect finds what is wrong with a body that is to become a struct or a list of them, but for members of another type.
func inspect(body []byte, t reflect.Type) error {
	_, shape, _ := strings.Cut(kindOf(t), " ")
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return malformed("The body is empty: send a JSON " + shape + ".")
	case !utf8.Valid(body):
		return malformed("The body is not UTF-8.")
	case !json.Valid(body):
		return malformed("The body is not one JSON value: look for a missing quote, comma or brace, or for text after its end.")
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(body))}
	w.dec.UseNumber()
	if err := w.value(t, "", 1); err != nil {
		return err
	}
	if len(w.wrong) > 0 {
		return meaningless(w.wrong...)
	}
	return nil
}

// mistyped says which member is of another type than it should be.
func mistyped(err error) (fieldError, bool) {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return fieldError{}, false
	}
	return fieldError{wrong.Field, "is a " + wrong.Value + ": write " + kindOf(wrong.Type)}, true
}

// walker reads a JSON text once and finds what encoding/json lets pass: duplicate members, of which another reader may
// take the other one, members that differ from ours in letter case only, and depths and lengths that nobody needs.
type walker struct {
	dec   *json.Decoder
	wrong []fieldError
}

func (w *walker) value(t reflect.Type, path string, depth int) error {
	if depth > maxDepth {
		return malformed("The body is nested deeper than 32 levels.")
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	tok, err := w.dec.Token()
	if err != nil {
		return malformed("The body ends too early.")
	}
	switch tok := tok.(type) {
	case string:
		if len(tok) > maxText {
			w.wrong = append(w.wrong, fieldError{path, "is longer than 64 KiB: write less"})
		}
	case json.Delim:
		if tok == '{' {
			if depth == 1 && t.Kind() == reflect.Slice {
				w.wrong = append(w.wrong, fieldError{"", "is an object: write a list"})
			}
			return w.object(t, path, depth)
		}
		if depth == 1 && t.Kind() != reflect.Slice {
			w.wrong = append(w.wrong, fieldError{"", "is a list: write " + kindOf(t)})
		}
		return w.list(t, path, depth)
	default:
	}
	if depth == 1 {
		w.wrong = append(w.wrong, fieldError{"", "is a plain value: write " + kindOf(t)})
	}
	return nil
}

func (w *walker) object(t reflect.Type, path string, depth int) error {
	members := members(t)
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		name, ok := tok.(string)
		if err != nil || !ok {
			return malformed("The body ends too early.")
		}
		if folded := strings.ToLower(name); seen[folded] || len(seen) == maxMember {
			return malformed(fmt.Sprintf("The member %s stands twice, or there are over 10,000: send each once.", strconv.Quote(clip(name))))
		} else {
			seen[folded] = true
		}
		below := strings.TrimPrefix(path+"."+clip(name), ".")
		child, known := members[name]
		if members != nil && !known {
			w.wrong = append(w.wrong, fieldError{below, "is not a member we know: leave it out, or look for a slip of the pen"})
		}
		if err := w.value(child, below, depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return ended(err)
}

func (w *walker) list(t reflect.Type, path string, depth int) error {
	var child reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		child = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		if i == maxMember {
			return malformed("A list has more than 10,000 elements.")
		}
		if err := w.value(child, path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return ended(err)
}

func ended(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		return malformed("The body ends too early.")
	}
	return nil
}

// members returns the JSON members of a struct type; nil means that anything goes.
func members(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	out := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		if out[name] = f.Type; f.Type == reflect.TypeFor[json.RawMessage]() {
			out[name] = nil
		}
	}
	return out
}

// clip keeps a name that somebody made up from filling the answer.
func clip(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "") + "…"
	}
	return name
}

func kindOf(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if word, ok := map[reflect.Kind]string{
		reflect.String: "text in quotes", reflect.Bool: "true or false", reflect.Slice: "a list",
		reflect.Struct: "an object", reflect.Map: "an object",
	}[t.Kind()]; ok {
		return word
	}
	return "a whole number"
}
