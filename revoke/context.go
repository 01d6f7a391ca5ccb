package revoke

import "context"

// What a context carries, and nothing else: the request's id, the actor, and from api to the handlers that it mounts the
// authenticated source or who signed in.
type contextKey int

const (
	requestIDKey contextKey = iota
	actorKey
	sourceKey
	signInKey
)

// WithRequestID returns ctx carrying the request's id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey, id)
}

// RequestIDFrom returns the request's id, empty outside a request.
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// WithActor returns ctx carrying who acts.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey, a)
}

// ActorFrom returns who acts.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey).(Actor)
	return a
}

// WithSource returns ctx carrying the source that a bearer token proved.
func WithSource(ctx context.Context, s Source) context.Context {
	return context.WithValue(ctx, sourceKey, s)
}

// SourceFrom returns the source that a bearer token proved, and whether there is one.
func SourceFrom(ctx context.Context) (Source, bool) {
	s, ok := ctx.Value(sourceKey).(Source)
	return s, ok
}
