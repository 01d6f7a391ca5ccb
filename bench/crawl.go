package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// crawls compares a crawl of the whole directory by startIndex with one by cursor (RFC 9865). Each goes on in its next slice where it
// stopped, so that both stand at about the same depth all the time; the whole of it counts, since a page may cost the more the deeper
// it lies.
func (b *bench) crawls(ctx context.Context, d *database) error {
	return b.beside(ctx, d, func(_ client, s *server, _ *baseline) error {
		byIndex, byCursor := &crawl{server: s, rows: b.resources}, &crawl{server: s, rows: b.resources, cursor: true}
		defer func() { _, _ = byIndex.close(), byCursor.close() }()
		for said := 0; !byIndex.over; {
			for _, c := range []*crawl{byCursor, byIndex} {
				if err := c.run(ctx, b.slice); err != nil {
					return err
				}
			}
			if byIndex.at*10/b.resources > said || byIndex.over {
				said = byIndex.at * 10 / b.resources
				b.progress("  %s of %s users: %.0f pages a second by startIndex, %.0f by cursor", thousands(byIndex.at), thousands(b.resources), byIndex.perSecond(), byCursor.perSecond())
			}
		}
		b.say(verdict{
			what: d.name + ": a page of a whole crawl by startIndex, in pages by cursor", ratio: byCursor.perSecond() / byIndex.perSecond(), goal: 3,
			beside: fmt.Sprintf("%.0f pages a second here", byIndex.perSecond()),
			where:  b.listed(fmt.Sprintf("%d a page", pageRows), clients(1), "HTTP"),
		})
		return nil
	})
}

// crawl reads a directory page by page, over and over.
type crawl struct {
	server *server
	rows   int
	cursor bool

	conn    net.Conn
	answers *bufio.Reader
	at      int    // how many users were read
	next    string // cursor
	over    bool   // the end was reached once
	pages   int
	took    time.Duration
}

func (c *crawl) perSecond() float64 { return float64(c.pages) / c.took.Seconds() }

func (c *crawl) close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// run reads pages for a while, but not past the end.
func (c *crawl) run(ctx context.Context, slice time.Duration) (err error) {
	if c.conn == nil {
		if c.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", c.server.address); err != nil {
			return err
		}
		c.answers = bufio.NewReaderSize(c.conn, largestAnswer)
	}
	start := time.Now()
	for time.Since(start) < slice {
		end, err := c.page()
		if err != nil {
			return err
		}
		if c.pages++; end {
			c.over = true
			if !c.cursor {
				break
			}
			c.at, c.next = 0, "" // the other one has not come to the end yet
		}
	}
	c.took += time.Since(start)
	return nil
}

// page reads one and reports whether it was the last.
func (c *crawl) page() (end bool, err error) {
	path := fmt.Sprintf("%s?count=%d&startIndex=%d", usersPath, pageRows, c.at+1)
	if c.cursor {
		path = fmt.Sprintf("%s?count=%d&cursor=%s", usersPath, pageRows, c.next)
	}
	if _, err := c.conn.Write(c.server.get(path, connectors[0])); err != nil {
		return false, err
	}
	body, err := readAnswer(c.answers)
	if err != nil {
		return false, err
	}
	if want := min(pageRows, c.rows-c.at); bytes.Count(body, []byte(`"userName":`)) != want {
		return false, fmt.Errorf("the page behind %d users has %d, want %d", c.at, bytes.Count(body, []byte(`"userName":`)), want)
	}
	c.at += pageRows
	if !c.cursor {
		if want := fmt.Sprintf(`"totalResults":%d`, c.rows); !bytes.Contains(body, []byte(want)) {
			return false, errors.New("the page lacks " + want)
		}
		return c.at >= c.rows, nil
	}
	_, after, more := strings.Cut(string(body), `"nextCursor":"`)
	c.next, _, _ = strings.Cut(after, `"`)
	return !more, nil
}
