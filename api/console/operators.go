package console

import (
	"net/http"

	"curfew/revoke"
)

// operatorRoutes are the pages for those who have a role. What a page may show and do the API judges once more.
func (c *Console) operatorRoutes() []route {
	const people, events = "/console/people", "/console/events"
	out := []route{
		{method: http.MethodGet, path: "/console", least: revoke.RoleViewer, title: "Overview", menu: "/console", page: (*visit).overview},
		{method: http.MethodGet, path: "/console/find", least: revoke.RoleViewer, title: "Find", page: (*visit).find},
		{method: http.MethodGet, path: people, least: revoke.RoleViewer, title: "People", menu: people, page: (*visit).people},
		{method: http.MethodGet, path: people + "/{id}", least: revoke.RoleViewer, title: "Person", menu: people, page: (*visit).person},
		{method: http.MethodGet, path: people + "/{id}/sessions", least: revoke.RoleViewer, title: "Sessions", menu: people, page: (*visit).sessions},
		{method: http.MethodGet, path: "/console/why", least: revoke.RoleViewer, title: "Why", menu: "/console/why", page: (*visit).why},
		{method: http.MethodPost, path: "/console/why", least: revoke.RoleViewer, title: "Why", menu: "/console/why", page: (*visit).whyToken},
		{method: http.MethodGet, path: "/console/revocations/{id}", least: revoke.RoleViewer, title: "Why", menu: "/console/why", page: (*visit).revocation},
		{method: http.MethodGet, path: events, least: revoke.RoleViewer, title: "Events", menu: events, page: (*visit).events},
		{method: http.MethodGet, path: events + "/{id}", least: revoke.RoleViewer, title: "Event", menu: events, page: (*visit).event},
		{method: http.MethodPost, path: events + "/{id}/replay", least: revoke.RoleOperator, title: "Event", menu: events, page: (*visit).replay},
		{method: http.MethodGet, path: "/console/sources", least: revoke.RoleViewer, title: "Sources", menu: "/console/sources", page: (*visit).sources},
		{method: http.MethodGet, path: "/console/alarms", least: revoke.RoleViewer, title: "Alarms", menu: "/console/alarms", page: (*visit).alarms},
		{method: http.MethodPost, path: "/console/alarms/{id}/clear", least: revoke.RoleAdmin, title: "Alarms", menu: "/console/alarms", page: (*visit).clearAlarm},
	}
	out = append(out, c.decisionRoutes()...)
	for _, a := range acts() {
		at := people + "/{id}/" + a.Word
		out = append(out,
			route{method: http.MethodGet, path: at, least: a.least, title: a.Title, menu: people, page: func(v *visit) error { return v.order(a.Word) }},
			route{method: http.MethodPost, path: at, least: a.least, title: a.Title, menu: people, page: func(v *visit) error { return v.ordered(a.Word) }})
	}
	return out
}

// decisionRoutes are the pages of what people decide for many.
func (c *Console) decisionRoutes() []route {
	const held, schedules, policies, many = "/console/held", "/console/schedules", "/console/policies", "/console/many"
	return []route{
		{method: http.MethodGet, path: held, least: revoke.RoleViewer, title: "Held", menu: held, page: (*visit).held},
		{method: http.MethodPost, path: held, least: revoke.RoleApprover, title: "Held", menu: held, page: (*visit).judgeHeld},
		{method: http.MethodGet, path: schedules, least: revoke.RoleViewer, title: "Schedules", menu: schedules, page: (*visit).schedules},
		{method: http.MethodPost, path: schedules, least: revoke.RoleAdmin, title: "Schedules", menu: schedules, page: (*visit).addSchedule},
		{method: http.MethodPost, path: schedules + "/{name}/skip", least: revoke.RoleAdmin, title: "Schedules", menu: schedules, page: (*visit).skipSchedule},
		{method: http.MethodPost, path: schedules + "/{name}/remove", least: revoke.RoleAdmin, title: "Schedules", menu: schedules, page: (*visit).removeSchedule},
		{method: http.MethodGet, path: policies, least: revoke.RoleViewer, title: "Policies", menu: policies, page: (*visit).policies},
		{method: http.MethodPost, path: policies, least: revoke.RoleAdmin, title: "Policies", menu: policies, page: (*visit).setPolicy},
		{method: http.MethodPost, path: policies + "/remove", least: revoke.RoleAdmin, title: "Policies", menu: policies, page: (*visit).removePolicy},
		{method: http.MethodGet, path: many, least: revoke.RoleAdmin, title: "Sign out many", menu: many, page: (*visit).many},
		{method: http.MethodPost, path: many, least: revoke.RoleAdmin, title: "Sign out many", menu: many, page: (*visit).endOfMany},
	}
}

// consoleMenu is the menu of the console, in its order.
func consoleMenu() []entry {
	return []entry{
		{Path: "/console", Title: "Overview", least: revoke.RoleViewer},
		{Path: "/console/people", Title: "People", least: revoke.RoleViewer},
		{Path: "/console/events", Title: "Events", least: revoke.RoleViewer},
		{Path: "/console/why", Title: "Why", least: revoke.RoleViewer},
		{Path: "/console/held", Title: "Held", least: revoke.RoleViewer},
		{Path: "/console/schedules", Title: "Schedules", least: revoke.RoleViewer},
		{Path: "/console/policies", Title: "Policies", least: revoke.RoleViewer},
		{Path: "/console/many", Title: "Sign out many", least: revoke.RoleAdmin},
		{Path: "/console/sources", Title: "Sources", least: revoke.RoleViewer},
		{Path: "/console/alarms", Title: "Alarms", least: revoke.RoleViewer},
	}
}
