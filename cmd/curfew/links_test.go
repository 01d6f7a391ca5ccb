package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
