package webhooks_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"net/http"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

func signBob(r *http.Request, body, key string) {
	mac := hmac.New(sha512.New, []byte(key))
	_, _ = mac.Write([]byte(body))
	r.Header.Set("Bob-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func bobEvent(word, company, id, more string) string {
	return fmt.Sprintf(`{"companyId":%q,"type":%q,"triggeredBy":"system","triggeredAt":"2026-11-23T09:59:58","version":"v2","data":{"employeeId":%q%s}}`, company, word, id, more)
}

func bobFixture() revoketest.SourceFixture {
	f := preset("hibob", revoke.Terminated, revoke.Suspended, revoke.Deleted, revoke.Reactivated)
	f.Open = func(desk revoketest.Desk) (http.Handler, error) { return open(desk, "hibob", setSecrets) }
	f.Sign = signBob
	f.News = func(id, person string) string { return bobEvent("employee.left", id+" "+person, employee(person), "") }
	f.Unknown = func(id string) string { return bobEvent("employee.cloned", id, "1042", "") }
	f.Answer, f.SignsBody, f.Odd = http.StatusOK, true, map[string]int{`"Ping test"`: 0}
	return f
}
