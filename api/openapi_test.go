package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"curfew/api"
)

// TestEveryRouteIsDescribed walks what the router knows and what the document has: neither may have what the other lacks.
func TestEveryRouteIsDescribed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*api.Config){
		"all mounted":     func(*api.Config) {},
		"nothing mounted": func(cfg *api.Config) { cfg.SCIM, cfg.Hooks, cfg.Metrics = nil, nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, change)
			routes := map[string][]string{} // methods by path
			for _, r := range b.app.Routes() {
				var path []string
				for segment := range strings.SplitSeq(r.Path, "/") {
					if parameter, ok := strings.CutPrefix(segment, ":"); ok {
						segment = "{" + parameter + "}"
					}
					path = append(path, segment)
				}
				routes[strings.Join(path, "/")] = append(routes[strings.Join(path, "/")], r.Method)
			}
			seen := map[string]bool{}
			for _, op := range b.doc.Operations {
				at := op.Path
				for wide := range routes { // what is below a mounted handler is its own affair
					if below, ok := strings.CutSuffix(wide, "*"); ok && strings.HasPrefix(op.Path, below) {
						at = wide
					}
				}
				if seen[at+" "+op.Method] = true; !slices.Contains(routes[at], op.Method) {
					t.Errorf("%s %s is described, and there is no such route", op.Method, op.Path)
				}
				if op.EveryMethod {
					for _, method := range routes[at] {
						seen[at+" "+method] = true
					}
				}
			}
			for path, methods := range routes {
				for _, method := range methods {
					implied := method == http.MethodHead && slices.Contains(methods, http.MethodGet)
					if !seen[path+" "+method] && !implied && path != "/scim/*" { // which methods SCIM takes is its own affair
						t.Errorf("%s %s is a route, and no operation describes it: api/openapi.go says how", method, path)
					}
				}
			}
			if name == "all mounted" && !seen["/scim/* PATCH"] {
				t.Error("no operation below /scim is described")
			}
		})
	}
}

func TestDocumentIsKeptByItsTag(t *testing.T) {
	t.Parallel()
	b := start(t, func(cfg *api.Config) { cfg.PublicURL, cfg.Cookie = "https://curfew.example.edu", "portal" })
	first := b.want("the document", b.do("GET", "/openapi.json", ""), 200)
	if first.header.Get("Content-Type") != "application/json" || first.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("headers: %v", first.header)
	}
	if first.text("openapi") != "3.1.1" || first.text("info.version") != "test" || first.text("servers.url") != "https://curfew.example.edu" ||
		first.text("components.securitySchemes.sessionCookie.name") != "portal" {
		t.Errorf("openapi %s, version %s, server %s, cookie %s", first.text("openapi"), first.text("info.version"), first.text("servers.url"), first.text("components.securitySchemes.sessionCookie.name"))
	}
	tag := first.header.Get("ETag")
	for _, match := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if got := b.want("with "+match, b.do("GET", "/openapi.json", "", "If-None-Match", match), 304); got.body != "" || got.header.Get("ETag") != tag {
			t.Errorf("304 with %q and ETag %s", got.body, got.header.Get("ETag"))
		}
	}
	b.want("with another tag", b.do("GET", "/openapi.json", "", "If-None-Match", `"other"`), 200)
	if other := start(t); other.want("another", other.do("GET", "/openapi.json", ""), 200).header.Get("ETag") == tag {
		t.Error("two documents have one tag")
	}
	b.want("POST", b.do("POST", "/openapi.json", ""), 405, "method")
}
