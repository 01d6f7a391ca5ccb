// Package revoketest holds fakes with real behaviour and the contracts that every store and target must pass. It is for
// tests only: the contract of a store is [RunStore], and [RunModel] drives a store through the whole service against a
// small model of what must be true.
package revoketest
