package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// importInto runs session import against a server, with what stands on standard input.
func importInto(ctx context.Context, server, in string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(ctx, append([]string{"session", "import", "--server", server}, args...), shell{
		in: strings.NewReader(in), out: &stdout, err: &stderr, lookup: lookupIn(map[string]string{"CURFEW_TOKEN": opsToken}),
	})
	return code, stdout.String(), stderr.String()
}

func importServer(t *testing.T) *server {
	t.Helper()
	s := wired(t, fmt.Sprintf("tokens: [{name: ops, scopes: [admin], secret: %s}]\n", opsToken))
	s.serve(t)
	return s
}

func TestImportRegistersWhatIsSound(t *testing.T) {
	t.Parallel()
	s := importServer(t)
	var lines []string
	for n := range 2500 {
		lines = append(lines, fmt.Sprintf(`{"subject": {"format": "email", "email": "p%d@example.edu"}, "kind": "mobile", "id": "s-%d"}`, n, n))
	}
	lines[7] = "\t"
	lines[1700] = `{"subject": {"format": "email", "email": "x@example.edu"}, "kind": "pager", "id": "s-x"}`
	lines[2400] = `{"kind": "mobile", "id": "s-y`
	lines[2401] = `"` + strings.Repeat("x", longestLine) + `"`
	lines[2499] = lines[3]
	text := "\ufeff" + strings.Join(lines, "\r\n")
	code, out, errs := importInto(t.Context(), s.publicURL, text, "-", "--app", "portal")
	if code != exitFailed || !strings.Contains(errs, "2499 lines: 2495 registered, 1 known before (0 of them over), 3 refused\n") {
		t.Errorf("got exit code %d and %q, want 1 and what came of the lines", code, errs)
	}
	refused := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, want := range []string{"-:1701: ", "-:2401: ", "-:2402: Not sent: longer than 1 MiB"} {
		if i >= len(refused) || !strings.HasPrefix(refused[i], want) {
			t.Fatalf("refused: got\n%s\nwant a line that begins with %q", out, want)
		}
	}
	if !strings.Contains(refused[0], "kind") || len(refused) != 3 {
		t.Errorf("refused: got\n%s\nwant three lines, and the member named", out)
	}
	code, out, errs = importInto(t.Context(), s.publicURL, text, "-", "--app", "portal", "--json")
	var got struct {
		Lines, Created, Known, Refused int
		Problems                       []struct {
			Line    int
			Problem struct{ Title string }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitFailed {
		t.Fatalf("a second time: got exit code %d, %v: %s%s", code, err, out, errs)
	}
	if got.Lines != 2499 || got.Created != 0 || got.Known != 2496 || got.Refused != 3 || len(got.Problems) != 3 || got.Problems[0].Line != 1701 || got.Problems[0].Problem.Title == "" {
		t.Errorf("a second time: got %+v, want everything known before", got)
	}
	text = strings.ReplaceAll(text, "mobile", "browser")
	if code, out, _ = importInto(t.Context(), s.publicURL, text, "-", "--app", "portal"); code != exitFailed || strings.Count(out, "\n") != 2499 {
		t.Errorf("other facts of sessions that are there: got exit code %d and %d refused lines, want all of them", code, strings.Count(out, "\n"))
	}
	if code, out, errs = importInto(t.Context(), s.publicURL, "", "-"); code != exitDone || out != "" || !strings.Contains(errs, "0 lines") {
		t.Errorf("nothing at all: got exit code %d, %q, %q", code, out, errs)
	}
}

func TestImportReadsTables(t *testing.T) {
	t.Parallel()
	s := importServer(t)
	file := filepath.Join(t.TempDir(), "sessions.csv")
	if err := os.WriteFile(file, []byte("\ufeffEmail,kind,id,device.id,device.name,app,user_agent\n"+
		"sally@example.edu,mobile,a-1,ipad-17,\"Sally's iPad, the new one\",portal,\n"+
		"tom@example.edu,browser,a-2,,,,Firefox\n"+
		"ann@example.edu,browser\n"+
		"eve@example.edu,pager,a-4,,,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := importInto(t.Context(), s.publicURL, "", file, "--app", "library")
	if code != exitFailed || !strings.Contains(errs, "4 lines: 2 registered, 0 known before (0 of them over), 2 refused") {
		t.Errorf("got exit code %d and %q, want two registered and two refused", code, errs)
	}
	for _, want := range []string{file + ":4: Not sent: wrong number of fields", file + ":5: "} {
		if !strings.Contains(out, want) {
			t.Errorf("refused: got\n%s\nwant %q", out, want)
		}
	}
	var list bytes.Buffer
	run(t.Context(), []string{"session", "list", "--json", "--server", s.publicURL}, shell{
		out: &list, err: io.Discard, lookup: lookupIn(map[string]string{"CURFEW_TOKEN": opsToken}),
	})
	for _, want := range []string{`"id": "ipad-17"`, `Sally's iPad, the new one`, `"app": "library"`, `"app": "portal"`, `"user_agent": "Firefox"`} {
		if !strings.Contains(list.String(), want) {
			t.Errorf("the sessions lack %s:\n%s", want, &list)
		}
	}
	for _, header := range []string{"\"kind", "a,b\"c\n"} {
		if code, _, errs := importInto(t.Context(), s.publicURL, header, "-"); code != exitUsage || !strings.Contains(errs, "first row") {
			t.Errorf("a first row %q: got exit code %d and %q", header, code, errs)
		}
	}
}

func TestSubjectsOfTables(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		"email=a@b":                           `{"subject":{"email":"a@b","format":"email"}}`,
		"subject.iss=https://i subject.sub=7": `{"subject":{"format":"iss_sub","iss":"https://i","sub":"7"}}`,
		"subject.id=7":                        `{"subject":{"format":"opaque","id":"7"}}`,
		"subject.phone_number=+4420":          `{"subject":{"format":"phone_number","phone_number":"+4420"}}`,
		"subject.uri=acct:a@b":                `{"subject":{"format":"account","uri":"acct:a@b"}}`,
		"subject.format=x subject.id=7":       `{"subject":{"format":"x","id":"7"}}`,
		"kind=mobile id=":                     `{"kind":"mobile"}`,
		"id=7 id.x=8":                         `{"id":{"x":"8"}}`,
	} {
		var columns [][]string
		var cells []string
		for each := range strings.FieldsSeq(row) {
			name, value, _ := strings.Cut(each, "=")
			columns, cells = append(columns, strings.Split(name, ".")), append(cells, value)
		}
		if got, err := object(columns, cells); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", row, got, err, want)
		}
	}
}

// unsteady answers registrations with what say returns, by the number of the request.
func unsteady(t *testing.T, say func(n int64) int) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status := say(asked.Add(1))
		if status != http.StatusOK {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"title": "Not now"}`)
			return
		}
		for n := range bytes.Count(body, []byte("\n")) {
			_, _ = fmt.Fprintf(w, "{\"line\": %d, \"id\": \"x\", \"created\": true, \"live\": true}\n", n+1)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestImportTriesAgainWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	firstFails := func(status int) func(int64) int {
		return func(n int64) int {
			if n == 1 {
				return status
			}
			return http.StatusOK
		}
	}
	for _, c := range []struct {
		what, line  string
		status      int
		code, asked int
		says        string
	}{
		{"a server that is away", `{"id": "1"}`, 503, exitDone, 2, "1 lines: 1 registered"},
		{"too much at once", `{"token": "0123456789abcdef"}`, 429, exitDone, 2, "1 registered"},
		{"nobody could tell whether it was registered", `{"kind": "mobile"}`, 503, exitFailed, 1, "not known"},
		{"a token without the scope", `{"id": "1"}`, 403, exitRefused, 1, "import the file again"},
		{"no token", `{"id": "1"}`, 401, exitRefused, 1, "Not now"},
	} {
		address, asked := unsteady(t, firstFails(c.status))
		code, _, errs := importInto(t.Context(), address, c.line, "-")
		if code != c.code || asked.Load() != int64(c.asked) || !strings.Contains(errs, c.says) {
			t.Errorf("%s: got exit code %d after %d requests, and %q; want %d after %d, and %q", c.what, code, asked.Load(), errs, c.code, c.asked, c.says)
		}
	}
}

func TestImportFillsNoMoreThanARequestMayHold(t *testing.T) {
	t.Parallel()
	long := `{"id":"` + strings.Repeat("x", 300<<10) + `"}`
	for what, c := range map[string]struct {
		text  string
		sizes []int
	}{
		"by number": {strings.Repeat("{\"id\":\"1\"}\n", 2001), []int{500, 500, 500, 500, 1}},
		"by size":   {strings.Repeat(long+"\n", 7), []int{3, 3, 1}},
		"to the byte": {
			`{"id":"` + strings.Repeat("x", importBytes-11-11) + "\"}\n{\"id\":\"1\"}\n{}", []int{2, 1},
		},
	} {
		var sizes []int
		if err := batches(strings.NewReader(c.text), "", func(b *importBatch) error {
			if sizes = append(sizes, len(b.lines)); len(b.body) > importBytes {
				t.Errorf("%s: a request of %d bytes", what, len(b.body))
			}
			return nil
		}); err != nil || fmt.Sprint(sizes) != fmt.Sprint(c.sizes) {
			t.Errorf("%s: got requests of %d lines (%v), want %d", what, sizes, err, c.sizes)
		}
	}
}

// TestImportCanBeBrokenOff although nothing more comes down the pipe.
func TestImportCanBeBrokenOff(t *testing.T) {
	t.Parallel()
	address, asked := unsteady(t, func(int64) int { return http.StatusOK })
	ctx, interrupt := context.WithCancel(t.Context())
	silent, writer := io.Pipe()
	defer func() { _ = writer.Close() }() // lets the reader go
	var errs bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"session", "import", "-", "--server", address}, shell{
			in: silent, out: io.Discard, err: &errs, lookup: lookupIn(map[string]string{"CURFEW_TOKEN": opsToken}),
		})
	}()
	if _, err := io.WriteString(writer, strings.Repeat("{\"id\":\"1\"}\n", 1001)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first lines are sent", func() bool { return asked.Load() > 0 })
	interrupt()
	if code := <-ended; code != exitFailed || !strings.Contains(errs.String(), "begin anew") {
		t.Errorf("got exit code %d and %q, want 1 and what to do", code, &errs)
	}
}
