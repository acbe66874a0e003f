package kubeconfig

import (
	"os"
	"path/filepath"
	"testing"
)

// kubectl takes its lock, empties the file, writes it, drops the lock. Who reads
// in between waits for the contents.
func TestReadWhileWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	for _, name := range []string{path, path + ".lock"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written := make(chan error, 1)
	go func() {
		err := os.WriteFile(path, []byte(usersFile), 0o600)
		os.Remove(path + ".lock")
		written <- err
	}()
	f, err := Read(path)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if err != nil || len(f.Users) != 1 {
		t.Errorf("Read = %v", err)
	}
	// One that stays empty is an answer at once.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil {
		t.Error("an empty file was read")
	}
}
