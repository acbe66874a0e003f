package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdOnlyIn wants the remembered token in the environment of the process whose pid
// stands in a file, and in no other environment of this machine, no arguments and no
// file below the folders named: onlyin PIDFILE DIR...
func cmdOnlyIn(ts *testscript.TestScript, neg bool, args []string) {
	v, _ := secrets.Load(ts.MkAbs("."))
	token := v.([]byte)
	holds := func(path string) bool {
		b, err := os.ReadFile(path)
		return err == nil && bytes.Contains(b, token) // else a process that has ended
	}
	holder := filepath.Join("/proc", strings.TrimSpace(ts.ReadFile(args[0])), "environ")
	if !holds(holder) {
		ts.Fatalf("the token is not in %s", holder)
	}
	for _, kind := range []string{"cmdline", "environ"} {
		found, _ := filepath.Glob("/proc/[0-9]*/" + kind)
		for _, path := range found {
			if path != holder && holds(path) {
				ts.Fatalf("the token is in %s", path)
			}
		}
	}
	for _, dir := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && holds(path) {
				ts.Fatalf("the token is in %s", path)
			}
			return nil
		}))
	}
}
