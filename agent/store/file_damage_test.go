package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A store.json that cannot be believed is no store, and is not touched.
func TestFileForms(t *testing.T) {
	t.Parallel()
	s, state := openFile(t)
	path := s.files.form.Path()
	good := readFile(t, path)
	for text, words := range map[string]string{
		`{"version": 2, "key": {}}`: "it was written by a newer cwagent (form 2, this one knows 1)",
		`{"version": 1, "key": {}}`: "it cannot be read",
		good[:len(good)/2]:          "it cannot be read",
		"":                          "it cannot be read",
	} {
		writeFile(t, path, text)
		wantFileAnswer(t, s, agent.ErrAbsent, words)
		if _, err := InitFile(FileInit{State: state, Ask: says(filePassphrase)}); err == nil || !strings.Contains(err.Error(), words) {
			t.Error(err)
		}
		if readFile(t, path) != text {
			t.Errorf("%q was changed", text)
		}
	}
	at := strings.Index(good, `\n-----END`) - 20
	writeFile(t, path, good[:at]+string(good[at]^1)+good[at+1:])
	if err := s.Unlock(t.Context(), ipc.NewSecret(filePassphrase)); !errors.Is(err, agent.ErrAbsent) || !strings.Contains(err.Error(), "the key in its store.json is damaged") {
		t.Error(err)
	}
	writeFile(t, path, good)
	if err := s.Look(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever writes to the folder without the key gets nothing taken for a token.
func TestFileItemsTamperedWith(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	path, other := s.files.path("prod.00000001"), s.files.path("prod.00000002")
	put(t, s, "prod.00000001", "one")
	put(t, s, "prod.00000002", "two")
	good, two := readFile(t, path), readFile(t, other)
	for at := range len(good) {
		writeFile(t, path, good[:at]+string([]byte{good[at] ^ 1})+good[at+1:])
		wantDamaged(t, s, path)
		writeFile(t, path, good[:at])
		wantDamaged(t, s, path)
	}
	for what, text := range map[string]string{
		"longer": good + "x", "twice": good + good, "swapped": two, "clear": "CW-SECRET-one", "huge": strings.Repeat("x", maxItem+1),
	} {
		writeFile(t, path, text)
		wantDamaged(t, s, path, map[string]string{"swapped": "it is the file of another token"}[what])
	}
	// Of another store, and by somebody who knows how.
	strange, _ := openFile(t)
	put(t, strange, "prod.00000001", "forged")
	writeFile(t, path, readFile(t, strange.files.path("prod.00000001")))
	wantDamaged(t, s, path, "it was not written with the key of this store")
	wantSecret(t, s, "prod.00000002", "two")

	put(t, s, "prod.00000001", "mended")
	wantSecret(t, s, "prod.00000001", "mended")
}

func wantDamaged(t *testing.T, s *File, path string, words ...string) {
	t.Helper()
	got, err := s.Get(t.Context(), "prod.00000001")
	wantFileErr(t, err, nil, path+": it")
	for _, w := range words {
		wantFileErr(t, err, nil, w)
	}
	if !got.Empty() {
		t.Error("it gave a token")
	}
}
