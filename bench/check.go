package main

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// asked is how many tokens one request asks about: as many as the path takes.
const asked = 1000

// checks compares questions about a thousand stateless tokens with bare handlers that read the same body and look as many keys up
// in a plain map. People are asked about whom the server knows already, as a gateway's are.
func (b *bench) checks(ctx context.Context, d *database) error {
	return b.beside(ctx, d, func(c client, s *server, bare *baseline) error {
		l := load{Expect: `[{"live":true}`, Clients: 1}
		for range 20 {
			l.Requests = append(l.Requests, s.raw("POST", checkPath, s.secrets["gateway"], "application/json", b.tokens(d)))
		}
		known := l.to(s.address)
		known.For = b.slice
		if _, err := c.send(known); err != nil { // everybody is looked up once, and warm
			return err
		}
		plain := plainMap(b.users)
		rates, err := b.rates(ctx, 2*b.rounds+1, b.slice/2,
			c.sending("bare handler with a plain map", l.to(bare.address)), c.sending("checks", l.to(s.address)), lookUps(plain, d))
		if err != nil {
			return err
		}
		b.say(verdict{
			what: d.name + ": checking 1,000 stateless tokens, in answers of a bare handler that looks 1,000 keys up in a plain map", ratio: ratio(rates[0], rates[1]), goal: 5,
			beside: fmt.Sprintf("in mere look-ups of 1,000 keys it is %.1f, and the bare handler %.1f", ratio(rates[2], rates[1]), ratio(rates[2], rates[0])),
			where:  b.where(clients(1)+" in a process of its own", "HTTP"),
		})
		return nil
	})
}

// tokens asks about the next people of the crowd, whose tokens were issued just now.
func (b *bench) tokens(d *database) string {
	var body bytes.Buffer
	for i := range asked {
		before := byte(',')
		if i == 0 {
			before = '['
		}
		fmt.Fprintf(&body, `%c{"subject":{"format":"email","email":%q},"iat":%d,"kind":"mobile"}`, before, address(d.spared.pick()), time.Now().Unix())
	}
	body.WriteByte(']')
	return body.String()
}

// lookUps is a contender that looks a thousand keys up in the map at a time, and does nothing else.
func lookUps(plain map[string]int64, d *database) contender {
	keys := make([]string, 20*asked)
	for i := range keys {
		keys[i] = address(d.spared.pick())
	}
	at := 0
	return steady("look-ups in a plain map", workers(1, func(context.Context, int) error {
		dead := 0
		for _, key := range keys[at : at+asked] {
			if plain[key] < 0 {
				dead++
			}
		}
		at = (at + asked) % len(keys)
		if dead > 0 {
			return fmt.Errorf("%d of a thousand are dead in the map", dead)
		}
		return nil
	}))
}
