package main

import (
	"fmt"
	"net/http"
	"time"
)

// inTheirOrder: each request takes effect after the one before it, however little time passes.
func inTheirOrder(s *school) {
	at := scimUsers + "/" + s.do("POST", scimUsers, sallyUser).must(s.t, 201).id()
	for range 15 {
		phone := s.login(byDirectory, "sally@example.edu")
		s.do("PATCH", at, setActiveTo("false")).must(s.t, 200)
		if !s.blocked("sally@example.edu") || s.live(phone) {
			s.t.Fatal("a deactivation did nothing")
		}
		s.do("PATCH", at, setActiveTo("true")).must(s.t, 200)
		if s.blocked("sally@example.edu") || s.live(phone) {
			s.t.Fatal("a reactivation did nothing, or too much")
		}
	}
}

// operatorsBlock is not lifted by a directory.
func operatorsBlock(s *school) {
	at := scimUsers + "/" + s.do("POST", scimUsers, sallyUser).must(s.t, 201).id()
	phone := s.login(byDirectory, "sally@example.edu")
	ended := s.send(byOps, "POST", "/v1/revocations", `{"scope": "user", "subject": {"format": "email", "email": "sally@example.edu"}, "block": true, "reason": "stolen"}`, "Content-Type", "application/json")
	if ended.status != http.StatusCreated {
		s.t.Fatalf("an operator's block: %d %s", ended.status, ended.body)
	}
	s.mustBe(phone, false, "an operator's block")
	for _, body := range []string{setActiveTo("true"), setActiveTo("false"), setActiveTo(`"True"`)} {
		s.do("PATCH", at, body).must(s.t, 200)
		if !s.blocked("sally@example.edu") {
			s.t.Errorf("a directory lifted an operator's block by %s", body)
		}
	}
	s.do("DELETE", at, nil).must(s.t, 204)
	s.do("POST", scimUsers, sallyUser).must(s.t, 201)
	if !s.blocked("sally@example.edu") {
		s.t.Error("a directory lifted an operator's block by deleting and creating again")
	}
}

// hook sends one event as the school's Okta does.
func (s *school) hook(event, id string, at time.Time) {
	s.t.Helper()
	when := at.UTC().Format(time.RFC3339Nano)
	got := s.send(byNobody, "POST", "/hooks/"+s.name+".hook", fmt.Sprintf(`{"eventType": "com.okta.event_hook", "eventTypeVersion": "1.0",
		"cloudEventsVersion": "0.1", "contentType": "application/json", "eventId": "delivery-%s", "eventTime": %q, "source": "https://acme.example/api/v1/eventHooks/who1",
		"data": {"events": [{"uuid": %q, "published": %q, "eventType": %q, "version": "0", "severity": "INFO", "outcome": {"result": "SUCCESS"},
		"actor": {"id": "00uADMIN", "type": "User", "alternateId": "admin@acme.example"},
		"target": [{"id": "00u1", "type": "User", "alternateId": "sally@example.edu", "displayName": "Sally Ride"}]}]}}`, id, when, id, when, event),
		"Authorization", schoolSecret(s.name, "hook"), "Content-Type", "application/json")
	if got.status/100 != 2 {
		s.t.Fatalf("hook %s: %d %s", event, got.status, got.body)
	}
}

// suspendedAtOkta: no SCIM request will ever say so.
func suspendedAtOkta(s *school) {
	phone := s.login(byDirectory, "sally@example.edu")
	s.hook("user.lifecycle.suspend", "e-1", time.Now())
	s.mustBe(phone, false, "a suspension at Okta")
	if !s.blocked("sally@example.edu") {
		s.t.Error("who is suspended at Okta can sign in")
	}
	s.hook("user.lifecycle.unsuspend", "e-2", time.Now().Add(time.Millisecond))
	s.mustBe(phone, false, "the end of the suspension")
	tablet := s.login(byDirectory, "sally@example.edu")
	s.hook("user.account.reset_password", "e-3", time.Now().Add(2*time.Millisecond))
	s.mustBe(tablet, false, "a password reset at Okta")
	s.mustBe(s.login(byDirectory, "sally@example.edu"), true, "the reset")
}

// hookBesideSCIM: both speak for one Okta. What is older lifts nothing that is newer.
func hookBesideSCIM(s *school) {
	at := scimUsers + "/" + s.do("POST", scimUsers, sallyUser).must(s.t, 201).id()
	before := time.Now().Add(-time.Minute)
	phone := s.login(byDirectory, "sally@example.edu")
	s.do("PATCH", at, setActiveTo("false")).must(s.t, 200)
	s.mustBe(phone, false, "a deactivation")
	s.hook("user.lifecycle.unsuspend", "e-1", before)
	if !s.blocked("sally@example.edu") {
		s.t.Error("an older event of the hook lifted a newer block")
	}
	s.do("PATCH", at, setActiveTo("true")).must(s.t, 200)
	tablet := s.login(byDirectory, "sally@example.edu")
	s.hook("user.lifecycle.suspend", "e-2", time.Now().Add(time.Second))
	s.mustBe(tablet, false, "a suspension at Okta")
	s.do("PUT", at, sallyUser).must(s.t, 200) // which says active true, as it did before
	if !s.blocked("sally@example.edu") {
		s.t.Error("active true over active true lifted a suspension")
	}
}
