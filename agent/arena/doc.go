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
package arena
