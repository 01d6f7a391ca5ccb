package store

import (
	"encoding/base64"
	"fmt"
	"time"

	"curfew/revoke"
)

var sessionsTable = newTable(table{
	name: "sessions", ids: words("id user_id device_id ended_by"), texts: words("org app client_id kind sid token_hash facts"),
	nums: words("issued_at auth_time born_at expires_at idle spared registered_at ended_at"),
})

func sessionRecord(s revoke.Session) (r record) {
	r.id = [5]revoke.ID{s.ID, s.User, s.Device, s.EndedBy}
	r.text = [9]string{s.Org, s.App, s.ClientID, string(s.Kind), s.SID, tokenText(s.Token), toJSON(s.Facts)}
	r.num = [8]int64{
		int64(s.IssuedAt), int64(s.AuthTime), int64(s.BornAt), int64(s.ExpiresAt), int64(s.Idle / time.Microsecond), flag(s.Spared),
		int64(s.RegisteredAt), int64(s.EndedAt),
	}
	return r
}

func (r *record) session() (revoke.Session, error) {
	s := revoke.Session{
		ID: r.id[0], User: r.id[1], Device: r.id[2], EndedBy: r.id[3],
		Org: r.text[0], App: r.text[1], ClientID: r.text[2], Kind: revoke.Kind(r.text[3]), SID: r.text[4],
		IssuedAt: revoke.Instant(r.num[0]), AuthTime: revoke.Instant(r.num[1]), BornAt: revoke.Instant(r.num[2]),
		ExpiresAt: revoke.Instant(r.num[3]), Idle: time.Duration(r.num[4]) * time.Microsecond, Spared: r.num[5] != 0,
		RegisteredAt: revoke.Instant(r.num[6]), EndedAt: revoke.Instant(r.num[7]),
	}
	if r.text[5] != "" {
		if n, err := base64.RawURLEncoding.Decode(s.Token[:], []byte(r.text[5])); err != nil || n != len(s.Token) {
			return s, fmt.Errorf("session %s holds a token hash of %d bytes", s.ID, n)
		}
	}
	return s, fromJSON(r.text[6], &s.Facts)
}

// tokenText is a token's hash as its column holds it, empty for none.
func tokenText(h revoke.TokenHash) string {
	if h.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(h[:])
}

var devicesTable = newTable(table{
	name: "devices", ids: words("id"), texts: words("org name platform"), nums: words("created_at"),
	conflict: `ON CONFLICT (org, id) DO NOTHING`,
})

func deviceRecord(d revoke.Device) (r record) {
	r.id[0], r.num[0] = d.ID, int64(d.CreatedAt)
	r.text = [9]string{d.Org, d.Name, d.Platform}
	return r
}

func (r *record) device(d *revoke.Device) {
	d.Name, d.Platform, d.CreatedAt = r.text[1], r.text[2], revoke.Instant(r.num[0])
}

var deviceIdentifiersTable = newTable(table{
	name: "device_identifiers", ids: words("device_id"), texts: words("org namespace value"),
	conflict: `ON CONFLICT (org, namespace, value, device_id) DO NOTHING`,
})

func deviceIdentifierRecord(device revoke.ID, d revoke.DeviceIdentifier) (r record) {
	r.id[0] = device
	r.text = [9]string{d.Org, d.Namespace, d.Value}
	return r
}

func (r *record) deviceIdentifier() (revoke.DeviceIdentifier, revoke.ID) {
	return revoke.DeviceIdentifier{Org: r.text[0], Namespace: r.text[1], Value: r.text[2]}, r.id[0]
}

// The end of a session is written once: what ended it first stays the reason.
var endsTable = newTable(table{
	name: "ends", ids: words("id ended_by"), texts: words("org"), nums: words("ended_at"),
	postgres: `UPDATE sessions SET ended_at = k.ended_at, ended_by = k.ended_by FROM ROWS
		WHERE sessions.org = k.org AND sessions.id = k.id AND sessions.ended_at = 0`,
	sqlite: `UPDATE sessions SET ended_at = $4, ended_by = $2 WHERE org = $3 AND id = $1 AND ended_at = 0`,
})

func endRecord(org string, e revoke.End) (r record) {
	r.id[0], r.id[1] = e.Session, e.Revocation
	r.text[0], r.num[0] = org, int64(e.At)
	return r
}

// condition selects sessions by one of the members of a reference.
type condition struct {
	where string
	args  []any
}

// sessionsBy are the conditions of which a session that ref points at meets at least one. Each has its index.
func sessionsBy(ref revoke.SessionRef) []condition {
	var out []condition
	by := func(where string, arg any) {
		c := condition{"org = $1 AND " + where, []any{ref.Org, arg}}
		if ref.App != "" {
			c.where += " AND app = $3"
			c.args = append(c.args, clean(ref.App))
		}
		out = append(out, c)
	}
	if !ref.ID.IsZero() {
		by("id = $2", idText(ref.ID))
	}
	if ref.ClientID != "" {
		by("client_id = $2 AND client_id <> ''", clean(ref.ClientID))
	}
	if !ref.Token.IsZero() {
		by("token_hash = $2 AND token_hash <> ''", tokenText(ref.Token))
	}
	if ref.SID != "" {
		by("sid = $2 AND sid <> ''", clean(ref.SID))
	}
	return out
}

// sessionsIn selects the sessions in a scope of many people; it reports false for any other.
func sessionsIn(scope revoke.Scope) (condition, bool) {
	switch scope.Kind {
	case revoke.ScopeEveryone:
		return condition{"org = $1", []any{scope.Org}}, true
	case revoke.ScopeKindOf:
		return condition{"org = $1 AND kind = $2", []any{scope.Org, clean(scope.Key)}}, true
	case revoke.ScopeApp:
		return condition{"org = $1 AND app = $2", []any{scope.Org, clean(scope.Key)}}, true
	case revoke.ScopeDevice:
		return condition{"org = $1 AND device_id = $2 AND device_id <> '" + zeroID + "'", []any{scope.Org, idText(scope.Device)}}, true
	case revoke.ScopeUser, revoke.ScopeUserKind, revoke.ScopeUserApp, revoke.ScopeUserDevice, revoke.ScopeSession:
	}
	return condition{}, false
}
