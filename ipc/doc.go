// Package ipc is the language of the agent's socket: frames, wire types, error
// codes, the redacting [Secret], where the socket lives, and the one call that
// the credential plugin makes.
//
// It imports nothing of ours but ipc/peer, and only what the plugin may pay for:
// no fmt, no net, no encoding/json, no log/slog. Those of our packages that speak JSON
// over these frames are ipc/client and ipc/server.
//
// # Conversation
//
// One connection carries one request and one reply; the agent then closes it.
// The client checks that the peer runs under its own user id before it sends a
// byte, the server does so before it reads one.
//
// # Frame
//
// A request and a reply have the same shape, numbers in network byte order:
//
//	offset  size  field
//	0       3     "cwa"
//	3       1     version of the protocol, now 1
//	4       2     request: operation ([Op]); reply: code ([Code], 0 is success)
//	6       2     reserved, 0, ignored by the reader
//	8       4     length of part 0
//	12      4     length of part 1
//	16      4     length of part 2
//	20            the three parts, one after the other
//
// What the parts hold:
//
//	            part 0            part 1                  part 2
//	fetch   ->  credential name   KUBERNETES_EXEC_INFO
//	        <-  bytes for stdout  bytes for stderr        one byte: exit code
//	add all ->  JSON requests     a secret each, a line each
//	others  ->  JSON request      a secret, or nothing
//	        <-  JSON reply        a secret, or nothing
//	error   <-  what went wrong   hint: what to do
//
// A secret travels in a part of its own and never inside JSON, so that no
// encoder, decoder or debug print of a request ever holds one.
//
// # Limits
//
// A part is at most [MaxPart] bytes: KUBERNETES_EXEC_INFO cannot be longer
// (execve refuses a single variable of 128 KiB), and no token is. The JSON of a
// request may have [MaxJSON], because CA bundles travel in it, and a part of a
// reply [MaxReply]. The server wants the first byte within 1 s and the
// whole request within 2 s, and over its connection cap closes the connection
// that has been idle longest without having completed a request.
//
// # Versions
//
// The first 20 bytes keep their meaning for ever. An agent answers in the version of
// the request; if it does not speak that, with [CodeVersion] in a version 1 frame
// whose message names both, and whose part 2 is two bytes: the oldest and the newest
// version that it speaks. A client that speaks one of those asks again in that one.
// Operations and codes are append-only.
package ipc
