// Package arena keeps tokens at rest in a few pages of memory that are theirs
// alone: locked, so that they are not written to swap, left out of core dumps, and
// cleared once nobody has the token any more.
//
// It is packed, because a person may lock 8 MB (RLIMIT_MEMLOCK): 1,000 tokens of 60
// bytes take 64 KiB. Where the system locks no more, tokens rest here nonetheless,
// and that is said once.
//
// What is locked is written to the disk when the machine hibernates, like all of its
// memory. memfd_secret(2) would prevent that, by preventing hibernation.
//
// When nobody has a token any more is what the garbage collector finds out: in an
// agent that does nothing else it looks every two minutes.
//
// # The copies that remain
//
// The arena has one copy of each token that the agent holds. It is the only one that is
// meant to last, not the only one that there is: libraries leave theirs in buffers
// and strings, Go clears nothing that it frees until it gives it out again, and
// nobody can clear what others have made. Cleared after use is what comes and goes at
// the agent's socket (ipc/server), and cached answers have no token in them
// (agent/render), so that any number of fetches adds nothing. What remains, for some
// time:
//
//   - of a token that was read from a store or written there: the store's messages
//     and, of a long one, its parts;
//   - of one that was asked about, once when it is new and every nine minutes while
//     it is in use: the header and the buffers of net/http. Likewise of one with
//     which a source asked for the next, or that was exchanged for object storage keys,
//     and of those keys;
//   - of one that a source gave: what was printed, the file, the answer;
//   - of one that stood in a kubeconfig or a download that the agent has looked at,
//     also where it looked in vain: the text of the file and its parts;
//   - of the master key of a file store, and of the passphrase or key that opened it:
//     what age works with;
//   - what [ipc.Secret.Reveal] returns, which is for all of these.
//
// TestCopiesOfTokens in cmd/cwagent counts them. Only a new process has none.
package arena
