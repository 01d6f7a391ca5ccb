package main

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestBrowser drives the real program's pages in the system's Chromium: one browser, and for each test a server and a person's
// cookies of its own.
func TestBrowser(t *testing.T) {
	t.Parallel()
	p, browser := build(t, ""), newChromium(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *campus)
		more string // of the configuration
	}{
		{"the student ends the iPad", endsTheTablet, ""},
		{"this was not me", wasNotMe, ""},
		{"script off", worksWithoutScript, ""},
		{"keyboard", byKeyboardAlone, ""},
		{"two tabs", twoTabs, ""},
		{"profile", fromAProfile, ""},
		{"five hundred", fiveHundred, ""},
		{"hostile names", hostileNamesAreInert, ""},
		{"forms from elsewhere", notFromElsewhere, ""},
		{"why", findsWhy, ""},
		{"schedule", ordersForLater, ""},
		{"pages", everyPage, busy},
		{"roles", nobodyDoesMore, busy},
		{"second person", approvesWhatWasHeld, "approvals: 2"},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newCampus(t, p, browser, c.more)) })
	}
	t.Run("provider", func(t *testing.T) { signsInAtAProvider(t, p, browser) })
}

// stepTime bounds one step in the browser: two loaded cores are slow, and nothing is measured here.
const stepTime = 60 * time.Second

// chromium is a browser without a window, that reaches this machine alone.
type chromium struct{ ctx context.Context } //nolint:containedctx // chromedp keeps the browser in it

func newChromium(t *testing.T) chromium {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.Flag("no-proxy-server", true))
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end) // waits until it has ended
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v; type: make setup", err)
	}
	return chromium{ctx}
}

// tab is a page that somebody has before them.
type tab struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // chromedp keeps the tab in it
	base string
}

// tab opens an empty page with cookies of its own.
func (c chromium) tab(t *testing.T, base string) *tab {
	t.Helper()
	return openTab(c.ctx, t, base, chromedp.WithNewBrowserContext())
}

// another opens a tab beside b, with the same cookies.
func (b *tab) another() *tab {
	b.t.Helper()
	return openTab(b.ctx, b.t, b.base)
}

func openTab(from context.Context, t *testing.T, base string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(from, options...)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the context of its first step
		t.Fatalf("open a tab: %v", err)
	}
	return &tab{t, ctx, base}
}

// do carries out steps one after the other.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\n%s", what, err, b.shown())
	}
}

// shown is what stands on the page, for messages.
func (b *tab) shown() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	if err != nil {
		return "the page cannot be read: " + err.Error()
	}
	return text
}

// ask evaluates an expression in the page.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	return evaluated[T](b, expression)
}

func evaluated[T any](b *tab, expression string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
	if err != nil {
		b.t.Fatalf("ask the page %.500s: %v\n%s", expression, err, b.shown())
	}
	return got
}

// promised evaluates a promise and waits for what it brings.
func promised[T any](b *tab, expression string) T {
	b.t.Helper()
	return evaluated[T](b, expression, chromedp.EvalAwaitPromise)
}

// sees waits until an expression holds in a page that is wholly there. While one page gives way to the next nothing can be asked.
func (b *tab) sees(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")")); err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("never seen: %s\n%s", expression, b.shown())
		case <-tick.C:
		}
	}
}

// reads waits until the page at a path shows a text.
func (b *tab) reads(path, text string) {
	b.t.Helper()
	b.sees(fmt.Sprintf("location.pathname === %s && document.body.innerText.includes(%s)", quoted(path), quoted(text)))
}

// open goes to a path.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path))
}

// press clicks on what a CSS selector finds, as a mouse does.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.do("press "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// types writes into a field.
func (b *tab) types(selector, text string) {
	b.t.Helper()
	b.do("type into "+selector, chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// key is one of a keyboard.
type key struct {
	name, text string
	code       int64
}

var (
	tabKey    = key{"Tab", "", 9}
	enterKey  = key{"Enter", "\r", 13}
	escapeKey = key{"Escape", "", 27}
	slashKey  = key{"/", "/", 191}
)

// hits presses a key and lets it go. What it writes comes with its going down, as with a real one: a page that has taken the key for
// itself is not written into.
func (b *tab) hits(k key) {
	b.t.Helper()
	b.do("press "+k.name, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		p := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: k.name, Text: k.text, WindowsVirtualKeyCode: k.code}
		if _, err := chromedp.Call(ctx, input.DispatchKeyEvent, p); err != nil {
			return err
		}
		p.Type, p.Text = input.DispatchKeyEventTypeKeyUp, ""
		_, err := chromedp.Call(ctx, input.DispatchKeyEvent, p)
		return err
	}))
}

// chooses sets a select, as its list does.
func (b *tab) chooses(selector, value string) {
	b.t.Helper()
	b.do("choose "+value, chromedp.SetValue(chromedp.CSS(selector), value, chromedp.NodeVisible))
}

// withoutScript switches the page's own script off. What we ask is evaluated all the same.
func (b *tab) withoutScript() *tab {
	b.t.Helper()
	b.do("switch script off", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	return b
}

// dialogs closes what a page's script opens in the reader's face, and returns how many there were so far.
func (b *tab) dialogs() func() int {
	b.t.Helper()
	opened := make(chan struct{}, 64)
	events := chromedp.Events(b.ctx, cdpage.JavascriptDialogOpening)
	go func() {
		for _, err := range events {
			if err != nil {
				return
			}
			opened <- struct{}{}
			if _, err := chromedp.Call(b.ctx, cdpage.HandleJavaScriptDialog, cdpage.HandleJavaScriptDialogParams{}); err != nil {
				return
			}
		}
	}()
	return func() int { return len(opened) }
}

// quoted writes a text as JavaScript does.
func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always can be written
	}
	return string(out)
}
