package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var staticFiles embed.FS

// file is a static one with the mark by which browsers know its version.
type file struct {
	body []byte
	mark string
	kind string
}

const staticPrefix = "/console/static/"

func readStatic() (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
		files[path.Base(name)] = file{body, hex.EncodeToString(sum[:6]), kinds[path.Ext(name)]}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("console.New: read static files: %w", err)
	}
	return files, nil
}

// serveStatic answers for what is the same for everybody, and reports whether it did.
func (c *Console) serveStatic(w http.ResponseWriter, r *http.Request) bool {
	name, under := strings.CutPrefix(r.URL.Path, staticPrefix)
	f, there := c.static[name]
	if !under || !there || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("ETag", `"`+f.mark+`"`)
	w.Header().Set("Cache-Control", "public, max-age=300")
	if r.URL.Query().Get("v") == f.mark {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(f.body))
	return true
}

// staticPath returns where browsers find a static file in the version that we have.
func (c *Console) staticPath(name string) string {
	return staticPrefix + name + "?v=" + c.static[name].mark
}
