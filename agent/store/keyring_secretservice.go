//go:build !darwin && !windows

package store

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync/atomic"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/bus"
)

// secretService is a vault over D-Bus: gnome-keyring, KWallet, KeePassXC.
//
// It is not zalando/go-keyring, whose items it shares. That library (v0.2.8)
// unlocks before each call and waits for the prompt without a limit, so that a
// keyring locked between our look and its call would hang it and open a window;
// it has no ctx, takes "login" before the default collection, and finds the bus
// by itself: not in XDG_RUNTIME_DIR, but by starting one. Here no prompt opens
// but in prompt, which is for a program that a person has called.
//
// Each call has a connection of its own. It costs a millisecond, and there is
// nothing to go stale when a bus or a keyring dies and returns.
type secretService struct {
	getenv func(string) string
	nature atomic.Pointer[nature]
}

// newVault returns the Secret Service of that environment.
func newVault(getenv func(string) string) vault { return &secretService{getenv: getenv} }

const (
	secrets     = "org.freedesktop.secrets"
	secretsPath = dbus.ObjectPath("/org/freedesktop/secrets")
	noObject    = dbus.ObjectPath("/") // none, and "no prompt is needed"

	serviceIface    = "org.freedesktop.Secret.Service"
	collectionIface = "org.freedesktop.Secret.Collection"
	itemIface       = "org.freedesktop.Secret.Item"
	promptIface     = "org.freedesktop.Secret.Prompt"
)

// wireSecret is the Secret of the protocol.
type wireSecret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

// limit implements vault. gnome-keyring takes 1 MB in 0.7 s, and the longest
// token that the agent takes is 128 KiB: nothing is split here.
func (*secretService) limit() int { return 256 << 10 }

// conversation is one connection, and the collection that it is about.
type conversation struct {
	conn       *dbus.Conn
	provided   string // by which connection, or ""
	collection dbus.ObjectPath
	session    dbus.ObjectPath // ends with the connection
	flags      dbus.Flags      // of each call to the keyring
}

func (c *conversation) call(ctx context.Context, p dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return c.conn.Object(secrets, p).CallWithContext(ctx, method, c.flags, args...)
}

// enter implements vault.
func (v *secretService) enter(ctx context.Context, do func(items) error) error {
	c, err := v.open(ctx)
	if err != nil {
		return answer(err)
	}
	defer c.conn.Close()
	if err := v.learn(ctx, c); err != nil {
		return answer(err)
	}
	if err := c.unlocked(ctx, v.known().plaintext); err != nil {
		return answer(err)
	}
	// A plain session: who may listen on the bus is the same user, and could ask
	// for the secret itself.
	var none dbus.Variant
	err = c.call(ctx, secretsPath, serviceIface+".OpenSession", "plain", dbus.MakeVariant("")).Store(&none, &c.session)
	if err != nil {
		return answer(err)
	}
	return do(c)
}

// open connects to a Secret Service that exists and has a default collection.
func (v *secretService) open(ctx context.Context) (*conversation, error) {
	c, err := v.connect(ctx)
	if err != nil {
		return nil, err
	}
	if c.collection, err = c.defaultCollection(ctx); err != nil {
		_ = c.conn.Close()
		return nil, err
	}
	return c, nil
}

// connect connects to a Secret Service that exists.
func (v *secretService) connect(ctx context.Context) (*conversation, error) {
	address, err := bus.Address(v.getenv)
	if err != nil {
		return nil, err
	}
	conn, err := bus.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &conversation{conn: conn}
	if c.provided, err = c.provider(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// provider returns the connection that is the Secret Service, "" if a call
// would start it, and an error if there is none.
func (c *conversation) provider(ctx context.Context) (string, error) {
	owner, err := c.owner(ctx, secrets)
	if err != nil || owner != "" {
		return owner, err
	}
	var startable []string
	err = c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.ListActivatableNames", 0).Store(&startable)
	if err == nil && !slices.Contains(startable, secrets) {
		err = fmt.Errorf("%w: nobody provides %s on the session bus", agent.ErrAbsent, secrets)
	}
	return "", err
}

// owner returns the connection that has a name, or "".
func (c *conversation) owner(ctx context.Context, name string) (owner string, err error) {
	err = c.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, name).Store(&owner)
	if e, ok := errors.AsType[dbus.Error](err); ok && e.Name == "org.freedesktop.DBus.Error.NameHasNoOwner" {
		return "", nil
	}
	return owner, err
}

// defaultCollection finds where new items go. Where there is none, which is so
// in a home that never saw a desktop and in KeePassXC with its database closed,
// none is made, as that would open a prompt; and nothing is "not found" there.
func (c *conversation) defaultCollection(ctx context.Context) (dbus.ObjectPath, error) {
	p, err := c.alias(ctx)
	if err != nil {
		return "", err
	}
	if p == noObject {
		return "", fmt.Errorf("%w: the keyring has no default collection", agent.ErrAbsent)
	}
	if path.Base(string(p)) == "session" {
		return "", fmt.Errorf("%w: the keyring's default collection lives in memory only", agent.ErrAbsent)
	}
	return p, nil
}

// alias reads which collection is the default one; noObject: none.
func (c *conversation) alias(ctx context.Context) (p dbus.ObjectPath, err error) {
	// Twice: gnome-keyring 42 was seen to deny the one it has, once in 20,000 calls.
	for range 2 {
		if err := c.call(ctx, secretsPath, serviceIface+".ReadAlias", "default").Store(&p); err != nil {
			return "", err
		}
		if p != noObject {
			break
		}
	}
	return p, nil
}

func (c *conversation) locked(ctx context.Context) (is bool, err error) {
	err = c.call(ctx, c.collection, "org.freedesktop.DBus.Properties.Get", collectionIface, "Locked").Store(&is)
	return is, err
}

// unlocked reports an error if a person would have to unlock the collection. One
// with a blank password says "locked" after each login too, until somebody asks:
// Unlock then needs no prompt. It opens none anyway, it only offers one.
func (c *conversation) unlocked(ctx context.Context, blank bool) error {
	locked, err := c.locked(ctx)
	if err != nil || !locked {
		return err
	}
	if blank {
		var done []dbus.ObjectPath
		var prompt dbus.ObjectPath
		err := c.call(ctx, secretsPath, serviceIface+".Unlock", []dbus.ObjectPath{c.collection}).Store(&done, &prompt)
		if err != nil || prompt == noObject && len(done) == 1 {
			return err
		}
	}
	return fmt.Errorf("%w: collection %q", agent.ErrLocked, collectionName(c.collection))
}

// find returns the items of that name, those of the default collection first.
// It looks into the others too: a person may have changed the default since.
func (c *conversation) find(ctx context.Context, name string) ([]dbus.ObjectPath, error) {
	var found, locked []dbus.ObjectPath
	err := c.call(ctx, secretsPath, serviceIface+".SearchItems", attributes(name)).Store(&found, &locked)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && len(locked) == 0 {
		return nil, agent.ErrNotFound
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: the item is in collection %q", agent.ErrLocked, collectionName(dbus.ObjectPath(path.Dir(string(locked[0])))))
	}
	elsewhere := func(item dbus.ObjectPath) int {
		if path.Dir(string(item)) == string(c.collection) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(found, func(a, b dbus.ObjectPath) int { return elsewhere(a) - elsewhere(b) })
	return found, nil
}

// attributes are those of zalando/go-keyring: secret-tool lookup service
// cwagent username NAME finds the item as well.
func attributes(name string) map[string]string {
	return map[string]string{"service": keyringService, "username": name}
}

// read implements items.
func (c *conversation) read(ctx context.Context, name string) (string, error) {
	found, err := c.find(ctx, name)
	if err != nil {
		return "", answer(err)
	}
	var s wireSecret
	if err := c.call(ctx, found[0], itemIface+".GetSecret", c.session).Store(&s); err != nil {
		return "", answer(err)
	}
	return string(s.Value), nil
}

// write implements items.
func (c *conversation) write(ctx context.Context, name, value string) error {
	properties := map[string]dbus.Variant{
		itemIface + ".Label":      dbus.MakeVariant(fmt.Sprintf("Password for '%s' on '%s'", name, keyringService)),
		itemIface + ".Attributes": dbus.MakeVariant(attributes(name)),
	}
	s := wireSecret{c.session, []byte{}, []byte(value), "text/plain; charset=utf8"}
	var item, prompt dbus.ObjectPath
	err := c.call(ctx, c.collection, collectionIface+".CreateItem", properties, s, true).Store(&item, &prompt)
	if err != nil {
		return answer(err)
	}
	return wish(prompt)
}

// remove implements items.
func (c *conversation) remove(ctx context.Context, name string) error {
	found, err := c.find(ctx, name)
	if err != nil {
		return answer(err)
	}
	for _, item := range found {
		var prompt dbus.ObjectPath
		if err := c.call(ctx, item, itemIface+".Delete").Store(&prompt); err != nil {
			return answer(err)
		}
		if err := wish(prompt); err != nil {
			return err
		}
	}
	return nil
}

// wish turns a wish to ask a person into a refusal. The prompt, which nobody has
// seen, goes with our connection. It is not dismissed: that ends gnome-keyring if
// somebody else's is on the screen (see unanswered).
func wish(prompt dbus.ObjectPath) error {
	if prompt == noObject {
		return nil
	}
	return fmt.Errorf("%w: it wants to ask a person first", agent.ErrRefused)
}
