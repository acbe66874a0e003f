// Package keyringtest runs a real gnome-keyring-daemon for tests, on a session
// bus of its own and in a home of its own. It can be locked, stopped, killed and
// brought back. The bus starts nothing by itself but what shows prompts, if there is
// to be such a thing, so that dead means dead.
//
// Nothing of it touches the keyring of the person who runs the test, and no
// signal goes to a process that it did not start. Linux only.
package keyringtest
