//go:build !darwin && !windows

package store

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
)

// newLabel is what libsecret calls a collection that it makes.
const newLabel = "Default keyring"

// prompt implements vault. The keyring has wait for each of its own answers, the
// person has until ctx ends.
func (v *secretService) prompt(ctx context.Context, wait time.Duration) error {
	t := newTurn(ctx, wait)
	c, err := v.connect(t.life)
	if err != nil {
		defer t.over()
		return t.answer(err)
	}
	defer func() { t.over(); _ = c.conn.Close() }() // Close waits for what is being written
	question, err := c.question(t.life)
	if err == nil && question != noObject {
		err = c.ask(ctx, t, question)
	}
	if err == nil {
		err = c.opened(t.life)
	}
	return t.answer(err)
}

// A turn is whose answer is awaited: the keyring's, which is given wait from then,
// or the person's. The connection lives as long as life, which ends when the
// keyring is late, not with the person's time: the window has to be closed then.
type turn struct {
	life    context.Context
	end     context.CancelFunc
	late    *time.Timer
	giveUp  func() bool // stops that the end of the person's time ends life
	wait    time.Duration
	keyring time.Time // since when it is the keyring's
}

func newTurn(ctx context.Context, wait time.Duration) *turn {
	t := &turn{wait: wait, keyring: time.Now()}
	t.life, t.end = context.WithCancel(context.WithoutCancel(ctx))
	t.late = time.AfterFunc(wait, t.end)
	t.giveUp = context.AfterFunc(ctx, t.end)
	return t
}

func (t *turn) over() { t.giveUp(); t.late.Stop(); t.end() }

func (t *turn) toPerson() { t.giveUp(); t.late.Stop() }

func (t *turn) toKeyring() { t.keyring = time.Now(); t.late.Reset(t.wait) }

// answer is that of a store, which may have been too late.
func (t *turn) answer(err error) error {
	if err != nil && t.life.Err() != nil {
		return &agent.Silence{Since: t.keyring}
	}
	return answer(err)
}

// question returns the prompt that has to be answered before the keyring can be
// used, or none: to unlock what is locked of ours, or to choose the password of a
// first collection.
func (c *conversation) question(ctx context.Context) (prompt dbus.ObjectPath, err error) {
	if c.collection, err = c.alias(ctx); err != nil {
		return "", err
	}
	if c.collection == noObject {
		label := map[string]dbus.Variant{collectionIface + ".Label": dbus.MakeVariant(newLabel)}
		err = c.call(ctx, secretsPath, serviceIface+".CreateCollection", label, "default").Store(&c.collection, &prompt)
		return prompt, err
	}
	closed, err := c.closed(ctx)
	if err != nil || len(closed) == 0 {
		return noObject, err
	}
	var done []dbus.ObjectPath
	err = c.call(ctx, secretsPath, serviceIface+".Unlock", closed).Store(&done, &prompt)
	return prompt, err
}

// closed are the collections that a person has to unlock: the default one, and
// those that were the default when our items came into them.
func (c *conversation) closed(ctx context.Context) (all []dbus.ObjectPath, err error) {
	locked, err := c.locked(ctx)
	if err != nil {
		return nil, err
	}
	if locked {
		all = append(all, c.collection)
	}
	var open, items []dbus.ObjectPath
	ours := map[string]string{"service": keyringService}
	if err := c.call(ctx, secretsPath, serviceIface+".SearchItems", ours).Store(&open, &items); err != nil {
		return nil, err
	}
	for _, item := range items {
		if of := dbus.ObjectPath(path.Dir(string(item))); !slices.Contains(all, of) {
			all = append(all, of)
		}
	}
	return all, nil
}

// opened looks whether the answer has opened what was closed.
func (c *conversation) opened(ctx context.Context) (err error) {
	if c.collection, err = c.defaultCollection(ctx); err != nil {
		return err
	}
	closed, err := c.closed(ctx)
	if err == nil && len(closed) > 0 {
		err = fmt.Errorf("%w: collection %q", agent.ErrLocked, collectionName(closed[0]))
	}
	return err
}

// ask shows the prompt and waits for the answer.
func (c *conversation) ask(ctx context.Context, t *turn, prompt dbus.ObjectPath) error {
	signals := make(chan *dbus.Signal, 16)
	c.conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(secrets), dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(promptIface)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secrets)},
	} {
		if err := c.conn.AddMatchSignalContext(t.life, match...); err != nil {
			return err
		}
	}
	if err := c.call(t.life, prompt, promptIface+".Prompt", "").Err; err != nil {
		return err
	}
	t.toPerson()
	defer t.toKeyring()
	for {
		select {
		case <-ctx.Done():
			t.toKeyring()
			return c.unanswered(t.life, prompt)
		case s, there := <-signals:
			if !there {
				return fmt.Errorf("%w: the session bus has ended", agent.ErrAbsent)
			}
			switch s.Name {
			case "org.freedesktop.DBus.NameOwnerChanged":
				return fmt.Errorf("%w: the keyring has ended", agent.ErrAbsent)
			case promptIface + ".Completed":
				t.toKeyring()
				return c.verdict(t.life, s)
			}
		}
	}
}

// unanswered closes the window, except that of gnome-keyring: up to at least 48 it
// ends in an assertion when it is told to dismiss a prompt while one is shown
// (perform_next_unlock in gkd-secret-unlock.c), and takes all that is unlocked with
// it. Its window to unlock stays, and opens the keyring for whoever comes late; the
// one for a new password goes with our connection.
func (c *conversation) unanswered(ctx context.Context, prompt dbus.ObjectPath) error {
	gnome, err := c.gnome(ctx)
	if err != nil {
		return err
	}
	if !gnome {
		_ = c.call(ctx, prompt, promptIface+".Dismiss").Err
	}
	if c.opened(ctx) == nil { // answered in the last moment
		return nil
	}
	return fmt.Errorf("%w: nobody answered its prompt", agent.ErrLocked)
}

// verdict reads what a prompt ended with.
func (c *conversation) verdict(ctx context.Context, completed *dbus.Signal) error {
	if len(completed.Body) > 0 {
		if dismissed, ok := completed.Body[0].(bool); ok && !dismissed {
			return nil
		}
	}
	// gnome-keyring says "dismissed", too, where no window can be shown: nothing is
	// installed that shows it, or there is no screen.
	gnome, err := c.gnome(ctx)
	if err != nil {
		return err
	}
	if gnome {
		prompter, err := c.owner(ctx, "org.gnome.keyring.SystemPrompter")
		if err != nil {
			return err
		}
		if prompter == "" {
			return fmt.Errorf("%w: there is nothing that could show its prompt", agent.ErrAbsent)
		}
	}
	return fmt.Errorf("%w: the prompt was dismissed", agent.ErrRefused)
}

// gnome reports whether the keyring is gnome-keyring.
func (c *conversation) gnome(ctx context.Context) (bool, error) {
	gnome, err := c.owner(ctx, "org.gnome.keyring")
	if err != nil || gnome == "" {
		return false, err
	}
	is, err := c.owner(ctx, secrets)
	return is == gnome, err
}
