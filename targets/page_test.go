package targets_test

import (
	"bufio"
	"context"
	"errors"
	"go/format"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"curfew/revoke"
	"curfew/targets"
)

// TestProgramOfThePageWorks builds what docs/targets/webhook.md asks the reader to save, and sends it messages.
func TestProgramOfThePageWorks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/targets/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 1 {
		t.Fatalf("the page holds %d programs, want 1", len(blocks))
	}
	if tidy, err := format.Source(blocks[0][1]); err != nil || string(tidy) != string(blocks[0][1]) {
		t.Errorf("the program is not as gofmt writes it (%v)", err)
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "portal")
	if err := os.WriteFile(source, blocks[0][1], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	address, said := startPortal(t, program)
	target := open(t, settings("http://"+address+"/logout"), targets.Deps{})
	waitUntil(t, func() bool { return target.Check(t.Context()) == nil })

	o := owed(blocked(), lifted())
	for range 2 { // the second time everything is known already
		if receipt, err := target.Revoke(t.Context(), o); err != nil || receipt.Status != 204 {
			t.Fatalf("receipt %+v, %v", receipt, err)
		}
	}
	stranger := open(t, settings("http://"+address+"/logout", newSecret), targets.Deps{})
	_, err = stranger.Revoke(t.Context(), owed(blocked()))
	if _, refused := errors.AsType[revoke.RefusedCredential](err); !refused {
		t.Errorf("a message signed with another secret: %v, want a refused credential", err)
	}
	other := owed(blocked(), lifted(), blocked())
	other.Items = other.Items[2:]
	if _, err := target.Revoke(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`user.blocked for "sally@example.edu"`, `user.lifted for "sally@example.edu"`, `user.blocked for "sally@example.edu"`} {
		if line := <-said; !strings.HasSuffix(line, want) {
			t.Errorf("the program says %q, want %q", line, want)
		}
	}
}

// startPortal runs the program on a free port and returns the lines that it logs.
func startPortal(t *testing.T, program string) (address string, said <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	_ = listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	portal := exec.CommandContext(ctx, program, address)
	portal.Env = []string{"PORTAL_HOOK=" + appSecret}
	stderr, err := portal.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := portal.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 16)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range lines { // until the pipe ends with the program
		}
		_ = portal.Wait()
	})
	return address, lines
}
