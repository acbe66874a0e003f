package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"filippo.io/age"

	"github.com/cwagent/cwagent/ipc"
)

const (
	// itemWork is the work factor of an item: scrypt slows down who guesses, and a
	// master key of 256 bits cannot be guessed.
	itemWork = 1

	// maxItem is more than any item has, in bytes: what is longer is not read.
	maxItem = 1 << 20
)

// itemHead stands before the secret in an item. Quoted, a key is one line, and no key's
// head is the beginning of another one's.
func itemHead(key string) string { return "cwagent token " + strconv.Quote(key) + "\n" }

func sealItem(master ipc.Secret, key string, s ipc.Secret) ([]byte, error) {
	to, err := age.NewScryptRecipient(master.Reveal())
	if err != nil {
		return nil, err
	}
	to.SetWorkFactor(itemWork)
	var sealed bytes.Buffer
	if err := encrypt(&sealed, itemHead(key)+s.Reveal(), to); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}

func openItem(master ipc.Secret, path, key string, sealed []byte) (ipc.Secret, error) {
	with, err := age.NewScryptIdentity(master.Reveal())
	if err != nil {
		return ipc.Secret{}, err
	}
	with.SetMaxWorkFactor(itemWork)
	plain, err := decrypt(bytes.NewReader(sealed), with)
	if _, ok := errors.AsType[*age.NoIdentityMatchError](err); ok {
		return ipc.Secret{}, damaged(path, "it was not written with the key of this store")
	}
	if err != nil {
		return ipc.Secret{}, damaged(path, "it is damaged")
	}
	secret, ok := strings.CutPrefix(plain, itemHead(key))
	if !ok {
		return ipc.Secret{}, damaged(path, "it is the file of another token")
	}
	return ipc.NewSecret(secret), nil
}

// damaged is an item's file of which nothing can be believed.
func damaged(path, why string) error {
	return errors.New(path + ": " + why)
}

func encrypt(to io.Writer, plain string, recipients ...age.Recipient) error {
	w, err := age.Encrypt(to, recipients...)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, plain); err != nil {
		return err
	}
	return w.Close()
}

func decrypt(sealed io.Reader, with ...age.Identity) (string, error) {
	r, err := age.Decrypt(sealed, with...)
	if err != nil {
		return "", err
	}
	var plain strings.Builder
	_, err = io.Copy(&plain, r)
	return plain.String(), err
}

var errTooLong = errors.New("it is too long")

// readAtMost reads a file that is not longer than that, in bytes; another one is
// errTooLong.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = errTooLong
	}
	return b, err
}
