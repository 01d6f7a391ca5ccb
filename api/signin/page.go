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
<meta name="color-scheme" content="light dark"><title>{{.Title}} · Curfew</title><link rel="icon" href="/console/static/mark.svg" type="image/svg+xml"><link rel="stylesheet" href="/console/static/curfew.css"></head>
<body class="own"><header class="bar"><div class="inner"><span class="mark"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20.5 14.6A8.8 8.8 0 1 1 9.4 3.5a7 7 0 0 0 11.1 11.1Z"/></svg><span>Curfew</span></span></div></header>
<main class="narrow"><section class="refused"><h1>{{.Title}}</h1><p class="lead">{{.Text}}</p>
{{if .Link}}<p class="acts"><a class="button main" href="{{.Link}}">{{.Label}}</a></p>{{end}}
{{if .Button}}<form method="post" class="acts"><button class="main">{{.Button}}</button></form>{{end}}</section></main></body></html>
`))

func (h *Handler) show(w http.ResponseWriter, status int, p page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := shown.Execute(w, p); err != nil {
		h.cfg.Log.Warn("a page is not shown", "err", err)
	}
}
