package main

import (
	"context"
	"net"
	"runtime"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/kardianos/service"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
	"github.com/cwagent/cwagent/packaging"
)

// listen takes the socket that the program before this one has left, or that the
// service manager has handed over, else it makes one. Whoever hands one over decides
// where it is: what our environment says may be a shell's, which a desktop has imported
// into that of the service manager.
//
// unable is why this agent cannot begin. With a socket that is a service manager's it
// is to say so to whoever asks: it would be started again and again, and nobody would
// hear why. Without, nobody gets one.
func (r *agentRun) listen(ctx context.Context, unable error) (err error) {
	r.unable = unable
	r.socket, r.owned, err = inherited()
	r.resumed = r.socket != nil
	if err == nil && r.socket == nil {
		r.socket, err = handedOver()
	}
	if err == nil && r.socket == nil {
		r.socket, err = r.ownSocket(ctx)
	}
	if err == nil {
		r.path = r.socket.Path()
	}
	return err
}

// ownSocket makes a socket. launchd, which has none for us, would start an agent again
// each second that leaves because another one has the socket: it waits for that one to
// leave, as an agent of systemd's does, until ctx ends.
func (r *agentRun) ownSocket(ctx context.Context) (*server.Listener, error) {
	if r.unable != nil {
		return nil, r.unable
	}
	path, err := ipc.SocketPath(r.getenv)
	if err != nil {
		return nil, err
	}
	l, err := server.Listen(path)
	if !r.byLaunchd() || !elsewhere(err) {
		return l, err
	}
	r.log.Warn("not serving yet", "why", whyNot(err).What)
	for since := time.Now(); elsewhere(err); l, err = server.Listen(path) {
		if err := pause(ctx, since); err != nil {
			return nil, err
		}
	}
	return l, err
}

// byLaunchd reports whether launchd has started this agent.
func (c *cli) byLaunchd() bool { return c.getenv("XPC_SERVICE_NAME") == packaging.LaunchdLabel }

// handedOver is the service manager's socket, whose lock has yet to be taken; nil:
// there is none.
func handedOver() (*server.Listener, error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, fail("the unit cwagent.socket may have been changed", "agent: the service manager's socket: %v", err)
	}
	if len(given) == 0 {
		return nil, nil
	}
	ul, ok := given[0].(*net.UnixListener)
	if !ok || len(given) > 1 {
		return nil, fail("cwagent.socket has one line ListenStream=%t/cwagent/agent.sock, and no other", "agent: the service manager has handed over %d sockets that are not one Unix socket", len(given))
	}
	return server.Adopt(ul)
}

// settle finds out what this agent is to do, and where its things are. Its error says
// why it cannot begin, and does not pass while it runs.
func (r *agentRun) settle() (err error) {
	hardened := harden()
	r.set = r.newSettings(r.log)
	if hardened != nil {
		return fail("this system does not let a program protect its memory", "agent: %v", hardened)
	}
	if r.state, err = config.StateDir(r.getenv); err == nil && r.set.path == "" {
		err = r.set.broken
	}
	return err
}

// start says who has started this agent.
func (r *agentRun) start() ipc.Start {
	switch {
	case r.socket.Kept(), r.byLaunchd(), runtime.GOOS == "windows" && !service.Interactive():
		return ipc.StartManager
	case r.getenv(startedByPlugin) != "":
		return ipc.StartPlugin
	}
	return ipc.StartPerson
}

// startedByPlugin is a variable that the plugin sets for an agent that it starts.
const startedByPlugin = "CWAGENT_STARTED_BY_PLUGIN"
