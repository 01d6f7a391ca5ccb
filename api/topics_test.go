package api

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestABrokenTopicIsAnError: what is wrong with a file of the document is known when an App is made, and names the file.
func TestABrokenTopicIsAnError(t *testing.T) {
	t.Parallel()
	const base = "openapi: 3.1.1\ninfo: {title: x}\nsets: {open: {'400': {description: x}}}\n"
	const path = "answers: open\npaths: {/x: {get: {operationId: x, responses: {'200': {description: x}}}}}\n"
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"sound":              {map[string]string{"base": base, "one": path}, nil},
		"no YAML":            {map[string]string{"base": base, "one": "paths: ["}, []string{"one.yaml"}},
		"a member twice":     {map[string]string{"base": base, "one": path + "answers: open\n"}, []string{"one.yaml", "answers"}},
		"an unknown member":  {map[string]string{"base": base, "one": path + "path: {}\n"}, []string{"one.yaml", "path"}},
		"unknown answers":    {map[string]string{"base": base, "one": strings.Replace(path, "open", "opened", 1)}, []string{"one.yaml", `"opened"`, "base.yaml"}},
		"no responses":       {map[string]string{"base": base, "one": strings.Replace(path, "responses", "response", 1)}, []string{"one.yaml", "get /x", "responses"}},
		"a path twice":       {map[string]string{"base": base, "one": path, "two": path}, []string{"two.yaml", "/x", "another file"}},
		"a component twice":  {map[string]string{"base": base, "one": "components: {schemas: {A: {}}}", "two": "components: {schemas: {A: {}}}"}, []string{"two.yaml", "schemas", "A stands in another file"}},
		"a member of one op": {map[string]string{"base": base, "one": strings.Replace(path, "'200': {description: x}", "'400': {description: own}", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			for file, text := range c.files {
				files["openapi/"+file+".yaml"] = &fstest.MapFile{Data: []byte(text)}
			}
			text := []byte(nil)
			topics, err := readTopics(files)
			if err == nil {
				text, err = assemble(topics, &Config{Version: "v1"})
			}
			if c.says == nil {
				if err != nil || !strings.Contains(string(text), `"version":"v1"`) || strings.Contains(string(text), `"own"`) != (name == "a member of one op") {
					t.Errorf("got %s, %v", text, err)
				}
				return
			}
			for _, says := range c.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got error %v, want %q in it", err, says)
				}
			}
		})
	}
}
