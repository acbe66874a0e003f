//go:build !darwin && !windows

package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
)

// answer makes one of the four answers of what came over the bus.
func answer(err error) error {
	if err == nil || errors.Is(err, agent.ErrAbsent) || errors.Is(err, agent.ErrRefused) ||
		errors.Is(err, agent.ErrLocked) || errors.Is(err, agent.ErrNotFound) {
		return err
	}
	var e dbus.Error
	if p := (*dbus.Error)(nil); errors.As(err, &p) {
		e = *p
	} else if !errors.As(err, &e) {
		return fmt.Errorf("%w: %w", agent.ErrAbsent, err) // the connection, not the keyring
	}
	switch e.Name {
	case "org.freedesktop.Secret.Error.IsLocked":
		return fmt.Errorf("%w: %w", agent.ErrLocked, e)
	case "org.freedesktop.Secret.Error.NoSession", // it was restarted between two calls
		"org.freedesktop.Secret.Error.NoSuchObject",
		"org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownMethod",
		"org.freedesktop.DBus.Error.UnknownInterface",
		"org.freedesktop.DBus.Error.ServiceUnknown",
		"org.freedesktop.DBus.Error.NameHasNoOwner",
		"org.freedesktop.DBus.Error.NoReply",
		"org.freedesktop.DBus.Error.NoServer",
		"org.freedesktop.DBus.Error.Disconnected",
		"org.freedesktop.DBus.Error.Timeout",
		"org.freedesktop.DBus.Error.TimedOut":
		return fmt.Errorf("%w: %w", agent.ErrAbsent, e)
	}
	if strings.HasPrefix(e.Name, "org.freedesktop.DBus.Error.Spawn.") {
		return fmt.Errorf("%w: it cannot be started: %w", agent.ErrAbsent, e)
	}
	return fmt.Errorf("%w: %w", agent.ErrRefused, e)
}
