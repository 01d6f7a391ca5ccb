package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"curfew/internal/outbound"
	"curfew/revoke"
)

// remoteFlags say which server a command speaks to, and as whom. A token is never a flag's value: every process can read
// a command line.
type remoteFlags struct {
	Server    string `placeholder:"URL" help:"The running server that a command speaks to; public_url of the configuration when this is not given."`
	TokenFile string `placeholder:"FILE" help:"A file with the token for it; else CURFEW_TOKEN, else the configuration's first admin token."`
}

// countPatience outlasts the server's own limit for counting what an order would end.
const countPatience = 70 * time.Second

// remote is a running server, as the commands speak to it.
type remote struct {
	base   string
	token  revoke.Secret
	client *http.Client
}

// remote finds server and token.
func (sh *shell) remote() (*remote, error) {
	f := sh.remoteFlags
	r := &remote{base: strings.TrimSuffix(f.Server, "/"), client: outbound.NewMaker(outbound.Config{Version: thisVersion().Version, Patience: countPatience}).Configured()}
	if f.TokenFile != "" {
		text, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return nil, usage("read the token of --token-file: %w", err)
		}
		r.token = revoke.NewSecret(strings.TrimSpace(string(text)))
	} else if text, set := sh.lookup("CURFEW_TOKEN"); set {
		r.token = revoke.NewSecret(strings.TrimSpace(text))
	}
	if r.base == "" || r.token.IsZero() {
		loaded, err := load(settingsInput{file: sh.config, lookup: sh.lookup})
		if err != nil {
			return nil, err
		}
		if r.base == "" {
			r.base = string(loaded.PublicURL)
		}
		if r.token.IsZero() {
			r.token = loaded.adminToken()
		}
	}
	var address baseURL
	if err := address.UnmarshalText([]byte(r.base)); err != nil {
		return nil, usage("--server %w, for example http://127.0.0.1:8080", err)
	}
	if r.token.IsZero() {
		return nil, usage("no token: give --token-file FILE or CURFEW_TOKEN, or run this beside a curfew.yaml whose first admin token stands there as a secret")
	}
	return r, nil
}

func (l *Loaded) adminToken() revoke.Secret {
	for _, t := range l.Tokens {
		if !slices.Contains(t.Scopes, "admin") {
			continue
		}
		if !t.Secret.IsZero() {
			return t.Secret
		}
		if len(t.Secrets) > 0 {
			return t.Secrets[0]
		}
	}
	return revoke.Secret{}
}

// refusal is a server's answer that says no (RFC 9457).
type refusal struct {
	Status int    `json:"status"`
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
	} `json:"errors,omitempty"`
}

func (r refusal) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("the server answers %d: %s", r.Status, r.words()), ": ")
}

// words is what the server said, without its status.
func (r refusal) words() string {
	var text strings.Builder
	text.WriteString(plainText(r.Title))
	if r.Detail != "" {
		if r.Title != "" {
			text.WriteString(": ")
		}
		text.WriteString(plainText(r.Detail))
	}
	for _, e := range r.Errors {
		text.WriteString("\n  " + plainText(e.Field+" "+e.Detail))
	}
	return text.String()
}

// code is the exit code that a refusal ends a command with.
func (r refusal) code() int {
	switch r.Status {
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict:
		return exitRefused
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return exitUsage
	default:
		return exitFailed
	}
}

func isRefusal(err error, status int) bool {
	r, ok := errors.AsType[refusal](err)
	return ok && r.Status == status
}

const longestAnswer = 1 << 20

// call makes one request and decodes the answer into out, which may be nil. It returns the answer's status. What the
// server refuses is a [refusal] within an exitError.
func (r *remote) call(ctx context.Context, method, path string, query url.Values, body, out any) (int, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var content []byte
	var header http.Header
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return 0, fmt.Errorf("write the request: %w", err)
		}
		header = http.Header{"Content-Type": {"application/json"}}
	}
	answer, err := r.ask(ctx, method, path, header, content)
	if err != nil {
		return answer.Status, err
	}
	if out != nil {
		if err := json.Unmarshal(answer.Body, out); err != nil {
			return answer.Status, fmt.Errorf("the answer of %s is not Curfew's: %w", r.base, err)
		}
	}
	return answer.Status, nil
}

// order makes a POST of what a person wants and why, and returns the answer.
func (sh *shell) order(ctx context.Context, path, reason string, more map[string]any) (json.RawMessage, error) {
	if err := needReason(reason); err != nil {
		return nil, err
	}
	r, err := sh.remote()
	if err != nil {
		return nil, err
	}
	body := map[string]any{"reason": reason}
	maps.Copy(body, more)
	var raw json.RawMessage
	_, err = r.call(ctx, http.MethodPost, path, nil, body, &raw)
	return raw, err
}

func needReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return usage("--reason is empty: say why, for the audit log")
	}
	return nil
}

// ask makes one request as it is.
func (r *remote) ask(ctx context.Context, method, path string, header http.Header, content []byte) (outbound.Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(content))
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("write the request: %w", err)
	}
	maps.Copy(request.Header, header)
	request.Header.Set("Authorization", "Bearer "+r.token.Reveal())
	answer, err := outbound.Do(r.client, request, longestAnswer)
	if err != nil {
		return outbound.Answer{}, fmt.Errorf("ask the server at %s: %w; is it running (curfew serve), and is this its address (--server)?", r.base, err)
	}
	if answer.Status >= 300 {
		no := refusal{}
		_ = json.Unmarshal(answer.Body, &no) // a proxy's page is no problem+json; its status says enough
		no.Status = answer.Status
		return answer, exitError{no.code(), no}
	}
	return answer, nil
}

// page is one page of a list.
type page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// list reads every page, at most until it has atMost items; zero is all.
func list[T any](ctx context.Context, r *remote, path string, query url.Values, atMost int) ([]T, error) {
	var out []T
	query.Set("limit", "1000")
	for {
		var p page[T]
		if _, err := r.call(ctx, http.MethodGet, path, query, nil, &p); err != nil {
			return nil, err
		}
		out = append(out, p.Items...)
		if atMost > 0 && len(out) >= atMost {
			return out[:atMost], nil
		}
		if p.Next == nil {
			return out, nil
		}
		query.Set("cursor", *p.Next)
	}
}
