//go:build !darwin && !windows

package store

import (
	"context"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/bus"
)

var _ agent.StoreWatcher = (*Keyring)(nil)

// Look implements agent.StoreWatcher.
func (k *Keyring) Look(ctx context.Context) error {
	_, err := within(ctx, k.calls, func(ctx context.Context) (any, error) {
		return nil, k.vault.enter(ctx, func(items) error { return nil })
	})
	return err
}

// Watch implements agent.StoreWatcher. It has a connection of its own, on which it
// starts neither a bus nor a keyring, and opens no prompt. What hangs is waited
// for, without a deadline: its late answer is the news.
func (k *Keyring) Watch(ctx context.Context, ready func()) {
	v, ok := k.vault.(*secretService)
	for ok && ctx.Err() == nil {
		conn := bus.Await(ctx, v.getenv)
		if conn == nil {
			return
		}
		v.follow(ctx, conn, ready)
		_ = conn.Close()
		bus.Pause(ctx) // one that hangs up at once is not to be stormed
	}
}

// news are the signals that a keyring may have become of use with. Of another
// default collection gnome-keyring tells nothing.
var news = [][]dbus.MatchOption{
	{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secrets)},
	{dbus.WithMatchSender(secrets), dbus.WithMatchInterface(serviceIface)}, // of collections, all of them
	{dbus.WithMatchSender(secrets), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, collectionIface)},
}

// follow calls ready when the keyring can be used, and each time that it becomes
// so, until the connection ends.
func (v *secretService) follow(ctx context.Context, conn *dbus.Conn, ready func()) {
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, match := range news {
		if conn.AddMatchSignalContext(ctx, match...) != nil {
			return
		}
	}
	was, what := false, renewed
	for {
		is := v.usable(ctx, conn) == nil
		if is && !was {
			ready()
		}
		var again <-chan time.Time
		if !is && what == different { // a new collection is told of before it is the default one
			again = time.After(time.Second / 2)
		}
		for what = nothing; what == nothing; {
			select {
			case s, ok := <-signals:
				if !ok {
					return
				}
				what = meaning(s)
			case <-again:
				what = unsettled
			}
		}
		was = is && what != renewed
	}
}

// usable looks at the keyring that is there now.
func (v *secretService) usable(ctx context.Context, conn *dbus.Conn) (err error) {
	c := &conversation{conn: conn, flags: dbus.FlagNoAutoStart}
	if c.provided, err = c.owner(ctx, secrets); err != nil {
		return err
	}
	if c.provided == "" {
		return agent.ErrAbsent
	}
	if c.collection, err = c.defaultCollection(ctx); err != nil {
		return err
	}
	if err := v.learn(ctx, c); err != nil {
		return err
	}
	return c.unlocked(ctx, v.known().plaintext)
}

// What a signal means for the keyring as it was last seen.
const (
	nothing   = iota
	different // it may be another one
	unsettled // no signal: what was different may be so only now
	renewed   // it is another one, or was locked or unlocked: calls before that say nothing
)

func meaning(s *dbus.Signal) int {
	switch s.Name {
	case "org.freedesktop.DBus.NameOwnerChanged":
		return renewed
	case "org.freedesktop.DBus.Properties.PropertiesChanged":
		if len(s.Body) > 1 {
			changed, _ := s.Body[1].(map[string]dbus.Variant)
			if _, ok := changed["Locked"]; ok {
				return renewed
			}
		}
		return nothing
	}
	if strings.HasPrefix(s.Name, serviceIface+".Collection") {
		return different
	}
	return nothing
}
