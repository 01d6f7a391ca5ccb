package webhooks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hostileCase is one of the numbered things that happen to a receiver of messages. By names the tests that hold it, as
// folder.Test; those of the battery, which every type passes, are found by their number.
type hostileCase struct {
	number int
	says   string
	by     []string
	absent string // why nothing holds it: its sender has no type yet
}

func hostileCases() []hostileCase {
	const battery = "battery"
	return []hostileCase{
		{1, "no credential", []string{battery}, ""},
		{2, "a wrong secret", []string{battery}, ""},
		{3, "a right signature over another body", []string{battery, "webhooks.TestStandardSignatures"}, ""},
		{4, "a signature in capitals is one; cut off, empty or long ones are not", []string{battery, "webhooks.TestHMACOfEverySender"}, ""},
		{5, "junk beside a good signature", []string{"webhooks.TestStandardSignatures", "webhooks.TestHMACOfEverySender"}, ""},
		{6, "an unknown version alone", []string{"webhooks.TestStandardSignatures"}, ""},
		{7, "one scheme's key under another's name", []string{"webhooks.TestStandardSignatures"}, ""},
		{8, "an old key while both are trusted, and after", []string{battery, "webhooks.TestStandardSignatures"}, ""},
		{9, "an empty secret in the settings", []string{battery, "webhooks.TestVerifiersRefuseSettingsThatCannotWork"}, ""},
		{10, "JWTs by none, by a public key as secret, by keys they bring; unknown keys", []string{"webhooks.TestJWT", "webhooks.TestKeySet", "webhooks.TestKeySetTakesOnlyKeysThatCanVerify"}, ""},
		{11, "a token of another kind, audience or issuer", []string{"webhooks.TestJWT"}, ""},
		{12, "an item with a wrong client state beside a right one", []string{battery, "webhooks.TestEntraGraphItemsProveThemselves"}, ""},
		{13, "another source's valid request", []string{battery}, ""},
		{14, "an exact replay", []string{battery}, ""},
		{15, "a replay under a new id", []string{battery, "webhooks.TestStandardSignatures"}, ""},
		{16, "times at both ends of the window, and beyond", []string{battery, "webhooks.TestStandardWindow", "webhooks.TestHMACWindow"}, ""},
		{17, "the sender's own retry", []string{battery, "webhooks.TestOktaRetryIsTheSameEvent"}, ""},
		{18, "a replay after a restart", []string{battery}, ""},
		{19, "fifty at once", []string{battery, "cmd/curfew.TestStorm"}, ""},
		{20, "half of a batch unknown", []string{battery}, ""},
		{21, "one malformed item", []string{battery}, ""},
		{22, "nothing in it, or text", []string{battery}, ""},
		{23, "ten thousand items", []string{battery, "cmd/curfew.TestStorm"}, ""},
		{24, "too large, too slow, compressed", []string{battery, "webhooks.TestABodyThatDoesNotCome", "api.TestSlowRequestIs408", "api.TestSizesOfHeadAndBody"}, ""},
		{25, "deep, huge, doubled, with NUL, BOM or invalid UTF-8", []string{battery, "webhooks.TestWhatIsNotJSONIsToldInASentence"}, ""},
		{26, "another media type", []string{battery}, ""},
		{27, "Okta's targets, and never its administrator", []string{"webhooks.TestOktaNeverActsOnTheAdministrator", "webhooks.TestOktaEndsWhatItNamesAndNothingElse"}, ""},
		{28, "subjects of security event tokens", nil, "Shared Signals comes in its own issue"},
		{29, "Okta's handshake", []string{"webhooks.TestOktaHandshakeEchoesWhateverTheChallengeHolds"}, ""},
		{30, "Graph's handshake", []string{"webhooks.TestEntraGraphHandshake"}, ""},
		{31, "OPTIONS of an allowed and of a foreign origin", []string{"webhooks.TestEventGridHandshakes"}, ""},
		{32, "Event Grid's handshake, and no call to its addresses", []string{"webhooks.TestEventGridHandshakes"}, ""},
		{33, "Slack's challenge under a bad signature", []string{"webhooks.TestCustomChallenge", "webhooks.TestHandshakesBeforeAndAfterAuthentication"}, ""},
		{34, "verification of a Shared Signals stream", nil, "Shared Signals comes in its own issue"},
		{35, "Gusto's token", nil, "Gusto has no type; docs/sources/README.md says why"},
		{36, "what arrives out of order", []string{"revoke.TestOrderOfOneAuthorityIsTheSenders", "revoke.TestOrderAndRepetitionDoNotMatter", "cmd/curfew.TestFaults"}, ""},
		{37, "a session made between the event and its arrival", []string{"revoke.TestDecisionTable", "revoke.TestNothingRevives"}, ""},
		{38, "a termination that lies ahead", []string{"webhooks.TestCustomPlans", "webhooks.TestLastDaysThatLieAhead", "revoke.TestPlanWaitsForItsDay", "revoke.TestPlansInAnyOrder"}, ""},
		{39, "two sources, one person", []string{"revoke.TestSeveralSourcesOnePerson", "targets.TestSignalEndsSessionsAtTheApplication"}, ""},
		{40, "an unknown person", []string{"revoke.TestUnknownPersonIsRemembered"}, ""},
		{41, "letters of an address, and one that was given on", []string{"revoke.TestRecycledAddress", "webhooks.TestAnAddressThatWasGivenOn"}, ""},
		{42, "a flood", []string{"revoke.TestBrakeHoldsAFlood", "webhooks.TestOktaHeldEventIsNamedInTheAnswer"}, ""},
		{43, "a store that is away", []string{battery, "cmd/curfew.TestProgram"}, ""},
		{44, "a target that is away", []string{"cmd/curfew.TestProgram", "targets.TestF13SickTargets"}, ""},
		{45, "kill -9 before the answer, and while an API is read", []string{"cmd/curfew.TestStorm", "cmd/curfew.TestProgram", "webhooks.TestReadsGoOnAfterAKill"}, ""},
		{46, "200 requests a second beside a target that hangs", []string{"cmd/curfew.TestStorm"}, ""},
		{47, "a sender's API that refuses, fails or changed", []string{"webhooks.TestEveryTypeThatCallsPassesTheBattery", "webhooks.TestReadsThatFail"}, ""},
		{48, "secrets in logs, metrics and errors", []string{battery, "cmd/curfew.TestT12Canaries"}, ""},
		{49, "an error does not tell why", []string{battery}, ""},
		{50, "headers of answers", []string{battery}, ""},
	}
}

// TestEveryCaseIsHeld: each number is there once, and what is said to hold it exists.
func TestEveryCaseIsHeld(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "revoke", "revoketest", "source.go"))
	if err != nil {
		t.Fatal(err)
	}
	inBattery := map[int]bool{}
	for _, list := range regexp.MustCompile(`"cases? ([0-9, ]+):`).FindAllStringSubmatch(string(text), -1) {
		for number := range strings.SplitSeq(list[1], ", ") {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("the battery has a case %q: %v", number, err)
			}
			inBattery[n] = true
		}
	}
	tests := map[string]bool{}
	for _, folder := range []string{"webhooks", "revoke", "api", "targets", "cmd/curfew"} {
		files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no tests in %s: %v", folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(string(text), -1) {
				tests[folder+"."+name[1]] = true
			}
		}
	}
	for i, c := range hostileCases() {
		what := fmt.Sprintf("case %d (%s)", c.number, c.says)
		if c.number != i+1 {
			t.Errorf("%s stands where case %d is due", what, i+1)
		}
		if (len(c.by) == 0) != (c.absent != "") {
			t.Errorf("%s: held by %q and absent because of %q, want one of them", what, c.by, c.absent)
		}
		for _, by := range c.by {
			if by == "battery" && !inBattery[c.number] || by != "battery" && !tests[by] {
				t.Errorf("%s: %s does not hold it, there is no such test", what, by)
			}
		}
	}
	if len(hostileCases()) != 50 {
		t.Errorf("%d cases, want 50", len(hostileCases()))
	}
}
