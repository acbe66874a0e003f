//go:build !darwin && !windows

package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

// known implements vault.
func (v *secretService) known() nature {
	if n := v.nature.Load(); n != nil {
		return *n
	}
	return nature{is: "the Secret Service of this session"}
}

// examine implements vault.
func (v *secretService) examine(ctx context.Context) (nature, error) {
	c, err := v.open(ctx)
	if err != nil {
		return nature{}, answer(err)
	}
	defer c.conn.Close()
	if err := v.learn(ctx, c); err != nil {
		return nature{}, answer(err)
	}
	return v.known(), nil
}

// learn finds out whether the collection lies on disk in clear, as one of
// gnome-keyring does that has a blank password: desktops with automatic login
// have such. Of another keyring the file is not known, and one that
// gnome-keyring left behind says nothing.
func (v *secretService) learn(ctx context.Context, c *conversation) error {
	owner, err := c.provided, error(nil)
	if owner == "" { // it has been started since
		owner, err = c.owner(ctx, secrets)
	}
	var gnome string
	if err == nil {
		gnome, err = c.owner(ctx, "org.gnome.keyring")
	}
	if err != nil {
		return err
	}
	if gnome != owner {
		v.nature.Store(&nature{is: fmt.Sprintf("the Secret Service of %s; how it keeps its files is not known here", c.program(ctx, owner))})
		return nil
	}
	id := collectionName(c.collection)
	n := nature{is: fmt.Sprintf("gnome-keyring, collection %q", id)}
	if file := keyringFile(v.getenv, id); inClear(file) {
		n.plaintext = true
		n.is += ", whose password is blank: " + file + " is in clear"
	}
	v.nature.Store(&n)
	return nil
}

// program names what is behind a connection.
func (c *conversation) program(ctx context.Context, owner string) string {
	var pid uint32
	err := c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, owner).Store(&pid)
	if err == nil {
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
			return strings.TrimSpace(string(comm))
		}
	}
	return "another program"
}

// keyringFile is where gnome-keyring keeps the collection of that id.
func keyringFile(getenv func(string) string, id string) string {
	data := getenv("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(getenv("HOME"), ".local", "share")
	}
	return filepath.Join(data, "keyrings", filepath.Base(id)+".keyring")
}

// inClear reports whether that file is a text: an encrypted one begins
// "GnomeKeyring", NUL and line end.
func inClear(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	start, _ := io.ReadAll(io.LimitReader(f, 64))
	return bytes.HasPrefix(bytes.TrimSpace(start), []byte("[keyring]"))
}

// collectionName is the id of a collection, which its file is called after.
func collectionName(p dbus.ObjectPath) string { return unescapePath(path.Base(string(p))) }

// unescapePath undoes what gnome-keyring does to an id in an object path: a
// byte that is no letter or digit is "_" and two hex digits.
func unescapePath(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+2 < len(s) {
			if c, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.WriteByte(c[0])
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
