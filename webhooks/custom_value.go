package webhooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object is a JSON object as expressions see it, with the bytes that it was written in.
type object struct {
	raw     json.RawMessage
	members map[string]any
}

// odd is JSON that has no one value: an object with a member that stands twice, or a number that no 64 bits hold. It can be
// carried and be kept; an expression that looks into it fails, and of a number it can make the text.
type odd struct{ raw json.RawMessage }

// parse reads valid JSON that nests at most maxDepth deep. It makes of it what expressions work on: nil, bool, string, int64,
// uint64, float64, []any, *object and odd.
func parse(raw json.RawMessage) any {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '{':
		return parseObject(raw)
	case '[':
		var elements []json.RawMessage
		_ = json.Unmarshal(raw, &elements) // it is valid
		list := make([]any, len(elements))
		for i, each := range elements {
			list[i] = parse(each)
		}
		return list
	case '"':
		var text string
		_ = json.Unmarshal(raw, &text)
		return text
	case 't', 'f':
		return raw[0] == 't'
	case 'n':
		return nil
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseFloat(string(raw), 64); err == nil && bytes.ContainsAny(raw, ".eE") {
		return n
	}
	return odd{raw}
}

func parseObject(raw json.RawMessage) any {
	o := &object{raw: raw, members: map[string]any{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token()
	for dec.More() {
		name, err := dec.Token()
		text, ok := name.(string)
		var value json.RawMessage
		if err != nil || !ok || dec.Decode(&value) != nil {
			return odd{raw}
		}
		if _, twice := o.members[text]; twice {
			return odd{raw}
		}
		o.members[text] = parse(value)
	}
	return o
}

// parseForm reads a form: each name with its value, or with a list of them where it stands more than once.
func parseForm(body []byte) (any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the body is not a form")
	}
	members := map[string]any{}
	for name, all := range values {
		if len(all) == 1 {
			members[name] = strings.ToValidUTF8(all[0], "\uFFFD")
			continue
		}
		list := make([]any, len(all))
		for i, each := range all {
			list[i] = strings.ToValidUTF8(each, "\uFFFD")
		}
		members[name] = list
	}
	raw, err := json.Marshal(members)
	return &object{raw, members}, err
}

// adapter makes values of expressions out of what parse makes.
type adapter struct{ types.Adapter }

// NativeToValue obeys [types.Adapter].
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case *object:
		return objectValue{types.NewStringInterfaceMap(a, v.members), v}
	case []any:
		return types.NewDynamicList(a, v)
	case odd:
		return oddValue{v}
	default:
		return a.Adapter.NativeToValue(value)
	}
}

// objectValue is a map that remembers how it was written.
type objectValue struct {
	traits.Mapper
	object *object
}

// Value returns the object.
func (o objectValue) Value() any { return o.object }

// oddType is the type of what has no one value. No operator knows it.
var oddType = types.NewOpaqueType("curfew.Odd")

type oddValue struct{ odd }

// ConvertToNative obeys [ref.Val].
func (o oddValue) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("it has no one value")
}

// ConvertToType obeys [ref.Val]: a number that is too large has a text all the same.
func (o oddValue) ConvertToType(to ref.Type) ref.Val {
	if text, ok := o.number(); ok && to == types.StringType {
		return types.String(text)
	}
	return types.NewErr("it has no one value")
}

// Equal obeys [ref.Val].
func (o oddValue) Equal(ref.Val) ref.Val { return types.NewErr("it has no one value") }

// Type obeys [ref.Val].
func (o oddValue) Type() ref.Type { return oddType }

// Value returns the odd JSON.
func (o oddValue) Value() any { return o.odd }

// number returns the digits of a number that is too large.
func (o odd) number() (string, bool) {
	return string(o.raw), len(o.raw) > 0 && o.raw[0] != '{'
}

// written returns a value of an expression as JSON, an object of the message as it was written there.
func written(value ref.Val) (json.RawMessage, error) {
	var out bytes.Buffer
	err := writeValue(&out, value, 0)
	return out.Bytes(), err
}

func writeValue(out *bytes.Buffer, value ref.Val, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	switch v := value.(type) {
	case objectValue:
		_, err := out.Write(v.object.raw)
		return err
	case oddValue:
		_, err := out.Write(v.raw)
		return err
	case traits.Mapper:
		return writeMap(out, v, depth)
	case traits.Lister:
		separator := byte('[')
		for it := v.Iterator(); it.HasNext() == types.True; separator = ',' {
			out.WriteByte(separator)
			if err := writeValue(out, it.Next(), depth+1); err != nil {
				return err
			}
		}
		if separator == '[' {
			out.WriteByte('[')
		}
		out.WriteByte(']')
		return nil
	}
	plain := value.Value()
	switch v := value.(type) {
	case types.Null:
		plain = nil
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("it holds a number that JSON cannot write")
		}
	case types.Bool, types.Int, types.Uint, types.String:
	default:
		text, ok := value.ConvertToType(types.StringType).(types.String)
		if !ok {
			return errors.New("it holds something that JSON cannot write")
		}
		plain = string(text)
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = out.Write(raw)
	return err
}

func writeMap(out *bytes.Buffer, m traits.Mapper, depth int) error {
	separator := byte('{')
	for it := m.Iterator(); it.HasNext() == types.True; separator = ',' {
		key := it.Next()
		name, ok := key.ConvertToType(types.StringType).(types.String)
		if !ok {
			return errors.New("it holds a key that is no text")
		}
		out.WriteByte(separator)
		out.Write(quoted([]byte(name)))
		out.WriteByte(':')
		if err := writeValue(out, m.Get(key), depth+1); err != nil {
			return err
		}
	}
	if separator == '{' {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return nil
}
