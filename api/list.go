package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"curfew/revoke"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// query is what stands behind the question mark, each name once.
type query map[string]string

// readQuery reads the query of a request. A name that the path does not take is refused, and so is one without a value: a
// look-up with a slip of the pen would otherwise list everybody.
func readQuery(c *fiber.Ctx, names ...string) (query, error) {
	values, err := url.ParseQuery(string(c.Request().URI().QueryString()))
	if err != nil {
		return nil, errBadPath
	}
	q := query{}
	var wrong []fieldError
	for name, list := range values {
		switch {
		case len(names) == 0:
			wrong = append(wrong, fieldError{clip(name), "is not for the query, of which this path takes nothing: leave it out, or write it into the body"})
		case !slices.Contains(names, name):
			wrong = append(wrong, fieldError{clip(name), "is not a parameter we know: write " + orList(names)})
		case len(list) > 1:
			wrong = append(wrong, fieldError{name, "stands more than once: give it once"})
		case list[0] == "":
			wrong = append(wrong, fieldError{name, "is empty: give a value, or leave it out"})
		case !utf8.ValidString(list[0]):
			wrong = append(wrong, fieldError{name, "is not plain text: give it in UTF-8"})
		case utf8.RuneCountInString(list[0]) > longest(name):
			wrong = append(wrong, fieldError{name, "is longer than " + strconv.Itoa(longest(name)) + " characters: write less"})
		default:
			q[name] = list[0]
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b fieldError) int { return strings.Compare(a.Field, b.Field) })
		return nil, meaningless(wrong...)
	}
	return q, nil
}

// longest is how many characters a parameter may have.
func longest(name string) int {
	switch name {
	case "token", "subject":
		return 16 << 10
	case "cursor":
		return 1024
	default:
		return 512
	}
}

// limit is how many items a page has.
func (q query) limit() (int, error) {
	text, ok := q["limit"]
	if !ok {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, meaningless(fieldError{"limit", "is not a number from 1 to 1000: write 100, or leave it out"})
	}
	return n, nil
}

// cursor reads where the list goes on into v, and reports whether there was one.
func (q query) cursor(v any) (bool, error) {
	text, ok := q["cursor"]
	if !ok {
		return false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return false, meaningless(fieldError{"cursor", "is not one of ours: give the next of the page before, or leave it out"})
	}
	return true, nil
}

// id reads an id of ours, zero when there is none.
func (q query) id(name string) (revoke.ID, error) {
	text, ok := q[name]
	if !ok {
		return revoke.ID{}, nil
	}
	id, err := revoke.ParseID(text)
	if err != nil {
		return revoke.ID{}, meaningless(fieldError{name, "is not an id of ours: give 36 characters such as 019aaf3c-5b40-7000-8000-000000000000"})
	}
	return id, nil
}

// yes reads a parameter that is true or false; false when there is none.
func (q query) yes(name string) (bool, error) {
	text, ok := q[name]
	if ok && text != "true" && text != "false" {
		return false, meaningless(fieldError{name, `is neither "true" nor "false": write one of them, or leave it out`})
	}
	return text == "true", nil
}

// page is one page of a list.
type page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// paged renders rows, of which one more than the limit was asked for, and a cursor to the last one shown when there are more.
func paged[R, T any](c *fiber.Ctx, rows []R, limit int, show func(*R) (T, error), cursor func(*R) any) error {
	out := page[T]{Items: []T{}}
	if len(rows) > limit {
		rows = rows[:limit]
		raw, err := json.Marshal(cursor(&rows[limit-1]))
		if err != nil {
			return fmt.Errorf("write the cursor: %w", err)
		}
		next := base64.RawURLEncoding.EncodeToString(raw)
		out.Next = &next
	}
	for i := range rows {
		item, err := show(&rows[i])
		if err != nil {
			return err
		}
		out.Items = append(out.Items, item)
	}
	return answer(c, fiber.StatusOK, out)
}

// sure is a way to show rows that cannot fail.
func sure[R, T any](show func(*R) T) func(*R) (T, error) {
	return func(row *R) (T, error) { return show(row), nil }
}

// answer renders JSON that nobody may keep.
func answer(c *fiber.Ctx, status int, body any) error {
	c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
	c.Response().Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Status(status)
	render(c.Context(), "application/json", body)
	return nil
}
