package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// frame is what the layout shows around a page.
type frame struct {
	Title  string
	Org    string // the organisation as people know it
	Own    bool   // a person's own page: the organisation's name stands where the console's mark is
	Menu   []entry
	Search string // what was searched for
	Who    string // who signed in; empty: nobody
	Roles  bool   // they have one
	Person bool   // they have devices
	Form   string // the token of every form
	Done   string // what was just done, in words
	Sheet  string
	Script string
	Data   any
}

// parse reads the templates: each page is the layout and the parts with that page's "main".
func (c *Console) parse() (map[string]*template.Template, error) {
	base, err := template.New("layout").Funcs(c.funcs()).ParseFS(templateFiles, "templates/layout.html", "templates/parts*.html")
	if err != nil {
		return nil, fmt.Errorf("console.New: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("console.New: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		key := strings.TrimSuffix(path.Base(name), ".html")
		if key == "layout" || strings.HasPrefix(key, "parts") {
			continue
		}
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("console.New: page %s: %w", key, err)
		}
		pages[key] = page
	}
	return pages, nil
}

// show answers with a page: templates/<name>.html.
func (v *visit) show(name string, data any) error {
	return v.write(http.StatusOK, name, v.route.title, data)
}

// answer is show for what cannot fail any further.
func (v *visit) answer(status int, name, title string, data any) {
	if err := v.write(status, name, title, data); err != nil {
		v.c.cfg.Log.Error("a page failed", "path", v.r.URL.Path, "err", err)
		http.Error(v.w, title, status)
	}
}

func (v *visit) write(status int, name, title string, data any) error {
	f := frame{
		Title: title, Org: v.c.cfg.OrgName, Own: v.own(), Search: v.r.URL.Query().Get("q"), Form: v.form, Done: notice(v.r.URL.Query().Get("done")),
		Sheet: v.c.staticPath("curfew.css"), Script: v.c.staticPath("curfew.js"), Data: data,
	}
	if v.signedIn() {
		f.Who, f.Roles, f.Person, f.Menu = v.who.Name, len(v.who.Roles) > 0, !v.who.User.IsZero(), v.menu()
	}
	var b bytes.Buffer
	if err := v.c.pages[name].ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // a browser that has gone needs no answer
	return nil
}

// funcs is what templates can say beside their data.
func (c *Console) funcs() template.FuncMap {
	return template.FuncMap{
		"ago": c.ago, "at": c.at, "clock": c.clock, "day": c.day, "until": c.until, "icon": icon, "plural": plural, "short": short, "list": list, "upper": upper,
	}
}

// notice says what was done, by the word that a page put into the address it went on to.
func notice(word string) string {
	switch word {
	case "named":
		return "The name is kept."
	case "over":
		return "That was signed out already."
	case "end":
		return "Everything of theirs has ended here. Targets are being told."
	case "block":
		return "Blocked. Everything of theirs has ended here, and targets are being told."
	case "lift":
		return "The block was lifted. They can sign in again; what was ended stays dead."
	case "split":
		return "The two are strangers now, and everything of both has ended."
	case "held":
		return "The order is held until somebody else approves it. Nothing has ended so far."
	case "replayed":
		return "The event was read again."
	case "approved":
		return "Approved. It was carried out."
	case "rejected":
		return "Rejected. Nothing was ended by it."
	case "scheduled":
		return "The schedule was kept."
	case "skipped":
		return "The next run is left out."
	case "set":
		return "The policy was set."
	case "removed":
		return "It was removed."
	case "cleared":
		return "The alarm was cleared."
	}
	return ""
}
