package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/ipc"
)

// ring is a store that is one machine's.
type ring struct{ *disk }

func (r ring) Info() ipc.StoreInfo {
	info := r.disk.Info()
	info.OneHost = true
	return info
}

// ringOn starts an agent on a machine of that name with that keyring, and with a
// vault that all machines have.
func ringOn(t *testing.T, keyring, vault *disk, dir, host string) *world {
	t.Helper()
	w := worldOn(t, keyring, &notebook{}, func(c *agent.Config) {
		c.Store, c.Others, c.Auto, c.Host = ring{keyring}, []agent.Store{vault}, true, host
		c.Ledger = &ledger.File{Dir: dir}
	})
	if err := w.Restore(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.run())
	return w
}

func newVault() *disk { return &disk{kind: "vault", secrets: map[string]ipc.Secret{}} }

// A token that rests in the keyring of another machine is there, and said to be: it
// is not lost, nothing of it is touched, and nothing new rests in a second keyring.
// When it was moved to where all machines have it, each of them does.
func TestKeyringOfAnotherMachine(t *testing.T) {
	t.Parallel()
	mine, theirs, vault, dir := newDisk(), newDisk(), newVault(), t.TempDir()
	a, b := ringOn(t, mine, vault, dir, "login1"), ringOn(t, theirs, vault, dir, "login2")
	a.add(request("prod", "s3cr3t-1"))
	a.add(replacing(request("prod", "s3cr3t-2")))

	_, _, said := b.fetch("prod", home)
	if !strings.Contains(said, `credential "prod": its token rests in the disk of login1`) ||
		!strings.Contains(said, "hint: on login1: cwagent store migrate file") {
		t.Errorf("%s", said)
	}
	if c := b.status("prod"); c.State != ipc.StateLocked || !c.Saved {
		t.Errorf("%+v", c)
	}
	for _, r := range []ipc.AddRequest{request("dev", "s3cr3t-dev"), replacing(request("prod", "s3cr3t-3"))} {
		_, err := b.Add(t.Context(), r)
		if e := refused(t, err, ipc.CodeStore); e.What != "store disk: the tokens so far rest in the disk of login1" {
			t.Errorf("%+v", e)
		}
	}
	_, err := b.Migrate(t.Context(), ipc.MigrateRequest{To: "vault"})
	refused(t, err, ipc.CodeStore)
	if err := b.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatal(err) // a person may
	}
	if got := mine.holds(); len(got) != 2 || len(theirs.holds()) != 0 {
		t.Errorf("%q, %q", got, theirs.holds())
	}
	a.add(request("prod", "s3cr3t-4")) // which sweeps
	if got := mine.holds(); !slices.Equal(got, []string{"s3cr3t-4"}) {
		t.Errorf("%q", got)
	}

	if _, err := move(t.Context(), a, "vault"); err != nil {
		t.Fatal(err)
	}
	b.serves("prod", "s3cr3t-4")
	b.add(request("dev", "s3cr3t-dev"))
	a.serves("dev", "s3cr3t-dev")
	if len(mine.holds())+len(theirs.holds()) != 0 || len(vault.holds()) != 2 {
		t.Errorf("%q, %q, %q", mine.holds(), theirs.holds(), vault.holds())
	}
}

// A machine that has got another name has its own keyring all the same.
func TestMachineRenamed(t *testing.T) {
	t.Parallel()
	mine, vault, dir := newDisk(), newVault(), t.TempDir()
	ringOn(t, mine, vault, dir, "before").add(request("prod", "s3cr3t-1"))
	w := ringOn(t, mine, vault, dir, "after")
	w.add(replacing(request("prod", "s3cr3t-2"))) // nobody has asked for the token yet
	w.serves("prod", "s3cr3t-2")
	b, err := (&ledger.File{Dir: dir}).Load()
	if err != nil || b.Host != "after" {
		t.Errorf("%+v, %v", b, err)
	}
}

// What one machine's agent moves is not swept by another one's, whatever that has to
// do meanwhile; a move that came to no end is, a minute later.
func TestMoveBesideAnotherMachine(t *testing.T) {
	t.Parallel()
	mine, theirs, vault, dir := newDisk(), newDisk(), newVault(), t.TempDir()
	a, b := ringOn(t, mine, vault, dir, "login1"), ringOn(t, theirs, vault, dir, "login2")
	for i := range 40 {
		a.add(request(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i)))
	}
	step := func() ipc.MigrateReply {
		t.Helper()
		r, err := a.Migrate(t.Context(), ipc.MigrateRequest{To: "vault"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	sweeps := func() { b.add(ephemeral(request("brief", "s3cr3t-brief"))); b.Sweep(t.Context()) }
	first := step()
	sweeps()
	if got := len(vault.holds()); got != first.Copied {
		t.Errorf("%d of %d", got, first.Copied)
	}
	b.set(noon.Add(2 * time.Minute)) // its clock is another one
	sweeps()
	if got := len(vault.holds()); got != 0 {
		t.Errorf("%d are left of a move that came to no end", got)
	}
	for r := step(); !r.Done; r = step() {
	}
	b.Sync(t.Context())
	for i := range 40 {
		a.serves(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i))
		b.serves(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i))
	}
	if got := mine.holds(); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}
