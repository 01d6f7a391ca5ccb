package revoketest

import (
	"encoding/json"

	"pgregory.net/rapid"

	"curfew/revoke"
)

// The words that profiles and filters are drawn from: few, so that they meet; odd ones, where databases fold and sort apart.
var drawnWords = []string{"", "a", "A@b", "a@B", "c@d", "ß", "SS", "Ä", "ä", "İ", "a%_b", `a'"\b`, "Zz", "work", "Home", "\U0001f600x"}

// drawnProfile is a profile of every shape that a value can have.
func drawnProfile(t *rapid.T) json.RawMessage {
	profile := map[string]any{}
	word := rapid.SampledFrom(drawnWords)
	if n := rapid.IntRange(0, 2).Draw(t, "addresses"); n > 0 {
		var list []any
		for range n {
			list = append(list, map[string]any{"type": word.Draw(t, "type"), "value": word.Draw(t, "address"), "primary": rapid.Bool().Draw(t, "primary")})
		}
		profile["emails"] = list
	}
	if rapid.Bool().Draw(t, "titled") {
		profile["title"] = word.Draw(t, "title")
	}
	if rapid.Bool().Draw(t, "numbered") {
		profile["number"] = rapid.SampledFrom([]float64{-1.5, 0, 2, 1e9}).Draw(t, "number")
	}
	if rapid.Bool().Draw(t, "named") {
		profile["name"] = map[string]any{"familyName": word.Draw(t, "family name")}
		profile["urn:x:User"] = map[string]any{"department": word.Draw(t, "department")}
	}
	out, _ := json.Marshal(profile)
	return out
}

var comparisons = []revoke.FilterOp{
	revoke.FilterEq, revoke.FilterCo, revoke.FilterSw, revoke.FilterEw, revoke.FilterGt, revoke.FilterGe, revoke.FilterLt, revoke.FilterLe, revoke.FilterPr,
}

// drawnFilter is any filter up to a depth; within an element it is about that element's own values.
func drawnFilter(t *rapid.T, depth int, element bool, ids []revoke.ID) revoke.Filter {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 4).Draw(t, "kind of filter")
	}
	switch kind {
	case 1, 2:
		f := revoke.Filter{Op: revoke.FilterAnd}
		if kind == 2 {
			f.Op = revoke.FilterOr
		}
		for range rapid.IntRange(0, 3).Draw(t, "terms") {
			f.Terms = append(f.Terms, drawnFilter(t, depth-1, element, ids))
		}
		return f
	case 3:
		return revoke.Filter{Op: revoke.FilterNot, Terms: []revoke.Filter{drawnFilter(t, depth-1, element, ids)}}
	case 4:
		if !element {
			return revoke.Filter{Op: revoke.FilterAny, Attribute: "emails", Terms: []revoke.Filter{drawnFilter(t, depth-1, true, ids)}}
		}
	}
	paths := []string{"emails.value", "emails.type", "emails.primary"}
	if !element {
		paths = append(paths, "userName", "externalId", "active", "id", "title", "number", "name.familyName", "urn:x:User:department", "nothing",
			"meta.created", "meta.lastModified", "meta.resourceType")
	}
	f := revoke.Filter{Op: rapid.SampledFrom(comparisons).Draw(t, "operator"), Attribute: rapid.SampledFrom(paths).Draw(t, "path")}
	switch f.Attribute {
	case "number", "meta.created", "meta.lastModified":
		f.Numeric, f.Number = true, rapid.SampledFrom([]float64{-1.5, 0, 1, 2, 1e9}).Draw(t, "number")
	case "active", "emails.primary":
		f.Text = rapid.SampledFrom([]string{"true", "false"}).Draw(t, "truth")
	case "id":
		f.Text, f.Exact = rapid.SampledFrom(ids).Draw(t, "id").String(), true
	default:
		f.Text = rapid.SampledFrom(append([]string{"sally", "BOB", "x"}, drawnWords...)).Draw(t, "text")
		f.Exact = f.Attribute == "externalId" || rapid.Bool().Draw(t, "exact")
		if f.Attribute == "userName" {
			f.Exact = false
		}
	}
	return f
}
