package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// border is what a package may import beside the standard library (STYLE.md section 1): packages of this module by path,
// other modules by the beginning of theirs.
type border struct {
	own, others []string
	say         string // the sentence to read when it is crossed
}

const meet = "adapters never import each other; they meet in revoke, where a fact is a revoke type and no vendor's struct, row or Fiber context"

// borders has a row for every package of the module. Packages below cmd and bench may import everything.
var borders = map[string]border{
	"revoke":            {nil, nil, "the core imports the standard library alone: rules are values and functions, and what they need of the world is an interface here"},
	"revoke/revoketest": {[]string{"revoke"}, []string{"pgregory.net/rapid", "github.com/google/go-cmp"}, "the contract knows the core and nothing that implements it"},
	"scim": {
		[]string{"revoke"},
		[]string{"github.com/elimity-com/scim", "github.com/scim2/filter-parser", "github.com/di-wu/", "github.com/go-playground/validator"},
		meet,
	},
	"webhooks": {
		[]string{"revoke", "internal/outbound"},
		[]string{"cel.dev/cel-go/", "github.com/go-jose/go-jose/", "github.com/goccy/go-yaml", "google.golang.org/protobuf/"},
		meet,
	},
	"targets": {[]string{"revoke", "internal/outbound"}, nil, meet},
	"api": {
		[]string{"revoke"},
		[]string{"github.com/gofiber/fiber", "github.com/valyala/fasthttp", "github.com/go-playground/", "github.com/goccy/go-yaml"},
		meet,
	},
	"api/console": {[]string{"revoke"}, []string{"github.com/mileusna/useragent"}, "the console is a client of the API: what it shows and does it asks there"},
	"api/signin":  {[]string{"revoke"}, []string{"github.com/coreos/go-oidc/", "golang.org/x/oauth2"}, meet},
	"api/apitest": {nil, []string{"github.com/santhosh-tekuri/jsonschema"}, "what judges the doors by their document knows nothing else of them"},
	"store": {
		[]string{"revoke", "migrations"},
		[]string{"github.com/jmoiron/sqlx", "github.com/lib/pq", "modernc.org/sqlite", "github.com/pressly/goose", "golang.org/x/sys"},
		meet,
	},
	"migrations":        {nil, nil, "the schema is embedded files and knows nothing"},
	"internal/outbound": {[]string{"revoke"}, nil, "a leaf imports no adapter"},
	"internal/demo":     {[]string{"revoke", "internal/outbound"}, nil, "the imitations speak HTTP to Curfew as outsiders do; what they could import they could cheat with"},
	"internal/mail":     {[]string{"revoke"}, []string{"github.com/wneessen/go-mail"}, "a leaf imports no adapter: what is to be said comes as revoke types"},
	"internal/metrics":  {[]string{"revoke"}, []string{"github.com/prometheus/client_golang"}, "a leaf imports no adapter: what is counted comes through revoke.Observer"},
	"internal/pgtest":   {[]string{"migrations"}, []string{"github.com/lib/pq", "github.com/jmoiron/sqlx"}, "the tests' PostgreSQL serves every package and knows none"},
}

// mayImportAll are the packages that wire or measure everything.
var mayImportAll = []string{"cmd/curfew", "bench", ".ci"}

// testsMay is what tests may import beside their package's border.
var testsMay = []string{
	"pgregory.net/rapid", "github.com/google/go-cmp", "go.uber.org/goleak", "github.com/standard-webhooks/standard-webhooks",
	"github.com/santhosh-tekuri/jsonschema", "github.com/golang-jwt/jwt/", "curfew/revoke/revoketest", "curfew/internal/pgtest", "curfew/api/apitest",
}

type listed struct {
	ImportPath                         string
	Module                             *struct{ Path string }
	Standard                           bool
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Module,Standard,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// crossed returns the imports that lie beyond the border.
func (b border) crossed(imports []string, more ...string) []string {
	return slices.DeleteFunc(slices.Clone(imports), func(path string) bool {
		own, inside := strings.CutPrefix(path, "curfew/")
		switch {
		case slices.ContainsFunc(more, func(m string) bool { return strings.HasPrefix(path, m) }):
			return true
		case inside:
			return slices.Contains(b.own, own)
		case !strings.Contains(strings.Split(path, "/")[0], "."): // the standard library
			return true
		default:
			return slices.ContainsFunc(b.others, func(o string) bool { return strings.HasPrefix(path, o) })
		}
	})
}

func TestNobodyCrossesABorder(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(p.ImportPath, "curfew/")
		if slices.Contains(mayImportAll, name) {
			continue
		}
		b, ok := borders[name]
		if !ok {
			t.Errorf("package %s has no row here: say what it may import, as the table of STYLE.md does", name)
			continue
		}
		for _, bad := range b.crossed(p.Imports) {
			t.Errorf("%s imports %s: %s", name, bad, b.say)
		}
		itself := []string{p.ImportPath}
		tests := append(slices.Clone(p.TestImports), p.XTestImports...)
		for _, bad := range b.crossed(tests, append(itself, testsMay...)...) {
			if name == "internal/demo" && strings.HasPrefix(bad, "github.com/gofiber/fiber") || name == "internal/demo" && strings.HasPrefix(bad, "curfew/") {
				continue // its tests run the story against the real doors
			}
			if name == "api/console" && bad == "curfew/api" {
				continue // its pages are tested against the real API, of which they are a client
			}
			t.Errorf("a test of %s imports %s: %s", name, bad, b.say)
		}
		for _, fake := range []string{"curfew/revoke/revoketest", "curfew/api/apitest"} {
			if slices.Contains(p.Imports, fake) {
				t.Errorf("%s imports %s outside its tests: fakes do not ship", name, fake)
			}
		}
	}
}

// TestTheBordersAreWatched sees that the check above can fail.
func TestTheBordersAreWatched(t *testing.T) {
	t.Parallel()
	for name, imports := range map[string][]string{
		"revoke": {"github.com/gofiber/fiber/v2"}, "scim": {"curfew/store"}, "webhooks": {"curfew/api"}, "targets": {"github.com/gofiber/fiber/v2"},
		"store": {"curfew/targets"}, "api": {"github.com/jmoiron/sqlx"}, "internal/outbound": {"curfew/webhooks"},
	} {
		if got := borders[name].crossed(append(imports, "context")); len(got) == 0 || !slices.Contains(got, imports[0]) {
			t.Errorf("%s may import %s, says the check; it must not", name, imports[0])
		}
	}
}

// TestOneFileReadsTheEnvironment: a setting that is read elsewhere is in no documentation and in no `check`.
func TestOneFileReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	reads := regexp.MustCompile(`os\.(Getenv|LookupEnv|Environ|ExpandEnv)\b`)
	found := false
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../../.ci/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch path {
		case "../../cmd/curfew/config.go":
			found = reads.Match(text)
		default:
			if reads.Match(text) && !strings.HasPrefix(path, "../../bench/") {
				t.Errorf("%s reads the environment: settings are read in cmd/curfew/config.go", path)
			}
		}
		return nil
	})
	if err != nil || !found {
		t.Errorf("the walk did not come to config.go, so that it proves nothing (%v)", err)
	}
}
