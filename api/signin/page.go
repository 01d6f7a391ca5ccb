package signin

import (
	"html/template"
	"net/http"
)

// page is all that a person sees here: one sentence, and at most one thing to do.
type page struct {
	Title, Text string
	Link, Label string // a link
	Button      string // or a button that posts to the page's own address
}

var shown = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} · Curfew</title><link rel="stylesheet" href="/console/static/curfew.css"></head>
<body><main class="narrow"><h1>{{.Title}}</h1><p>{{.Text}}</p>
{{if .Link}}<p><a class="button" href="{{.Link}}">{{.Label}}</a></p>{{end}}
{{if .Button}}<form method="post"><button class="primary">{{.Button}}</button></form>{{end}}</main></body></html>
`))

func (h *Handler) show(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := shown.Execute(w, p); err != nil {
		h.cfg.Log.Warn("a page is not shown", "err", err)
	}
}
