package scim

import (
	"context"
	"net/http"
	"slices"

	"curfew/revoke"
)

// kinds are the types of resource in the order in which a query at the root lists them.
func kinds() []string { return []string{revoke.TypeUser, revoke.TypeGroup} }

// everything answers a query at the root (RFC 7644 section 3.4.2.1): users, then groups, each in the order of creation. An
// attribute that only the one type has is one without a value on the other.
func (h *handler) everything(r *http.Request, x *exchange, w wanted) (answer, error) {
	if w.sortBy != "" {
		return answer{}, badRequest(invalidPath, "Users and groups cannot be sorted together. Sort /Users or /Groups.")
	}
	queries := make([]revoke.ResourceQuery, 0, len(kinds()))
	lacking := map[string]int{}
	for _, kind := range kinds() {
		filter, without, err := h.namesOf(kind).compileAmong(w.filter)
		if err != nil {
			return answer{}, err
		}
		slices.Sort(without)
		for _, name := range slices.Compact(without) {
			if lacking[name]++; lacking[name] == len(kinds()) {
				return answer{}, unknownInFilter(name)
			}
		}
		queries = append(queries, revoke.ResourceQuery{Org: x.source.Org, Authority: x.source.Authority, Type: kind, Filter: filter})
	}
	limit, err := number(w.count, "count", defaultPage)
	if err != nil {
		return answer{}, err
	}
	start, err := number(w.startIndex, "startIndex", 1)
	if err != nil {
		return answer{}, err
	}
	start, limit = max(start, 1), min(max(limit, 0), maxPage)
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if w.byCursor {
		return h.everythingByCursor(ctx, x, queries, w, limit)
	}
	shown, total, err := h.across(ctx, x, queries, start-1, limit)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: list(shown, total, start)}, nil
}

// across reads a page that begins behind offset resources of all types taken together.
func (h *handler) across(ctx context.Context, x *exchange, queries []revoke.ResourceQuery, offset, limit int) (shown []any, total int, err error) {
	shown = []any{}
	for _, q := range queries {
		q.Offset, q.Limit, q.Count = max(offset-total, 0), limit-len(shown), true
		more, n, err := h.page(ctx, x, q)
		if err != nil {
			return nil, 0, err
		}
		shown, total = append(shown, more...), total+n
	}
	return shown, total, nil
}

func (h *handler) everythingByCursor(ctx context.Context, x *exchange, queries []revoke.ResourceQuery, w wanted, size int) (answer, error) {
	if size == 0 {
		return answer{}, noCount()
	}
	bound := x.source.Org + "\x00" + x.source.Authority + "\x00\x00" + w.filter
	now := h.clock.Now()
	var at position
	var err error
	if w.cursor != "" {
		if at, err = h.cursors.read(w.cursor, bound, now); err != nil {
			return answer{}, err
		}
	}
	shown, total, err := h.across(ctx, x, queries, at.offset, size)
	if err != nil {
		return answer{}, err
	}
	doc := map[string]any{"schemas": []string{listURI}, "itemsPerPage": len(shown), "totalResults": total, "Resources": shown}
	if next := at.offset + len(shown); next < total && len(shown) > 0 {
		doc["nextCursor"] = h.cursors.write(position{offset: next}, bound, now)
	}
	return answer{status: http.StatusOK, body: encode(doc)}, nil
}
