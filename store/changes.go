package store

import "curfew/revoke"

var changesTable = newTable(table{name: "changes", texts: words("kind entry"), nums: words("at")})

func changeRecord(c revoke.Change) (r record) {
	r.text = [9]string{changeKind(c), toJSON(c)}
	r.num[0] = int64(c.At)
	return r
}

func changeKind(c revoke.Change) string {
	switch {
	case c.Cutoff != nil:
		return "cutoff"
	case c.Block != nil:
		return "block"
	case c.Join != nil:
		return "join"
	case c.Lift != nil:
		return "lift"
	case c.Limit != nil:
		return "limit"
	case c.Policy != nil:
		return "policy"
	default:
		return "end"
	}
}

var auditTable = newTable(table{name: "audit", texts: words("org kind entry person"), nums: words("at")})

func auditRecord(a revoke.AuditEntry) (r record) {
	r.text = [9]string{a.Org, a.Kind, string(a.Entry), string(a.Person)}
	r.num[0] = int64(a.At)
	return r
}
