package store

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/cwagent/cwagent/ipc"
)

// maxIdentity is more than any private key has, in bytes.
const maxIdentity = 64 << 10

// errProtected: the file of a private key has a passphrase, and none was given.
var errProtected = errors.New("it has a passphrase")

// An identity is a private key that can open a store, and its public half.
type identity struct {
	with []age.Identity
	to   []age.Recipient
}

// readIdentity reads the file of a private key: SSH's, or an identity of age, either
// of which may itself be encrypted to a passphrase. A wrong one is errWrong.
func readIdentity(path string, passphrase ipc.Secret) (id identity, err error) {
	info, err := os.Stat(path)
	var text []byte
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("it is no file")
	case err == nil:
		text, err = readAtMost(path, maxIdentity)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return id, fmt.Errorf("%s is not there", path)
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if err == nil {
		id, err = parseIdentity(text, passphrase)
	}
	if err != nil {
		return id, fmt.Errorf("%s: %w", path, err)
	}
	return id, nil
}

const (
	ageIntro  = "age-encryption.org/"
	sshHeader = "-----BEGIN "
)

func parseIdentity(text []byte, passphrase ipc.Secret) (identity, error) {
	switch trimmed := strings.TrimSpace(string(text)); {
	case strings.HasPrefix(trimmed, armor.Header):
		return parseEncrypted(armor.NewReader(bytes.NewReader(text)), passphrase)
	case strings.HasPrefix(trimmed, ageIntro):
		return parseEncrypted(bytes.NewReader(text), passphrase)
	case strings.HasPrefix(trimmed, sshHeader):
		return parseSSH(text, passphrase)
	case strings.HasPrefix(trimmed, "ssh-"):
		return identity{}, errors.New("it is a public key: the store is opened with the private one")
	}
	return parseAge(text)
}

func parseSSH(text []byte, passphrase ipc.Secret) (identity, error) {
	key, err := ssh.ParseRawPrivateKey(text)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		if passphrase.Empty() {
			return identity{}, errProtected
		}
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(passphrase.Reveal()))
	}
	if errors.Is(err, x509.IncorrectPasswordError) {
		return identity{}, errWrong
	}
	if err != nil {
		return identity{}, errors.New("it is no private key of SSH that can be read") // err may quote it
	}
	return sshIdentity(key)
}

func sshIdentity(key any) (identity, error) {
	switch key := key.(type) {
	case *ed25519.PrivateKey: // of OpenSSH's form
		return sshIdentity(*key)
	case ed25519.PrivateKey: // of PKCS #8
		id, err := agessh.NewEd25519Identity(key)
		if err != nil {
			return identity{}, err
		}
		return identity{[]age.Identity{id}, []age.Recipient{id.Recipient()}}, nil
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return identity{}, errors.New("an RSA key of less than 2048 bits is too short")
		}
		id, err := agessh.NewRSAIdentity(key)
		if err != nil {
			return identity{}, err
		}
		return identity{[]age.Identity{id}, []age.Recipient{id.Recipient()}}, nil
	}
	return identity{}, errors.New("nothing can be encrypted to a key of this type: it takes ed25519 or RSA")
}

// parseEncrypted reads an identity of age that was encrypted to a passphrase.
func parseEncrypted(sealed io.Reader, passphrase ipc.Secret) (identity, error) {
	if passphrase.Empty() {
		return identity{}, errProtected
	}
	with, err := scryptIdentity(passphrase)
	if err != nil {
		return identity{}, err
	}
	text, err := decrypt(sealed, with...)
	if e, ok := errors.AsType[*age.NoIdentityMatchError](err); ok && len(e.StanzaTypes) == 1 && e.StanzaTypes[0] == "scrypt" {
		return identity{}, errWrong
	}
	if err != nil {
		return identity{}, errors.New("it is no identity of age that a passphrase opens")
	}
	return parseAge([]byte(text))
}

// parseAge reads identities of age. Its plugins are programs that ask a person, or a
// device: the store has to open without.
func parseAge(text []byte) (id identity, err error) {
	if strings.Contains(string(text), "AGE-PLUGIN-") {
		return id, errors.New("identities of age's plugins are not supported")
	}
	id.with, err = age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return id, errors.New("it is neither a private key of SSH nor an identity of age")
	}
	for _, i := range id.with {
		switch i := i.(type) {
		case *age.X25519Identity:
			id.to = append(id.to, i.Recipient())
		case *age.HybridIdentity:
			id.to = append(id.to, i.Recipient())
		}
	}
	return id, nil
}
