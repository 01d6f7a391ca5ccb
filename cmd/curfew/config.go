package main

import (
	"os"
	"time"

	"curfew/revoke"
)

// Config is how the server runs and whom it trusts: defaults, then the YAML file, then CURFEW_… variables, then flags.
// A tag help is a row of docs/configuration.md; planned names a key whose feature this build lacks; reread stands at what
// SIGHUP reads again.
type Config struct {
	Include        patterns                   `yaml:"include" reread:"true" example:"conf.d/*.yaml" help:"more files, by patterns beside this one"`
	Listen         address                    `yaml:"listen" example:"127.0.0.1:8080" help:"where the server listens"`
	PublicURL      baseURL                    `yaml:"public_url" example:"https://curfew.example.edu" help:"how others reach the server"`
	Database       databaseURL                `yaml:"database" example:"sqlite:curfew.db or postgres://curfew@db.example.edu/curfew" help:"where everything is kept"`
	Freshness      time.Duration              `yaml:"freshness" example:"1s" help:"how old a replica's knowledge may be before it refuses to answer" planned:"several replicas"`
	TimeZone       zone                       `yaml:"time_zone" example:"Europe/London" help:"where a day ends"`
	Tokens         []tokenSettings            `yaml:"tokens" reread:"true" example:"[{name: portal, scopes: [sessions], app: portal, secret: \"${PORTAL_TOKEN}\"}]" help:"bearer tokens of those who call Curfew"`
	Sources        map[string]*sourceSettings `yaml:"sources" reread:"true" example:"{okta: {type: okta, secrets: [\"${OKTA_HOOK_SECRET}\"]}}" help:"senders of webhooks, by name: /hooks/NAME"`
	Targets        map[string]*targetSettings `yaml:"targets" reread:"true" example:"{portal: {type: webhook, url: https://portal.example.edu/logout, secret: \"${PORTAL_HOOK}\"}}" help:"systems in which Curfew revokes, by name"`
	Brake          brakeSettings              `yaml:"brake" reread:"true" example:"off, or {users: 50, percent: 20}" help:"when a flood of revocations is held, or off"`
	BreakGlass     []breakGlass               `yaml:"break_glass" example:"[{iss: https://id.example.edu, sub: root}]" help:"people whom only an admin blocks"`
	Approvals      int                        `yaml:"approvals" example:"1" help:"how many people a revocation of many takes"`
	Logout         string                     `yaml:"logout" example:"session" oneof:"session everywhere" help:"what an application's own log-out ends"`
	ForwardAuth    forwardAuth                `yaml:"forward_auth" example:"{cookie: session}" help:"how /verify finds the session token"`
	SignIn         signIn                     `yaml:"sign_in" example:"{issuer: https://id.example.edu, client_id: curfew, client_secret: \"${CURFEW_OIDC}\"}" help:"OpenID Connect for the console and for /me"`
	Alarms         []alarmSettings            `yaml:"alarms" reread:"true" example:"[{type: webhook, url: https://chat.example.edu/hook, secret: \"${ALARM_HOOK}\"}]" help:"whom alarms are sent to"`
	Mail           mailSettings               `yaml:"mail" example:"{smtp: mail.example.edu:587, from: curfew@example.edu}" help:"the mail server"`
	Notify         notifySettings             `yaml:"notify" example:"{signed_out: true}" help:"what people are told about their own devices"`
	Organisation   string                     `yaml:"organisation" example:"Greenfield College" help:"the name that stands on /me"`
	Embed          originURL                  `yaml:"embed" example:"https://portal.example.edu" help:"the one origin that may frame /me"`
	PasswordURL    webURL                     `yaml:"password_url" example:"https://id.example.edu/password" help:"where people change their password"`
	TLS            tlsSettings                `yaml:"tls" example:"{cert: /etc/curfew/tls.crt, key: /etc/curfew/tls.key}" help:"certificate and key, where no proxy does it"`
	TrustedProxies []network                  `yaml:"trusted_proxies" example:"[10.0.0.0/8]" help:"proxies whose X-Forwarded-For is believed"`
	Log            logSettings                `yaml:"log" reread:"true" example:"{format: json, level: info}" help:"what is logged, on standard error"`
	Metrics        metricsSettings            `yaml:"metrics" example:"{open: false}" help:"who may read /metrics"`
}

// mainOrg is whose people they are where nothing else is said.
const mainOrg = "main"

type tokenSettings struct {
	Name      givenName       `yaml:"name" required:"true" example:"portal" help:"the token's name, which is its source's name"`
	Scopes    []string        `yaml:"scopes" required:"true" example:"[sessions]" help:"scim, sessions, check, changes, revoke, metrics, admin"`
	Secret    revoke.Secret   `yaml:"secret" example:"\"${PORTAL_TOKEN}\"" help:"the token, 16 characters or more"`
	Secrets   []revoke.Secret `yaml:"secrets" example:"[\"${PORTAL_TOKEN}\", \"${PORTAL_TOKEN_OLD}\"]" help:"several while a token is changed"`
	SHA256    string          `yaml:"sha256" example:"\"64 hexadecimal digits\"" help:"the token's SHA-256 in its place"`
	App       string          `yaml:"app" example:"portal" help:"whose sessions it may see; \"*\" for all"`
	Org       givenName       `yaml:"org" example:"main" help:"whose people"`
	Authority givenName       `yaml:"authority" example:"okta" help:"whose blocks it sets and lifts; its name when absent"`
	IDs       givenName       `yaml:"ids" example:"okta" help:"the namespace of its own user ids"`
	Rules     rulesSettings   `yaml:"rules" example:"{access-changed: {cut: receipt}}" help:"what a signal of its does, where it differs from DESIGN"`
	Strict    bool            `yaml:"strict" example:"false" help:"hold its SCIM requests to the IPSIE profile: no undefined attributes, no password, a path in every PATCH operation"`
}

type brakeSettings struct {
	Off      bool
	Users    int           `yaml:"users" example:"50" help:"people within the window"`
	Percent  int           `yaml:"percent" example:"20" help:"of the known people, from 20 people on"`
	Window   time.Duration `yaml:"window" example:"10m" help:"the window of users and percent"`
	Hour     int           `yaml:"hour" example:"100" help:"people within an hour"`
	Day      int           `yaml:"day" example:"300" help:"people within a day"`
	Spare    rate          `yaml:"spare" example:"5/min" help:"what always passes"`
	SpareDay int           `yaml:"spare_day" example:"50" help:"how much of it in a day"`
	Wait     patience      `yaml:"wait" example:"1h" help:"when lifecycle events of a directory are carried out unapproved, or never"`
}

type breakGlass struct {
	Issuer  webURL `yaml:"iss" required:"true" example:"https://id.example.edu" help:"the person's issuer"`
	Subject string `yaml:"sub" required:"true" example:"root" help:"the person's subject there"`
}

// identifier is how sessions and directories name the person.
func (b breakGlass) identifier() string { return string(b.Issuer) + " " + b.Subject }

type forwardAuth struct {
	Cookie cookieName `yaml:"cookie" example:"session" help:"the cookie that holds the session token"`
}

type signIn struct {
	Issuer       webURL        `yaml:"issuer" example:"https://id.example.edu" help:"the provider"`
	ClientID     string        `yaml:"client_id" example:"curfew" help:"Curfew's client id there"`
	ClientSecret revoke.Secret `yaml:"client_secret" example:"\"${CURFEW_OIDC}\"" help:"its secret there"`
	Roles        signInRoles   `yaml:"roles" example:"{claim: groups, admin: [curfew-admins]}" help:"who may do what"`
}

type signInRoles struct {
	Claim    string   `yaml:"claim" example:"groups" help:"the claim that names groups"`
	Admin    []string `yaml:"admin" example:"[curfew-admins]" help:"groups of admins"`
	Approver []string `yaml:"approver" example:"[heads]" help:"groups of approvers"`
	Operator []string `yaml:"operator" example:"[helpdesk]" help:"groups of operators"`
	Auditor  []string `yaml:"auditor" example:"[audit]" help:"groups of auditors"`
	Viewer   []string `yaml:"viewer" example:"[staff]" help:"groups of viewers"`
}

type alarmSettings struct {
	Type     string        `yaml:"type" required:"true" example:"webhook" oneof:"webhook mail" help:"webhook or mail"`
	URL      webURL        `yaml:"url" example:"https://chat.example.edu/hook" help:"for type webhook: where"`
	Secret   revoke.Secret `yaml:"secret" example:"\"${ALARM_HOOK}\"" help:"for type webhook: what signs it, whsec_ and base64; none: it is not signed"`
	Insecure bool          `yaml:"insecure" example:"false" help:"for type webhook: plain http to another machine is meant"`
	To       []string      `yaml:"to" example:"[soc@example.edu]" help:"for type mail: to whom"`
}

type mailSettings struct {
	SMTP     mailHost      `yaml:"smtp" example:"mail.example.edu:587" help:"the server"`
	From     string        `yaml:"from" example:"curfew@example.edu" help:"the sender"`
	User     string        `yaml:"user" example:"curfew" help:"the account there"`
	Password revoke.Secret `yaml:"password" example:"\"${MAIL_PASSWORD}\"" help:"its password"`
}

type notifySettings struct {
	SignedOut bool `yaml:"signed_out" example:"true" help:"tell people that they were signed out"`
	NewDevice bool `yaml:"new_device" example:"true" help:"tell people of a new device"`
}

type tlsSettings struct {
	Cert string `yaml:"cert" example:"/etc/curfew/tls.crt" help:"the certificate's file, with its chain"`
	Key  string `yaml:"key" example:"/etc/curfew/tls.key" help:"the key's file"`
}

type logSettings struct {
	Format string `yaml:"format" example:"text" oneof:"text json" help:"text or json"`
	Level  string `yaml:"level" example:"info" oneof:"debug info warn error" help:"debug, info, warn or error"`
}

type metricsSettings struct {
	Open bool `yaml:"open" example:"false" help:"without a token"`
}

// defaults is what holds where nothing is said.
func defaults() Config {
	return Config{
		Listen: "127.0.0.1:8080", PublicURL: "http://127.0.0.1:8080", Database: databaseURL{"sqlite:curfew.db"},
		Freshness: time.Second, TimeZone: zone{time.UTC},
		Brake: brakeSettings{
			Users: 50, Percent: 20, Window: 10 * time.Minute, Hour: 100, Day: 300,
			Spare: rate{5, time.Minute}, SpareDay: 50, Wait: patience{Duration: time.Hour},
		},
		Approvals: 1, Logout: "session", ForwardAuth: forwardAuth{Cookie: "session"},
		Log: logSettings{Format: "text", Level: "info"},
	}
}

// environment is the one place that reads it.
func environment() func(string) (string, bool) { return os.LookupEnv }
