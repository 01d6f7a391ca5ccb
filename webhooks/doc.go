// Package webhooks receives what senders post to /hooks/{source}: it verifies the raw bytes, reads the items of a message
// in the core's words, and answers only after [revoke.Service.Receive] has committed them.
//
// A sender is one file: a [Type] with a [Receiver] of two methods. The [Handler] does everything that is the same for all of
// them, in this order: find the source, ask the type about methods other than POST, read the body up to its limit, let the
// type greet a sender that has no credential yet ([Handshaker]), verify, check media type and JSON, let the type greet a
// verified sender, read the items, receive them, answer.
//
// What is refused as unverified leaves nothing behind but a count. What is verified is kept: an item that cannot be read is
// recorded as malformed and one of a type that nobody taught us as unknown, both answered with success, because most senders
// never repeat what was answered with 4xx. What could not be committed is answered with 5xx, so that the sender tries again.
//
// Reading the sender's API after the answer, and keeping subscriptions there, are further small interfaces beside
// [Handshaker] that come with the first sender that needs them.
package webhooks
