package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// form is the shape of a node.
type form int

const (
	scalarForm form = iota
	emptyForm       // a key without a value
	listForm
	mapForm
)

func (f form) String() string {
	return [...]string{"a single value", "empty", "a list", "a mapping"}[f]
}

// node is one value of a settings file with its place. Scalars keep the text as written: the YAML library would turn 1.5 into
// 1 and rewrite digits, and its messages quote neighbouring lines, where a secret may stand.
type node struct {
	at      position
	form    form
	text    string
	quoted  bool // written in quotes or as a block: certainly text
	items   []*node
	entries []entry
}

type entry struct {
	key   string
	at    position
	value *node
}

// get returns the value of a key of a mapping, nil when it is not there.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

const mappingExample = "\"listen: 127.0.0.1:8080\" on a line of its own"

// parseYAML reads one document into nodes. Everything that is wrong with its form is reported, as far as it can be read.
func parseYAML(file string, text []byte) (*node, []problem) {
	r := yamlReader{file: file}
	parsed, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at := position{file: file, line: 1, column: 1}
		if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			at = r.place(syntax.GetToken())
		}
		return nil, []problem{{at: at, what: "this is not YAML: look at the indentation, colons, brackets and quotes here and on the line before", example: mappingExample}}
	}
	root := &node{at: position{file: file, line: 1, column: 1}, form: mapForm}
	seen := false
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		if seen {
			r.problem(r.place(doc.Body.GetToken()), "", "a second document begins here, and one file is one document", "everything in the first, without the line ---")
			break
		}
		seen = true
		root = r.read(doc.Body)
	}
	if root.form != mapForm && len(r.problems) == 0 {
		if root.form != emptyForm {
			r.problem(root.at, "", "the file must be a mapping of keys", mappingExample)
		}
		root = &node{at: root.at, form: mapForm}
	}
	return root, r.problems
}

type yamlReader struct {
	file     string
	problems []problem
}

func (r *yamlReader) problem(at position, key, what, example string) {
	r.problems = append(r.problems, problem{at: at, key: key, what: what, example: example})
}

func (r *yamlReader) place(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{file: r.file, line: 1, column: 1}
	}
	return position{file: r.file, line: t.Position.Line, column: t.Position.Column}
}

func (r *yamlReader) read(n ast.Node) *node {
	switch n := n.(type) {
	case *ast.MappingNode:
		return r.mapping(r.place(n.Start), n.Values)
	case *ast.MappingValueNode:
		return r.mapping(r.place(n.Key.GetToken()), []*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		out := &node{at: r.place(n.Start), form: listForm}
		for _, v := range n.Values {
			out.items = append(out.items, r.read(v))
		}
		return out
	case *ast.StringNode:
		quoted := n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return &node{at: r.place(n.Token), text: n.Value, quoted: quoted}
	case *ast.LiteralNode:
		return &node{at: r.place(n.Start), text: n.Value.Value, quoted: true}
	case *ast.NullNode:
		return &node{at: r.place(n.GetToken()), form: emptyForm}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return &node{at: r.place(n.GetToken()), text: strings.TrimSpace(n.GetToken().Origin)}
	case nil:
		return &node{at: position{file: r.file, line: 1, column: 1}, form: emptyForm}
	default:
		r.problem(r.place(n.GetToken()), "", "anchors, aliases, merge keys and tags are not understood here", "the value itself, wherever it is needed")
		return &node{at: r.place(n.GetToken()), form: emptyForm}
	}
}

func (r *yamlReader) mapping(at position, values []*ast.MappingValueNode) *node {
	out := &node{at: at, form: mapForm}
	for _, v := range values {
		keyAt := r.place(v.Key.GetToken())
		var key string
		switch k := v.Key.(type) {
		case *ast.StringNode:
			key = k.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
			key = strings.TrimSpace(k.GetToken().Origin)
		default:
			r.problem(keyAt, "", "this key is not plain text", mappingExample)
			continue
		}
		if i := slices.IndexFunc(out.entries, func(e entry) bool { return e.key == key }); i >= 0 {
			r.problem(keyAt, printable(key), "stands here a second time, after "+out.entries[i].at.String(), "it once, with everything below it")
			continue
		}
		value := r.read(v.Value)
		if value.form == emptyForm {
			value.at = keyAt
		}
		out.entries = append(out.entries, entry{key, keyAt, value})
	}
	return out
}

// printable returns a key for a message: what does not look like a key may be a secret in the wrong place.
func printable(key string) string {
	if len(key) > 28 || strings.ContainsFunc(key, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}) {
		return "this key"
	}
	return key
}
