package api

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/gofiber/fiber/v2"
)

// openapiFiles is the source of /openapi.json (OpenAPI 3.1.1), a topic a file. What DESIGN.md leaves open about members is
// decided there, and docs/api.md is made from it.
//
// To add a topic: openapi/<topic>.yaml with
//   - answers: the set of base.yaml (under answers) of what any request there may be answered with, whatever it asks for:
//     guarded, oauth, scim or open. An operation's own answers win over it.
//   - tags, paths and components, as OpenAPI has them; they are laid beside those of the other files, and a name that two
//     files give is an error. Refer to base.yaml's components by $ref.
//   - x-always-anew: true on a POST below /v1 or /oauth2 that [App.post] does not add; every other one takes an Idempotency-Key.
//   - security: [{bearer: [admin]}] names the scopes that let in, each an alternative.
//
// A body that is asked for has additionalProperties: false, the bounds of its validate tags, and null beside the type of
// what may be left out. An answer's schema lists its members flat (a YAML merge spares repetition, allOf is refused) and
// says which are always there; the tests close it. Then run go test ./api, where every request of every test is held
// against the document (bundle.send), and go test ./api -run TestReference -write-pages for docs/api.md.
//
//go:embed openapi/*.yaml
var openapiFiles embed.FS

// topic is one file.
type topic struct {
	Answers    string                    `yaml:"answers"`
	Tags       []any                     `yaml:"tags"`
	Paths      map[string]map[string]any `yaml:"paths"`
	Components map[string]map[string]any `yaml:"components"`
	OpenAPI    string                    `yaml:"openapi"` // what follows only base.yaml has
	Dialect    string                    `yaml:"jsonSchemaDialect"`
	Info       map[string]any            `yaml:"info"`
	Sets       map[string]map[string]any `yaml:"sets"`  // what answers may name
	Order      []string                  `yaml:"order"` // of the topics, as people read them
}

const baseTopic = "base"

// topics are the files, read once: what differs from one App to another is put in by [document].
var topics = sync.OnceValues(func() (map[string]topic, error) { return readTopics(openapiFiles) })

func readTopics(files fs.FS) (map[string]topic, error) {
	names, err := fs.Glob(files, "openapi/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the files of the OpenAPI document: %w", err)
	}
	read := map[string]topic{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		var t topic
		if err := yaml.UnmarshalWithOptions(text, &t, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		read[strings.TrimSuffix(path.Base(name), ".yaml")] = t
	}
	for name, t := range read {
		if err := t.complete(read[baseTopic].Sets); err != nil {
			return nil, fmt.Errorf("openapi/%s.yaml: %w", name, err)
		}
	}
	return read, nil
}

// complete gives every operation the answers that it has not described itself.
func (t *topic) complete(sets map[string]map[string]any) error {
	common, ok := sets[t.Answers]
	if !ok && len(t.Paths) > 0 {
		return fmt.Errorf("answers is %q: name one of the sets of base.yaml", t.Answers)
	}
	once, takesKeys := sets[t.Answers+" once"]
	for at, item := range t.Paths {
		for method, each := range item {
			op, isOperation := each.(map[string]any)
			if !isOperation {
				continue // parameters of the path
			}
			own, ok := op["responses"].(map[string]any)
			if !ok {
				return fmt.Errorf("%s %s has no responses", method, at)
			}
			all := maps.Clone(common)
			if _, anew := op[alwaysAnew]; method == "post" && takesKeys && !anew {
				maps.Copy(all, once)
				own = keyed(op, own)
			}
			delete(op, alwaysAnew)
			maps.Copy(all, own)
			op["responses"] = all
		}
	}
	return nil
}

// alwaysAnew marks a POST that is carried out each time, whatever Idempotency-Key it has.
const alwaysAnew = "x-always-anew"

// keyed lets an operation take an Idempotency-Key, and its good answers say that they were given before.
func keyed(op, own map[string]any) map[string]any {
	parameters, _ := op["parameters"].([]any)
	op["parameters"] = append(slices.Clone(parameters), map[string]any{"$ref": "#/components/parameters/IdempotencyKey"})
	own = maps.Clone(own) // several operations may have it from one anchor
	for status, each := range own {
		answer, ok := each.(map[string]any)
		if !ok || !strings.HasPrefix(status, "2") {
			continue
		}
		answer = maps.Clone(answer)
		headers := map[string]any{}
		if given, ok := answer["headers"].(map[string]any); ok {
			maps.Copy(headers, given)
		}
		headers["Idempotency-Replayed"] = map[string]any{"$ref": "#/components/headers/IdempotencyReplayed"}
		answer["headers"] = headers
		own[status] = answer
	}
	return own
}

// document writes the OpenAPI document of an App: its version and address, and what is mounted there.
func document(cfg *Config) ([]byte, error) {
	all, err := topics()
	if err != nil {
		return nil, err
	}
	return assemble(all, cfg)
}

func assemble(all map[string]topic, cfg *Config) ([]byte, error) {
	base := all[baseTopic]
	doc := struct {
		OpenAPI    string                    `json:"openapi"`
		Info       map[string]any            `json:"info"`
		Dialect    string                    `json:"jsonSchemaDialect"`
		Servers    []map[string]string       `json:"servers,omitempty"`
		Tags       []any                     `json:"tags"`
		Paths      map[string]map[string]any `json:"paths"`
		Components map[string]map[string]any `json:"components"`
	}{base.OpenAPI, maps.Clone(base.Info), base.Dialect, nil, nil, map[string]map[string]any{}, map[string]map[string]any{}}
	doc.Info["version"] = cfg.Version
	if cfg.PublicURL != "" {
		doc.Servers = []map[string]string{{"url": cfg.PublicURL}}
	}
	for _, name := range base.inOrder(slices.Sorted(maps.Keys(all))) {
		if name == "scim" && cfg.SCIM == nil || name == "hooks" && cfg.Hooks == nil || name == "metrics" && cfg.Metrics == nil {
			continue
		}
		t := all[name]
		doc.Tags = append(doc.Tags, t.Tags...)
		if err := lay(doc.Paths, t.Paths); err != nil {
			return nil, fmt.Errorf("openapi/%s.yaml: %w", name, err)
		}
		for kind, named := range t.Components {
			if doc.Components[kind] == nil {
				doc.Components[kind] = map[string]any{}
			}
			if err := lay(doc.Components[kind], named); err != nil {
				return nil, fmt.Errorf("openapi/%s.yaml: components: %s: %w", name, kind, err)
			}
		}
	}
	if cookie, ok := doc.Components["securitySchemes"]["sessionCookie"].(map[string]any); ok {
		cookie = maps.Clone(cookie)
		cookie["name"] = cfg.Cookie
		doc.Components["securitySchemes"]["sessionCookie"] = cookie
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return text, nil
}

// inOrder puts topics into the order in which people read them; what is not in it comes last.
func (t *topic) inOrder(names []string) []string {
	place := func(name string) int {
		if i := slices.Index(t.Order, name); i >= 0 {
			return i
		}
		return len(t.Order)
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	return names
}

// lay lays what a file has beside what others have.
func lay[T any](all, more map[string]T) error {
	for name, each := range more {
		if _, there := all[name]; there {
			return fmt.Errorf("%s stands in another file too: choose another name", name)
		}
		all[name] = each
	}
	return nil
}

// openapi shows text, which a client keeps and asks for again by its tag.
func openapi(text []byte) fiber.Handler {
	sum := sha256.Sum256(text)
	tag := strconv.Quote(base64.RawURLEncoding.EncodeToString(sum[:12]))
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderETag, tag)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		for each := range strings.SplitSeq(c.Get(fiber.HeaderIfNoneMatch), ",") {
			if each = strings.TrimPrefix(strings.TrimSpace(each), "W/"); each == tag || each == "*" { // weakly, RFC 9110 section 13.1.2
				return c.SendStatus(fiber.StatusNotModified)
			}
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(text)
	}
}
