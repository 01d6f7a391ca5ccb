package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

const (
	libraryPath = "/library" // what the devices want
	devicesPath = "/devices" // a page for people: which of them are in
	hookPath    = "/curfew"  // where Curfew tells the application
	hookPrefix  = "whsec_"
	maxAnswer   = 1 << 20
	maxHookAge  = 5 * time.Minute
)

// application imitates one that keeps no list of revoked sessions: it asks Curfew on each request. It is safe for
// concurrent use.
type application struct {
	client *http.Client
	clock  revoke.Clock
	curfew string // set before it serves
	token  revoke.Secret
	key    []byte

	mu   sync.Mutex
	told []message
	news chan struct{} // closed, and made anew, with each message
}

// message is what a webhook target receives (DESIGN.md section 6), as far as the story looks at it.
type message struct {
	Type string
	body string
	at   revoke.Instant
}

// errBlocked says that Curfew refused a sign-in because the person is blocked.
var errBlocked = errors.New("curfew refuses the sign-in: the person is blocked")

func newApplication(client *http.Client, clock revoke.Clock, token revoke.Secret, key []byte) *application {
	return &application{client: client, clock: clock, token: token, key: key, news: make(chan struct{})}
}

// handler serves the application at its own address, and a page for people that says which of the devices are in.
func (a *application) handler(self string, devices []*device) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+libraryPath, a.library)
	mux.HandleFunc("POST "+hookPath, a.hear)
	mux.HandleFunc("GET "+devicesPath, func(w http.ResponseWriter, r *http.Request) { // asks what the devices would ask
		for _, d := range devices {
			state := "out"
			if in, err := d.ask(r.Context(), a.client, self); err != nil {
				state = "not known: " + err.Error()
			} else if in {
				state = "in"
			}
			_, _ = fmt.Fprintf(w, "Sally's %-6s  %s\n", d.name, state)
		}
	})
	return mux
}

// library serves a page to whoever Curfew says is signed in: the request's own Authorization goes to /verify.
func (a *application) library(w http.ResponseWriter, r *http.Request) {
	answer, err := call(r.Context(), a.client, http.MethodGet, a.curfew+"/verify", r.Header.Get("Authorization"), nil)
	switch {
	case err != nil || answer.Status != http.StatusOK && answer.Status != http.StatusUnauthorized:
		http.Error(w, "we cannot tell whether you are signed in; try again", http.StatusServiceUnavailable)
	case answer.Status == http.StatusUnauthorized:
		http.Error(w, "please sign in", http.StatusUnauthorized)
	default:
		_, _ = io.WriteString(w, "welcome to the library, "+answer.Header.Get("X-Curfew-Email")+"\n")
	}
}

// hear takes a message of Curfew's whose Standard Webhooks signature is right.
func (a *application) hear(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	id := r.Header.Get("Webhook-Id")
	var m message
	if !a.signed(id, r.Header.Get("Webhook-Timestamp"), r.Header.Get("Webhook-Signature"), body) || json.Unmarshal(body, &m) != nil {
		http.Error(w, "this is not from Curfew", http.StatusUnauthorized)
		return
	}
	m.body, m.at = string(body), a.clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, m)
	close(a.news)
	a.news = make(chan struct{})
	w.WriteHeader(http.StatusNoContent)
}

// signed verifies a Standard Webhooks v1 signature: HMAC-SHA256 of id, timestamp and body, one of a list.
func (a *application) signed(id, timestamp, signatures string, body []byte) bool {
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if age := a.clock.Now().Sub(revoke.InstantOf(time.Unix(sent, 0))); err != nil || id == "" || age.Abs() > maxHookAge {
		return false
	}
	mac := hmac.New(sha256.New, a.key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	want := mac.Sum(nil)
	for signature := range strings.SplitSeq(signatures, " ") {
		text, v1 := strings.CutPrefix(signature, "v1,")
		if got, err := base64.StdEncoding.DecodeString(text); v1 && err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}

// heard returns how many messages came so far.
func (a *application) heard() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.told)
}

// await returns the first message after the given number that has the type and mentions about.
func (a *application) await(ctx context.Context, after int, kind, about string) (message, error) {
	for {
		a.mu.Lock()
		news := a.news
		for _, m := range a.told[after:] {
			if m.Type == kind && strings.Contains(m.body, about) {
				a.mu.Unlock()
				return m, nil
			}
		}
		a.mu.Unlock()
		select {
		case <-news:
		case <-ctx.Done():
			return message{}, fmt.Errorf("the application was not told %s about %s", kind, about)
		}
	}
}

// device is one of the student's, with the session token that the application gave it last.
type device struct {
	name, platform string
	kind           revoke.Kind
	token          revoke.Secret
	session        string
}

// ask requests a page of the application and reports whether it was served.
func (d *device) ask(ctx context.Context, client *http.Client, application string) (in bool, err error) {
	answer, err := call(ctx, client, http.MethodGet, application+libraryPath, bearer(d.token), nil)
	switch {
	case err != nil:
		return false, fmt.Errorf("the application %w", err)
	case answer.Status == http.StatusOK:
		return true, nil
	case answer.Status == http.StatusUnauthorized:
		return false, nil
	default:
		return false, fmt.Errorf("the application answered %d", answer.Status)
	}
}

// signIn registers a session for a device of the student's. A blocked person is errBlocked.
func (a *application) signIn(ctx context.Context, d *device) error {
	return a.admit(ctx, d, student, "sallys-"+strings.ToLower(d.name), "Sally's "+d.name)
}

// admit registers a session for the device and hands it the new token.
func (a *application) admit(ctx context.Context, d *device, login, id, name string) error {
	answer, err := call(ctx, a.client, http.MethodPost, a.curfew+"/v1/sessions", bearer(a.token), map[string]any{
		"subject": map[string]string{"format": "email", "email": login},
		"kind":    d.kind,
		"token":   "new",
		"device":  map[string]string{"id": id, "name": name, "platform": d.platform},
	})
	if err != nil {
		return fmt.Errorf("curfew %w", err)
	}
	var made struct{ ID, Token, Type string }
	if err := json.Unmarshal(answer.Body, &made); err != nil {
		return fmt.Errorf("curfew answered %d to a sign-in, not in JSON", answer.Status)
	}
	if answer.Status == http.StatusForbidden && strings.HasSuffix(made.Type, "/blocked") {
		return errBlocked
	}
	if answer.Status != http.StatusCreated || made.ID == "" || made.Token == "" {
		return fmt.Errorf("curfew answered %d to a sign-in, wanted 201 with id and token", answer.Status)
	}
	d.session, d.token = made.ID, revoke.NewSecret(made.Token)
	return nil
}

// signOut ends exactly the device's session.
func (a *application) signOut(ctx context.Context, d *device) error {
	answer, err := call(ctx, a.client, http.MethodDelete, a.curfew+"/v1/sessions/"+d.session, bearer(a.token), nil)
	return status("curfew", answer, err, http.StatusOK)
}

func bearer(token revoke.Secret) string { return "Bearer " + token.Reveal() }

// call sends a request, with body as JSON unless it is nil.
func call(ctx context.Context, client *http.Client, method, url, authorization string, body any) (outbound.Answer, error) {
	headers := map[string]string{"Authorization": authorization}
	if body == nil {
		return send(ctx, client, method, url, headers, nil)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return outbound.Answer{}, err
	}
	headers["Content-Type"] = "application/json"
	return send(ctx, client, method, url, headers, text)
}

func send(ctx context.Context, client *http.Client, method, url string, headers map[string]string, body []byte) (outbound.Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return outbound.Answer{}, err
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return outbound.Do(client, r, maxAnswer)
}

// status makes an error of an answer that is not the wanted one.
func status(who string, answer outbound.Answer, err error, want int) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s %w", who, err)
	case answer.Status != want:
		return fmt.Errorf("%s answered %d, wanted %d", who, answer.Status, want)
	}
	return nil
}
