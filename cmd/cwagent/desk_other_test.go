//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func cmdDesk(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("no desk can be had here")
}

func deskMissing() error { return missing() }
