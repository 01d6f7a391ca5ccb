package api_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// caddy runs the documented configuration in a real Caddy, which keeps what it writes in a folder of the test.
func caddy(t *testing.T, p places) *http.Client {
	t.Helper()
	address := freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]string{
		":8000 {\n": ":" + port + " {\n\tbind " + host + "\n", "127.0.0.1:8080": p.curfew, "127.0.0.1:3000": p.application,
	}
	if p.patience > 0 {
		changes["response_header_timeout 6s"] = "response_header_timeout " + p.patience.String()
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "Caddyfile")
	conf := "{\n\tadmin off\n\tauto_https off\n}\n" + snippet(t, "caddyfile", changes)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	home := []string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_DATA_HOME=" + dir}
	return run(t, address, home, program(t, "caddy"), "run", "--adapter", "caddyfile", "--config", path)
}
