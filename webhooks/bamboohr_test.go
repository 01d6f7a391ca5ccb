package webhooks_test

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"curfew/revoke"
	"curfew/revoke/revoketest"
)

// employee is the number of somebody in an HR system.
func employee(person string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(person))
	return fmt.Sprint(1000 + h.Sum32()%9000)
}

func signBamboo(r *http.Request, body, key string, at revoke.Instant) {
	seconds := fmt.Sprint(at.Time().Unix())
	r.Header.Set("X-BambooHR-Timestamp", seconds)
	r.Header.Set("X-BambooHR-Signature", hexHMAC(body+seconds, key))
}

func bambooEvent(word, company, id, more string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":"2026-11-23T09:59:58+0000","data":{"companyId":%q,"employeeId":%q%s}}`, word, company, id, more)
}

func bambooFixture() revoketest.SourceFixture {
	f := preset("bamboohr", revoke.Deleted)
	f.Open = func(desk revoketest.Desk) (http.Handler, error) { return open(desk, "bamboohr", setSecrets) }
	signsWithTime(&f, signBamboo)
	f.Window = 3 * time.Hour
	f.News = func(id, person string) string {
		return bambooEvent("employee.deleted", id+" "+person, employee(person), "")
	}
	f.Unknown = func(id string) string { return bambooEvent("employee.cloned", id, "1042", "") }
	return f
}
