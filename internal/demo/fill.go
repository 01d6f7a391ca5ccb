package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"curfew/revoke"
)

const (
	bulkSize = 125  // people in one SCIM request
	lineSize = 1000 // registrations in one request

	signatureHeader = "X-Signature" // of the two sources of type custom
)

// fill brings the rest of the school, through the doors that a real one would use.
func (t *tale) fill(ctx context.Context) error {
	t.say("\n%s\n", t.marked(bold, "Now the rest of the school, through the same doors"))
	for _, s := range []struct {
		what string
		do   func(context.Context) (saw string, err error)
	}{
		{"people", t.enrol},
		{"groups", t.group},
		{"policies", t.rule},
		{"sessions", t.signInAll},
		{"news", t.report},
		{"leavers", t.leave},
	} {
		t.sent = t.cfg.Clock.Now()
		saw, err := s.do(ctx)
		if err != nil {
			return fmt.Errorf("fill the school with %s: %w", s.what, err)
		}
		t.saw(saw, t.since())
	}
	return nil
}

// ask sends a request to Curfew and decodes its answer into out unless that is nil.
func (t *tale) ask(ctx context.Context, method, path string, token revoke.Secret, body any, want int, out any) error {
	answer, err := call(ctx, t.cfg.Client, method, t.provider.curfew+path, bearer(token), body)
	if err := status("curfew", answer, err, want); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not as expected: %w", method, path, err)
	}
	return nil
}

// enrol provisions everybody by SCIM Bulk (RFC 7644 section 3.7).
func (t *tale) enrol(ctx context.Context) (string, error) {
	for rest := t.people; len(rest) > 0; {
		some := rest[:min(bulkSize, len(rest))]
		rest = rest[len(some):]
		operations := make([]map[string]any, len(some))
		for i, p := range some {
			operations[i] = map[string]any{"method": http.MethodPost, "path": "/Users", "bulkId": p.okta, "data": p.resourceOf()}
		}
		var made struct {
			Operations []struct{ BulkID, Location, Status string }
		}
		err := t.ask(ctx, http.MethodPost, "/scim/v2/Bulk", t.secrets.directory, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:BulkRequest"}, "Operations": operations,
		}, http.StatusOK, &made)
		if err != nil {
			return "", err
		}
		for i, o := range made.Operations {
			if o.Status != "201" || i >= len(some) {
				return "", fmt.Errorf("curfew answered %s to a person", o.Status)
			}
			some[i].resource = o.Location[strings.LastIndex(o.Location, "/")+1:]
		}
	}
	return fmt.Sprintf("%d people, over SCIM", len(t.people)+1), nil
}

// resourceOf is the person as SCIM writes one (RFC 7643 section 4.1).
func (p *person) resourceOf() map[string]any {
	return map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:schemas:core:2.0:User"},
		"userName":   p.login,
		"externalId": p.okta,
		"name":       map[string]string{"givenName": p.given, "familyName": p.family},
		"emails":     []map[string]any{{"value": p.login, "type": "work", "primary": true}},
		"active":     true,
	}
}

func (t *tale) group(ctx context.Context) (string, error) {
	members := map[string][]map[string]string{"Year 9": {{"value": t.provider.resource}}}
	for _, p := range t.people {
		members[p.group] = append(members[p.group], map[string]string{"value": p.resource})
	}
	for _, g := range school {
		if err := t.ask(ctx, http.MethodPost, "/scim/v2/Groups", t.secrets.directory, map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": g.group, "members": members[g.group],
		}, http.StatusCreated, nil); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d groups, over SCIM", len(school)), nil
}

// rule sets what an admin would.
func (t *tale) rule(ctx context.Context) (string, error) {
	policies := []struct {
		kind  revoke.Kind
		group string
		body  map[string]any
	}{
		{revoke.Mobile, "", map[string]any{"allowed": true, "max_age": "60d", "reason": "phones sign in anew every two months"}},
		{revoke.Browser, juniors, map[string]any{"allowed": true, "max_age": "30d", "reason": "laptops are lent for a month"}},
		{revoke.Browser, office, map[string]any{"allowed": true, "max_age": "30d", "idle": "8h", "reason": "personal files are open there"}},
		{revoke.DeviceKind, "", map[string]any{"allowed": true, "default_lifetime": "60d", "reason": "boards are checked every two months"}},
	}
	for _, p := range policies {
		path := "/v1/policies/" + string(p.kind)
		if p.group != "" {
			path += "?group=" + url.QueryEscape(p.group)
		}
		if err := t.ask(ctx, http.MethodPut, path, t.secrets.ops, p.body, http.StatusOK, nil); err != nil {
			return "", err
		}
	}
	schedules := []map[string]any{
		{"name": "new-school-year", "scope": "everyone", "when": map[string]any{"yearly": "08-15"}, "reason": "everybody starts the year with a fresh sign-in"},
		{"name": "phones", "scope": "kind", "kind": "mobile", "when": map[string]any{"every_days": 60, "from": t.cfg.Clock.Now().Add(30 * 24 * time.Hour).Time().Format(time.DateOnly)}, "reason": "phones change hands"},
	}
	for _, s := range schedules {
		if err := t.ask(ctx, http.MethodPost, "/v1/schedules", t.secrets.ops, s, http.StatusCreated, nil); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d policies and %d schedules", len(policies), len(schedules)), nil
}

// signInAll registers what everybody is signed in with, and uses some of it.
func (t *tale) signInAll(ctx context.Context) (string, error) {
	var body bytes.Buffer
	var used []revoke.Secret
	lines, apps, now := 0, map[string]bool{}, t.cfg.Clock.Now()
	flush := func() error {
		if body.Len() == 0 {
			return nil
		}
		answer, err := send(ctx, t.cfg.Client, http.MethodPost, t.provider.curfew+"/v1/sessions",
			map[string]string{"Authorization": bearer(t.secrets.apps), "Content-Type": "application/x-ndjson"}, body.Bytes())
		if err := status("curfew", answer, err, http.StatusOK); err != nil {
			return err
		}
		if _, refused, some := bytes.Cut(answer.Body, []byte(`"problem":`)); some {
			return fmt.Errorf("curfew refuses a session: %.200s", refused)
		}
		body.Reset()
		return nil
	}
	for i, p := range t.people {
		for _, g := range p.gadgets {
			for _, app := range g.apps {
				token := newSecret()
				line, err := json.Marshal(map[string]any{
					"subject": map[string]string{"format": "email", "email": p.login}, "kind": g.kind, "app": app, "token": token.Reveal(),
					"issued_at": now.Add(-g.age), "ip": fmt.Sprintf("203.0.113.%d", 1+i%254), "user_agent": g.agent,
					"device": map[string]string{"id": g.id, "name": g.name, "platform": g.platform},
				})
				if err != nil {
					return "", err
				}
				body.Write(append(line, '\n'))
				if g.used {
					used = append(used, token)
				}
				apps[app] = true
				if lines++; lines%lineSize == 0 {
					if err := flush(); err != nil {
						return "", err
					}
				}
			}
		}
	}
	if err := flush(); err != nil {
		return "", err
	}
	for _, token := range used {
		if err := t.ask(ctx, http.MethodGet, "/verify", token, nil, http.StatusOK, nil); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d sessions in %d applications", lines, len(apps)), nil
}

// report lets the provider, a security tool and an admin say what happened at the school. Some of it goes on to systems that ail.
func (t *tale) report(ctx context.Context) (string, error) {
	t.systems.ail.Store(true)
	dice := rand.New(rand.NewPCG(3, 1)) //nolint:gosec // the same news each time
	crowd := append([]*person(nil), t.people...)
	dice.Shuffle(len(crowd), func(i, j int) { crowd[i], crowd[j] = crowd[j], crowd[i] })
	somebody := func() (p *person) { // but nobody who is about to leave
		for p == nil || p.group == leavers {
			p, crowd = crowd[0], crowd[1:]
		}
		return p
	}
	news := 0
	for _, said := range []struct {
		eventType, words string
		times            int
	}{
		{"user.account.update_password", "User update password for Okta", 7},
		{"user.lifecycle.create", "Create Okta user", 6},
		{"user.session.clear", "Clear user session", 3},
		{"group.user_membership.add", "Add user to group membership", 5},
		{"user.account.lock", "Max sign in attempts exceeded", 3},
		{"user.session.context.change", "User session context changed", 6},
		{"user.authentication.sso", "User single sign on to app", 4},
		{oktaSuspend, "Suspend Okta user", 4},
	} {
		var events []map[string]any
		for range said.times {
			events = append(events, oktaEvent(said.eventType, said.words, t.cfg.Clock.Now().Add(-time.Second), somebody()))
		}
		news += said.times
		got, err := t.provider.post(ctx, t.secrets.okta, events...)
		if err == nil && got/100 != 2 {
			err = fmt.Errorf("curfew answered %d to the provider's news", got)
		}
		if err != nil {
			return "", err
		}
	}
	for _, said := range []string{"account.taken_over", "laptop.lost", "malware.found", "account.taken_over", "agent.updated", "agent.updated", "shrug"} {
		p := somebody()
		for len(p.gadgets) == 0 {
			p = somebody()
		}
		body := map[string]any{"type": said, "id": "edr-" + p.okta, "at": t.cfg.Clock.Now(), "user": p.login, "device": p.gadgets[0].id}
		if said == "malware.found" {
			delete(body, "user") // which its map asks for: it cannot be read
		}
		if err := t.hook(ctx, "edr", t.secrets.edr, body); err != nil {
			return "", err
		}
		news++
	}
	for i, reason := range []string{"lost his phone on the bus", "asked at the office", "left the keys to her room in the lock"} {
		order := map[string]any{"scope": "user", "subject": map[string]string{"format": "email", "email": somebody().login}, "reason": reason}
		if i == 2 {
			order["block"], order["until"] = true, t.cfg.Clock.Now().Add(72*time.Hour)
		}
		if err := t.ask(ctx, http.MethodPost, "/v1/revocations", t.secrets.ops, order, http.StatusCreated, nil); err != nil {
			return "", err
		}
		news++
	}
	return fmt.Sprintf("%d events from provider, security and office", news), nil
}

// leave lets the school's register say, one summer early, that all of the oldest year have left. The brake holds most of it.
func (t *tale) leave(ctx context.Context) (string, error) {
	var gone []map[string]any
	for _, p := range t.people {
		if p.group == leavers {
			gone = append(gone, map[string]any{"type": "pupil.left", "id": "left-" + p.okta, "pupil": p.login})
		}
	}
	if err := t.hook(ctx, "register", t.secrets.register, map[string]any{"pupils": gone}); err != nil {
		return "", err
	}
	var held struct{ Items []struct{ ID string } }
	if err := t.ask(ctx, http.MethodGet, "/v1/held?limit=1000&source=register", t.secrets.ops, nil, http.StatusOK, &held); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d leavers at once: the brake holds %d", len(gone), len(held.Items)), nil
}

// hook posts a signed message to a source of type custom.
func (t *tale) hook(ctx context.Context, source string, key revoke.Secret, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = mac.Write(text)
	answer, err := send(ctx, t.cfg.Client, http.MethodPost, t.provider.curfew+"/hooks/"+source, map[string]string{
		"Content-Type": "application/json", signatureHeader: hex.EncodeToString(mac.Sum(nil)),
	}, text)
	if err == nil && answer.Status/100 != 2 {
		err = fmt.Errorf("curfew answered %d to %s", answer.Status, source)
	}
	return err
}
