package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"curfew/internal/metrics"
	"curfew/revoke"
)

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^# (.+)$`)
)

// TestPagesLeadSomewhere: every link of the documentation leads to what is there, and every page is reached from its index, by the
// question that it answers.
func TestPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files := []string{filepath.Join(root, "README.md"), filepath.Join(root, "CHANGELOG.md")}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(root, "docs", "README.md")
	indexed := map[string]bool{index: true}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pageLink.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			to = filepath.Join(filepath.Dir(file), to)
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s leads to %s, which is not there", file, m[1])
			}
			indexed[to] = indexed[to] || file == index
		}
	}
	text, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files[2:] {
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		title := heading.FindStringSubmatch(string(page))
		if !indexed[file] || title == nil {
			t.Errorf("%s has no title, or docs/README.md does not lead to it", file)
			continue
		}
		if asks := strings.HasSuffix(title[1], "?"); asks && file != index && !strings.Contains(string(text), "["+title[1]+"](") {
			t.Errorf("%s answers %q, which docs/README.md does not ask", file, title[1])
		}
	}
}

// readPage returns a page of the documentation.
func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var alarmRow = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|")

// TestEveryAlarmIsExplained: whoever is woken by an alarm finds it on the page, and nothing else there.
func TestEveryAlarmIsExplained(t *testing.T) {
	t.Parallel()
	var got []string
	for _, m := range alarmRow.FindAllStringSubmatch(readPage(t, "alarms.md"), -1) {
		got = append(got, m[1])
	}
	var want []string
	for _, kind := range revoke.AlarmKinds() {
		want = append(want, string(kind))
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("kinds of alarms on docs/alarms.md (-want +got):\n%s", diff)
	}
}

var metricName = regexp.MustCompile(`\bcurfew_[a-z_]+`)

// TestPagesNameRealMetrics: an alert on a metric that does not exist never wakes anybody.
func TestPagesNameRealMetrics(t *testing.T) {
	t.Parallel()
	m, err := metrics.New(metrics.Config{
		Sources: []string{"okta"}, Targets: []string{"portal"}, Ready: func() error { return nil },
		Pulses: func() map[string]revoke.Pulse { return map[string]revoke.Pulse{"okta": {LastAt: 1, Timed: 1}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Received("okta", revoke.Suspended, revoke.EventDecided, time.Millisecond) // what was never counted is not shown
	m.Refused("okta", "mismatch")
	m.Attempted("portal", "accepted", time.Millisecond)
	shown := httptest.NewRecorder()
	m.Handler().ServeHTTP(shown, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	shows := map[string]bool{}
	for _, name := range metricName.FindAllString(shown.Body.String(), -1) {
		shows[name] = true
	}
	listed := map[string]bool{}
	for _, name := range metricName.FindAllString(readPage(t, "operations.md"), -1) {
		listed[name] = true
	}
	for _, page := range []string{"operations.md", "alarms.md", "operators/metrics-and-alerts.md", "operators/a-source-is-silent.md", "operators/change-a-secret.md"} {
		for _, name := range metricName.FindAllString(readPage(t, page), -1) {
			if !shows[name] {
				t.Errorf("docs/%s speaks of %s, which /metrics does not show", page, name)
			}
		}
	}
	for name := range shows {
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !listed[base] {
			t.Errorf("docs/operations.md does not list %s", base)
		}
	}
}
