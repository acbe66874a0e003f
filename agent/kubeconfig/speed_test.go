package kubeconfig

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/cwagent/cwagent/ipc"
)

// large writes a kubeconfig with 5,000 users, of about 2 MB, perhaps as JSON in
// one line.
func large(t testing.TB, inOneLine bool) (path string) {
	t.Helper()
	var clusters, contexts, users strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&clusters, "- name: c%d\n  cluster:\n    server: https://cw%06d.k8s.us-east-04a.coreweave.com\n    certificate-authority-data: %s\n",
			i, i, strings.Repeat("QUJD", 40))
		fmt.Fprintf(&contexts, "- name: c%d\n  context: {cluster: c%d, namespace: default, user: token-%d}\n", i, i, i)
		fmt.Fprintf(&users, "- name: token-%d\n  user:\n    token: CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2s%06d # %d\n", i, i, i)
	}
	text := "apiVersion: v1\nkind: Config\nclusters:\n" + clusters.String() + "contexts:\n" + contexts.String() + "current-context: c0\nusers:\n" + users.String()
	if inOneLine {
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	path = filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ours imports all users of a file, or restores them.
func ours(path string, undo *[]Undo) error {
	return Rewrite(path, func(f *File) (text []byte, err error) {
		if *undo != nil {
			text, _, err = f.Restore(*undo, func(c string) (ipc.Secret, error) {
				return ipc.NewSecret("CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2s" + c[len(c)-6:]), nil
			})
			*undo = nil
			return text, err
		}
		var changes []Change
		for i := range f.Users {
			changes = append(changes, Change{User: i, NewName: fmt.Sprintf("cw-%d", i), Exec: Exec{"/usr/bin/cwagent-credential", fmt.Sprintf("prod-%06d", i)}})
		}
		text, *undo, err = f.Edit(changes)
		return text, err
	})
}

// theirs is what client-go does to change a file.
func theirs(path string) error {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(*config, path)
}

// ratios returns how long an import and a restore of a large file take, in
// multiples of what client-go takes to load and write it: medians.
func ratios(t testing.TB, path string, runs int) (imports, restores float64) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(path), "theirs")
	took := map[string][]float64{}
	measure := func(what string, f func() error) {
		start := time.Now()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		took[what] = append(took[what], time.Since(start).Seconds())
	}
	for range runs {
		var undo []Undo
		measure("import", func() error { return ours(path, &undo) })
		measure("restore", func() error { return ours(path, &undo) })
		if err := os.WriteFile(other, before, 0o600); err != nil {
			t.Fatal(err)
		}
		measure("theirs", func() error { return theirs(other) })
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Fatalf("not restored: %v", err)
	}
	median := func(what string) float64 {
		slices.Sort(took[what])
		return took[what][runs/2]
	}
	return median("import") / median("theirs"), median("restore") / median("theirs")
}

// TestSpeed: a kubeconfig with 5,000 users is imported in at most three times
// what client-go takes to load and write it. What was quadratic shows at once.
func TestSpeed(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("the race detector slows the one more than the other")
	}
	for _, inOneLine := range []bool{false, true} {
		imports, restores := ratios(t, large(t, inOneLine), 3)
		t.Logf("JSON %v: import takes %.2f times what client-go takes, restore %.2f times", inOneLine, imports, restores)
		if imports > 3 || restores > 3 {
			t.Errorf("that is too much: at most 3")
		}
	}
}

func BenchmarkImport(b *testing.B) {
	path := large(b, false)
	var undo []Undo
	for b.Loop() {
		if err := ours(path, &undo); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := ours(path, &undo); err != nil { // back again
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkRatio(b *testing.B) {
	for b.Loop() {
		imports, restores := ratios(b, large(b, false), 5)
		b.ReportMetric(imports, "import/client-go")
		b.ReportMetric(restores, "restore/client-go")
	}
}
