package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPublicClients lets SCIM clients that others wrote drive the whole server: the SDK of Databricks for Go, and those of
// RingCentral and GitHub for Node. Each makes people and groups, and ends and restores people, in its own manner; what became
// of their sessions is asked as an application asks.
func TestPublicClients(t *testing.T) {
	t.Parallel()
	clients := map[string]struct {
		prefix string // that the client puts before /Users, as of its vendor's service
		argv   func(t *testing.T, base, token string) []string
	}{
		"databricks":  {"/api/2.0/preview/scim/v2", goClient},
		"ringcentral": {"/scim/v2", nodeClient("ringcentral")},
		"octokit":     {"/scim/v2/enterprises/acme", nodeClient("octokit")},
	}
	names := slices.Collect(maps.Keys(clients))
	folder := t.TempDir()
	database := "sqlite:" + filepath.Join(folder, "curfew.db")
	r := build(t, "").start(t, configureSchools(t, folder, database, names))
	db := look(t, database)
	t.Run("all", func(t *testing.T) { // returns when those that run beside each other have ended
		for name, each := range clients {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newSchool(t, r, db, name)
				door := newVendorDoor(t, r, each.prefix)
				c := converse(t, each.argv(t, door.URL, schoolSecret(name, "directory")))
				c.people(s)
				if name != "ringcentral" { // whose client knows no groups
					c.groups(s)
				}
			})
		}
	})
	if text := r.log.String(); strings.Contains(text, "panic") {
		t.Errorf("something panicked:\n%s", text)
	}
}

func goClient(t *testing.T, base, token string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", "testdata/clients/go", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build of the client: %v\n%s", err, out)
	}
	return []string{path, base, token}
}

func nodeClient(name string) func(t *testing.T, base, token string) []string {
	return func(t *testing.T, base, token string) []string {
		t.Helper()
		return nodeScript(t, "clients.mjs", name, base, token)
	}
}

// npmPackages is the folder into which `make setup` installed the packages that tests use.
func npmPackages(t *testing.T) string {
	t.Helper()
	const installed = "../../build/clients"
	want, err := os.ReadFile("testdata/clients/npm/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(installed, "package-lock.json")); err != nil || !bytes.Equal(got, want) {
		t.Fatal("what the tests use from npm is not installed; type: make setup")
	}
	packages, err := filepath.Abs(filepath.Join(installed, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// nodeScript runs a script beside the packages that `make setup` installed.
func nodeScript(t *testing.T, script string, args ...string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/clients/npm", script))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir() // a script finds packages only beside itself
	if err := os.Symlink(npmPackages(t), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, script), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"node", filepath.Join(folder, script)}, args...)
}

// vendorDoor is what an operator puts before the server: it takes the vendor's paths to ours. It holds every exchange against
// the document and remembers it.
type vendorDoor struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newVendorDoor(t *testing.T, r *running, prefix string) *vendorDoor {
	t.Helper()
	d := &vendorDoor{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, asked *http.Request) {
		rest, ours := strings.CutPrefix(asked.URL.EscapedPath(), prefix+"/")
		body, err := io.ReadAll(asked.Body)
		if err != nil || !ours {
			http.NotFound(w, asked) // a client that asks for more than SCIM
			return
		}
		target := r.base + "/scim/v2/" + rest
		if asked.URL.RawQuery != "" {
			target += "?" + asked.URL.RawQuery
		}
		request, err := http.NewRequestWithContext(asked.Context(), asked.Method, target, bytes.NewReader(body))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		request.Header = asked.Header.Clone()
		request.Header.Del("Accept-Encoding") // the answer is looked at
		resp, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		r.described.held(request, string(body), answer{resp.StatusCode, resp.Header, text})
		d.mu.Lock()
		d.seen = append(d.seen, fmt.Sprintf("%s %s %.500s\n  %d %.500s", asked.Method, asked.URL, body, resp.StatusCode, text))
		d.mu.Unlock()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(text)
	}))
	t.Cleanup(func() {
		d.Close()
		if t.Failed() {
			t.Logf("the last that was said:\n%s", strings.Join(d.seen[max(0, len(d.seen)-8):], "\n"))
		}
	})
	return d
}

// client is one that runs, and is told what to do.
type client struct {
	t     *testing.T
	out   *json.Encoder
	lines *bufio.Scanner
}

func converse(t *testing.T, argv []string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute) // it ends after the test, by itself
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; type: make setup", err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the client ended with %v\n%s", err, said.String())
		}
	})
	return &client{t: t, out: json.NewEncoder(in), lines: bufio.NewScanner(out)}
}

// outcome is what a client understood of the answers to one order.
type outcome struct {
	Status int // of a refusal; with an Error and without a Status the client did not understand the answer
	Error  string
	ID     string
	Email  string
	Title  string
	Active bool
	Total  int
	Items  int
	IDs    []string
}

type with map[string]any

// try has the client carry out an order.
func (c *client) try(do string, o with) outcome {
	c.t.Helper()
	if o == nil {
		o = with{}
	}
	o["do"] = do
	if err := c.out.Encode(o); err != nil {
		c.t.Fatalf("%s: %v", do, err)
	}
	if !c.lines.Scan() {
		c.t.Fatalf("%s %v: the client said nothing: %v", do, o, c.lines.Err())
	}
	var got outcome
	if err := json.Unmarshal(c.lines.Bytes(), &got); err != nil {
		c.t.Fatalf("%s: the client said %q: %v", do, c.lines.Bytes(), err)
	}
	return got
}

// do has the client carry out an order that must succeed.
func (c *client) do(do string, o with) outcome {
	c.t.Helper()
	got := c.try(do, o)
	if got.Error != "" {
		c.t.Fatalf("%s %v: refused with %d %s", do, o, got.Status, got.Error)
	}
	return got
}

// people is the story of a person who comes, is renamed, is out for a while, and leaves.
func (c *client) people(s *school) {
	c.t.Helper()
	const maya = "maya@example.edu"
	if got := c.do("find", with{"email": maya}); len(got.IDs) != 0 || got.Total != 0 {
		c.t.Errorf("nobody is there, but was found: %+v", got)
	}
	made := c.do("create", with{"email": maya, "title": "Maya"})
	if made.ID == "" || made.Email != maya || !made.Active || made.Title != "Maya" {
		c.t.Errorf("created: %+v", made)
	}
	who := with{"id": made.ID}
	if again := c.try("create", with{"email": "MAYA@example.edu", "title": "Maya"}); again.Status != http.StatusConflict {
		c.t.Errorf("created twice: got %d %s, want 409", again.Status, again.Error)
	}
	if got := c.do("find", with{"email": "Maya@Example.edu"}); !slices.Equal(got.IDs, []string{made.ID}) {
		c.t.Errorf("found: %+v, want %s", got, made.ID)
	}
	if got := c.do("rename", with{"id": made.ID, "title": "May"}); got.Title != "May" || got.Email != maya {
		c.t.Errorf("renamed: %+v", got)
	}
	if got := c.try("get", with{"id": "nobody"}); got.Status != http.StatusNotFound {
		c.t.Errorf("somebody who never was: got %d %s, want 404", got.Status, got.Error)
	}
	c.crawl(append(c.classmates(5), made.ID))

	others := s.login(byDirectory, "mate-0@example.edu")
	out := func(how string, o with) {
		c.t.Helper()
		before := s.login(byDirectory, maya)
		s.mustBe(before, true, "the sign-in")
		o["id"] = made.ID
		c.do(how, o)
		s.mustBe(before, false, how)
		if !s.blocked(maya) {
			c.t.Errorf("after %s she can sign in", how)
		}
		if got := c.do("get", who); got.Active || got.Title != "May" {
			c.t.Errorf("after %s she is shown as %+v", how, got)
		}
		if got := c.do("find", with{"email": maya}); len(got.IDs) != 1 {
			c.t.Errorf("after %s she is not found: %+v", how, got)
		}
		c.do("reactivate", with{"id": made.ID})
		s.mustBe(before, false, how+", then the return")
		if s.blocked(maya) || !c.do("get", who).Active {
			c.t.Errorf("after %s and the return she cannot sign in", how)
		}
		s.mustBe(others, true, how+" of somebody else")
	}
	out("deactivate", with{})
	out("replace", with{"active": false})

	last := s.login(byDirectory, maya)
	c.do("remove", who)
	s.mustBe(last, false, "the removal")
	if got := c.try("get", who); got.Status != http.StatusNotFound {
		c.t.Errorf("after the removal: got %d %s, want 404", got.Status, got.Error)
	}
	if got := c.try("remove", who); got.Status != http.StatusNotFound {
		c.t.Errorf("removed again: got %d %s, want 404", got.Status, got.Error)
	}
	s.mustBe(others, true, "the removal of somebody else")
}

func (c *client) classmates(n int) (ids []string) {
	c.t.Helper()
	for i := range n {
		ids = append(ids, c.do("create", with{"email": fmt.Sprintf("mate-%d@example.edu", i), "title": "Mate"}).ID)
	}
	return ids
}

// crawl reads everybody by pages of two, in the client's own way of doing so, and what else this client can ask.
func (c *client) crawl(want []string) {
	c.t.Helper()
	var got []string
	switch c.t.Name()[strings.LastIndex(c.t.Name(), "/")+1:] {
	case "databricks": // sorts by userName, descending
		got = c.do("crawl", with{"count": 2}).IDs
		sorted := slices.Clone(want) // from mate-0 to maya
		if slices.Reverse(sorted); !slices.Equal(got, sorted) {
			c.t.Errorf("sorted by userName, descending: got %v, want %v", got, sorted)
		}
	case "ringcentral":
		if found := c.do("discover", nil); !found.Active || !slices.Contains(found.IDs, "User") || !slices.Contains(found.IDs, "urn:ietf:params:scim:schemas:core:2.0:Group") {
			c.t.Errorf("discovered: %+v", found)
		}
		if found := c.do("search", with{"email": "mate-1@example.edu"}); !slices.Equal(found.IDs, []string{want[1]}) {
			c.t.Errorf("searched: %+v, want %s", found, want[1])
		}
		fallthrough
	default:
		for start := 1; ; start += 2 {
			page := c.do("page", with{"start": start, "count": 2})
			if page.Total != len(want) || page.Items != len(page.IDs) || len(page.IDs) > 2 {
				c.t.Errorf("the page from %d: %+v, want a total of %d", start, page, len(want))
			}
			if len(page.IDs) == 0 {
				break
			}
			got = append(got, page.IDs...)
		}
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		c.t.Errorf("read by pages: %v, want %v", got, want)
	}
}

// groups is the story of a class that somebody joins and leaves. It runs after people, whose five classmates are there.
func (c *client) groups(s *school) {
	c.t.Helper()
	var mates []string
	for i := range 3 {
		mates = append(mates, c.do("find", with{"email": fmt.Sprintf("mate-%d@example.edu", i)}).IDs...)
	}
	session := s.login(byDirectory, "mate-0@example.edu")
	made := c.do("create group", with{"title": "Class 7", "members": mates[:1]})
	class := func(title string, want ...string) {
		c.t.Helper()
		got := c.do("members", with{"id": made.ID})
		slices.Sort(got.IDs)
		if slices.Sort(want); got.Title != title || !slices.Equal(got.IDs, want) {
			c.t.Errorf("the class: got %+v, want %s with %v", got, title, want)
		}
	}
	class("Class 7", mates[0])
	if got := c.do("find group", with{"title": "class 7"}); !slices.Equal(got.IDs, []string{made.ID}) {
		c.t.Errorf("found: %+v, want %s", got, made.ID)
	}
	if got := c.try("create group", with{"title": "CLASS 7", "members": []string{}}); got.Status != http.StatusConflict {
		c.t.Errorf("a second class of that name: got %d %s, want 409", got.Status, got.Error)
	}
	c.do("join", with{"id": made.ID, "members": mates})
	class("Class 7", mates...)
	c.do("leave", with{"id": made.ID, "members": mates[:2]})
	class("Class 7", mates[2])
	c.do("leave", with{"id": made.ID, "members": mates[:1]}) // who has left already
	c.do("rename group", with{"id": made.ID, "title": "Class 8"})
	class("Class 8", mates[2])

	c.do("deactivate", with{"id": mates[2]})
	class("Class 8", mates[2])
	c.do("reactivate", with{"id": mates[2]})
	c.do("remove group", with{"id": made.ID})
	if got := c.try("members", with{"id": made.ID}); got.Status != http.StatusNotFound {
		c.t.Errorf("after the removal: got %d %s, want 404", got.Status, got.Error)
	}
	s.mustBe(session, true, "all that became of the class")
}
