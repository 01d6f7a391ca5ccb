// Package revoke is the heart of Curfew: the words, the rules and the flow. It ends every session of a person the moment
// somebody who may say so says so, and it never lets one live again.
//
// # The idea
//
// Facts never change, cutoffs only move forward. A [Session] is a fact: whose, of which app and kind, on which device, born
// when. A [Cutoff] is an instant on a [Scope]; what the scope covers and was born at or before it is over. A [Block] says
// that a person may hold no session at all, according to one authority; it is two instants, set and lifted, that only
// move forward too. [Live] reads the three and decides. Ending one session, one person's hundred or everyone's million is
// one small write; duplicates, reordering and replays cannot change what comes out.
//
// # The flow
//
//	scim | webhooks | api                 authenticate and read [Signal]s
//	  -> [Service.Receive]                find the person, decide, commit one transaction:
//	     [Service.CreateResource], ...      event + cutoff or block + revocation + deliveries + changes + audit entry
//	  <- 2xx                              only now: what was acknowledged is durable and in the [View]
//	  -> [Dispatcher.Run]                 carries each [Delivery] to its [Target], with retries
//	  -> [Receipt]                        or visibly parked
//
// A decision is made under locks and in Go. [Decider.Decide] locks the people and identifiers that a [Need] leads to, reads
// [Facts] after it holds the locks, calls the decision, and writes the [Effects] that it returned, all or nothing, grouped
// with whatever waited beside it. decide.go says what a signal does, block.go how blocks are set and lifted, person.go whom
// a subject means and what directories teach, register.go how a session begins, provision.go what a SCIM request says.
//
// # What is promised here
//
//   - Acknowledged means durable: nothing is answered before the store committed.
//   - Dead means dead: the [View] is changed before the answer, and one that may differ from the store answers nothing
//     ([ErrNotFresh]) until it was read again.
//   - Nothing revives: no lift, join, split, duplicate or restart; property_test.go tries.
//   - Order and repetition do not matter: instants are joined, never overwritten, and those decided at receipt are recorded
//     with the event.
//   - Every revocation reaches every target at least once or is visibly parked.
//
// # The house
//
// This package imports nothing but the standard library. Adapters (scim, webhooks, api, store, targets) import it and
// never each other; package revoketest holds the contracts that every store, target and source must pass.
package revoke
