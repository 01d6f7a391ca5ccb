package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

// consoleSource is the source of what people do who signed in.
const consoleSource = "console"

// leastRoles is who may use a route, where it is not the rule that anybody with a role reads and an admin does the rest. None at
// all means that it takes a bearer token.
var leastRoles = map[string]revoke.Role{
	"POST /v1/sessions":          "",
	"POST /v1/sessions/import":   "",
	"POST /v1/signals":           "",
	"POST /v1/links":             "", // whoever could ask for one would be anybody
	"POST /v1/check":             revoke.RoleViewer,
	"DELETE /v1/sessions/:id":    revoke.RoleOperator,
	"POST /v1/revocations":       revoke.RoleOperator,
	"POST /v1/events/:id/replay": revoke.RoleOperator,
	"POST /v1/held/approve":      revoke.RoleApprover,
	"POST /v1/held/reject":       revoke.RoleApprover,
	"POST /v1/held/:id/approve":  revoke.RoleApprover,
	"POST /v1/held/:id/reject":   revoke.RoleApprover,
}

// leastRole returns the least role that may use a route, and whether any may.
func leastRole(method, path string) (revoke.Role, bool) {
	if role, said := leastRoles[method+" "+path]; said {
		return role, role != ""
	}
	if !strings.HasPrefix(path, "/v1/") {
		return "", false
	}
	if method == fiber.MethodGet {
		return revoke.RoleViewer, true
	}
	return revoke.RoleAdmin, true
}

// allowsRole refuses who signed in and has too small a role.
func (t *token) allowsRole(method, path string) error {
	least, some := leastRole(method, path)
	switch {
	case !some || len(t.signIn.Roles) == 0:
		return errNoRole
	case least == revoke.RoleViewer, t.signIn.Has(least):
		return nil
	}
	return &problem{
		status: fiber.StatusForbidden, word: "scope", title: "Not within your role",
		detail: "This takes the role " + string(least) + ". Roles come from your groups at the identity provider, as sign_in.roles says.",
	}
}

var errNoRole = &problem{
	status: fiber.StatusForbidden, word: "scope", title: "Not within your role",
	detail: "Nobody who signed in may use this path; it takes a bearer token, or a role that you do not have.",
}

// signedToken is who signed in, as a caller of the JSON API.
func signedToken(who revoke.SignIn) *token {
	t := &token{
		name: consoleSource, signIn: &who, actor: who.Actor(),
		source: revoke.Source{Name: consoleSource, Org: who.Org, Type: revoke.TypeToken, Authority: consoleSource},
	}
	t.voice = t.source
	if who.Has(revoke.RoleOperator) {
		t.scopes, t.voice.Devices = scopeRevoke, true
	}
	if who.Has(revoke.RoleAdmin) {
		t.scopes, _ = parseScope("admin")
		t.voice.Admin, t.voice.Authority = true, revoke.AdminAuthority
	}
	return t
}

// holder is whose Idempotency-Keys a caller's are: two people may choose the same.
func (t *token) holder() string {
	if t.signIn != nil {
		return consoleSource + " " + t.signIn.Session.String()
	}
	return t.name
}

// Ask answers a request of somebody who signed in, in process and with their own rights, by the settings that hold now. Limits of
// the network do not apply. No route of the JSON API streams.
func (a *App) Ask(ctx context.Context, who revoke.SignIn, method, target string, body []byte) (status int, answer []byte) {
	var sent fasthttp.Request
	sent.Header.SetMethod(method)
	sent.SetRequestURI(target)
	if body != nil {
		sent.Header.SetContentType(fiber.MIMEApplicationJSON)
		sent.SetBody(body)
	}
	var r fasthttp.RequestCtx
	r.Init(&sent, nil, nil)
	r.SetUserValue(callerKey{}, signedToken(who))
	if id := revoke.RequestIDFrom(ctx); id != "" {
		r.SetUserValue(requestIDKey{}, id)
	}
	a.answers.Load().serve(&r) //nolint:contextcheck // handlers bound their own work, as for any request
	return r.Response.StatusCode(), append([]byte(nil), r.Response.Body()...)
}

// page mounts what people see: it finds itself who they are.
func (a *App) page(h http.Handler, paths ...string) {
	if h == nil {
		return
	}
	mounted := a.mount(h, true)
	for _, path := range paths {
		for _, p := range []string{path, path + "/*"} {
			a.fiber.Get(p, mounted)
			a.fiber.Post(p, mounted)
		}
	}
}
