package store

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const keyPassphrase = "pass of the key"

// sshKey is a private key in the form of OpenSSH.
func sshKey(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// kept is a key of testdata. Those that keyPassphrase opens do so after one round of
// bcrypt, or none, which Go's own would not be content with.
func kept(t *testing.T, name string) string {
	t.Helper()
	return readFile(t, filepath.Join("testdata", name))
}

func pkcs8(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ageKey(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return "# created: today\n" + id.String() + "\n"
}

// ageProtected is an identity of age that is encrypted to a passphrase.
func ageProtected(t *testing.T, armored bool) string {
	t.Helper()
	to, err := age.NewScryptRecipient(keyPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(4)
	var text bytes.Buffer
	if !armored {
		if err := encrypt(&text, ageKey(t), to); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	w := armor.NewWriter(&text)
	if err := errors.Join(encrypt(w, ageKey(t), to), w.Close()); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// unasked is the Ask of what has no passphrase.
func unasked(t *testing.T) func() (ipc.Secret, error) {
	return func() (ipc.Secret, error) {
		t.Error("it asked for a passphrase")
		return ipc.Secret{}, errors.New("nobody")
	}
}

// A key without a passphrase opens the store by itself; one with asks for it.
func TestFileIdentity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  string
		asks bool
	}{
		"ed25519":            {sshKey(t, edKey(t)), false},
		"ed25519, protected": {kept(t, "ed25519"), true},
		"ed25519, PKCS 8":    {pkcs8(t, edKey(t)), false},
		"rsa":                {sshKey(t, rsaKey(t)), false},
		"rsa, protected PEM": {kept(t, "rsa"), true},
		"age":                {ageKey(t), false},
		"age, protected":     {ageProtected(t, true), true},
		"age, binary":        {ageProtected(t, false), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, stick := filepath.Join(t.TempDir(), "state"), t.TempDir()
			init := FileInit{State: state, Identity: filepath.Join(stick, "key"), Ask: unasked(t)}
			if c.asks {
				init.Ask = says(keyPassphrase)
			}
			writeFile(t, init.Identity, c.key)
			if asks, err := InitFile(init); err != nil || asks != c.asks {
				t.Fatal(asks, err)
			}
			s := fileIn(state)
			if c.asks {
				wantFileAnswer(t, s, agent.ErrLocked, init.Identity+" has a passphrase: cwagent unlock asks for it")
				wantFileErr(t, s.Unlock(t.Context(), ipc.NewSecret("wrong")), agent.ErrRefused, "the passphrase is wrong")
				unlockFile(t, s, keyPassphrase)
			}
			put(t, s, "prod.00000001", "one")
			s.Lock()
			wantFileAnswer(t, s, agent.ErrLocked, "")
			unlockFile(t, s, keyPassphrase)
			wantSecret(t, s, "prod.00000001", "one")

			// It is open, and stays so while the stick is away; a new start waits for it.
			rename(t, init.Identity, init.Identity+"-away")
			wantSecret(t, s, "prod.00000001", "one")
			later := fileIn(state)
			wantFileAnswer(t, later, agent.ErrLocked, init.Identity+" is not there")
			wantFileErr(t, later.Unlock(t.Context(), ipc.NewSecret(keyPassphrase)), agent.ErrLocked, " is not there")
			writeFile(t, init.Identity, sshKey(t, edKey(t)))
			wantFileAnswer(t, later, agent.ErrLocked, init.Identity+" is another key than the one it was made with")
			writeFile(t, init.Identity, "-----BEGIN NONSENSE-----")
			wantFileAnswer(t, later, agent.ErrLocked, "no private key of SSH that can be read")
			rename(t, init.Identity+"-away", init.Identity)
			unlockFile(t, later, keyPassphrase)
			wantSecret(t, later, "prod.00000001", "one")
		})
	}
}

func unlockFile(t *testing.T, s *File, passphrase string) {
	t.Helper()
	if err := s.Unlock(t.Context(), ipc.NewSecret(passphrase)); err != nil {
		t.Fatal(err)
	}
}

// What could not be opened afterwards, or by anybody, is not made.
func TestInitFileRefuses(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(edKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ key, passphrase, words string }{
		"no passphrase":         {"", "", "a passphrase of less than 8 characters is too short"},
		"short passphrase":      {"", "seven77", "a passphrase of less than 8 characters is too short"},
		"short, in characters":  {"", "äöüäöüä", "a passphrase of less than 8 characters is too short"},
		"ecdsa":                 {sshKey(t, ec), "", "nothing can be encrypted to a key of this type"},
		"ecdsa, protected":      {kept(t, "ecdsa"), keyPassphrase, "nothing can be encrypted to a key of this type"},
		"short rsa":             {kept(t, "rsa1024"), "", "less than 2048 bits is too short"},
		"wrong passphrase":      {kept(t, "ed25519"), "wrong", "the passphrase of KEY is wrong"},
		"none, protected":       {kept(t, "ed25519"), "", "the passphrase of KEY is wrong"},
		"wrong passphrase, age": {ageProtected(t, true), "wrong", "the passphrase of KEY is wrong"},
		"public key":            {string(ssh.MarshalAuthorizedKey(public)), "", "it is a public key"},
		"plugin":                {"AGE-PLUGIN-YUBIKEY-1QGPSYQQ", "", "plugins are not supported"},
		"recipient":             {"age1qqqqq", "", "neither a private key of SSH nor an identity of age"},
		"nothing":               {"\n", "", "neither a private key of SSH nor an identity of age"},
		"broken":                {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "", "no private key of SSH that can be read"},
		"long":                  {strings.Repeat("x", maxIdentity+1), "", "it is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			init := FileInit{State: filepath.Join(t.TempDir(), "state"), Ask: says(c.passphrase), work: 4}
			if c.key != "" {
				init.Identity = filepath.Join(t.TempDir(), "key")
				writeFile(t, init.Identity, c.key)
			}
			wantNoStore(t, init, strings.ReplaceAll(c.words, "KEY", init.Identity))
		})
	}
	wantNoStore(t, FileInit{State: t.TempDir(), Identity: "/nowhere/key", Ask: unasked(t)}, "/nowhere/key is not there")
	wantNoStore(t, FileInit{State: t.TempDir(), Identity: t.TempDir(), Ask: unasked(t)}, "it is no file")
	no := errors.New("no")
	if _, err := InitFile(FileInit{State: t.TempDir(), Ask: func() (ipc.Secret, error) { return ipc.Secret{}, no }}); err != no {
		t.Error(err)
	}
}

func wantNoStore(t *testing.T, init FileInit, words string) {
	t.Helper()
	_, err := InitFile(init)
	if e := (*ipc.Error)(nil); !errors.As(err, &e) || e.Hint == "" || !strings.Contains(e.What, words) {
		t.Errorf("%v; want the words %q, and a hint", err, words)
	}
	if _, err := os.Stat(formFile(FileFolder(init.State)).Path()); err == nil {
		t.Error("it was made")
	}
}

// The key does not lie beside what it opens, by whatever way it is named.
func TestInitFileBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	if err := os.MkdirAll(filepath.Join(state, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(state, "keys", "id")
	writeFile(t, key, sshKey(t, edKey(t)))
	link, way, near := filepath.Join(dir, "id"), filepath.Join(dir, "way"), filepath.Join(dir, "..state")
	if err := errors.Join(os.Symlink(key, link), os.Symlink(state, way)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{key, link, filepath.Join(way, "keys", "id")} {
		wantNoStore(t, FileInit{State: state, Identity: path, Ask: unasked(t)}, "lies beside the tokens that it is to guard")
	}
	rename(t, key, near)
	if _, err := InitFile(FileInit{State: state, Identity: near, Ask: unasked(t)}); err != nil {
		t.Error(err)
	}
}

// Of many who make a store, one does, and a store that is there stays as it is.
func TestInitFileOnce(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	var mu sync.Mutex
	var making sync.WaitGroup
	made := 0
	for range 8 {
		making.Go(func() {
			_, err := InitFile(FileInit{State: state, Ask: says(filePassphrase), work: 4})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if !strings.Contains(err.Error(), "there is one already: "+FileFolder(state)) {
				t.Error(err)
			}
		})
	}
	making.Wait()
	if made != 1 {
		t.Errorf("%d made it", made)
	}
	s := fileIn(state)
	unlockFile(t, s, filePassphrase)
	put(t, s, "prod.00000001", "one")
	if _, err := InitFile(FileInit{State: state, Ask: unasked(t)}); err == nil {
		t.Error("made again")
	}
	wantSecret(t, s, "prod.00000001", "one")

	// Tokens that have lost their store.json are not buried under another one.
	if err := os.Remove(s.files.form.Path()); err != nil {
		t.Fatal(err)
	}
	wantNoStore(t, FileInit{State: state, Ask: unasked(t)}, "has 1 tokens in it and no store.json")
}

// A store that somebody puts in the place of one that is open is not opened by itself,
// and none whose key lies in the state folder is.
func TestFileReplaced(t *testing.T) {
	t.Parallel()
	state, evil, stick := t.TempDir(), t.TempDir(), t.TempDir()
	key := filepath.Join(stick, "key")
	writeFile(t, key, sshKey(t, edKey(t)))
	for _, where := range []string{state, evil} {
		if _, err := InitFile(FileInit{State: where, Identity: key, Ask: unasked(t)}); err != nil {
			t.Fatal(err)
		}
	}
	s := NewFile(FileConfig{Dir: FileFolder(state)})
	if err := s.Put(t.Context(), "a", ipc.NewSecret("CW-SECRET-1")); err != nil {
		t.Fatal(err)
	}
	rename(t, filepath.Join(FileFolder(evil), "store.json"), filepath.Join(FileFolder(state), "store.json"))
	if err := s.Put(t.Context(), "b", ipc.NewSecret("CW-SECRET-2")); !errors.Is(err, agent.ErrLocked) || !strings.Contains(err.Error(), "another store has been put in its place") {
		t.Errorf("%v", err)
	}
	inside := t.TempDir()
	writeFile(t, filepath.Join(inside, "key"), sshKey(t, edKey(t)))
	if _, err := InitFile(FileInit{State: filepath.Join(inside, "state"), Identity: filepath.Join(inside, "key"), Ask: unasked(t)}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(inside, "state", "key")
	rename(t, filepath.Join(inside, "key"), path)
	form := filepath.Join(FileFolder(filepath.Join(inside, "state")), "store.json")
	text, err := os.ReadFile(form)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, form, strings.ReplaceAll(string(text), filepath.Join(inside, "key"), path))
	wantFileAnswer(t, NewFile(FileConfig{Dir: FileFolder(filepath.Join(inside, "state"))}), agent.ErrAbsent, "names a key that lies beside the tokens")
}
