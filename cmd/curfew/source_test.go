package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestARecordedRequestIsTriedWithoutItsProof: what a sender signed with is not sent on; what says how to read the body is.
func TestARecordedRequestIsTriedWithoutItsProof(t *testing.T) {
	t.Parallel()
	const head = "POST /hooks/okta HTTP/1.1\nHost: curfew.example.edu\nAuthorization: " + canary + "\nCookie: a=" + canary +
		"\nContent-Type: application/json\nContent-Length: 99\nX-Okta-Verification-Challenge: x\n"
	for what, text := range map[string]string{"as it was": head + "\n{}\n\n{}", "from Windows": strings.ReplaceAll(head+"\n{}\n\n{}", "\n", "\r\n")} {
		header, body, err := readMessage(strings.NewReader(text))
		want := http.Header{"Content-Type": {"application/json"}, "X-Okta-Verification-Challenge": {"x"}}
		if diff := cmp.Diff(want, header); err != nil || diff != "" || string(body) != "{}\n\n{}" {
			t.Errorf("%s: got the body %q, %v, and other headers (-want +got):\n%s", what, body, err, diff)
		}
	}
	for what, text := range map[string]string{
		"no end of the head": head, "no header": "POST / HTTP/1.1\nnothing\n\n{}", "too long": strings.Repeat("x", longestMessage+1),
	} {
		if _, _, err := readMessage(strings.NewReader(text)); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: got %v, want a refusal that shows no secret", what, err)
		}
	}
	header, body, err := readMessage(strings.NewReader(`{"eventType": "x HTTP/1.1"}`))
	if err != nil || header.Get("Content-Type") != "application/json" || string(body) != `{"eventType": "x HTTP/1.1"}` {
		t.Errorf("a body alone: got %v %q %v", header, body, err)
	}
}
