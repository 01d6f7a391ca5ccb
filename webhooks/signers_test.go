package webhooks

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"curfew/revoke"
)

// A library that somebody else wrote, in a program of its own: a line goes in, a line comes out.
type foreign struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startForeign(t *testing.T, argv ...string) *foreign {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // killed by the context when the test ends
	})
	return &foreign{t, in, bufio.NewScanner(out)}
}

// signed is what is asked of a library, and said by it.
type signed struct {
	Do      string            `json:"do,omitempty"`
	Scheme  string            `json:"scheme,omitempty"`
	Key     string            `json:"key,omitempty"`
	ID      string            `json:"id,omitempty"`
	At      int64             `json:"at,omitempty"`
	Now     int64             `json:"now,omitempty"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers,omitempty"`
	OK      bool              `json:"ok,omitempty"`
}

func (f *foreign) ask(s signed) (answer signed) {
	f.t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.in.Write(append(raw, '\n')); err != nil {
		f.t.Fatal(err)
	}
	if !f.out.Scan() {
		f.t.Fatalf("the library is gone: %v", f.out.Err())
	}
	if err := json.Unmarshal(f.out.Bytes(), &answer); err != nil {
		f.t.Fatal(err)
	}
	return answer
}

// node starts the script that holds the libraries from npm, beside the packages that `make setup` installed.
func node(t *testing.T) *foreign {
	t.Helper()
	const source, installed, script = "../cmd/curfew/testdata/clients/npm", "../build/clients", "signatures.mjs"
	want, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(installed, "package-lock.json")); err != nil || !bytes.Equal(got, want) {
		t.Fatal("the libraries from npm are not installed; type: make setup")
	}
	text, err := os.ReadFile(filepath.Join(source, script))
	if err != nil {
		t.Fatal(err)
	}
	packages, err := filepath.Abs(filepath.Join(installed, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir() // a script finds packages only beside itself
	if err := os.Symlink(packages, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, script), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return startForeign(t, "node", filepath.Join(folder, script))
}

// slackGo starts the program that holds slack-go.
func slackGo(t *testing.T) *foreign {
	t.Helper()
	program := filepath.Join(t.TempDir(), "slack")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", "../cmd/curfew/testdata/clients/go", "-o", program, "./slack")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return startForeign(t, program)
}

// The signatures of the test's own, where a library can only judge.
func signHMAC(v hmacVerifier, key string) func(s signed) map[string]string {
	return func(s signed) map[string]string {
		at := strconv.FormatInt(s.At, 10)
		headers := map[string]string{v.Header: v.Prefix + fmt.Sprintf("%x", v.mac([]byte(key), []byte(s.Body), at, ""))}
		if v.TimestampHeader != "" {
			headers[v.TimestampHeader] = at
		}
		return headers
	}
}

// TestSignersAgree lets libraries that others wrote sign what we verify, and judge what we sign, whole and changed in one place:
// they and we must agree about each message.
func TestSignersAgree(t *testing.T) {
	t.Parallel()
	fromNPM, slack := node(t), slackGo(t)
	public := "whpk_" + base64.StdEncoding.EncodeToString(seed()[32:])
	github := hmacSettings{Header: "X-Hub-Signature-256", Prefix: "sha256=", Secrets: keys(testKey)}
	ofSlack := hmacSettings{
		Header: "X-Slack-Signature", Prefix: "v0=", Signed: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp", Secrets: keys(testKey),
	}
	standard := func(s signed) map[string]string {
		at := strconv.FormatInt(s.At, 10)
		return map[string]string{
			"Webhook-Id": s.ID, "Webhook-Timestamp": at, "Webhook-Signature": standardV1(vectorSecret[len(sharedKey):], s.ID+"."+at+"."+s.Body),
		}
	}
	v1a := func(s signed) map[string]string {
		at := strconv.FormatInt(s.At, 10)
		signature := ed25519.Sign(seed(), []byte(s.ID+"."+at+"."+s.Body))
		return map[string]string{"Webhook-Id": s.ID, "Webhook-Timestamp": at, "Webhook-Signature": "v1a," + base64.StdEncoding.EncodeToString(signature)}
	}
	for name, c := range map[string]struct {
		key    string // as the library takes it
		ours   func() (verifier, error)
		sign   func(signed) map[string]string
		judges func(signed) bool
		signs  bool // the library
	}{
		"standardwebhooks": {vectorSecret, standardVerifier(vectorSecret), standard, fromNPM.judge, true},
		"svix":             {vectorSecret, standardVerifier(vectorSecret), standard, fromNPM.judge, true},
		"openssl":          {base64.StdEncoding.EncodeToString(seed().Seed()), standardVerifier(public), v1a, fromNPM.judge, true},
		"octokit":          {testKey, func() (verifier, error) { return newHMAC(github) }, signHMAC(hmacOf(t, github), testKey), fromNPM.judge, true},
		"slack-go":         {testKey, func() (verifier, error) { return newHMAC(ofSlack) }, signHMAC(hmacOf(t, ofSlack), testKey), slack.judge, false},
		"standard, in Go":  {vectorSecret, standardVerifier(vectorSecret), standard, judgeStandardInGo, false},
	} {
		t.Run(name, func(t *testing.T) {
			verify, err := c.ours()
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(6, 3))
			taken := 0
			for i := range 300 {
				now := int64(revoke.MachineClock{}.Now()) / 1e6 // slack-go asks the machine for the time
				s := signed{
					Scheme: name, Key: c.key, ID: fmt.Sprintf("msg_%d", i), At: now - int64(random.IntN(290)), Now: now,
					Body: fmt.Sprintf(`{"n":%d,"text":"ü%s"}`, i, strings.Repeat("x", random.IntN(50))),
				}
				if c.signs && i%2 == 0 {
					s.Do = "sign"
					s.Headers = fromNPM.ask(s).Headers
				} else {
					s.Headers = c.sign(s)
				}
				whole := i%3 == 0
				if !whole {
					change(random, &s)
				}
				theirs := c.judges(s)
				_, err := verify(requestOf(s, now))
				if ours := err == nil; ours != theirs || whole && !ours {
					t.Errorf("whole %t: we say %t (%v), the library %t: %+v", whole, ours, err, theirs, s)
				}
				if theirs {
					taken++
				}
			}
			if taken < 100 || taken > 150 {
				t.Errorf("%d of 300 messages were taken, want the 100 whole ones and few others", taken)
			}
		})
	}
}

func standardVerifier(key string) func() (verifier, error) {
	return func() (verifier, error) { return newStandard(standardSettings{Secrets: keys(key)}) }
}

// hmacOf is what newHMAC makes, with its parts.
func hmacOf(t *testing.T, s hmacSettings) hmacVerifier {
	t.Helper()
	parts := map[string][]string{"": {"{body}"}, "v0:{timestamp}:{body}": {"v0:", "{timestamp}", ":", "{body}"}}
	return hmacVerifier{hmacSettings: s, algorithm: sha256.New, parts: parts[s.Signed]}
}

func (f *foreign) judge(s signed) bool {
	s.Do = "verify"
	return f.ask(s).OK
}

// judgeStandardInGo asks the standard's own library for Go.
func judgeStandardInGo(s signed) bool {
	library, err := standardwebhooks.NewWebhook(s.Key)
	return err == nil && library.Verify([]byte(s.Body), requestOf(s, s.Now).Header) == nil
}

func requestOf(s signed, now int64) Request {
	r := message()
	r.Body, r.ReceivedAt = []byte(s.Body), revoke.Instant(now*1e6)
	r.Header = http.Header{}
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	return r
}

// change alters a message in one place: a letter of the body or of a header, or a whole header.
func change(random *rand.Rand, s *signed) {
	letter := func(text string) string {
		raw := []byte(text)
		at := random.IntN(len(raw))
		for raw[at] >= 0x80 || raw[at] == '\\' { // what follows is UTF-8 still
			at = random.IntN(len(raw))
		}
		raw[at] = "0123456789abcdefxyz"[random.IntN(19)]
		return string(raw)
	}
	names := make([]string, 0, len(s.Headers))
	for name := range s.Headers {
		names = append(names, name)
	}
	// In order, so that the same seed makes the same messages.
	slices.Sort(names)
	name := names[random.IntN(len(names))]
	switch random.IntN(4) {
	case 0:
		s.Body = letter(s.Body)
	case 1:
		s.Headers[name] = s.Headers[name][:len(s.Headers[name])-1]
	case 2:
		delete(s.Headers, name)
	default:
		s.Headers[name] = letter(s.Headers[name])
	}
}
