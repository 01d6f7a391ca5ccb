package webhooks

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"curfew/revoke"
)

// presets are the forms of senders about which all can be said in the keys of custom: one file each, NAME.yaml.
//
//go:embed presets/*.yaml
var presets embed.FS

func init() {
	names, err := fs.Glob(presets, "presets/*.yaml")
	if err != nil {
		panic(fmt.Sprintf("webhooks: presets: %v", err))
	}
	for _, file := range names {
		registerPreset(file)
	}
}

// presetFile is a preset: a form, and what its type is like.
type presetFile struct {
	Learns  bool  `yaml:"learns"`  // a directory
	Devices bool  `yaml:"devices"` // a device management
	Body    int64 `yaml:"body"`    // bytes, as in [Limits]
	Form    `yaml:",inline"`
}

// presetSettings are the keys of a source whose type is a preset.
type presetSettings struct {
	Secrets []revoke.Secret `yaml:"secrets" example:"[\"${HOOK_SECRET}\"]" help:"what the sender proves itself by; two while it is changed"`
	Form    `yaml:",inline"`
}

// registerPreset makes a type of a file. A file that cannot be read is a mistake in the program.
func registerPreset(file string) {
	raw, err := fs.ReadFile(presets, file)
	if err != nil {
		panic(fmt.Sprintf("webhooks: preset %s: %v", file, err))
	}
	is, err := readPreset(raw)
	if err != nil {
		panic(fmt.Sprintf("webhooks: preset %s: %v", file, err))
	}
	name := strings.TrimSuffix(path.Base(file), ".yaml")
	Register(Type{
		Name: name, Docs: "docs/sources/" + name + ".md", Settings: presetSettings{}, HandshakeBeforeAuth: true, Learns: is.Learns, Devices: is.Devices,
		Open: func(src revoke.Source, settings any, deps Deps) (Receiver, error) {
			form, err := readPreset(raw) // anew: secrets are put into it
			if err != nil {
				return nil, err
			}
			own := settings.(*presetSettings)
			if err := form.Verify.give(own.Secrets, own.Verify); err != nil {
				return nil, err
			}
			form.over(own.Form)
			c, err := newCustom(src, form.Form, deps)
			if err != nil {
				return nil, err
			}
			c.body = form.Body
			return c, nil
		},
	})
}

func readPreset(raw []byte) (presetFile, error) {
	var out presetFile
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict()).Decode(&out); err != nil {
		return out, fmt.Errorf("read: %w", err)
	}
	return out, nil
}

// over takes what an operator wrote in place of what the preset says, key by key.
func (f *Form) over(own Form) {
	into, from := reflect.ValueOf(f).Elem(), reflect.ValueOf(own)
	for i := range from.NumField() {
		switch from.Type().Field(i).Name {
		case "Every": // expression by expression: most operators want one of them otherwise
			f.Every = own.Every.or(f.Every)
		case "Verify":
			if own.Verify != (verifySettings{}) {
				f.Verify = own.Verify
			}
		default:
			if !from.Field(i).IsZero() {
				into.Field(i).Set(from.Field(i))
			}
		}
	}
}

// give puts the secrets of a source into the preset's way of verification, unless the operator wrote a way of his own.
func (v *verifySettings) give(secrets []revoke.Secret, own verifySettings) error {
	if own != (verifySettings{}) {
		if len(secrets) > 0 {
			return revoke.Invalid{Field: "secrets", Problem: "stands beside verify, which has secrets of its own", Fix: "leave one of them out"}
		}
		return nil
	}
	switch {
	case v.Static != nil:
		v.Static.Secrets = secrets
	case v.Basic != nil:
		v.Basic.Secrets = secrets
	case v.Query != nil:
		v.Query.Secrets = secrets
	case v.HMAC != nil:
		v.HMAC.Secrets = secrets
	case v.Standard != nil:
		v.Standard.Secrets = secrets
	}
	return nil
}
