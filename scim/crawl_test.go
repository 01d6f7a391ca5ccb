package scim_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/revoke"
	"curfew/scim"
)

// A list that is read from page to page while people come and go shows everybody once who is there from beginning to end, and says
// of no page that more was shown than there is.
func TestCrawlMissesNobodyWhoStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := newBundle(t)
		var there []string
		come := func() {
			there = append(there, b.do("POST", users, fmt.Sprintf(`{"userName":"u%s"}`, revoke.NewID(b.store.Clock().Now()))).must(t, 201).id())
		}
		for range rapid.IntRange(0, 12).Draw(rt, "people") {
			come()
		}
		filter := rapid.SampledFrom([]string{"", "&filter=userName%20sw%20%22u%22"}).Draw(rt, "filter")
		stay := slices.Clone(there)
		var seen []string
		for at, total := 1, 1; at <= total; {
			count := rapid.IntRange(1, 5).Draw(rt, "count")
			page := b.do("GET", fmt.Sprintf("%s?startIndex=%d&count=%d%s", users, at, count, filter), nil).must(t, 200)
			found := ids(page)
			seen = append(seen, found...)
			at += len(found)
			total = int(page.json["totalResults"].(float64))
			if len(found) > 0 && at-1 > total || len(found) == 0 && at <= total { // those who went may leave nothing behind the page before
				rt.Fatalf("behind %d of %d comes %s", at-1, total, page.text)
			}
			switch rapid.SampledFrom([]string{"come", "go", "look", "wait", "nothing"}).Draw(rt, "meanwhile") {
			case "come":
				come()
			case "go":
				if len(there) > 0 {
					i := rapid.IntRange(0, len(there)-1).Draw(rt, "who")
					id := there[i]
					b.do("DELETE", users+"/"+id, nil).must(t, 204)
					there = slices.Delete(there, i, i+1)
					stay = slices.DeleteFunc(stay, func(s string) bool { return s == id })
				}
			case "look": // at something else
				b.do("GET", users+"?startIndex=2&count=3&filter=active%20eq%20true", nil).must(t, 200)
			case "wait":
				b.store.Moving().Advance(time.Duration(rapid.IntRange(1, 280).Draw(rt, "seconds")) * time.Second)
			}
		}
		for _, id := range stay {
			if n := len(slices.DeleteFunc(slices.Clone(seen), func(s string) bool { return s != id })); n != 1 {
				rt.Fatalf("one who stays was shown %d times", n)
			}
		}
		if slices.Sort(seen); len(slices.Compact(slices.Clone(seen))) != len(seen) {
			rt.Fatalf("somebody was shown twice: %v", seen)
		}
	})
}

// What was shown and is gone by the next count would hide as many behind the end of the list.
func TestCrawlGoesOnBehindThoseWhoWent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var there []string
	for _, name := range []string{"ann", "ben", "cat"} {
		there = append(there, b.do("POST", users, `{"userName":"`+name+`"}`).must(t, 201).id())
	}
	b.do("GET", users+"?startIndex=1&count=1", nil).must(t, 200)
	b.do("DELETE", users+"/"+there[0], nil).must(t, 204)
	b.store.Moving().Advance(2 * time.Minute) // so that it counts anew
	page := b.do("GET", users+"?startIndex=2&count=1", nil).must(t, 200)
	if total := page.json["totalResults"]; !slices.Equal(ids(page), there[1:2]) || total != 3.0 {
		t.Errorf("the second page shows %v of %v, want %v of 3, for one more follows", ids(page), total, there[1:2])
	}
	page = b.do("GET", users+"?startIndex=3&count=1", nil).must(t, 200)
	if total := page.json["totalResults"]; !slices.Equal(ids(page), there[2:]) || total != 3.0 {
		t.Errorf("the last page shows %v of %v, want %v of 3", ids(page), total, there[2:])
	}
}

// asking is a store that notes how much it is asked.
type asking struct {
	scim.Store
	asked []revoke.ResourceQuery
}

func (c *asking) Resources(ctx context.Context, q revoke.ResourceQuery) ([]revoke.Resource, int, error) {
	c.asked = append(c.asked, q)
	return c.Store.Resources(ctx, q)
}

// take returns how many lists were counted and how many resources were passed over since it was asked last.
func (c *asking) take() (counted, passed int) {
	for _, q := range c.asked {
		if passed += q.Offset; q.Count {
			counted++
		}
	}
	c.asked = nil
	return counted, passed
}

func TestCrawlCountsOnceAndPassesOverNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	store := &asking{Store: b.store}
	b.door = b.handler(scim.Config{Service: b.service, Store: store})
	for i := range 20 {
		b.do("POST", users, fmt.Sprintf(`{"userName":"u%d"}`, i)).must(t, 201)
	}
	page := func(src revoke.Source, start, count int) {
		t.Helper()
		got := b.as(src, "GET", fmt.Sprintf("%s?startIndex=%d&count=%d", users, start, count), nil).must(t, 200)
		if got.json["totalResults"] != 20.0 || len(ids(got)) != min(count, 21-start) {
			t.Errorf("page from %d: %s", start, got.text)
		}
	}
	want := func(what string, counts, passes int) {
		t.Helper()
		if counted, passed := store.take(); counted != counts || passed != passes {
			t.Errorf("%s counts %d times and passes over %d, want %d and %d", what, counted, passed, counts, passes)
		}
	}
	for start := 1; start <= 20; start += 2 {
		page(b.source, start, 2)
	}
	want("a crawl", 2, 0) // on the first page and on the last
	page(b.source, 7, 2)
	want("a page that is asked for again", 0, 0)
	page(b.source, 12, 2)
	want("a page between two", 0, 1)
	other := b.source
	other.Name = "another-token"
	page(other, 7, 2)
	want("another token", 1, 6)
	b.store.Moving().Advance(2 * time.Minute)
	page(b.source, 7, 2)
	want("a page after two minutes", 1, 0)
	b.store.Moving().Advance(time.Hour)
	page(b.source, 7, 2)
	want("a page an hour later", 1, 6)
}

// What one token is remembered for has an end, however many lists it asks for.
func TestBookmarksAreFew(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	store := &asking{Store: b.store}
	b.door = b.handler(scim.Config{Service: b.service, Store: store})
	for i := range 4 {
		b.do("POST", users, fmt.Sprintf(`{"userName":"u%d"}`, i)).must(t, 201)
	}
	for i := range 65 {
		b.do("GET", fmt.Sprintf("%s?startIndex=1&count=2&filter=userName%%20ne%%20%%22%d%%22", users, i), nil).must(t, 200)
	}
	store.take()
	for i, want := range map[int]int{0: 2, 64: 0} {
		b.do("GET", fmt.Sprintf("%s?startIndex=3&count=1&filter=userName%%20ne%%20%%22%d%%22", users, i), nil).must(t, 200)
		if _, passed := store.take(); passed != want {
			t.Errorf("list %d of 65: %d are passed over, want %d", i, passed, want)
		}
	}
}
