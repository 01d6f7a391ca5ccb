package main

import (
	"context"
	"net/http"
	"net/url"

	"curfew/api/console"
	"curfew/api/signin"
	"curfew/internal/outbound"
	"curfew/revoke"
)

// pages are what people see: the console with their own devices, and the way in.
func (s *server) pages(l *Loaded) (*console.Console, *signin.Handler, error) {
	in := l.SignIn
	people, err := signin.New(signin.Config{
		Service: s.service, Store: s.store, Clock: s.store.Clock(), Log: s.log, Org: mainOrg, PublicURL: s.publicURL, Embed: string(l.Embed),
		Issuer: string(in.Issuer), ClientID: in.ClientID, ClientSecret: in.ClientSecret, Claim: in.Roles.Claim,
		Roles: map[revoke.Role][]string{
			revoke.RoleAdmin: in.Roles.Admin, revoke.RoleApprover: in.Roles.Approver, revoke.RoleOperator: in.Roles.Operator,
			revoke.RoleAuditor: in.Roles.Auditor, revoke.RoleViewer: in.Roles.Viewer,
		},
		Client: providerClient(string(in.Issuer)),
	})
	if err != nil {
		return nil, nil, err
	}
	shown, err := console.New(console.Config{
		SignIns: people, Service: s.service, Store: s.store, Clock: s.store.Clock(), Zone: l.TimeZone.Location, OrgName: l.Organisation, PasswordURL: string(l.PasswordURL),
		Embed: string(l.Embed), PublicURL: s.publicURL, Log: s.log,
		API: func(ctx context.Context, who revoke.SignIn, method, path string, body []byte) (int, []byte) {
			return s.app.Ask(ctx, who, method, path, body)
		},
	})
	return shown, people, err
}

// providerClient calls the identity provider: at the address that the configuration names as it stands, and wherever its discovery
// document points only if that is on the public internet.
func providerClient(issuer string) *http.Client {
	calls := outbound.NewMaker(outbound.Config{Version: thisVersion().Version})
	client, host := calls.Configured(), ""
	if u, err := url.Parse(issuer); err == nil {
		host = u.Host
	}
	client.Transport = &providerTransport{host: host, configured: client.Transport, guarded: calls.Guarded().Transport}
	return client
}

type providerTransport struct {
	host                string
	configured, guarded http.RoundTripper
}

// RoundTrip obeys [http.RoundTripper].
func (t *providerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == t.host {
		return t.configured.RoundTrip(r)
	}
	return t.guarded.RoundTrip(r)
}
