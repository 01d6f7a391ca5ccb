package console

import (
	"net/http"
	"slices"

	"curfew/revoke"
)

// route is one page, or one thing that a page does. The table of routes is walked by tests: who may what, and what there is.
type route struct {
	method string
	path   string      // a pattern of [http.ServeMux]
	least  revoke.Role // who may; empty: anybody who signed in
	title  string      // of the page, empty for what a form does
	menu   string      // the path of the entry that is marked as present; empty: none
	body   int64       // how large a form may be; zero is 64 KiB
	page   func(*visit) error
}

const formBody = 64 << 10

// routes is everything there is.
func (c *Console) routes() []route { return slices.Concat(c.ownRoutes(), c.operatorRoutes()) }

// Route is one line of the table of routes, for whoever walks it: who may open it, and what there is.
type Route struct {
	Method string
	Path   string      // a pattern of [http.ServeMux]
	Least  revoke.Role // empty: anybody who signed in
}

// Routes lists everything that the console answers.
func Routes() []Route {
	var out []Route
	for _, r := range (&Console{}).routes() {
		out = append(out, Route{r.method, r.path, r.least})
	}
	return out
}

// permits reports whether somebody with these roles may open what asks for at least one. Whoever has a role may look.
func permits(who *revoke.SignIn, least revoke.Role) bool {
	switch least {
	case "":
		return true
	case revoke.RoleViewer:
		return len(who.Roles) > 0
	case revoke.RoleOperator, revoke.RoleApprover, revoke.RoleAdmin, revoke.RoleAuditor:
	}
	return who.Has(least)
}

// page answers a route. [Console.ServeHTTP] has put the visit into the context.
type page struct {
	c     *Console
	route route
}

// ServeHTTP asks whether the person may, and for a change whether the form is ours; then the page answers.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, ok := r.Context().Value(visitKey{}).(*visit)
	if !ok {
		http.Error(w, "not here", http.StatusNotFound)
		return
	}
	v.w, v.r = w, r // with the values of the path
	if !permits(&v.who, p.route.least) {
		v.refuse(http.StatusForbidden, "This is not open to you", "It needs the role "+string(p.route.least)+". Whoever looks after Curfew in your organisation can give it to you.") //nolint:contextcheck // the visit carries the request
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !v.formIsOurs(p.route.body) { //nolint:contextcheck // the visit carries the request
		return
	}
	if err := p.route.page(v); err != nil {
		v.fail(err) //nolint:contextcheck // the visit carries the request
	}
}

// open reports whether the page is for everybody, also for who has just signed out.
func open(path string) bool { return path == signedOutPath }

// entry is one line of the menu.
type entry struct {
	Path    string
	Title   string
	Current bool
	Waiting int // how many things wait there for a person; zero is not shown
	least   revoke.Role
}

// menu returns the entries that the person may open, with the present one marked.
func (v *visit) menu() []entry {
	entries := consoleMenu()
	if v.own() {
		entries = []entry{{Path: "/me", Title: "Your devices"}, {Path: "/me/data", Title: "Your data"}}
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return !permits(&v.who, e.least) })
	for i := range entries {
		entries[i].Current = entries[i].Path == v.route.menu
		entries[i].Waiting = v.waiting[entries[i].Path]
	}
	return entries
}
