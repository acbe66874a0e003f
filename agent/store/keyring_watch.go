//go:build !darwin && !windows

package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/watch"
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
		conn := v.awaitBus(ctx)
		if conn == nil {
			return
		}
		v.follow(ctx, conn, ready)
		_ = conn.Close()
		pause(ctx, firstPause) // a bus that hangs up at once is not to be stormed
	}
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = time.Minute
)

func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// awaitBus connects to the bus as soon as there is one; nil: ctx has ended. While
// there is no socket it does nothing but wait for the events of its folder. One
// that nobody listens at is tried again, less and less often: a bus that was
// killed leaves its own behind, and what listens makes no event.
func (v *secretService) awaitBus(ctx context.Context) *dbus.Conn {
	address, _ := busPlace(v.getenv)
	socket := onlySocket(address)
	around, leave := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer func() { leave(); watching.Wait() }()
	events := make(chan struct{}, 1)
	note := func() {
		select {
		case events <- struct{}{}:
		default:
		}
	}
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		conn, err := dialBus(ctx, address)
		if err == nil {
			return conn
		}
		if wait == firstPause && socket != "" {
			o := watch.Options{Match: func(name string) bool { return name == filepath.Base(socket) }, State: func(error) { note() }}
			watching.Go(func() { watch.Folder(around, filepath.Dir(socket), o, note) })
		}
		var again <-chan time.Time
		if socket == "" || !errors.Is(err, fs.ErrNotExist) {
			again = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-events:
		case <-again:
		}
	}
}

// onlySocket is the path of an address that has one and nothing else, or "".
func onlySocket(address string) string {
	if strings.Contains(address, ";") {
		return ""
	}
	socket, err := socketOf(address)
	if err != nil || strings.HasPrefix(socket, "@") {
		return ""
	}
	return socket
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
