package main

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"

	"curfew/revoke"
)

// looksLikeNumber is what YAML would read as something else than text.
var looksLikeNumber = regexp.MustCompile(`^([-+]?[0-9][0-9_.eE+-]*|0[xob][0-9a-fA-F_]+|true|false|yes|no|null|~|[-+]?\.(inf|nan))$`)

func (d *decoder) secret(key string, n *node, v reflect.Value, example string) {
	example = cmp.Or(example, `"${SECRET_NAME}" or "file:/run/secrets/name"`)
	switch {
	case n.form != scalarForm:
		d.problem(n.at, key, "must be a text, not "+n.form.String(), example)
		return
	case !n.quoted && looksLikeNumber.MatchString(n.text):
		d.problem(n.at, key, "must be a text: put it in quotes, or digits may be read as a number and change", example)
		return
	}
	text, o, ok := d.expand(key, n, example)
	if ok {
		text, o, ok = d.fromFile(key, n, text, o, example)
	}
	if !ok {
		return
	}
	text = strings.TrimRight(text, "\r\n") // a block, or a variable made by echo: no header could carry it
	if strings.TrimSpace(text) == "" {
		d.problem(n.at, key, "is empty, and an empty secret would be an open door", example)
		return
	}
	v.Set(reflect.ValueOf(revoke.NewSecret(text)))
	d.origins[key] = o
}

// fromFile reads what text names where the setting itself says file:; what a variable holds is never a file's name.
func (d *decoder) fromFile(key string, n *node, text string, o origin, example string) (string, origin, bool) {
	path, isFile := strings.CutPrefix(text, "file:")
	if !isFile || !strings.HasPrefix(n.text, "file:") {
		return text, o, true
	}
	if !filepath.IsAbs(path) && n.at.line != 0 {
		path = filepath.Join(filepath.Dir(n.at.file), path)
	}
	content, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file that holds the secret
	if err != nil {
		d.problem(n.at, key, "names a file that cannot be read: "+fileReason(err), example)
		return "", o, false
	}
	o.reference = n.text
	return strings.TrimRight(string(content), "\r\n"), o, true
}

func fileReason(err error) string {
	switch {
	case os.IsNotExist(err):
		return "there is no such file"
	case os.IsPermission(err):
		return "this user may not read it"
	case errors.Is(err, syscall.EISDIR):
		return "it is a folder"
	default:
		return "reading it went wrong"
	}
}

var variable = regexp.MustCompile(`\$\$\{|\$\{([^}]*)\}`)

// expand replaces every ${NAME} by the environment's value; $${ is a plain ${.
func (d *decoder) expand(key string, n *node, example string) (string, origin, bool) {
	good, o := true, origin{at: n.at}
	var references []string
	text := variable.ReplaceAllStringFunc(n.text, func(match string) string {
		if match == "$${" {
			return "${"
		}
		name := match[2 : len(match)-1]
		if !variableName.MatchString(name) {
			good = false
			d.problem(n.at, key, "has a ${…} that does not hold the name of a variable", cmp.Or(example, "${NAME}"))
			return ""
		}
		value, set := d.lookup(name)
		if !set {
			good = false
			d.problem(n.at, key, "needs the variable "+name+", which is not set", "export "+name+"=… before the start, or file:/run/secrets/name in its place")
			return ""
		}
		references, o.values = append(references, match), append(o.values, revoke.NewSecret(value))
		return value
	})
	o.reference = strings.Join(references, " ")
	return text, o, good
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
