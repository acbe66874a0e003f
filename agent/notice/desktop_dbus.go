//go:build !darwin && !windows

package notice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent/bus"
)

const (
	notifications     = "org.freedesktop.Notifications"
	notificationsPath = dbus.ObjectPath("/org/freedesktop/Notifications")
	theBus            = "org.freedesktop.DBus"

	// The keys of buttons tell ours from those of every other program: some servers
	// tell everybody which was pressed. The other one only takes the notice away.
	consoleKey = "cwagent-console"
	laterKey   = "cwagent-later"
)

// session is the Desktop of a session bus: whoever owns org.freedesktop.Notifications.
type session struct {
	getenv func(string) string
	open   func() // the Console, for a person; returns at once

	mu    sync.Mutex
	conn  *dbus.Conn // nil: there is no bus
	asked string     // whose abilities these are
	can   []string
}

// NewDesktop returns what shows notices here; nil: nothing does. open opens the Console
// and returns at once.
func NewDesktop(getenv func(string) string, open func()) Desktop {
	return &session{getenv: getenv, open: open}
}

// Run implements Desktop.
func (s *session) Run(ctx context.Context, news func()) {
	for ctx.Err() == nil {
		conn := bus.Await(ctx, s.getenv)
		if conn == nil {
			return
		}
		s.follow(ctx, conn, news)
		s.use(nil)
		_ = conn.Close()
		bus.Pause(ctx) // one that hangs up at once is not to be stormed
	}
}

func (s *session) use(conn *dbus.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.asked, s.can = conn, "", nil
}

func (s *session) bus() *dbus.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// follow serves a connection until it ends.
func (s *session) follow(ctx context.Context, conn *dbus.Conn, news func()) {
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(theBus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, notifications)},
		{dbus.WithMatchSender(notifications), dbus.WithMatchInterface(notifications), dbus.WithMatchMember("ActionInvoked")},
	} {
		if conn.AddMatchSignalContext(ctx, match...) != nil {
			return
		}
	}
	s.use(conn)
	news()
	for signal := range signals {
		switch signal.Name {
		case theBus + ".NameOwnerChanged":
			news()
		case notifications + ".ActionInvoked":
			s.pressed(ctx, signal.Body)
		}
	}
}

// pressed serves a button. Not every server takes a notice away then.
func (s *session) pressed(ctx context.Context, body []any) {
	var id uint32
	var key string
	if dbus.Store(body, &id, &key) != nil || key != consoleKey && key != laterKey {
		return
	}
	if key == consoleKey {
		s.open()
	}
	s.Close(ctx, id)
}

// Session implements Desktop. Somebody is started only where there is a screen: a
// server of notices without one fails, each time, and takes the bus a while.
func (s *session) Session(ctx context.Context, start bool) string {
	conn := s.bus()
	if conn == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	owner := s.owner(ctx, conn)
	if owner == "" && start && s.startable(ctx, conn) {
		var code uint32
		_ = ask(ctx, conn, "StartServiceByName", notifications, uint32(0)).Store(&code)
		owner = s.owner(ctx, conn)
	}
	var id string // of the bus: the next one gives the same names again
	if owner == "" || ask(ctx, conn, "GetId").Store(&id) != nil {
		return ""
	}
	return owner + " " + id
}

// ask asks the bus itself.
func ask(ctx context.Context, conn *dbus.Conn, method string, args ...any) *dbus.Call {
	return conn.BusObject().CallWithContext(ctx, theBus+"."+method, 0, args...)
}

func (s *session) owner(ctx context.Context, conn *dbus.Conn) (owner string) {
	_ = ask(ctx, conn, "GetNameOwner", notifications).Store(&owner)
	return owner
}

// startable reports whether the bus can start somebody who shows notices, and there is
// a screen. A user's service has none in its environment where it was started before
// the desktop was: that tells the service manager.
func (s *session) startable(ctx context.Context, conn *dbus.Conn) bool {
	var names, env []string
	if ask(ctx, conn, "ListActivatableNames").Store(&names) != nil || !slices.Contains(names, notifications) {
		return false
	}
	screen := func(kv string) bool {
		return strings.HasPrefix(kv, "DISPLAY=") || strings.HasPrefix(kv, "WAYLAND_DISPLAY=")
	}
	if s.getenv("DISPLAY") != "" || s.getenv("WAYLAND_DISPLAY") != "" {
		return true
	}
	const systemd = "org.freedesktop.systemd1"
	err := conn.Object(systemd, "/org/freedesktop/systemd1").CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get",
		dbus.FlagNoAutoStart, systemd+".Manager", "Environment").Store(&env)
	return err == nil && slices.ContainsFunc(env, screen)
}

// Show implements Desktop. Nothing is sent before the server has said what it can:
// one that hangs would show all that has gathered there later.
func (s *session) Show(ctx context.Context, m Matter, instead uint32) (id uint32, err error) {
	conn := s.bus()
	if conn == nil {
		return 0, ErrNotShown
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	can, err := s.abilities(ctx, conn)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotShown, err)
	}
	body := plain(m.Body)
	if slices.Contains(can, "body-markup") {
		body = unmarked(body)
	}
	buttons := []string{}
	if m.Console && slices.Contains(can, "actions") {
		buttons = []string{consoleKey, "Open the Console", laterKey, "Later"}
	}
	level := byte(1)
	if m.Urgent {
		level = 2
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(level)}
	err = conn.Object(notifications, notificationsPath).CallWithContext(ctx, notifications+".Notify", dbus.FlagNoAutoStart,
		"cwagent", instead, "", plain(m.Title), body, buttons, hints, int32(-1)).Store(&id)
	if said := (dbus.Error{}); errors.As(err, &said) {
		err = fmt.Errorf("%w: %w", ErrNotShown, err)
	}
	return id, err
}

// abilities are what the server can that there is now.
func (s *session) abilities(ctx context.Context, conn *dbus.Conn) (can []string, err error) {
	owner := s.owner(ctx, conn)
	s.mu.Lock()
	asked, can := s.asked, s.can
	s.mu.Unlock()
	if owner != "" && owner == asked {
		return can, nil
	}
	err = conn.Object(notifications, notificationsPath).CallWithContext(ctx, notifications+".GetCapabilities", dbus.FlagNoAutoStart).Store(&can)
	if err == nil {
		s.mu.Lock()
		s.asked, s.can = owner, can
		s.mu.Unlock()
	}
	return can, err
}

// Close implements Desktop.
func (s *session) Close(ctx context.Context, id uint32) {
	if conn := s.bus(); conn != nil {
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		_ = conn.Object(notifications, notificationsPath).CallWithContext(ctx, notifications+".CloseNotification", dbus.FlagNoAutoStart, id).Err
	}
}
