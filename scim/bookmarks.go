package scim

import (
	"crypto/sha256"
	"sync"
	"time"

	"curfew/revoke"
)

// bookmarks remember where pages that were asked for by startIndex ended, so that the next one neither counts the list nor passes over
// all that lies before it. RFC 7644 section 3.4.2.4 lets a list change between two pages: one that is read from page to page is read
// in the order of creation, and nothing that stays in it is left out because something before it went. They may be lost at any time,
// and are safe for concurrent use.
type bookmarks struct {
	mu     sync.Mutex
	shelfs map[string]*shelf // by source; the configuration bounds how many there are
}

// shelf holds the bookmarks of one source, in a ring: the next takes the place of the oldest.
type shelf struct {
	marks [64]bookmark
	next  int
}

// bookmark is a place in a list.
type bookmark struct {
	list  [sha256.Size]byte // what was asked for
	index int               // how many lie before it
	after revoke.ResourceCursor
	at    revoke.Instant
	total int            // of the list
	asOf  revoke.Instant // when it was counted
}

const (
	bookmarkLives = 5 * time.Minute
	totalLives    = time.Minute // and the last page of a list counts anew
)

func newBookmarks() *bookmarks { return &bookmarks{shelfs: map[string]*shelf{}} }

func digestOf(bound string) [sha256.Size]byte { return sha256.Sum256([]byte(bound)) }

// before returns the bookmark of the list that lies the least before an index, or at it.
func (b *bookmarks) before(source string, list [sha256.Size]byte, index int, now revoke.Instant) (found bookmark, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	on, ok := b.shelfs[source]
	if !ok {
		return bookmark{}, false
	}
	for _, m := range on.marks {
		if m.list == list && m.index <= index && m.index > found.index && now.Sub(m.at) < bookmarkLives {
			found = m
		}
	}
	return found, found.index > 0
}

// put keeps a bookmark, in place of the one that stands at the same index.
func (b *bookmarks) put(source string, m bookmark) {
	b.mu.Lock()
	defer b.mu.Unlock()
	on := b.shelfs[source]
	if on == nil {
		on = &shelf{}
		b.shelfs[source] = on
	}
	for i := range on.marks {
		if have := &on.marks[i]; have.list == m.list && have.index == m.index {
			*have = m
			return
		}
	}
	on.marks[on.next] = m
	on.next = (on.next + 1) % len(on.marks)
}
