package kubeconfig

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

var update = flag.Bool("update", false, "write the golden files of TestGolden")

// goldens are the files of testdata, the shapes that people really have, and
// what they hold.
var goldens = []struct {
	file    string
	users   []string // with a token
	rename  string   // the first of them becomes this
	servers int      // of the first of them
	lines   int      // that change
}{
	{"CWKubeconfig_cwtoken-3f9a1c7e-prod", []string{"token"}, "cw-prod", 2, 4},
	{"CWKubeconfig_cwtoken-b04d52aa-dev", []string{"token"}, "cw-dev", 1, 3},
	{"seed-page.yaml", []string{"token"}, "cw-katalog", 1, 3},
	{"merged.yaml", []string{"token"}, "cw-train-east", 1, 3},
	{"crlf.yaml", []string{"token"}, "cw-train-east", 1, 3},
	{"classic.yaml", []string{"token-RaNdOm123"}, "", 1, 1},
	{"flow.json", []string{"token"}, "cw-train-east", 1, 1},
	{"cwic-exec.yaml", nil, "", 0, 0},
}

func read(t *testing.T, path string) *File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden compares with files that were looked at by a person: go test
// -update writes them.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		t.Run(g.file, func(t *testing.T) {
			t.Parallel()
			f := read(t, filepath.Join("testdata", g.file))
			var users []string
			for _, u := range f.Users {
				users = append(users, u.Name)
			}
			if !slices.Equal(users, g.users) {
				t.Fatalf("users with a token: %q", users)
			}
			if len(users) == 0 {
				return
			}
			if got := len(f.Users[0].Servers); got != g.servers {
				t.Errorf("%d servers: %v", got, f.Users[0].Servers)
			}
			out, _, err := f.Edit([]Change{{NewName: g.rename, Exec: Exec{"/usr/bin/cwagent-credential", "prod"}}})
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "golden", g.file)
			if *update {
				if err := os.WriteFile(golden, out, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(out) != string(want) {
				t.Errorf("%v; not as in %s:\n%s", err, golden, out)
			}
			wantLinesChanged(t, string(f.text), string(out), g.lines)
		})
	}
}

// wantLinesChanged wants n lines of before to be missing from after, and line
// ends and the end of the file to be as they were.
func wantLinesChanged(t *testing.T, before, after string, n int) {
	t.Helper()
	left := strings.SplitAfter(after, "\n")
	missing := 0
	for line := range strings.SplitAfterSeq(before, "\n") {
		if i := slices.Index(left, line); i >= 0 {
			left = left[i+1:] // in their order
		} else {
			missing++
		}
	}
	if missing != n {
		t.Errorf("%d lines changed, want %d", missing, n)
	}
	crlf := strings.Contains(before, "\r\n")
	if crlf != (strings.Count(after, "\n") == strings.Count(after, "\r\n")) {
		t.Error("line ends changed")
	}
	if strings.HasSuffix(before, "\n") != strings.HasSuffix(after, "\n") {
		t.Error("the end of the file changed")
	}
}

// What stands in a file is all that import needs to know.
func TestReadMerged(t *testing.T) {
	t.Parallel()
	f := read(t, "testdata/merged.yaml")
	if want := []string{"minikube", "gke_acme_prod", "token", "legacy-sa"}; !slices.Equal(f.Names, want) {
		t.Errorf("names %q", f.Names)
	}
	u := f.Users[0]
	if u.Line != 50 || u.Token.Reveal() != "CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2sD8fJ4gA6" || u.Beside != "" {
		t.Errorf("line %d, beside %q", u.Line, u.Beside)
	}
	if want := []string{"train-east", "train-east-admin"}; !slices.Equal(u.Contexts, want) {
		t.Errorf("contexts %q", u.Contexts)
	}
	if want := []ipc.Server{{URL: "https://cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com"}}; !slices.Equal(u.Servers, want) {
		t.Errorf("servers %v", u.Servers)
	}
	if len(f.Ours) != 0 {
		t.Errorf("ours %q", f.Ours)
	}
}

// Who was imported is not imported again.
func TestReadOurs(t *testing.T) {
	t.Parallel()
	for _, g := range goldens {
		if g.users == nil {
			continue
		}
		f := read(t, filepath.Join("testdata", "golden", g.file))
		if len(f.Users) != 0 || !slices.Equal(f.Ours, []string{"prod"}) {
			t.Errorf("%s: %d users, ours %q", g.file, len(f.Users), f.Ours)
		}
	}
}

// kubectl takes the token and ignores the exec block: a person has to say which
// of the two is meant.
func TestTokenAndExec(t *testing.T) {
	t.Parallel()
	f := read(t, "testdata/token-and-exec.yaml")
	if len(f.Users) != 1 || f.Users[0].Beside != "exec" {
		t.Fatalf("%+v", f.Users)
	}
	_, _, err := f.Edit([]Change{{Exec: Exec{"/usr/bin/cwagent-credential", "prod"}}})
	if text := refusal(t, err); !strings.Contains(text, "line 13: ") || !strings.Contains(text, "has exec beside its token") {
		t.Error(text)
	}
}
