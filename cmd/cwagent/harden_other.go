//go:build !unix

package main

// harden has nothing to do here: there are neither cores nor a umask.
func harden() error { return nil }
