package api_test

import (
	"net/http"
	"testing"

	"curfew/api"
)

func TestMetricsTakeATokenUnlessOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open, there                 bool
		nobody, portal, meter       int
		wrong, ops, post, usersOfV1 int
	}{
		"guarded":             {false, true, 401, 403, 200, 401, 200, 405, 401},
		"open":                {true, true, 200, 200, 200, 200, 200, 405, 401},
		"guarded, not there":  {false, false, 401, 403, 404, 401, 404, 404, 401},
		"open, and not there": {true, false, 404, 404, 404, 404, 404, 404, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t, func(cfg *api.Config) {
				cfg.MetricsOpen = c.open
				if !c.there {
					cfg.Metrics = nil
				}
			})
			b.want("nobody", b.do("GET", "/metrics", ""), c.nobody)
			b.want("wrong token", b.do("GET", "/metrics", "", "Authorization", "Bearer x"+secretOf("meter")), c.wrong)
			b.want("portal", b.as("portal", "GET", "/metrics", ""), c.portal)
			b.want("meter", b.as("meter", "GET", "/metrics", ""), c.meter)
			b.want("ops", b.as("ops", "GET", "/metrics", ""), c.ops)
			b.want("POST", b.as("meter", "POST", "/metrics", ""), c.post)
			r, err := http.NewRequestWithContext(t.Context(), "GET", b.url+"/", nil) // an open door leads to no other
			if err != nil {
				t.Fatal(err)
			}
			r.URL.Opaque = "//" + b.address + "/metrics/../v1/users"
			b.want("around the corner", b.send(r), c.usersOfV1)
		})
	}
}
