package scim

import "github.com/elimity-com/scim/schema"

// maxValues bounds one multi-valued attribute.
const maxValues = 1000

// cleanAt reads a value for the place that an operation points at; nil means none.
func cleanAt(p place, v any) (any, error) {
	switch {
	case p.sub != "":
		def, _ := p.attribute.sub(p.sub)
		value, err := cleanSimple(def, v, p.canonical())
		if p.sub == "value" && value == "" {
			value = nil // Entra clears a value so
		}
		return value, err
	case p.filter != "":
		list := several(v, p.attribute.hasValue())
		switch {
		case len(list) == 0:
			return nil, nil
		case len(list) > 1:
			return nil, badRequest(invalidValue, p.canonical()+" takes one value. Send one, or name the attribute without a filter.")
		}
		return cleanComplex(p.attribute, list[0])
	default:
		return clean(p.attribute, v)
	}
}

// clean reads the value of a whole attribute; nil means that it has none.
func clean(a attribute, v any) (any, error) {
	switch {
	case v == nil:
		return nil, nil
	case !a.complex():
		return cleanSimple(a.CoreAttribute, v, a.Name())
	case !a.MultiValued():
		return cleanComplex(a, single(v, a.hasValue()))
	}
	list := several(v, a.hasValue())
	if len(list) > maxValues {
		return nil, badRequest(invalidValue, a.Name()+" has more than 1000 values. Send fewer.")
	}
	out := make([]any, 0, len(list))
	for _, each := range list {
		value, err := cleanComplex(a, each)
		if err != nil {
			return nil, err
		}
		if value != nil {
			out = append(out, value)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	onePrimary(out, -1)
	return out, nil
}

func cleanComplex(a attribute, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	o, ok := v.(object)
	if !ok {
		return nil, badRequest(invalidValue, a.Name()+" holds something that is not an object. Send objects with sub-attributes.")
	}
	out := map[string]any{}
	for _, m := range o {
		def, ok := a.sub(m.name)
		if !ok || def.Mutability() == "readOnly" {
			continue
		}
		value, err := cleanSimple(def, m.value, a.Name()+"."+def.Name())
		if err != nil {
			return nil, err
		}
		if value != nil {
			out[def.Name()] = value
		}
	}
	if value, ok := out["value"]; len(out) == 0 || ok && value == "" {
		return nil, nil
	}
	return out, nil
}

// cleanSimple reads one plain value. Only booleans are read from text; RFC 7643 section 2.3 gives every other type one form.
func cleanSimple(def schema.CoreAttribute, v any, field string) (any, error) {
	if v == nil {
		return nil, nil
	}
	if def.AttributeType() == "boolean" {
		value, ok := truth(v)
		if !ok {
			return nil, badRequest(invalidValue, field+" is neither true nor false. Send one of them.")
		}
		return value, nil
	}
	value, refused := def.ValidateSingular(v)
	if refused != nil {
		kind := article(def.AttributeType())
		return nil, badRequest(invalidValue, field+" is not "+kind+". Send "+kind+", or leave it out.")
	}
	return value, nil
}

func article(attributeType string) string {
	switch attributeType {
	case "string":
		return "text"
	case "binary":
		return "base64 text"
	case "reference":
		return "the text of a URI"
	default:
		return "a " + attributeType
	}
}
