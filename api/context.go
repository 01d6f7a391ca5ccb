package api

import (
	"context"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

type requestIDKey struct{}

// requestID returns the id of a request, which is made when it is first asked for.
func (a *App) requestID(ctx *fasthttp.RequestCtx) string {
	if id, ok := ctx.UserValue(requestIDKey{}).(string); ok {
		return id
	}
	id := revoke.NewID(a.cfg.Clock.Now()).String()
	ctx.SetUserValue(requestIDKey{}, id)
	return id
}

// asking returns the context of a question. It does not descend from the request's, which is used again for the next one
// and ends the moment shutdown begins.
func asking() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), askTimeout)
}

// patience is the context of a question that is mostly answered from memory. A timer is started only when somebody waits:
// starting and stopping one costs more than the answer.
type patience struct {
	once   sync.Once
	inner  context.Context //nolint:containedctx // this is a context
	cancel context.CancelFunc
}

func (p *patience) started() context.Context {
	p.once.Do(func() { p.inner, p.cancel = asking() })
	return p.inner
}

func (p *patience) Deadline() (time.Time, bool) { return p.started().Deadline() }
func (p *patience) Done() <-chan struct{}       { return p.started().Done() }
func (p *patience) Err() error                  { return p.started().Err() }
func (*patience) Value(any) any                 { return nil }

// end stops the timer if there is one.
func (p *patience) end() {
	p.once.Do(func() { p.inner, p.cancel = context.Background(), func() {} })
	p.cancel()
}

// committing returns the context of a change: it ends neither with the client nor with the beginning of shutdown, so
// that what was begun is finished and answered.
func (a *App) committing(c *fiber.Ctx, t *token) (context.Context, context.CancelFunc) {
	return a.within(commitTimeout, c, t)
}

// within is [App.committing] for what may take its time.
func (a *App) within(timeout time.Duration, c *fiber.Ctx, t *token) (context.Context, context.CancelFunc) {
	ctx := revoke.WithActor(revoke.WithRequestID(context.Background(), a.requestID(c.Context())), t.actor)
	return context.WithTimeout(ctx, timeout)
}
