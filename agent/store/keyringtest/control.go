//go:build linux

package keyringtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	secrets     = "org.freedesktop.secrets"
	secretsPath = dbus.ObjectPath("/org/freedesktop/secrets")
	guiltRidden = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
)

// control is a connection to the bus. It is made for each use, as the bus may
// have died since.
type control struct{ *dbus.Conn }

func (k *Keyring) dial(ctx context.Context) (control, error) {
	conn, err := dbus.Connect("unix:path="+k.socket(), dbus.WithContext(ctx))
	if err != nil {
		return control{}, fmt.Errorf("keyring test: bus: %w", err)
	}
	return control{conn}, nil
}

func (c control) call(p dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return c.Object(secrets, p).CallWithContext(c.Context(), method, 0, args...)
}

// watchOwner returns what tells of owners of the daemon's name.
func (c control) watchOwner() (<-chan *dbus.Signal, error) {
	ch := make(chan *dbus.Signal, 16)
	c.Signal(ch)
	err := c.AddMatchSignalContext(c.Context(), dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secrets))
	return ch, err
}

func (c control) waitOwner(owned <-chan *dbus.Signal, ended <-chan struct{}) error {
	for {
		select {
		case s, ok := <-owned:
			if !ok {
				return errors.New("the bus is gone, or it took too long")
			}
			if len(s.Body) == 3 && s.Body[0] == secrets && s.Body[2] != "" {
				return nil
			}
		case <-ended:
			return errors.New("it ended")
		}
	}
}

// collection returns the default one. A daemon has its name before it has read which one
// that is, and nothing tells when it has.
func (c control) collection() (p dbus.ObjectPath, err error) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err = c.call(secretsPath, "org.freedesktop.Secret.Service.ReadAlias", "default").Store(&p)
		if err != nil || p != "/" {
			return p, err
		}
		if time.Now().After(deadline) {
			return p, errors.New("there is no default collection")
		}
	}
}

// secret is a password as the protocol carries it; a session lives as long as
// its connection.
type secret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

func (c control) secret(value string) (secret, error) {
	var none dbus.Variant
	s := secret{Parameters: []byte{}, Value: []byte(value), ContentType: "text/plain"}
	err := c.call(secretsPath, "org.freedesktop.Secret.Service.OpenSession", "plain", dbus.MakeVariant("")).Store(&none, &s.Session)
	return s, err
}

// with runs do with the default collection.
func (k *Keyring) with(what string, do func(control, dbus.ObjectPath) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := k.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.collection()
	if err == nil {
		err = do(c, p)
	}
	if err != nil {
		return fmt.Errorf("keyring test: %s: %w", what, err)
	}
	return nil
}

// Lock locks the default collection, as a person does in Seahorse.
func (k *Keyring) Lock() error {
	return k.with("lock", func(c control, p dbus.ObjectPath) error {
		return c.call(secretsPath, "org.freedesktop.Secret.Service.Lock", []dbus.ObjectPath{p}).Err
	})
}

// Unlock unlocks it without a prompt.
func (k *Keyring) Unlock() error {
	return k.with("unlock", func(c control, p dbus.ObjectPath) error {
		s, err := c.secret(k.password)
		if err != nil {
			return err
		}
		return c.call(secretsPath, guiltRidden+".UnlockWithMasterPassword", p, s).Err
	})
}

// changePassword is what a person does in Seahorse. With an empty new one the
// daemon writes the collection in clear.
func (k *Keyring) changePassword(from, to string) error {
	return k.with("change password", func(c control, p dbus.ObjectPath) error {
		old, err := c.secret(from)
		if err != nil {
			return err
		}
		next := old
		next.Value = []byte(to)
		return c.call(secretsPath, guiltRidden+".ChangeWithMasterPassword", p, old, next).Err
	})
}

// SetPassword gives the default collection another password. That locks it.
func (k *Keyring) SetPassword(password string) error {
	err := k.changePassword(k.password, password)
	if err == nil {
		k.password = password
	}
	return err
}

// SetDefault makes a new collection with this password and has it be the default.
func (k *Keyring) SetDefault(label, password string) error {
	return k.with("new default", func(c control, _ dbus.ObjectPath) error {
		s, err := c.secret(password)
		if err != nil {
			return err
		}
		props := map[string]dbus.Variant{"org.freedesktop.Secret.Collection.Label": dbus.MakeVariant(label)}
		var p dbus.ObjectPath
		if err := c.call(secretsPath, guiltRidden+".CreateWithMasterPassword", props, s).Store(&p); err != nil {
			return err
		}
		return c.call(secretsPath, "org.freedesktop.Secret.Service.SetAlias", "default", p).Err
	})
}
