package main

import (
	"fmt"
	"maps"
	"strings"
)

func init() { maps.Copy(keyCases, customKeyCases()) } //nolint:gochecknoinits // one table, in several files

type keyCase = struct{ good, key, shown, bad string }

// customKeyCases are the cases of the keys of type custom, which presets have too.
func customKeyCases() map[string]keyCase {
	const (
		entry  = `{signal: terminated, email: body.e}`
		signed = `hmac: {header: X-Sig, secrets: ["${A_SECRET}"]}`
	)
	source := func(verify, rest string, entries ...string) string {
		return fmt.Sprintf("sources: {edr: {type: custom, verify: {%s}, map: [%s], %s}}", verify, strings.Join(entries, ", "), rest)
	}
	out := map[string]keyCase{}
	// set is a case of a key below the source: good, and bad with another value.
	set := func(key, shownAt, shown, good, bad string) {
		out["sources.NAME."+key] = keyCase{good, "sources.edr." + shownAt, shown, bad}
	}
	plain := func(key, good, bad string) {
		set(key, key, good, source(signed, key+": "+good, entry), source(signed, key+": "+bad, entry))
	}
	group := func(key, good, bad string) { out["sources.NAME."+key] = keyCase{good, "", "", bad} }

	plain("format", "form", "xml")
	plain("split", "body.events", "1 + 1")
	plain("event_type", "body.kind", "body.")
	plain("ignore", "true", "1 + 1")
	plain("answer", "202", "410")
	set("headers", "headers[0]", "X-Event", source(signed, "headers: [X-Event]", entry), source(signed, "headers: [Authorization]", entry))
	group("map", source(signed, "answer: 200", entry), source(signed, "answer: 200"))
	group("every", source(signed, "every: {}", entry), source(signed, "every: []", entry))
	group("challenge", source(signed, "challenge: {query: token}", entry), source(signed, "challenge: {query: token, body: token}", entry))
	for _, name := range []string{"header", "query", "body"} {
		set("challenge."+name, "challenge."+name, "token", source(signed, "challenge: {"+name+": token}", entry), source(signed, "challenge: {"+name+": []}", entry))
	}
	set("challenge.member", "challenge.member", "answer", source(signed, "challenge: {query: t, member: answer}", entry), source(signed, "challenge: {member: answer}", entry))
	for _, name := range []string{
		"id", "occurred_at", "effective_at", "email", "user_name", "external_id", "phone", "account", "user_id", "subject", "device_id", "serial", "udid", "mdm",
		"sid", "reason", "actor",
	} {
		set("every."+name, "every."+name, "body.x", source(signed, "every: {"+name+": body.x}", entry), source(signed, "every: {"+name+": body.}", entry))
		set("map[]."+name, "map[0]."+name, "body.x",
			source(signed, "answer: 200", "{signal: terminated, sid: body.s, "+name+": body.x}"), source(signed, "answer: 200", "{signal: terminated, "+name+": body.}"))
	}
	out["sources.NAME.map[].sid"] = keyCase{source(signed, "answer: 200", "{signal: terminated, sid: body.x}"), "sources.edr.map[0].sid", "body.x", source(signed, "answer: 200", "{signal: terminated, sid: bdy.s}")}
	for _, name := range []string{"iss", "sub"} {
		set("every."+name, "every."+name, "body.x", source(signed, "every: {iss: body.x, sub: body.x}", entry), source(signed, "every: {"+name+": body.x}", entry))
		set("map[]."+name, "map[0]."+name, "body.x",
			source(signed, "answer: 200", "{signal: terminated, iss: body.x, sub: body.x}"), source(signed, "answer: 200", "{signal: terminated, email: body.e, "+name+": body.x}"))
	}
	set("map[].when", "map[0].when", "body.x", source(signed, "answer: 200", "{when: body.x, signal: terminated, email: body.e}"), source(signed, "answer: 200", "{when: 1 + 1, signal: terminated, email: body.e}"))
	set("map[].for", "map[0].for", "body.x", source(signed, "answer: 200", "{for: body.x, signal: terminated, email: it.e}"), source(signed, "answer: 200", "{for: 1 + 1, signal: terminated, email: it.e}"))
	set("map[].signal", "map[0].signal", "terminated", source(signed, "answer: 200", entry), source(signed, "answer: 200", "{signal: sacked, email: body.e}"))
	maps.Copy(out, verifyKeyCases(func(verify string) string { return source(verify, "answer: 200", entry) }))
	return out
}

// verifyKeyCases are the cases of the ways of verification.
func verifyKeyCases(source func(verify string) string) map[string]keyCase {
	out := map[string]keyCase{"sources.NAME.verify": {source(`static: {secrets: ["${A_SECRET}"]}`), "", "", "sources: {edr: {type: custom, verify: maybe, map: [{signal: locked, email: body.e}]}}"}}
	way := func(name, base string, keys ...[3]string) {
		out["sources.NAME.verify."+name] = keyCase{source(name + ": {" + base + "}"), "", "", source(name + ": []")}
		for _, k := range keys {
			all := base
			if !strings.Contains(base, k[0]+": "+k[1]) {
				all += ", " + k[0] + ": " + k[1]
			}
			at, shown := "sources.edr.verify."+name+"."+k[0], strings.Trim(k[1], `"`)
			bad := base + ", " + k[0] + ": " + k[2]
			if all == base {
				bad = strings.Replace(base, k[0]+": "+k[1], k[0]+": "+k[2], 1)
			}
			if inside, ok := strings.CutPrefix(shown, "["); ok {
				at, shown = at+"[0]", strings.Trim(inside, `"]`)
			}
			if strings.Contains(shown, "${") {
				shown = "[secret]"
			}
			out["sources.NAME.verify."+name+"."+k[0]] = keyCase{source(name + ": {" + all + "}"), at, shown, source(name + ": {" + bad + "}")}
		}
	}
	const secrets = `secrets: ["${A_SECRET}"]`
	secretsKey := [3]string{"secrets", `["${A_SECRET}"]`, `[]`}
	way("static", secrets, secretsKey, [3]string{"header", "X-Secret", `"no header"`})
	way("basic", "user: curfew, "+secrets, secretsKey, [3]string{"user", "curfew", `"a:b"`})
	way("query", secrets, secretsKey, [3]string{"parameter", "code", `"a&b"`})
	way("hmac", "header: X-Sig, "+secrets, secretsKey, [3]string{"header", "X-Sig", `"no header"`}, [3]string{"algorithm", "sha512", "md5"},
		[3]string{"allow_sha1", "true", "maybe"}, [3]string{"encoding", "base64", "utf8"}, [3]string{"prefix", "v1=", "[]"}, [3]string{"separator", `","`, "[]"},
		[3]string{"signed", `"{body}x"`, `"{bdy}"`}, [3]string{"timestamp_unit", "ms", "h"}, [3]string{"window", "1m0s", "48h"}, [3]string{"secret_encoding", "text", "rot13"})
	const timed = `header: X-Sig, signed: "{timestamp}{id}{body}", id_header: X-Id, separator: "x", ` + secrets + ", "
	for _, k := range [][3]string{{"id_header", "X-Id", `"no header"`}, {"timestamp_header", "X-Time", `"no header"`}, {"timestamp_prefix", "t=", "[]"}} {
		good, bad := timed+k[0]+": "+k[1], timed+k[0]+": "+k[2]
		if k[0] == "id_header" {
			good, bad = timed+"timestamp_header: X-Time", strings.Replace(timed, "X-Id", k[2], 1)+"timestamp_header: X-Time"
		}
		out["sources.NAME.verify.hmac."+k[0]] = keyCase{source("hmac: {" + good + "}"), "sources.edr.verify.hmac." + k[0], k[1], source("hmac: {" + bad + "}")}
	}
	way("standard", `secrets: ["${HOOK}"]`, [3]string{"secrets", `["${HOOK}"]`, `["${A_SECRET}"]`})
	way("jwt", "jwks: https://id.example.edu/keys, issuer: i, audience: a", [3]string{"jwks", "https://id.example.edu/keys", "http://id.example.edu/keys"},
		[3]string{"header", "X-Token", `"no header"`}, [3]string{"insecure", "true", "maybe"}, [3]string{"algorithms", "[ES256]", "[none]"}, [3]string{"issuer", "i", "[]"},
		[3]string{"audience", "a", "[]"}, [3]string{"type", "JWT", "[]"}, [3]string{"body_hash", "sha", "[]"}, [3]string{"clock_leeway", "2m0s", "1h"}, [3]string{"longest_valid", "1h0m0s", "1s"})
	out["sources.NAME.verify.jwt.claims"] = keyCase{
		source("jwt: {jwks: https://id.example.edu/keys, issuer: i, audience: a, claims: {azp: x}}"), "sources.edr.verify.jwt.claims.azp", "x",
		source("jwt: {jwks: https://id.example.edu/keys, issuer: i, audience: a, claims: []}"),
	}
	out["sources.NAME.verify.jwt.secrets"] = keyCase{
		source(`jwt: {issuer: i, audience: a, secrets: ["0123456789012345${A_SECRET}"]}`), "sources.edr.verify.jwt.secrets[0]", "[secret]",
		source(`jwt: {issuer: i, audience: a, secrets: ["short"]}`),
	}
	fingerprint := strings.Repeat("0f", 32)
	way("mtls", "fingerprints: ["+fingerprint+"]", [3]string{"fingerprints", "[" + fingerprint + "]", "[abc]"}, [3]string{"header", "X-Cert", `"no header"`})
	return out
}
