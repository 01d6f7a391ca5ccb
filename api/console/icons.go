package console

import "html/template"

// icon draws a device or a thing as lines, with what it is in words for those who do not see it. With no words it is an
// ornament. The name is one of ours; an unknown one is drawn as a thing that nobody knows.
func icon(name, words string) template.HTML {
	lines, ok := map[string]string{
		"phone":   `<rect x="7" y="2.5" width="10" height="19" rx="2.2"/><path d="M11 18.5h2"/>`,
		"tablet":  `<rect x="4.5" y="2.5" width="15" height="19" rx="2"/><path d="M11 18.5h2"/>`,
		"laptop":  `<rect x="4" y="4.5" width="16" height="11" rx="1.5"/><path d="M2 19h20"/>`,
		"desktop": `<rect x="2.5" y="4" width="19" height="12" rx="1.5"/><path d="M12 16v4M8 20h8"/>`,
		"browser": `<rect x="2.5" y="4" width="19" height="16" rx="2"/><path d="M2.5 9h19M6 6.5h.01M8.5 6.5h.01"/>`,
		"app":     `<rect x="4" y="4" width="7" height="7" rx="1.5"/><rect x="13" y="4" width="7" height="7" rx="1.5"/><rect x="4" y="13" width="7" height="7" rx="1.5"/><rect x="13" y="13" width="7" height="7" rx="1.5"/>`,
		"key":     `<circle cx="8" cy="15" r="4"/><path d="m11 12 8-8m-3 3 3 3"/>`,
		"unknown": `<circle cx="12" cy="12" r="9"/><path d="M9.5 9.3a2.6 2.6 0 1 1 3.6 2.5c-.8.4-1.1.9-1.1 1.9M12 16.8h.01"/>`,
		"person":  `<circle cx="12" cy="8" r="4"/><path d="M4 20.5c1-4 4-6 8-6s7 2 8 6"/>`,
		"search":  `<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>`,
		"shield":  `<path d="M12 2.8 4.5 5.6v5.7c0 4.7 3.1 8.2 7.5 9.9 4.4-1.7 7.5-5.2 7.5-9.9V5.6Z"/>`,
		"tick":    `<path d="m4.5 12.5 5 5 10-11"/>`,
		"wait":    `<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3.5 2"/>`,
		"warn":    `<path d="M12 3.5 2.5 20h19Z"/><path d="M12 10v4.5M12 17.2h.01"/>`,
	}[name]
	if !ok {
		return icon("unknown", words)
	}
	label := `aria-hidden="true"`
	if words != "" {
		label = `role="img" aria-label="` + template.HTMLEscapeString(words) + `"`
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" ` + label + `>` + lines + `</svg>`) //nolint:gosec // ours, and the words are escaped
}
