package revoketest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/revoke"
)

// targetFront stands before a system and answers in its place while it misbehaves.
type targetFront struct {
	system  http.Handler
	reached chan struct{} // one for each request
	mu      sync.Mutex
	behave  misbehaviour
}

type misbehaviour func(w http.ResponseWriter, r *http.Request, system http.Handler)

func (f *targetFront) set(b misbehaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behave = b
}

// ServeHTTP obeys [http.Handler].
func (f *targetFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	behave := f.behave
	f.mu.Unlock()
	f.reached <- struct{}{}
	if behave == nil {
		f.system.ServeHTTP(w, r)
		return
	}
	behave(w, r, f.system)
}

// calls returns how many requests came since it was asked last.
func (f *targetFront) calls() (n int) {
	for {
		select {
		case <-f.reached:
			n++
		default:
			return n
		}
	}
}

func answerWith(status int, header ...string) misbehaviour {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		drainBody(r)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// neverAnswers never answers. The request's body must be read first, or the server does not see the client leave.
func neverAnswers(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
	drainBody(r)
	<-r.Context().Done()
}

// actAndHang lets the system carry out the call and never answers.
func actAndHang(w http.ResponseWriter, r *http.Request, system http.Handler) {
	system.ServeHTTP(httptest.NewRecorder(), r)
	neverAnswers(w, r, system)
}

// breakOffAfter closes the connection after text.
func breakOffAfter(text string, act bool) misbehaviour {
	return func(w http.ResponseWriter, r *http.Request, system http.Handler) {
		if act {
			system.ServeHTTP(httptest.NewRecorder(), r)
		}
		drainBody(r)
		conn, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buffer.WriteString(text)
		_ = buffer.Flush()
		_ = conn.Close()
	}
}

// dripBytes says 200 and then a byte now and then, for ever.
func dripBytes(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	drainBody(r)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func drainBody(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// heal makes the system well again and carries the delivery out.
func (b *targetBench) heal(t *testing.T, owed revoke.Owed, gone ...string) {
	t.Helper()
	b.front.set(nil)
	b.reopen(t)
	b.revoke(t, owed)
	b.wantLive(t, false, gone...)
}

func everyStatusHasAFate(t *testing.T, b *targetBench) {
	for _, status := range everyStatus() {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			b := newTargetBench(t, b.TargetFixture)
			phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
			b.front.set(answerWith(status))
			receipt, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
			want := b.Fate(status)
			wantFate(t, err, want)
			if err == nil && receipt.Evidence == revoke.Confirmed {
				t.Errorf("a system that only answers %d is said to have confirmed: %+v", status, receipt)
			}
			if err != nil && !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("error %q does not say the status %d", err, status)
			}
			b.wantLive(t, true, phone)
			if want != FateDone {
				b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
			}
		})
	}
}

func throttledCall(t *testing.T, b *targetBench) {
	date := func(d time.Duration) string { return Start.Time().Add(d).Format(http.TimeFormat) }
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		header      []string
		least, most time.Duration
	}{
		"seconds":                {[]string{"Retry-After", "7"}, 7 * time.Second, 7 * time.Second},
		"date by its own clock":  {[]string{"Date", date(0), "Retry-After", date(90 * time.Second)}, 90 * time.Second, 90 * time.Second},
		"clock a year fast":      {[]string{"Date", date(365 * day), "Retry-After", date(365*day + time.Minute)}, time.Minute, time.Minute},
		"ten years":              {[]string{"Retry-After", "315360000"}, time.Minute, day},
		"more than a number":     {[]string{"Retry-After", strings.Repeat("9", 400)}, time.Minute, day},
		"a date in ten years":    {[]string{"Date", date(0), "Retry-After", date(3650 * day)}, time.Minute, day},
		"negative":               {[]string{"Retry-After", "-5"}, 0, 0},
		"past":                   {[]string{"Date", date(0), "Retry-After", date(-time.Hour)}, 0, 0},
		"zero":                   {[]string{"Retry-After", "0"}, 0, 0},
		"neither number nor day": {[]string{"Retry-After", "soon"}, 0, 0},
		"no header":              {nil, 0, 0},
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			t.Run(fmt.Sprintf("%d %s", status, name), func(t *testing.T) {
				t.Parallel()
				b := newTargetBench(t, b.TargetFixture)
				phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
				b.front.set(answerWith(status, c.header...))
				_, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
				wantFate(t, err, FateRetried)
				if wait := revoke.AskedToWait(err); wait < c.least || wait > c.most {
					t.Errorf("asked to wait %v, want %v to %v", wait, c.least, c.most)
				}
				b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
			})
		}
	}
}

// redirectedCall: neither the call nor its credential may reach an address that nobody configured.
func redirectedCall(t *testing.T, b *targetBench) {
	stranger := &targetFront{system: http.NotFoundHandler(), reached: make(chan struct{}, 64)}
	server := httptest.NewServer(stranger)
	defer server.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		b.front.set(answerWith(status, "Location", server.URL+"/stolen"))
		_, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
		wantFate(t, err, b.Fate(status))
		if err != nil && strings.Contains(err.Error(), "stolen") {
			t.Errorf("error %q shows what the server sent", err)
		}
	}
	if n := stranger.calls(); n > 0 {
		t.Errorf("the stranger was called %d times", n)
	}
}

func hangingSystem(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	for name, behave := range map[string]misbehaviour{"never answers": neverAnswers, "acts and never answers": actAndHang, "drips": dripBytes} {
		b.front.set(behave)
		_, err := b.call(t, briefly, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
		if wantFate(t, err, FateRetried); !isTimeout(err) {
			t.Errorf("%s: error %v, want a time-out", name, err)
		}
	}
	b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
}

func cancelledCall(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	b.front.set(neverAnswers)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-b.front.reached
		cancel()
	}()
	_, err := b.callUnder(t, ctx, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	wantFate(t, err, FateRetried)
	b.front.calls()
	if _, err = b.callUnder(t, ctx, oweTo(targetSally, oweEnd(revoke.ScopeUser))); err == nil || b.front.calls() > 0 {
		t.Errorf("error %v of a call whose context was over before; it must not be made", err)
	}
	b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
}

func breaksOff(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	for name, behave := range map[string]misbehaviour{
		"before a word":        breakOffAfter("", false),
		"in the header":        breakOffAfter("HTTP/1.1 200 OK\r\nContent-Ty", false),
		"in the body":          breakOffAfter("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"ok\":", true),
		"in a chunk":           breakOffAfter("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"ok\"", true),
		"with what no one can": breakOffAfter("220 mail.example.edu ESMTP\r\n", false),
	} {
		b.front.set(behave)
		_, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
		if wantFate(t, err, FateRetried); err == nil {
			t.Errorf("breaks off %s, and is taken for done", name)
		}
	}
	b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
}

// answersTooMuch: a hostile answer costs a bounded number of bytes (T14). What is made of it is the type's own, but for
// a header without end.
func answersTooMuch(t *testing.T, b *targetBench) {
	const most = 32 << 20 // what two sockets and our limit can hold, generously
	written := make(chan int, 1)
	b.front.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		drainBody(r)
		w.Header().Set("Content-Encoding", "gzip") // never asked for, so never unpacked
		block, total := make([]byte, 64<<10), 0
		for total < 4*most {
			n, err := w.Write(block)
			if total += n; err != nil {
				break
			}
		}
		written <- total
	})
	receipt, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	if err == nil && receipt.Evidence == revoke.Confirmed {
		t.Errorf("receipt %+v for a body without end", receipt)
	}
	if n := <-written; n > most {
		t.Errorf("%d bytes of the answer were taken", n)
	}
	b.front.set(answerWith(http.StatusOK, "X-Long", strings.Repeat("x", 1<<20)))
	_, err = b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	wantFate(t, err, FateRetried)
}

// pageForPeople: a sign-in page or captive portal with 200 has revoked nothing (TARGETS.md C 1).
func pageForPeople(t *testing.T, b *targetBench) {
	phone := b.signIn(t, targetSally, revoke.Mobile, "phone", signedInAt)
	b.front.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		drainBody(r)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "\n<!doctype html><title>Sign in</title><script>alert(1)</script>")
	})
	for i, attempts := range []int{0, 100} {
		item := oweEnd(revoke.ScopeUser)
		item.Delivery.Attempts = attempts
		_, err := b.call(t, ample, oweTo(targetSally, item))
		if wantFate(t, err, b.Page[i]); err != nil && strings.Contains(err.Error(), "script") {
			t.Errorf("error %q shows the page", err)
		}
	}
	b.heal(t, oweTo(targetSally, oweEnd(revoke.ScopeUser)), phone)
}

// showsNoSecret: a server that sends back all that it was sent, and the secrets themselves, finds them in no text of ours.
// Every call hunts for them.
func showsNoSecret(t *testing.T, b *targetBench) {
	planted := strings.Join(b.Secrets, " ")
	for _, status := range []int{200, 302, 400, 401, 403, 404, 422, 429, 500} {
		b.front.set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			body, _ := io.ReadAll(r.Body)
			for _, name := range []string{"X-Request-Id", "Location", "Retry-After", "WWW-Authenticate", "Server", "Content-Type"} {
				w.Header().Set(name, planted)
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "%s %v %s", planted, r.Header, body) //nolint:gosec // a hostile answer is what this is
		})
		_, _ = b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	}
	for _, text := range []string{"HTTP/1.1 " + planted + "\r\n\r\n", "HTTP/1.1 200 OK\r\n" + planted + "\r\n\r\n", planted} {
		b.front.set(breakOffAfter(text, false))
		_, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
		wantFate(t, err, FateRetried)
	}
	b.front.set(breakOffAfter("HTTP/1.1 "+planted+"\r\n\r\n", false))
	if err := b.target.Check(t.Context()); err != nil {
		b.hunt(t, err.Error())
	}
}

func notThere(t *testing.T, b *targetBench) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	b.url = server.URL
	b.reopen(t)
	_, err := b.call(t, ample, oweTo(targetSally, oweEnd(revoke.ScopeUser)))
	wantFate(t, err, FateRetried)
	if err := b.target.Check(t.Context()); err == nil {
		t.Error("check of a system that is not there says that all is well")
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}
