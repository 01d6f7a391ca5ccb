package scim_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/revoke"
	"curfew/scim"
)

// slow takes its time for every commit.
type slow struct{ scim.Service }

const commitTakes = 4 * time.Second

func wait(ctx context.Context) error {
	select {
	case <-time.After(commitTakes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slow) UpdateResource(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID, change func(revoke.Resource) (revoke.Draft, error)) (revoke.Provisioned, error) {
	if err := wait(ctx); err != nil {
		return revoke.Provisioned{}, err
	}
	return s.Service.UpdateResource(ctx, actor, src, id, change)
}

func (s slow) DeactivateRefused(ctx context.Context, actor revoke.Actor, src revoke.Source, id revoke.ID, why string) error {
	if err := wait(ctx); err != nil {
		return err
	}
	return s.Service.DeactivateRefused(ctx, actor, src, id, why)
}

func inBulk(path, operation string) string {
	return fmt.Sprintf(`{"method":"PATCH","path":"%s","data":{"Operations":[%s]}}`, path, operation)
}

// Item 9: a bulk request is answered before Okta closes the connection, and says what it did not come to.
func TestItem9BulkIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBundle(t)
		id := b.sally()
		b.do("POST", users, user("bob@example.edu", "b")).must(t, 201)
		bob := b.do("POST", users, user("late@example.edu", "l")).must(t, 201).id()
		sallys, late := b.login("sally@example.edu"), b.login("late@example.edu")
		b.door = b.handler(scim.Config{Service: slow{b.service}, Store: b.store})
		var operations []string
		for i := range 20 {
			operations = append(operations, inBulk("/Users/"+bob, fmt.Sprintf(`{"op":"replace","path":"title","value":"%d"}`, i)))
		}
		operations = append(operations, inBulk("/Users/"+id, `{"op":"replace","path":"active","value":false}`))
		for range 5 {
			operations = append(operations, inBulk("/Users/"+bob, `{"op":"replace","path":"active","value":false}`))
		}
		began := time.Now() //nolint:forbidigo // the bubble's time
		r := b.do("POST", bulkPath, `{"Operations":[`+strings.Join(operations, ",")+`]}`).must(t, 200)
		if took := time.Since(began); took >= time.Minute { //nolint:forbidigo // the bubble's time
			t.Errorf("answered after %s, want less than a minute", took)
		}
		got := statuses(r)
		done := 0
		for _, each := range got {
			if each == "PATCH 200" {
				done++
			}
		}
		if len(got) != len(operations) || done != 9 {
			t.Errorf("statuses %v: want all %d named, and the 9 for which there was time done", got, len(operations))
		}
		if !strings.Contains(r.text, "There was no time for this operation. Send it again") || !strings.Contains(r.text, "carried out all the same") {
			t.Errorf("answered %s", r.text)
		}
		b.mustBe(sallys, false, "a deactivation that was reached late")
		b.mustBe(late, false, "a deactivation that was reached late")
	})
}

// Item 48: too many operations are refused, and their leavers leave: those for whom there is time, the others are named.
func TestItem48TooManyOperationsLoseNoLeaver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBundle(t)
		id := b.sally()
		phone := b.login("sally@example.edu")
		filler := strings.Repeat(`{"method":"POST","path":"/Groups","data":{"displayName":"x"}},`, 1000)
		r := b.do("POST", bulkPath, `{"Operations":[`+filler+inBulk("/Users/"+id, `{"op":"replace","value":{"active":"False"}}`)+`]}`).must(t, 413)
		b.mustBe(phone, false, "too many operations")
		if !strings.Contains(r.text, "The deactivations in this request were carried out all the same") {
			t.Errorf("answered %s", r.text)
		}
		if got := b.do("GET", "/scim/v2/Groups", nil).json["totalResults"]; got != float64(0) {
			t.Errorf("%v groups were made, want none", got)
		}

		b.door = b.handler(scim.Config{Service: slow{b.service}, Store: b.store})
		people := b.people(30)
		var leaving []string
		for _, each := range people {
			leaving = append(leaving, inBulk("/Users/"+each, `{"op":"replace","path":"active","value":false}`))
		}
		began := time.Now() //nolint:forbidigo // the bubble's time
		r = b.do("POST", bulkPath, `{"Operations":[`+filler+strings.Join(leaving, ",")+`]}`).must(t, 413)
		if took := time.Since(began); took >= time.Minute { //nolint:forbidigo // the bubble's time
			t.Errorf("answered after %s, want less than a minute", took)
		}
		if !strings.Contains(r.text, "the first 12 were carried out") || strings.Contains(r.text, people[11]) || !strings.Contains(r.text, people[12]) {
			t.Errorf("answered %s, want whom there was no time for", r.text)
		}
	})
}
