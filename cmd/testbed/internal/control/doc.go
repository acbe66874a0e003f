// Package control is how the other testbed commands talk to the one that is up: HTTP over a unix socket in its folder.
//
// Only the owner of the folder gets in (folder 0700, socket 0600). A minted secret crosses this socket once, as in the
// Console, and can not be asked for again.
package control
