//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a program that speaks pinentry's protocol says, and what is made of it.
func TestPinentry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, answers, want, err string }{
		{"a passphrase", `GETPIN) printf 'D a+b%%25c d\nOK\n';;`, "a+b%c d", ""},
		{"in two lines, behind a status", `GETPIN) printf 'S X y\n# z\nD one \nD two\nOK\n';;`, "one two", ""},
		{"dismissed", `GETPIN) echo 'ERR 83886179 Operation cancelled <Pinentry>';;`, "", "Operation cancelled"},
		{"gone", `GETPIN) exit;;`, "", "it ended without an answer"},
		{"nothing of the kind", `GETPIN) printf 'D %%zz\nOK\n';;`, "", "it does not speak Assuan"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "pinentry")
			script := "#!/bin/sh\necho OK hello\nwhile read -r word rest; do case $word in " + tt.answers + " *) echo OK;; esac; done\n"
			if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			got, err := askPinentry(t.Context(), program, "passphrase, 50%")
			if tt.err == "" && (err != nil || got.Reveal() != tt.want) {
				t.Errorf("%q, %v", got.Reveal(), err)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || !got.Empty()) {
				t.Errorf("%v", err)
			}
		})
	}
}
