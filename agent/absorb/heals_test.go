package absorb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/ipc"
)

// What was in the way goes away, and nobody has to do anything.

func TestVerdictComesLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.oracle.set(second, agent.Verdict{Life: agent.Unknown, Why: "no answer"})
	w.run()
	w.write(w.config, written("me", second, prod))
	w.left(w.config, "nobody could say")
	w.oracle.set(second, alive("org", "me"))
	w.absorbed(w.config, "prod")
}

func TestStoreOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.disk.fails(agent.ErrLocked)
	w.write(w.config, written("me", second, prod))
	w.left(w.config, "is not saved yet")
	w.token("prod", second)
	w.disk.fails(nil)
	w.absorbed(w.config, "prod")
}

// A new token is served before it is saved. Nothing is said about that moment.
func TestSavedInAMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disk.putting = func() {
		marker := w.download("00000001", "marker")
		w.write(marker, written("me", third, dev))
		w.left(marker, "no credential") // so that the config has been looked at before
	}
	w.write(w.config, written("me", second, prod))
	w.run()
	w.absorbed(w.config, "prod")
	if log := w.log.String(); strings.Contains(log, "memory only") {
		t.Errorf("%s", log)
	}
}

func TestCredentialComesLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.write(w.config, written("me", second, dev))
	w.left(w.config, "no credential")
	w.add("dev", third, dev)
	w.absorbed(w.config, "dev")
	w.token("dev", second)
}

func TestVerifiedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(unverified("dev"), dev)
	w.run()
	w.write(w.config, written("me", second, dev))
	w.left(w.config, "has not said yet")
	_, err := w.Verify(t.Context(), ipc.VerifyRequest{Name: "dev"})
	must(t, err)
	w.absorbed(w.config, "dev")
}

func TestSettingsChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.settings()
	s.OnStaticToken = absorb.Ignore
	w.watcher.Configure(s)
	w.write(w.config, written("me", first, prod))
	w.run()
	other := filepath.Join(w.home, "other")
	w.write(other, written("me", first, prod))
	s.OnStaticToken, s.Kubeconfigs = absorb.Absorb, []string{other}
	w.watcher.Configure(s)
	w.absorbed(other, "prod")
	if _, ok := w.watch(w.config); ok || !strings.Contains(read(w.config), first) {
		t.Errorf("%s is looked at", w.config)
	}
}

func TestLockGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, os.WriteFile(w.config+".lock", nil, 0o600))
	w.run()
	w.write(w.config, written("me", first, prod))
	w.left(w.config, "kubectl's lock")
	must(t, os.Remove(w.config+".lock"))
	w.absorbed(w.config, "prod")
}

// A lock that comes at the last moment: what was noted for the file is taken back,
// and meanwhile nobody else has a turn.
func TestLockComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.config, written("me", second, prod))
	var busy bool
	w.deciding = func() {
		_, busy, _ = w.state.TryTurn()
		must(t, os.WriteFile(w.config+".lock", nil, 0o600))
	}
	w.run()
	w.left(w.config, "kubectl's lock")
	if files, err := w.state.Load(); err != nil || len(files) > 0 {
		t.Errorf("noted: %+v, %v", files, err)
	}
	if !busy {
		t.Error("a file was rewritten out of turn")
	}
	must(t, os.Remove(w.config+".lock"))
	if took := w.absorbed(w.config, "prod"); took > time.Second {
		t.Errorf("the lock was gone for %v", took)
	}
}
