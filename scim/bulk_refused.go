package scim

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A bulk request is answered before its sender closes the connection (Okta after 60 s): what has not begun by then is named as not
// reached. In the last of that time nothing begins but deactivations.
const (
	bulkBegins      = 35 * time.Second // until then operations begin
	bulkDeactivates = 45 * time.Second // until then deactivations begin
	bulkEnds        = 55 * time.Second // then every commit has ended
)

type endsKey struct{}

// limit gives the run its time. What it returns ends that.
func (b *bulkRun) limit() context.CancelFunc {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.r.Context()), bulkEnds)
	ends, _ := ctx.Deadline()
	b.r = b.r.WithContext(context.WithValue(b.r.Context(), endsKey{}, ends))
	begins, begun := context.WithDeadline(ctx, ends.Add(bulkBegins-bulkEnds))
	leaving, left := context.WithDeadline(ctx, ends.Add(bulkDeactivates-bulkEnds))
	b.patience, b.leaving = begins, leaving
	return func() { left(); begun(); cancel() }
}

// late reports whether nothing begins any more but deactivations.
func (b *bulkRun) late() bool { return b.patience.Err() != nil }

// unreached answers an operation for which there was no time. One that deactivates somebody is carried out as long as there is any.
func (b *bulkRun) unreached(op *bulkOperation) answer {
	no := refusal{status: http.StatusServiceUnavailable, detail: "There was no time for this operation. Send it again, with fewer beside it."}
	if b.leaving.Err() == nil {
		no, _ = b.refused(op, no)
	}
	return no.answer()
}

// refused says no to an operation that is not carried out, after its deactivation was, and whether it has one.
func (b *bulkRun) refused(op *bulkOperation, no refusal) (refusal, bool) {
	e, err := b.endpoint(op)
	if err != nil || !b.deactivates(op, e) {
		return no, false
	}
	x := &exchange{id: e.id, body: resolved(op.data, b.ids), inactive: true}
	x.source, x.actor = exchangeSource(b.r)
	return b.deactivate(b.r, x, no), true
}

func (b *bulkRun) deactivates(op *bulkOperation, e endpoint) bool {
	if e.kind != endpointUsers && e.kind != endpointUser || !e.allows(op.method) {
		return false
	}
	return op.method == http.MethodDelete || b.names.wantsInactive(op.method, op.data)
}

// leavers are the operations of a body that deactivate somebody, as far as it can be read at all.
func (h *handler) leavers(r *http.Request, body any) *bulkRun {
	o, _ := body.(object)
	run := h.bulkRun(r, nil)
	for _, m := range o {
		if fold(m.name) != "operations" {
			continue
		}
		for _, op := range bulkOperations(m.value) {
			if e, err := run.endpoint(&op); err == nil && run.deactivates(&op, e) {
				run.operations = append(run.operations, op)
			}
		}
	}
	return run
}

// deactivateAll carries out the deactivations of a BulkRequest that is refused as a whole.
func (h *handler) deactivateAll(r *http.Request, x *exchange, no refusal) refusal {
	run := h.leavers(r, x.body)
	defer run.limit()()
	for i := range run.operations {
		if run.leaving.Err() != nil {
			no.detail += " " + run.left(i)
			return no
		}
		if said, _ := run.refused(&run.operations[i], no); said.status >= http.StatusInternalServerError && said.status != no.status {
			return said // so that the sender tries again
		}
	}
	no.detail += " The deactivations in this request were carried out all the same: every session of those users is over and none can begin."
	return no
}

// left names those whom a request that is refused as a whole had no time to deactivate.
func (b *bulkRun) left(from int) string {
	const most = 20
	var paths []string
	for i := from; i < min(from+most, len(b.operations)); i++ {
		paths = append(paths, quote(b.target(&b.operations[i])))
	}
	more := ""
	if n := len(b.operations) - from - most; n > 0 {
		more = " and " + strconv.Itoa(n) + " more behind them"
	}
	return "Of the deactivations in this request the first " + strconv.Itoa(from) + " were carried out all the same. There was no time for " +
		strings.Join(paths, ", ") + more + ": send these again, in smaller requests."
}
