//go:build !linux

package main

import (
	"errors"

	"github.com/rogpeppe/go-internal/testscript"
)

func cmdKeyring(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("no keyring can be had here")
}

func cmdTinyDisk(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("no small disk can be had here")
}

func cmdHost(ts *testscript.TestScript, neg bool, args []string) {
	ts.Fatalf("no other machine can be had here")
}

func missing() error { return errors.New("the end-to-end tests run on Linux") }

func screenMissing() error { return missing() }
