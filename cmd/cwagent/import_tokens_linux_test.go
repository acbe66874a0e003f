package main

import (
	"os"
	"testing"

	"github.com/cwagent/cwagent/agent/store/keyringtest"
)

// realKeyring returns the environment of a gnome-keyring of its own.
func realKeyring(tb testing.TB) (env []string) {
	tb.Helper()
	dir, err := os.MkdirTemp("", "cwkr")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	k, err := keyringtest.Start(dir, keyringtest.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(k.Close)
	for _, name := range []string{"DBUS_SESSION_BUS_ADDRESS", "XDG_DATA_HOME"} {
		env = append(env, name+"="+k.Getenv(name))
	}
	return env
}

// How long the import of 1,000 different tokens into a keyring takes. That
// gnome-keyring writes all that it has whenever it gets something is its own.
func BenchmarkImportIntoKeyring(b *testing.B) {
	if err := missing(); err != nil {
		lacking(b, err.Error())
	}
	bench, text := newBench(b), many(1000, different)
	for b.Loop() {
		b.ReportMetric(bench.imports(text, realKeyring(b), "--yes"), "s/import")
	}
}
