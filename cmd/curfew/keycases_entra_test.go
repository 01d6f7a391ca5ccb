package main

import (
	"fmt"
	"maps"
)

func init() { maps.Copy(keyCases, entraKeyCases()) } //nolint:gochecknoinits // one table, in several files

// entraKeyCases are the cases of the keys of Microsoft's senders.
func entraKeyCases() map[string]keyCase {
	good := map[string]string{
		"tenant": "11111111-2222-3333-4444-555555555555", "client_id": "66666666-7777-8888-9999-000000000000", "client_secret": `"${B_SECRET}"`,
	}
	source := func(key, value string) string {
		keys := maps.Clone(good)
		keys[key] = value
		text := `type: entra-graph, secrets: ["${A_SECRET}"]`
		for k, v := range keys {
			text += fmt.Sprintf(", %s: %s", k, v)
		}
		return "sources: {entra: {" + text + "}}"
	}
	out := map[string]keyCase{}
	for key, c := range map[string][3]string{
		"tenant": {good["tenant"], good["tenant"], "contoso.onmicrosoft.com"}, "client_id": {good["client_id"], good["client_id"], "curfew"},
		"client_secret": {good["client_secret"], "[secret]", `""`},
		"graph":         {"https://graph.microsoft.us", "https://graph.microsoft.us", "http://graph.microsoft.us"},
		"login":         {"https://login.microsoftonline.us", "https://login.microsoftonline.us", "login"},
	} {
		out["sources.NAME."+key] = keyCase{source(key, c[0]), "sources.entra." + key, c[1], source(key, c[2])}
	}
	out["sources.NAME.subscriptions"] = keyCase{
		source("subscriptions", "[7f105c7d-2dc5-4530-97cd-4e7ae6534c07]"), "sources.entra.subscriptions[0]", "7f105c7d-2dc5-4530-97cd-4e7ae6534c07", source("subscriptions", "[all]"),
	}
	return out
}
