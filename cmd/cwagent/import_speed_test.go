package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// many is a kubeconfig with n users, each with a cluster and a context of its own,
// and with n tokens or one: 5,000 are about 2 MB.
func many(n int, token func(i int) string) []byte {
	var clusters, contexts, users strings.Builder
	for i := range n {
		fmt.Fprintf(&clusters, "- name: c%d\n  cluster:\n    server: https://cw%06d.k8s.us-east-04a.coreweave.com\n    certificate-authority-data: %s\n",
			i, i, strings.Repeat("QUJD", 40))
		fmt.Fprintf(&contexts, "- name: c%d\n  context: {cluster: c%d, namespace: default, user: token-%d}\n", i, i, i)
		fmt.Fprintf(&users, "- name: token-%d\n  user:\n    token: CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2s%s # %d\n", i, token(i), i)
	}
	return []byte("apiVersion: v1\nkind: Config\nclusters:\n" + clusters.String() + "contexts:\n" + contexts.String() +
		"current-context: c0\nusers:\n" + users.String())
}

func one(int) string         { return "000000" }
func different(i int) string { return fmt.Sprintf("%06d", i) }

// A bench runs the built programs on kubeconfigs: what a person waits for.
type bench struct {
	testing.TB
	bin, dir string
	pid      int // of the agent
}

func newBench(tb testing.TB) *bench {
	return &bench{TB: tb, bin: built(tb, "cwagent", "cwagent-credential", "kubectl")}
}

// fresh starts an agent that knows nothing, until end is called.
func (b *bench) fresh(env ...string) (end func()) {
	b.Helper()
	dir, err := os.MkdirTemp("", "cw") // a socket's path has to be short
	if err != nil {
		b.Fatal(err)
	}
	b.dir = dir
	c := b.command(env, "cwagent", "agent")
	stderr, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.pid = c.Process.Pid
	log, said := bufio.NewReader(stderr), ""
	for !strings.Contains(said, "msg=serving") {
		line, err := log.ReadString('\n')
		if said += line; err != nil {
			b.Fatalf("the agent ended: %s", said)
		}
	}
	drained := make(chan struct{})
	go func() { defer close(drained); log.WriteTo(&bytes.Buffer{}) }()
	return func() {
		c.Process.Signal(terminate)
		<-drained
		c.Wait()
		os.RemoveAll(dir)
	}
}

func (b *bench) command(env []string, program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(b.bin, program), args...)
	c.Dir = b.dir
	c.Env = append([]string{"HOME=" + b.dir, "XDG_RUNTIME_DIR=" + b.dir, "PATH=" + b.bin}, env...)
	return c
}

// took is how long a program needs for that kubeconfig, the last of its arguments.
func (b *bench) took(text []byte, env []string, program string, args ...string) float64 {
	b.Helper()
	path := filepath.Join(b.dir, "config")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	c := b.command(append(env, "KUBECONFIG="+path), program, args...)
	start := time.Now()
	out, err := c.CombinedOutput()
	if err != nil {
		b.Fatalf("%s %q: %v\n%.2000s", program, args, err, out)
	}
	return time.Since(start).Seconds()
}

// imports is how long an import takes by an agent that knows nothing yet.
func (b *bench) imports(text []byte, env []string, flags ...string) float64 {
	defer b.fresh(env...)()
	return b.took(text, env, "cwagent", append([]string{"import", "--no-verify", "--plugin-path", filepath.Join(b.bin, "cwagent-credential")}, flags...)...)
}

// theirs is how long client-go takes to load a kubeconfig and to write it.
func (b *bench) theirs(text []byte) float64 {
	b.dir = b.TempDir()
	return b.took(text, nil, "kubectl", "config", "set-context", "c0", "--namespace", "x")
}

func median(n int, measure func() float64) float64 {
	var all []float64
	for range n {
		all = append(all, measure())
	}
	slices.Sort(all)
	return all[n/2]
}

// What a person waits for who imports a kubeconfig with 5,000 users, and who looks
// at what that would do, is at most three times what client-go takes to load and
// write it.
func TestImportSpeed(t *testing.T) {
	b := newBench(t)
	text := many(5000, one)
	theirs := median(3, func() float64 { return b.theirs(text) })
	for _, flag := range []string{"--yes", "--dry-run"} {
		ratio := median(3, func() float64 { return b.imports(text, nil, "--ephemeral", flag) }) / theirs
		t.Logf("import %s takes %.2f times what kubectl takes", flag, ratio)
		if ratio > 3 {
			t.Errorf("import %s: that is too much: at most 3", flag)
		}
	}
}

// Eight times as many different tokens take about eight times as long, where the
// agent's memory is enough; if everything were looked through or written again for
// each of them it would be up to 64 times.
func TestImportGrows(t *testing.T) {
	b := newBench(t)
	took := func(n int) float64 {
		return median(3, func() float64 { return b.imports(many(n, different), nil, "--ephemeral", "--yes") })
	}
	few, lots := took(250), took(2000)
	t.Logf("250 tokens take %.2f s, 2,000 %.2f s", few, lots)
	if lots > 24*few {
		t.Errorf("that grows faster than the file does: %.1f times", lots/few)
	}
}
