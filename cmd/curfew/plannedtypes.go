package main

// The types that the design names and some build may lack. One of them in the configuration is a warning; a type that
// stands neither here nor among those built in is a typing slip and an error.
var (
	plannedSources = []string{
		"apple-business", "auth0", "authentik", "backchannel-logout", "box", "caep", "cloudflare", "crowdstrike", "custom",
		"defender", "duo", "elastic", "entra", "entra-risk", "finch", "fusionauth",
		"global-token-revocation", "google", "google-directory", "google-reports", "google-risc", "graph", "gusto", "hibp",
		"intune", "jamf", "jumpcloud", "jwt", "kandji", "keycloak", "kolide", "merge", "n8n", "okta", "okta-log", "onelogin", "p2-keycloak",
		"pagerduty", "paylocity", "personio", "pingone", "rippling", "risc", "sentinel", "splunk", "spycloud", "ssf",
		"successfactors", "tines", "torq", "ukg", "wazuh", "workday", "workos", "xsoar",
	}
	plannedTargets = []string{
		"atlassian", "auth0", "authentik", "aws", "backchannel-logout", "better-auth", "box", "caep", "canvas", "cloudflare", "dropbox", "dynatrace",
		"entra", "forgejo", "gitea", "github", "global-token-revocation", "google", "http", "hydra", "ibm-verify", "keycloak", "kratos", "looker",
		"mattermost", "okta", "onelogin", "pingfederate", "pingone", "pocketbase", "rfc7009", "salesforce", "scim", "servicenow", "slack", "ssf",
		"tailscale", "teleport", "webhook", "zendesk", "zitadel", "zoom",
	}
)
