//go:build !darwin && !windows

package bus

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent/watch"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = time.Minute
)

// Pause waits for a moment, for who begins anew after the bus has hung up.
func Pause(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstPause)
	defer cancel()
	<-ctx.Done()
}

// Await connects to the bus as soon as there is one; nil: ctx has ended. While
// there is no socket it does nothing but wait for the events of its folder. One
// that nobody listens at is tried again, less and less often: a bus that was
// killed leaves its own behind, and what listens makes no event.
func Await(ctx context.Context, getenv func(string) string) *dbus.Conn {
	address, _ := place(getenv)
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
		conn, err := Dial(ctx, address)
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
