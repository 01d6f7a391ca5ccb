package demo

import (
	"context"
	"time"
)

// beat is how often something happens at the school while somebody looks.
const beat = 3 * time.Second

// live lets people of the school come and go until ctx ends, so that the console has something to show. A request that fails
// is no error: whoever looks may have blocked the person, or held the whole school back.
func (t *tale) live(ctx context.Context) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var in []*device
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if len(t.people) == 0 {
			continue
		}
		p := t.people[i*37%len(t.people)]
		switch {
		case i%4 == 3 && len(in) > 0: // a log-out of the person's own
			_ = t.app.signOut(ctx, in[0])
			in = in[1:]
		case i%4 == 2:
			_, _ = t.provider.post(ctx, t.secrets.okta, oktaEvent("user.session.context.change", "User session context changed", t.cfg.Clock.Now(), p))
		case len(p.gadgets) > 0:
			g := p.gadgets[0]
			d := &device{name: g.name, kind: g.kind, platform: g.platform}
			if t.app.admit(ctx, d, p.login, g.id, g.name) == nil {
				in = append(in, d)
			}
		}
	}
}
