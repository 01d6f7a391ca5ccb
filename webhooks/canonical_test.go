package webhooks

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// decoded is the form by which encoding/json decodes and writes a value: what canonical writes in one pass must be the same to the byte,
// or events that came before an upgrade would not be known again.
func decoded(raw []byte) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return "", err
	}
	out, err := json.Marshal(value)
	return string(out), err
}

var canonicalSamples = []string{
	`{}`, `[]`, ` [ ] `, `{ }`, `""`, `0`, `-0`, `1.50e+07`, `true`, `null`, ` "a" `, `[1,2 , 3]`, `{"b":1,"a":2}`, "{\t\"b\" :\r\n[ {\"d\":null ,\"c\":-1.0} ] , \"a\" : false }",
	`{"":1,"a":{"z":1,"y":{"x":1,"w":2}},"A":"\u0041\n\u00e9\"\\\/"}`, `"<script>&amp;\u003c\u2028"`, "\"\u2028\u2029 \u00e9 \U0001F600 \u007f\"", `"\ud83d\ude00 \ud800"`,
	"\"\xff\xfe\"", "{\"\xff\":1,\"b\":2}", `{"b,:":"}]{[\",","a\\":[]}`, `{"m":1,"l":2,"k":3,"j":4,"i":5,"h":6,"g":7,"f":8,"e":9,"d":10,"c":11,"b":12,"a":13,"9":{"2":"1","1":["2"]}}`,
}

func TestCanonicalIsWhatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	for _, raw := range canonicalSamples {
		want, err := decoded([]byte(raw))
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got, err := canonical(json.RawMessage(raw)); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", raw, got, err, want)
		}
	}
	for _, raw := range []string{`{"a":1,"a":1}`, `{"b":[{"a":1,"c":2,"\u0061":3}]}`, `{"a":1`, `a`, ``, `{} {}`} {
		if got, err := canonical(json.RawMessage(raw)); err == nil {
			t.Errorf("%s: got %s, want an error: it has no single meaning", raw, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, raw := range canonicalSamples {
		f.Add([]byte(raw))
	}
	samples, err := filepath.Glob(filepath.Join("testdata", "okta", "*.want.json"))
	if err != nil || len(samples) == 0 {
		f.Fatalf("samples: %v, %d of them", err, len(samples))
	}
	for _, sample := range samples {
		raw, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if depth(raw) > maxDepth {
			return // refused before
		}
		got, err := canonical(raw)
		if _, twice := duplicateKey(raw, maxDepth); !json.Valid(raw) || twice {
			if err == nil {
				t.Fatalf("%q: got %s, want an error", raw, got)
			}
			return
		}
		if want, wrong := decoded(raw); err != nil || wrong != nil || string(got) != want {
			t.Fatalf("%q: got %s, %v, want %s, %v", raw, got, err, want, wrong)
		}
	})
}
