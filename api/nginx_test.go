package api_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// nginx runs the documented configuration in a real nginx.
func nginx(t *testing.T, p places) *http.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "nginx") //nolint:usetesting // nginx's workers are nobody, who cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- holds no secret
		t.Fatal(err)
	}
	address := freeAddress(t)
	changes := map[string]string{
		"listen 8000;": "listen " + address + ";", "http://127.0.0.1:8080/verify": "http://" + p.curfew + "/verify", "http://127.0.0.1:3000": "http://" + p.application,
	}
	if p.patience > 0 {
		changes["proxy_read_timeout    6s"] = fmt.Sprintf("proxy_read_timeout %dms", p.patience.Milliseconds())
	}
	if p.largest != "" {
		changes["client_max_body_size 100m"] = "client_max_body_size " + p.largest
	}
	conf := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr info;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	%[2]s
}`, dir, snippet(t, "nginx", changes))
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, address, nil, program(t, "nginx"), "-e", "stderr", "-p", dir, "-c", path)
}
