package main

import "maps"

func init() { maps.Copy(keyCases, readKeyCases()) } //nolint:gochecknoinits // one table, in several files

// readKeyCases are the cases of the keys of senders whose API is read: Okta's log and the HR systems.
func readKeyCases() map[string]keyCase {
	log := func(keys string) string { return "sources: {log: {type: okta-log, " + keys + "}}" }
	bamboo := func(api string) string {
		return `sources: {hr: {type: bamboohr, secrets: ["${A_SECRET}"], api: ` + api + "}}"
	}
	bob := func(api string) string {
		return `sources: {hr: {type: hibob, secrets: ["${A_SECRET}"], api: ` + api + "}}"
	}
	const (
		org     = "url: https://acme.okta.example"
		byToken = org + `, token: "${B_SECRET}"`
		read    = `{url: https://acme.bamboohr.com, key: "${B_SECRET}"}`
		user    = `{user: SERVICE-1, token: "${B_SECRET}"}`
	)
	return map[string]keyCase{
		"sources.NAME.url":       {log(byToken), "sources.log.url", "https://acme.okta.example", log(`url: okta, token: "${B_SECRET}"`)},
		"sources.NAME.token":     {log(byToken), "sources.log.token", "[secret]", log(org + `, token: ""`)},
		"sources.NAME.since":     {log(byToken + ", since: 48h"), "sources.log.since", "48h0m0s", log(byToken + ", since: 365d")},
		"sources.NAME.insecure":  {log(`url: http://127.0.0.1:1, insecure: true, token: "${B_SECRET}"`), "sources.log.insecure", "true", log(byToken + ", insecure: maybe")},
		"sources.NAME.key":       {"", "", "", log(org + `, client_id: 0oa1, key: "${B_SECRET}"`)},
		"sources.NAME.key_id":    {"", "", "", log(byToken + ", key_id: key-1")},
		"sources.NAME.api":       {bamboo(read), "", "", bamboo("{}")},
		"sources.NAME.api.url":   {bamboo(read), "sources.hr.api.url", "https://acme.bamboohr.com", bamboo(`{url: acme, key: "${B_SECRET}"}`)},
		"sources.NAME.api.key":   {bamboo(read), "sources.hr.api.key", "[secret]", bamboo("{url: https://acme.bamboohr.com}")},
		"sources.NAME.api.user":  {bob(user), "sources.hr.api.user", "SERVICE-1", bob(`{token: "${B_SECRET}"}`)},
		"sources.NAME.api.token": {bob(user), "sources.hr.api.token", "[secret]", bob("{user: SERVICE-1}")},
	}
}
