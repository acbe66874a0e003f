package kubeconfig

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	usersFile = `apiVersion: v1
kind: Config
clusters:
- {name: c, cluster: {server: https://a.example.com}}
contexts:
- {name: own, context: {cluster: c, user: token}}
users:
- name: token
  user: {token: CW-SECRET-one}
`
	contextsFile = `apiVersion: v1
kind: Config
clusters:
- {name: d, cluster: {server: https://b.example.com}}
contexts:
- name: one
  context: {cluster: d, user: token} # mine
- name: two
  context:
    user: "token"
    cluster: c
- name: three
  context: {cluster: d, user: somebody}
`
)

// readAll writes files into a folder and reads them as one run does.
func readAll(t *testing.T, texts ...string) []*File {
	t.Helper()
	dir := t.TempDir()
	var files []*File
	for i, text := range texts {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if err := Resolve(files); err != nil {
		t.Fatal(err)
	}
	return files
}

// The contexts of a user may stand in other files, beside those in its own.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	files := readAll(t, contextsFile, usersFile, usersFile)
	u := files[1].Users[0]
	if want := []string{"own", "one", "two"}; !slices.Equal(u.Contexts, want) {
		t.Errorf("contexts %v, want %v", u.Contexts, want)
	}
	if want := []string{"c", "d"}; !slices.Equal(u.Clusters, want) {
		t.Errorf("clusters %v, want %v", u.Clusters, want)
	}
	if len(u.Elsewhere) != 1 || u.Elsewhere[0] != files[0] {
		t.Errorf("elsewhere %v", u.Elsewhere)
	}
	// client-go takes the first user of a name: the second one is not meant.
	if second := files[2].Users[0]; len(second.Elsewhere) != 0 || !slices.Equal(second.Contexts, []string{"own"}) {
		t.Errorf("the second user of that name has %v", second.Contexts)
	}
}

func TestRenameReferences(t *testing.T) {
	t.Parallel()
	f := readAll(t, contextsFile)[0]
	text, undo, err := f.RenameReferences("token", "cw-prod")
	if err != nil {
		t.Fatal(err)
	}
	renamed := readAll(t, string(text))[0]
	if n := len(renamed.references("cw-prod")); n != 2 || len(renamed.references("token")) != 0 || len(renamed.references("somebody")) != 1 {
		t.Errorf("%d contexts name the new user:\n%s", n, text)
	}
	back, exact, err := renamed.RestoreReferences(undo)
	if err != nil || !exact || string(back) != contextsFile {
		t.Errorf("restored %v, %v:\n%s", exact, err, back)
	}
	if _, _, err := f.RenameReferences("nobody", "x"); err == nil {
		t.Error("references to nobody were renamed")
	}
	if _, _, err := readAll(t, usersFile)[0].RenameReferences("token", "x"); err == nil {
		t.Error("references to a user of the file itself were renamed")
	}
}
