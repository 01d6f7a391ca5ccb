package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"curfew/revoke"
)

var (
	errNoToken = &problem{status: 400, word: "invalid", title: "No token", detail: "Send the session token as the form parameter token, once."}

	inactive     = []byte(`{"active":false}`)
	formType     = []byte("application/x-www-form-urlencoded")
	jsonType     = []byte("application/json")
	cacheControl = []byte("Cache-Control")
	noStore      = []byte("no-store")
)

// introspect answers about a session token (RFC 7662). Unknown, dead and another application's are one answer. Its
// JSON is written by hand: applications ask on each of their own requests.
func (a *App) introspect(ctx *fasthttp.RequestCtx, t *token) error {
	hash, err := formToken(ctx)
	if err != nil {
		return err
	}
	var wait patience
	defer wait.end()
	found, err := a.cfg.Service.Ask(&wait, revoke.SessionRef{Org: t.voice.Org, Token: hash})
	if err != nil && !errors.Is(err, revoke.ErrNotFound) {
		return err
	}
	resp := &ctx.Response
	resp.Header.SetContentTypeBytes(jsonType)
	resp.Header.SetCanonical(cacheControl, noStore)
	if err != nil || !found.Live || !t.sees(found.Session) {
		resp.SetBody(inactive)
		return nil
	}
	var room [512]byte
	resp.SetBody(appendActive(room[:0], &found))
	return nil
}

// sees reports whether a session is the token's to ask about. What is remembered by its token alone can be anybody's.
func (t *token) sees(s *revoke.Session) bool {
	return s.Org == t.voice.Org && (t.app == "" || t.app == s.App)
}

func appendActive(b []byte, found *revoke.Answer) []byte {
	s := found.Session
	b = append(b, `{"active":true,"sub":"`...)
	b = appendID(b, s.User)
	if name := cmp.Or(found.UserName, found.Email); name != "" {
		b = append(b, `","username":`...)
		b = appendText(b, name)
		b = append(b, `,"sid":`...)
	} else {
		b = append(b, `","sid":`...)
	}
	if s.ClientID != "" {
		b = appendText(b, s.ClientID)
	} else {
		b = append(appendID(append(b, '"'), s.ID), '"')
	}
	b = append(b, `,"client_id":`...)
	b = appendText(b, s.App)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, int64(s.IssuedAt)/1e6, 10)
	b = append(b, `,"exp":`...)
	b = strconv.AppendInt(b, int64(s.ExpiresAt)/1e6, 10)
	return append(b, '}')
}

// appendID appends what id.String returns.
func appendID(b []byte, id revoke.ID) []byte {
	b = append(hex.AppendEncode(b, id[:4]), '-')
	b = append(hex.AppendEncode(b, id[4:6]), '-')
	b = append(hex.AppendEncode(b, id[6:8]), '-')
	b = append(hex.AppendEncode(b, id[8:10]), '-')
	return hex.AppendEncode(b, id[10:])
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			text, err := json.Marshal(s)
			if err != nil { // never of a string
				return append(b, `""`...)
			}
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// formToken reads the parameter token of a form body. A parameter that stands twice is an error (RFC 6749 section 3.2).
func formToken(ctx *fasthttp.RequestCtx) (revoke.TokenHash, error) {
	if encoded(&ctx.Request.Header) {
		return revoke.TokenHash{}, errEncoding
	}
	kind, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte{';'})
	if len(kind) > 0 && !bytes.EqualFold(bytes.TrimSpace(kind), formType) {
		return revoke.TokenHash{}, errNotForm
	}
	body := ctx.Request.Body()
	if plain, ok := bytes.CutPrefix(body, []byte("token=")); ok && len(plain) > 0 && !bytes.ContainsAny(plain, "&%+") {
		return sha256.Sum256(plain), nil
	}
	args := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(args)
	args.ParseBytes(body)
	value := args.Peek("token")
	if len(value) == 0 || len(args.PeekMulti("token")) != 1 {
		return revoke.TokenHash{}, errNoToken
	}
	return sha256.Sum256(value), nil
}

// revokeToken is an application's log-out (RFC 7009): it ends the session, or by the setting logout all of the person's.
// A token that is unknown or another application's is answered like one that was ended.
func (a *App) revokeToken(c *fiber.Ctx, t *token) error {
	hash, err := formToken(c.Context())
	if err != nil {
		return err
	}
	ctx, cancel := a.committing(c, t)
	defer cancel()
	s, err := a.cfg.Store.FindSession(ctx, revoke.SessionRef{Org: t.voice.Org, Token: hash})
	if err != nil && !errors.Is(err, revoke.ErrNotFound) {
		return err
	}
	if err == nil && t.sees(&s) {
		ev := endOf(&s, "logged out")
		ev.SenderID = eventID(c)
		ev.Signals[0].Own = true
		if a.cfg.Logout == LogoutEverywhere {
			ev.Signals[0].Session = revoke.SessionRef{}
			ev.Signals[0].Subject = revoke.Subject{{Namespace: revoke.NamespaceCurfew, Value: s.User.String()}}
		}
		if s.EndedAt == 0 || a.cfg.Logout == LogoutEverywhere {
			if _, err := a.cfg.Service.Receive(ctx, t.actor, t.voice, ev); err != nil {
				return err
			}
		}
	}
	c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
	c.Status(fiber.StatusOK)
	return nil
}
