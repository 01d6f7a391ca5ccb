package api_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/api"
)

// TestReplace lets other settings answer while a request is under way.
func TestReplace(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	b := start(t, func(c *api.Config) { cfg = *c })
	b.want("a hook of 1 MiB", b.do("POST", "/hooks/okta", strings.Repeat("x", 1<<20)), 200)
	b.register("sally@example.edu", "browser", "laptop")
	reached, release := b.store.Hold()
	answered := make(chan reply, 1)
	go func() {
		answered <- b.as("ops", "POST", "/v1/revocations", `{"scope": "user", "subject": `+sally+`, "reason": "x"}`)
	}()
	<-reached

	next := cfg
	next.Tokens = slices.DeleteFunc(tokens(), func(tok api.Token) bool { return tok.Name == "ops" || tok.Name == "portal" })
	for i := range next.Tokens {
		if next.Tokens[i].Name == "soc" {
			next.Tokens[i].Hashes = hashesOf("soc-of-today")
		}
	}
	next.Hooks, next.HookBody = http.NotFoundHandler(), func(string) int64 { return 1 << 10 }
	if err := b.app.Replace(next); err != nil {
		t.Fatalf("replace: %v", err)
	}
	b.want("a token that was taken out", b.as("portal", "GET", "/v1/sessions?id=x", ""), 401)
	b.want("a secret that was changed", b.as("soc", "GET", "/v1/nothing", ""), 401)
	b.want("its successor", b.as("soc-of-today", "GET", "/v1/nothing", ""), 404)
	b.want("a token that stayed", b.as("directory", "GET", "/scim/v2/Users", ""), 200)
	b.want("the new handler of hooks", b.do("POST", "/hooks/okta", "x"), 404)
	b.want("the new limit of hooks", b.do("POST", "/hooks/okta", strings.Repeat("x", 1<<20)), 413, "too-large")
	select {
	case got := <-answered:
		t.Fatalf("the request under way was answered %d before it was decided", got.status)
	default:
	}
	release()
	b.want("the request under way, whose token was taken out", <-answered, 201)

	wrong := cfg
	wrong.Tokens = append(tokens(), tokens()[0])
	if err := b.app.Replace(wrong); err == nil {
		t.Error("two tokens with one secret take over, want an error")
	}
	b.want("after settings that were no good", b.as("directory", "GET", "/scim/v2/Users", ""), 200)
	b.want("after them, a token that was taken out", b.as("portal", "GET", "/v1/sessions?id=x", ""), 401)
	if err := b.app.Replace(cfg); err != nil {
		t.Fatalf("replace: %v", err)
	}
	b.want("a token that came back", b.as("ops", "GET", "/v1/nothing", ""), 404)
}

// TestReplaceForgetsNobodyWhoGuesses: who was told to wait must not be let on by the next reading of the settings.
func TestReplaceForgetsNobodyWhoGuesses(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	b := start(t, func(c *api.Config) { cfg = *c })
	guesses := 0
	for b.do("GET", "/v1/users", "", "Authorization", "Bearer guess").status != 429 {
		if guesses++; guesses > 10_000 {
			t.Fatal("nobody tells a guesser to wait")
		}
	}
	if err := b.app.Replace(cfg); err != nil {
		t.Fatal(err)
	}
	b.want("the next guess", b.do("GET", "/v1/users", "", "Authorization", "Bearer guess"), 429, "throttled")
}

// TestReplaceLosesNoRequest replaces as fast as it can while others ask, on connections of which each began under another
// App. Some of the bodies are so large that their limit is decided before they are read.
func TestReplaceLosesNoRequest(t *testing.T) {
	t.Parallel()
	var cfg api.Config
	b := start(t, func(c *api.Config) { cfg = *c })
	stop := make(chan struct{})
	wrong := make(chan string, 8)
	asked := make(chan int, 8)
	for i := range 4 {
		go func() {
			n := 0
			defer func() { asked <- n }()
			for body := strings.Repeat("x", i*40<<10); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r, err := http.NewRequestWithContext(t.Context(), "POST", b.url+"/scim/v2/Users", io.MultiReader(strings.NewReader(body))) // without a length
				if err != nil {
					wrong <- err.Error()
					return
				}
				r.Header.Set("Authorization", "Bearer "+secretOf("directory"))
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					wrong <- err.Error()
					return
				}
				if _, _ = io.Copy(io.Discard, resp.Body); resp.StatusCode != 200 {
					wrong <- resp.Status
				}
				_ = resp.Body.Close()
			}
		}()
	}
	enough := time.After(300 * time.Millisecond)
	replaced := 0
	for done := false; !done; replaced++ {
		select {
		case <-enough:
			done = true
		default:
		}
		if err := b.app.Replace(cfg); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	total := 0
	for range 4 {
		total += <-asked
	}
	select {
	case got := <-wrong:
		t.Errorf("after %d replacements and %d requests: %s", replaced, total, got)
	default:
	}
	if total == 0 {
		t.Error("nobody asked")
	}
	t.Logf("%d requests during %d replacements", total, replaced)
}
