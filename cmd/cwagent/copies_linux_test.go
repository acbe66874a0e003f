package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// How often a token is found in the memory of an agent at rest: once, where tokens
// rest, and what comes and goes at the socket adds none. Only who has been asked about
// a token leaves some behind: package agent/arena has the list.
func TestCopiesOfTokens(t *testing.T) {
	ipctest.NeedRoot(t)
	b := newBench(t)
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("coreweave: {endpoint: \"https://127.0.0.1:1\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer b.fresh("CWAGENT_CONFIG=" + config)()
	const tokens = 20
	b.took(many(tokens, different), nil, "cwagent", "import", "--no-verify", "--ephemeral", "--yes",
		"--plugin-path", filepath.Join(b.bin, "cwagent-credential"))
	agent := client.Client{Path: filepath.Join(b.dir, "cwagent", "agent.sock")}
	status, err := agent.Status(t.Context(), ipc.StatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	// It rests a second after the last change.
	copies := func(when string, limit int) {
		t.Helper()
		n := b.copies(tokens)
		for deadline := time.Now().Add(20 * time.Second); n > limit && time.Now().Before(deadline); {
			n = b.copies(tokens)
		}
		t.Logf("%s: %d copies of %d tokens", when, n, tokens)
		if n < tokens || n > limit {
			t.Errorf("expected at least one of each, and at most %d", limit)
		}
	}
	use := func() {
		for i := range 50 {
			c := status.Credentials[i%tokens]
			info := fmt.Sprintf(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":%q,"certificate-authority-data":%q}}}`,
				c.Servers[0].URL, strings.Repeat("QUJD", 40))
			reply, err := agent.Fetch(t.Context(), ipc.FetchRequest{Name: c.Name, ExecInfo: []byte(info)})
			if err != nil || !bytes.Contains(reply.Stdout, []byte("CW-SECRET-")) {
				t.Fatalf("%v\n%s", err, reply.Stderr)
			}
			if s, err := agent.Token(t.Context(), ipc.TokenRequest{Name: c.Name}); err != nil || s.Empty() {
				t.Fatal(err)
			}
		}
	}
	copies("after the import", tokens)
	use()
	copies("after 50 fetches", 2*tokens) // each has been asked about
	use()
	copies("after 50 more", 2*tokens)
}

// copies counts those of the tokens of many in the agent's memory.
func (b *bench) copies(tokens int) (n int) {
	for _, m := range b.memory() {
		for i := range tokens {
			n += bytes.Count(m, []byte("CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2s"+different(i)))
		}
	}
	return n
}

// memory is all that the agent can write to.
func (b *bench) memory() (all [][]byte) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", b.pid))
	if err != nil {
		b.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", b.pid))
	if err != nil {
		b.Fatal(err)
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var may string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &may); n != 3 || !strings.HasPrefix(may, "rw") {
			continue
		}
		m := make([]byte, to-from)
		if _, err := mem.ReadAt(m, from); err != nil {
			b.Fatalf("%s: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}
