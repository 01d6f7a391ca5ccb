package webhooks_test

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"curfew/revoke"
)

// systemLog imitates Okta's: polling requests alone, pages by the time of persistence, a next link on every page, a filter that is
// obeyed, and access by an API token or by a client that signs.
type systemLog struct {
	mu      sync.Mutex
	clock   revoke.Clock
	host    string // of the next link, where it is not ours; nowhere is no link
	kept    []persisted
	most    int // events of a page
	fail    int // status of the next answers; zero is none
	header  http.Header
	body    string      // in place of a list
	forgets bool        // no link is known
	served  int         // pages
	seen    []string    // since of each round
	limits  []string    // that were asked for
	after   func(n int) // called behind each page
	key     *rsa.PublicKey
	ids     map[string]bool // of assertions
	tokens  int
}

type persisted struct {
	at  revoke.Instant
	raw string
}

func newSystemLog(t *testing.T, clock revoke.Clock) (*systemLog, *httptest.Server) {
	t.Helper()
	l := &systemLog{clock: clock, most: 2, ids: map[string]bool{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server
}

func (l *systemLog) set(change func(*systemLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// write persists an event, a while ago or now.
func (l *systemLog) write(ago time.Duration, raw ...string) {
	l.set(func(l *systemLog) {
		for _, r := range raw {
			l.kept = append(l.kept, persisted{l.clock.Now().Add(-ago), r})
		}
		slices.SortStableFunc(l.kept, func(a, b persisted) int { return int(a.at - b.at) })
	})
}

func (l *systemLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Date", l.clock.Now().Time().UTC().Format(http.TimeFormat))
	if r.URL.Path == "/oauth2/v1/token" {
		l.token(w, r)
		return
	}
	if a := r.Header.Get("Authorization"); a != "SSWS "+apiKey && (l.tokens == 0 || a != fmt.Sprint("Bearer access-", l.tokens)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	if r.URL.Path != "/api/v1/logs" || q.Has("until") || q.Get("sortOrder") != "ASCENDING" || q.Get("filter") == "" || q.Has("since") == q.Has("after") {
		http.Error(w, `{"errorCode":"E0000001"}`, http.StatusBadRequest)
		return
	}
	if l.fail != 0 || l.body != "" || l.forgets && q.Has("after") {
		maps.Copy(w.Header(), l.header)
		if l.forgets {
			l.forgets, l.fail = false, http.StatusBadRequest
			defer func() { l.fail = 0 }()
		}
		if l.fail != 0 {
			w.WriteHeader(l.fail)
		}
		_, _ = w.Write([]byte(l.body))
		return
	}
	l.page(w, r)
}

func (l *systemLog) page(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since revoke.Instant
	if q.Has("since") {
		l.seen = append(l.seen, q.Get("since"))
		if err := since.UnmarshalText([]byte(q.Get("since"))); err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
	}
	l.limits = append(l.limits, q.Get("limit"))
	most, _ := strconv.Atoi(q.Get("limit"))
	most = min(most, l.most)
	at, _ := strconv.Atoi(q.Get("after"))
	var out []string
	for ; at < len(l.kept) && len(out) < most; at++ {
		var e struct{ EventType string }
		_ = json.Unmarshal([]byte(l.kept[at].raw), &e)
		if l.kept[at].at >= since && (e.EventType == "" || strings.Contains(q.Get("filter"), `eventType eq "`+e.EventType+`"`)) {
			out = append(out, l.kept[at].raw)
		}
	}
	host := "http://" + r.Host
	w.Header().Add("Link", "<"+host+r.URL.String()+`>; rel="self"`)
	q.Del("since")
	q.Set("after", strconv.Itoa(at))
	if l.host != "" {
		host = l.host
	}
	if l.host != "nowhere" {
		w.Header().Add("Link", "<"+host+r.URL.Path+"?"+q.Encode()+`>; rel="next"`)
	}
	maps.Copy(w.Header(), l.header)
	_, _ = w.Write([]byte("[" + strings.Join(out, ",") + "]"))
	l.served++
	if l.after != nil {
		l.after(l.served)
	}
}

// token obeys RFC 7523 section 3, as Okta does.
func (l *systemLog) token(w http.ResponseWriter, r *http.Request) {
	signed, err := jose.ParseSignedCompact(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.RS256})
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                int64
	}
	good := err == nil && l.key != nil && r.FormValue("grant_type") == "client_credentials" && r.FormValue("scope") == "okta.logs.read" &&
		r.FormValue("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" && r.FormValue("client_secret") == ""
	if good {
		payload, err := signed.Verify(l.key)
		good = err == nil && json.Unmarshal(payload, &claims) == nil
	}
	now := l.clock.Now().Time().Unix()
	if !good || claims.Iss != "0oaCURFEW" || claims.Sub != claims.Iss || claims.Aud != "http://"+r.Host+"/oauth2/v1/token" || l.ids[claims.Jti] || claims.Exp <= now || claims.Exp > now+3600 ||
		signed.Signatures[0].Header.KeyID != "kid-1" {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	l.ids[claims.Jti] = true
	l.tokens++
	_, _ = fmt.Fprintf(w, `{"access_token":"access-%d","token_type":"Bearer","expires_in":3600,"scope":"okta.logs.read"}`, l.tokens)
}
