//go:build !darwin && !windows

package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
)

// Address says where the session bus is, without starting one: godbus, left
// to itself, runs dbus-launch and leaves that bus behind.
func Address(getenv func(string) string) (string, error) {
	address, socket := place(getenv)
	if socket == "" {
		return address, nil
	}
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Type() != os.ModeSocket {
		return "", fmt.Errorf("%w: no session bus: DBUS_SESSION_BUS_ADDRESS is not set and %s is no socket", agent.ErrAbsent, socket)
	}
	return address, nil
}

// place is where the session bus is to be expected; socket, if not "", is where
// systemd would put it, as nobody has said anything.
func place(getenv func(string) string) (address, socket string) {
	if a := getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" && a != "autolaunch:" {
		return a, ""
	}
	run := getenv("XDG_RUNTIME_DIR")
	if run == "" {
		run = filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	}
	socket = filepath.Join(run, "bus")
	return "unix:path=" + dbus.EscapeBusAddressValue(socket), socket
}

// Dial connects to the first bus of address that answers. The connection
// ends with ctx, whatever it is doing: godbus does not give up a write, nor its
// handshake, to a bus that was stopped, and its Close waits for that write.
func Dial(ctx context.Context, address string) (*dbus.Conn, error) {
	var first error
	for one := range strings.SplitSeq(address, ";") {
		conn, err := dialOne(ctx, one)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("%w: session bus %s: %w", agent.ErrAbsent, address, first)
}

func dialOne(ctx context.Context, address string) (*dbus.Conn, error) {
	socket, err := socketOf(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	raw := c.(*net.UnixConn)
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	conn, err := dbus.DialUnix(raw)
	if err != nil {
		stop()
		_ = raw.Close()
		return nil, err
	}
	context.AfterFunc(conn.Context(), func() { stop() })
	if err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err == nil {
		err = conn.Hello()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// socketOf reads an address such as unix:path=/run/user/1000/bus,guid=... .
// Over tcp: a secret would cross the network in clear, and unixexec: runs a
// program.
func socketOf(address string) (string, error) {
	list, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return "", errors.New("not a unix socket")
	}
	for pair := range strings.SplitSeq(list, ",") {
		k, v, _ := strings.Cut(pair, "=")
		v, err := dbus.UnescapeBusAddressValue(v)
		if err != nil {
			return "", err
		}
		switch k {
		case "path":
			return v, nil
		case "abstract":
			return "@" + v, nil
		}
	}
	return "", errors.New("the address has no path")
}
