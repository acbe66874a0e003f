package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// realKeyring runs a gnome-keyring-daemon and returns the store that uses it.
// The deadline is for a machine that is busy with other things.
func realKeyring(t *testing.T, o keyringtest.Options) (*keyringtest.Keyring, *Keyring) {
	t.Helper()
	k := keyringtest.New(t, o)
	return k, NewKeyring(KeyringConfig{Getenv: k.Getenv, Wait: 20 * time.Second})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantAnswer checks that all that a store can be asked gets this answer, quickly
// and with these words.
func wantAnswer(t *testing.T, s *Keyring, want error, words string) {
	t.Helper()
	began := time.Now()
	_, get := s.Get(t.Context(), "prod.00000001")
	for _, err := range []error{get, s.Put(t.Context(), "prod.00000002", ipc.NewSecret("two")), s.Delete(t.Context(), "prod.00000001")} {
		for _, e := range []error{agent.ErrNotFound, agent.ErrLocked, agent.ErrRefused, agent.ErrAbsent} {
			if errors.Is(err, e) != (e == want) {
				t.Errorf("%v; want %v", err, want)
			}
		}
		if err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want the words %q", err, words)
		}
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestKeyringConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) agent.Store {
		_, s := realKeyring(t, keyringtest.Options{})
		s.Plaintext(t.Context()) // what it is, it says when it has been asked
		return s
	})
}

func TestKeyringInfo(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	if i := s.Info(); i.Kind != "keyring" || i.Why != "the Secret Service of this session" || i.Plaintext || !s.Durable() {
		t.Errorf("before it was asked: %+v", i)
	}
	put(t, s, "prod.00000001", "one")
	if i := s.Info(); i.Why != `gnome-keyring, collection "login"` || i.Plaintext {
		t.Errorf("%+v", i)
	}
	s = NewKeyring(KeyringConfig{Getenv: k.Getenv, Why: "store: auto took it"})
	if i := s.Info(); i.Why != "store: auto took it: the Secret Service of this session" {
		t.Errorf("%+v", i)
	}
}

// libsecret, with the attributes and the label of go-keyring, is somebody else's
// idea of where the secret is.
func TestKeyringShares(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("secret-tool"); err != nil {
		ipctest.Skip(t, "not installed: secret-tool (Debian: libsecret-tools)")
	}
	k, s := realKeyring(t, keyringtest.Options{})
	const name = "prod cwtoken-3f9a1c7e #5f3a9c01" // as the agent names them
	put(t, s, name, "CW-SECRET-one")
	tool := func(args ...string) string {
		c := exec.CommandContext(t.Context(), "secret-tool", args...)
		c.Env, c.Dir = append(os.Environ(), k.Env()...), t.TempDir()
		c.Stdin = strings.NewReader("CW-SECRET-two")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("secret-tool %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	found := tool("search", "--all", "service", "cwagent", "username", name)
	for _, want := range []string{"label = Password for '" + name + "' on 'cwagent'\n", "secret = CW-SECRET-one\n"} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in %q", want, found)
		}
	}
	tool("store", "--label=mine", "service", "cwagent", "username", "prod.00000002")
	wantSecret(t, s, "prod.00000002", "CW-SECRET-two")
}

func TestKeyringLockedAtStart(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{Locked: true, Items: map[string]string{"prod.00000001": "one"}})
	wantAnswer(t, s, agent.ErrLocked, `collection "login"`)
	must(t, k.Unlock())
	wantSecret(t, s, "prod.00000001", "one")
	wantAbsent(t, s, "prod.00000002")
}

func TestKeyringLockedLater(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	put(t, s, "prod.00000001", "one")
	for range 3 {
		must(t, k.Lock())
		wantAnswer(t, s, agent.ErrLocked, `collection "login"`)
		must(t, k.Unlock())
		wantSecret(t, s, "prod.00000001", "one")
		wantAbsent(t, s, "prod.00000002")
	}
}

// The item of a token that was put before the person made another collection
// the default one.
func TestKeyringOtherDefault(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	put(t, s, "prod.00000001", "one")
	put(t, s, "prod.00000002", "two")
	must(t, k.SetDefault("My keys_2", "another"))
	wantSecret(t, s, "prod.00000001", "one")
	put(t, s, "prod.00000001", "new one")
	wantSecret(t, s, "prod.00000001", "new one")
	if i := s.Info(); i.Why != `gnome-keyring, collection "My_keys_2"` {
		t.Errorf("%+v", i)
	}
	remove(t, s, "prod.00000001")
	wantAbsent(t, s, "prod.00000001")

	must(t, k.SetDefault("clear", ""))
	if !s.Plaintext(t.Context()) {
		t.Error("the new default has no password")
	}
	k.Kill()
	must(t, k.RestartLocked())
	if _, err := s.Get(t.Context(), "prod.00000002"); !errors.Is(err, agent.ErrLocked) {
		t.Errorf("the item's collection is locked, the default one is not: %v", err)
	}
	if !s.Plaintext(t.Context()) {
		t.Error("the default has no password, as before")
	}
}

func TestKeyringBlank(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{Blank: true})
	file := filepath.Join(k.Data(), "keyrings", "login.keyring")
	if !s.Plaintext(t.Context()) {
		t.Error("it is in clear")
	}
	put(t, s, "prod.00000001", "CW-SECRET-one")
	if i := s.Info(); !i.Plaintext || i.Why != `gnome-keyring, collection "login", whose password is blank: `+file+" is in clear" {
		t.Errorf("%+v", i)
	}
	b, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(b), "CW-SECRET-one") {
		t.Errorf("the claim does not hold: %v", err)
	}
	must(t, k.SetPassword("now it has one"))
	must(t, k.Unlock())
	if s.Plaintext(t.Context()) || s.Info().Plaintext {
		t.Error("it is encrypted now")
	}
	wantSecret(t, s, "prod.00000001", "CW-SECRET-one")
}

func TestKeyringFresh(t *testing.T) {
	t.Parallel()
	_, s := realKeyring(t, keyringtest.Options{Fresh: true})
	wantAnswer(t, s, agent.ErrAbsent, "no default collection")
	if s.Plaintext(t.Context()) {
		t.Error("there is no file")
	}
}

func TestKeyringLong(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	long := ofLength(30_000, "long")
	put(t, s, "prod.00000001", long)
	wantSecret(t, s, "prod.00000001", long)

	s = NewKeyring(KeyringConfig{Getenv: k.Getenv, Wait: 20 * time.Second, Limit: 12_500})
	wantSecret(t, s, "prod.00000001", long)
	for _, v := range []string{long, ofLength(17_500, "other"), "short", ofLength(12_501, "third")} {
		put(t, s, "prod.00000001", v)
		wantSecret(t, s, "prod.00000001", v)
	}
	k.Kill()
	must(t, k.Restart())
	wantSecret(t, s, "prod.00000001", ofLength(12_501, "third"))
	remove(t, s, "prod.00000001")
	for _, gen := range generations {
		wantAbsent(t, s, partName("prod.00000001", gen, 1))
	}
}

// The same crashes as in the model, at a real keyring.
func TestKeyringPartsCrash(t *testing.T) {
	t.Parallel()
	k, _ := realKeyring(t, keyringtest.Options{})
	v := &secretService{getenv: k.Getenv}
	items := func() int {
		c, err := v.open(t.Context())
		must(t, err)
		defer c.conn.Close()
		var open, locked []dbus.ObjectPath
		must(t, c.call(t.Context(), secretsPath, serviceIface+".SearchItems", map[string]string{"service": keyringService}).Store(&open, &locked))
		return len(open)
	}
	crashes(t, v, items, "", ofLength(250, "a"))
	crashes(t, v, items, ofLength(250, "b"), ofLength(350, "c"))
	crashes(t, v, items, ofLength(350, "d"), "short")
}

// The longest token that a keyring of 2,500 bytes an item is expected to hold.
func TestKeyring60kB(t *testing.T) {
	t.Parallel()
	k, _ := realKeyring(t, keyringtest.Options{})
	value := ofLength(60_000, "60 kB")
	for _, limit := range []int{0, 2900, 2500} {
		s := NewKeyring(KeyringConfig{Getenv: k.Getenv, Wait: 20 * time.Second, Limit: limit})
		began := time.Now()
		put(t, s, "prod.00000001", value)
		written := time.Now()
		wantSecret(t, s, "prod.00000001", value)
		read := time.Now()
		remove(t, s, "prod.00000001")
		t.Logf("limit %d: put %v, get %v, delete %v", limit, written.Sub(began), read.Sub(written), time.Since(read))
		wantAbsent(t, s, "prod.00000001")
	}
}

func TestKeyring500(t *testing.T) {
	t.Parallel()
	all := map[string]string{}
	for i := range 500 {
		all[fmt.Sprintf("prod.%08x", i)] = fmt.Sprintf("CW-SECRET-%d", i)
	}
	_, s := realKeyring(t, keyringtest.Options{Items: all})
	began := time.Now()
	for i := 0; i < 500; i += 10 { // each takes 10 ms, most of it the daemon's search
		key := fmt.Sprintf("prod.%08x", i)
		wantSecret(t, s, key, all[key])
	}
	got := time.Now()
	for i := range 10 {
		put(t, s, fmt.Sprintf("prod.%08x", i), "new")
	}
	t.Logf("get among 500: %v each; put: %v each", got.Sub(began)/50, time.Since(got)/10)
	wantSecret(t, s, "prod.00000009", "new")
	wantSecret(t, s, "prod.0000000a", "CW-SECRET-10")
}
