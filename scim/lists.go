package scim

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"curfew/revoke"
)

// cursors make and read the cursors of RFC 9865: where a list goes on, bound to the caller and to everything else that was asked,
// by a key that ends with the process.
type cursors struct{ key [32]byte }

func newCursors() (c cursors) {
	_, _ = rand.Read(c.key[:]) // crypto/rand.Read never fails (Go 1.24)
	return c
}

// cursorLives is for how long a cursor may be used: seconds, as the ServiceProviderConfig says.
const cursorLives = 3600

const cursorBytes = 8 + 8 + 16 + 8

func (c *cursors) sign(payload []byte, bound string) []byte {
	mac := hmac.New(sha256.New, c.key[:])
	mac.Write(payload)
	mac.Write([]byte(bound))
	return mac.Sum(nil)[:16]
}

// position is where a list goes on: behind a resource in the order of creation, or where it is sorted otherwise after so many.
type position struct {
	after  revoke.ResourceCursor
	offset int
}

func (c *cursors) write(p position, bound string, now revoke.Instant) string {
	payload := make([]byte, 0, cursorBytes)
	payload = binary.BigEndian.AppendUint64(payload, uint64(now))               //nolint:gosec // an instant is positive
	payload = binary.BigEndian.AppendUint64(payload, uint64(p.after.CreatedAt)) //nolint:gosec // an instant is positive
	payload = append(payload, p.after.ID[:]...)
	payload = binary.BigEndian.AppendUint64(payload, uint64(p.offset)) //nolint:gosec // a count is positive
	return base64.RawURLEncoding.EncodeToString(append(payload, c.sign(payload, bound)...))
}

func (c *cursors) read(text, bound string, now revoke.Instant) (position, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != cursorBytes+16 || !hmac.Equal(raw[cursorBytes:], c.sign(raw[:cursorBytes], bound)) {
		return position{}, badRequest("invalidCursor", "The cursor is not one that this list gave you, or something else in the request changed. Begin with an empty cursor.")
	}
	made := revoke.Instant(binary.BigEndian.Uint64(raw)) //nolint:gosec // we wrote it
	if now.Sub(made) > cursorLives*time.Second {
		return position{}, badRequest("expiredCursor", "The cursor is older than an hour. Begin with an empty cursor.")
	}
	var p position
	p.after.CreatedAt = revoke.Instant(binary.BigEndian.Uint64(raw[8:])) //nolint:gosec // we wrote it
	copy(p.after.ID[:], raw[16:])
	p.offset = int(binary.BigEndian.Uint64(raw[32:])) //nolint:gosec // we wrote it
	return p, nil
}

// wanted is a page that somebody asks for, in a query or in a SearchRequest.
type wanted struct {
	filter, sortBy, sortOrder string
	startIndex, count         string
	cursor                    string
	byCursor                  bool
}

func wantedIn(query url.Values) wanted {
	w := wanted{
		filter: parameter(query, "filter"), sortBy: parameter(query, "sortby"), sortOrder: parameter(query, "sortorder"),
		startIndex: parameter(query, "startindex"), count: parameter(query, "count"), cursor: parameter(query, "cursor"),
	}
	for name := range query {
		w.byCursor = w.byCursor || fold(name) == "cursor"
	}
	return w
}

// number reads a whole number; one that was not sent is usual.
func number(text, name string, usual int) (int, error) {
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest(invalidValue, name+" is "+quote(text)+". Send a whole number.")
	}
	return n, nil
}

// list answers with a page of users or groups.
func (h *handler) list(r *http.Request, x *exchange, kind string, w wanted) (answer, error) {
	names := h.namesOf(kind)
	q := revoke.ResourceQuery{Org: x.source.Org, Authority: x.source.Authority, Type: kind, Descending: fold(w.sortOrder) == "descending"}
	var err error
	if q.Filter, err = names.compile(w.filter); err != nil {
		return answer{}, err
	}
	if q.SortBy, err = names.sortable(w.sortBy); err != nil {
		return answer{}, err
	}
	if q.Limit, err = number(w.count, "count", defaultPage); err != nil {
		return answer{}, err
	}
	start, err := number(w.startIndex, "startIndex", 1)
	if err != nil {
		return answer{}, err
	}
	start, q.Limit = max(start, 1), min(max(q.Limit, 0), maxPage)
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if w.byCursor {
		return h.byCursor(ctx, x, q, w)
	}
	found, total, err := h.byIndex(ctx, x, q, start-1, w)
	if err != nil {
		return answer{}, err
	}
	shown, err := h.showAll(ctx, x, found)
	return answer{status: http.StatusOK, body: list(shown, total, start)}, err
}

// bound is all that a list depends on but the page of it.
func (x *exchange) bound(kind string, w wanted) string {
	return strings.Join([]string{x.source.Org, x.source.Authority, kind, w.filter, w.sortBy, w.sortOrder}, "\x00")
}

// byIndex reads the page behind so many resources, and how many there are in all.
func (h *handler) byIndex(ctx context.Context, x *exchange, q revoke.ResourceQuery, before int, w wanted) (found []revoke.Resource, total int, err error) {
	q.Offset, q.Count = before, true
	if q.SortBy != "" || q.Descending || q.Limit == 0 {
		return h.store.Resources(ctx, q)
	}
	now, which := h.clock.Now(), digestOf(x.bound(q.Type, w))
	size := q.Limit
	mark, marked := h.bookmarks.before(x.source.Name, which, before, now)
	if marked {
		q.After, q.Offset, q.Count = &mark.after, before-mark.index, now.Sub(mark.asOf) >= totalLives
		q.Limit++ // one more, to see whether anybody follows
	}
	if found, total, err = h.store.Resources(ctx, q); err != nil {
		return nil, 0, err
	}
	follows := len(found) > size
	found = found[:min(len(found), size)]
	asOf := now
	seen := before + len(found)
	switch {
	case q.Count:
	case follows && seen < mark.total:
		total, asOf = mark.total, mark.asOf
	default: // the end as far as we know, or past it
		q.After, q.Offset, q.Limit, q.Count = nil, 0, 0, true
		if _, total, err = h.store.Resources(ctx, q); err != nil {
			return nil, 0, err
		}
	}
	if follows { // of those that were shown some may be gone by now, and whoever reads on stops at the total
		total = max(total, seen+1)
	} else if len(found) > 0 {
		total = max(total, seen)
	}
	if len(found) == 0 || seen == total { // nothing follows, as after the one user whom a filter finds
		return found, total, nil
	}
	last := found[len(found)-1]
	h.bookmarks.put(x.source.Name, bookmark{
		list: which, index: seen, after: revoke.ResourceCursor{CreatedAt: last.CreatedAt, ID: last.ID}, at: now, total: total, asOf: asOf,
	})
	return found, total, nil
}

// byCursor answers with a page and where the next begins (RFC 9865 section 2).
func (h *handler) byCursor(ctx context.Context, x *exchange, q revoke.ResourceQuery, w wanted) (answer, error) {
	if q.Limit == 0 {
		return answer{}, noCount()
	}
	bound := x.bound(q.Type, w)
	now := h.clock.Now()
	var at position
	if w.cursor != "" {
		var err error
		if at, err = h.cursors.read(w.cursor, bound, now); err != nil {
			return answer{}, err
		}
	}
	byCreation := q.SortBy == "" && !q.Descending
	if w.cursor != "" && byCreation {
		q.After = &at.after
	} else {
		q.Offset = at.offset
	}
	size := q.Limit
	q.Limit++ // one more, to see whether there is a next page
	found, _, err := h.store.Resources(ctx, q)
	if err != nil {
		return answer{}, err
	}
	doc := map[string]any{"schemas": []string{listURI}, "itemsPerPage": min(len(found), size)}
	if len(found) > size {
		found = found[:size]
		last := found[size-1]
		next := position{after: revoke.ResourceCursor{CreatedAt: last.CreatedAt, ID: last.ID}, offset: at.offset + size}
		doc["nextCursor"] = h.cursors.write(next, bound, now)
	}
	shown, err := h.showAll(ctx, x, found)
	doc["Resources"] = shown
	return answer{status: http.StatusOK, body: encode(doc)}, err
}

func noCount() refusal {
	return badRequest("invalidCount", "count is 0 or less, and so would lead nowhere. Ask for 1 to 1000.")
}

func (h *handler) page(ctx context.Context, x *exchange, q revoke.ResourceQuery) ([]any, int, error) {
	found, total, err := h.store.Resources(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	shown, err := h.showAll(ctx, x, found)
	return shown, total, err
}

// showAll renders resources of one type, as much of them as was asked for.
func (h *handler) showAll(ctx context.Context, x *exchange, found []revoke.Resource) ([]any, error) {
	related, by := "groups", h.groupsOf
	if len(found) > 0 && found[0].Type == revoke.TypeGroup {
		related, by = "members", h.membersOf
	}
	var lists map[revoke.ID][]any
	if len(found) > 0 && x.shows.includes(related) {
		var err error
		if lists, err = by(ctx, x.source, found); err != nil {
			return nil, err
		}
	}
	out := make([]any, 0, len(found))
	for _, each := range found {
		doc, err := h.show(each)
		if err != nil {
			return nil, err
		}
		if list := lists[each.ID]; len(list) > 0 {
			doc[related] = list
		}
		x.shows.cut(doc)
		out = append(out, doc)
	}
	return out, nil
}

// list is a ListResponse (RFC 7644 section 3.4.2).
func list(resources []any, total, startIndex int) []byte {
	return encode(map[string]any{
		"schemas": []string{listURI}, "totalResults": total, "startIndex": startIndex,
		"itemsPerPage": len(resources), "Resources": resources,
	})
}

// maxShown bounds the names that each resource of a page is held against; an address has no room for more.
const maxShown = 1000

// search answers a SearchRequest (RFC 7644 section 3.4.3), which says in a body what a GET says in its query. No kind is all of them.
func (h *handler) search(r *http.Request, x *exchange, kind string) (answer, error) {
	o, ok := x.body.(object)
	if !ok {
		return answer{}, badRequest(invalidSyntax, "The body is not a JSON object. Send a SearchRequest (RFC 7644 section 3.4.3).")
	}
	query := url.Values{}
	for _, m := range o {
		switch v := m.value.(type) {
		case nil, object:
		case []any:
			for _, each := range v {
				if text, ok := each.(string); ok {
					query.Add(fold(m.name), text)
				}
			}
		default:
			query.Set(fold(m.name), textOf(v))
		}
	}
	if x.shows = projectionOf(query); len(x.shows.only)+len(x.shows.without) > maxShown {
		return answer{}, badRequest(tooMany, "attributes and excludedAttributes name more than 1000 attributes. Name fewer.")
	}
	if kind == "" {
		return h.everything(r, x, wantedIn(query))
	}
	return h.list(r, x, kind, wantedIn(query))
}
