// The command slack judges signatures of Slack by a public library, slack-go. Each line of its input is a request, and each line
// of its output says whether the library takes it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/slack-go/slack"
)

type order struct {
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("{\"ok\":%t}\n", verified(o) == nil)
	}
}

func verified(o order) error {
	header := http.Header{}
	for name, value := range o.Headers {
		header.Set(name, value)
	}
	v, err := slack.NewSecretsVerifier(header, o.Key)
	if err != nil {
		return err
	}
	if _, err := v.Write([]byte(o.Body)); err != nil {
		return err
	}
	return v.Ensure()
}
