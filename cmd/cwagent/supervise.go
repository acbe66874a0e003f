package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

// restAfter is how long after the last change the service manager hears of it, and
// the system gets back the memory that it took.
const restAfter = time.Second

// probeWait is how long the agent may take to answer itself.
const probeWait = 5 * time.Second

// A supervisor tells the service manager how the agent is, if there is one that
// wants to know.
type supervisor struct {
	path      string // of the socket
	beginning *beginning
	agent     ipc.Agent
	tell      func(state string) // to the service manager
	goesOn    func() bool        // whether the end of the run is not that of the process
	changed   chan struct{}      // has room for one; filled when the line of STATUS may be another
}

func newSupervisor(path string, b *beginning, goesOn func() bool) *supervisor {
	return &supervisor{path: path, beginning: b, tell: tell, goesOn: goesOn, changed: make(chan struct{}, 1)}
}

// tell sends one state to systemd. Without one it does nothing, and nothing that
// the agent does depends on it.
func tell(state string) { _, _ = daemon.SdNotify(false, state) }

// note has the line of STATUS written anew. It returns at once.
func (s *supervisor) note() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run keeps the service manager informed until ctx ends: by a line for people, and,
// if it wants a sign of life, by one whenever the agent has just answered a fetch
// over its own socket as it would answer kubectl.
func (s *supervisor) run(ctx context.Context) {
	limit, _ := daemon.SdWatchdogEnabled(true)
	var beat <-chan time.Time
	if limit > 0 {
		t := time.NewTicker(limit / 4) // one that comes late, or takes long, is no reason to end us
		defer t.Stop()
		beat = t.C
	}
	rest := time.NewTimer(restAfter)
	defer rest.Stop()
	look := time.NewTimer(time.Hour)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			if !s.goesOn() {
				s.tell(daemon.SdNotifyStopping)
			}
			return
		case <-s.changed:
			rest.Reset(restAfter)
			continue
		case <-rest.C:
			debug.FreeOSMemory() // each change writes the whole ledger: a third of it all is room for that
		case <-look.C:
		case <-beat:
			if s.alive(ctx) {
				s.tell(daemon.SdNotifyWatchdog)
			}
		}
		// Timers stand still while a laptop sleeps; the beat comes soon after.
		line, next := s.line(ctx)
		s.tell("STATUS=" + line)
		look.Stop()
		if !next.IsZero() {
			look.Reset(time.Until(next))
		}
	}
}

// line says how the agent is, for people, and until when that is so at most.
func (s *supervisor) line(ctx context.Context) (line string, until time.Time) {
	if why := s.beginning.why.Load(); why != nil && !s.beginning.isOver() {
		return why.What, time.Time{}
	}
	status, err := s.agent.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return err.Error(), time.Time{}
	}
	return statusLine(status, time.Now())
}

// alive reports whether a fetch is answered. It asks for a credential without a
// name: nobody has that, and who says so has read, judged and written. One that has yet
// to begin says why, and one that is locked that it is, which is a sign of life, too: to
// end it would not help.
func (s *supervisor) alive(ctx context.Context) bool {
	reply, err := ipc.Fetch(ctx, s.path, time.Now().Add(probeWait), ipc.FetchRequest{ExecInfo: []byte("{}")})
	if err == nil {
		return reply.Exit != 0
	}
	var said *ipc.Error
	why := s.beginning.why.Load()
	return errors.As(err, &said) && (said.Code == ipc.CodeLocked || why != nil && *said == *why)
}

// statusLine is what systemctl status shows: 3 credentials, next expiry 18:40. It is
// true until next.
func statusLine(s ipc.Status, now time.Time) (line string, next time.Time) {
	line = fmt.Sprintf("%d credentials", len(s.Credentials))
	if len(s.Credentials) == 1 {
		line = "1 credential"
	}
	states := map[ipc.State]int{}
	for _, c := range s.Credentials {
		if c.Expires != nil && c.Expires.After(now) && (next.IsZero() || c.Expires.Before(next)) {
			next = *c.Expires
		}
		states[c.State]++
	}
	if s.Agent.Locked != nil {
		line += ", locked"
		next = time.Time{}
	}
	if !next.IsZero() {
		layout := "15:04"
		if next.Sub(now) > 20*time.Hour {
			layout = "2006-01-02 15:04"
		}
		line += ", next expiry " + next.Local().Format(layout)
	}
	for _, state := range []ipc.State{ipc.StateDue, ipc.StateExpired, ipc.StateRefused, ipc.StateLocked, ipc.StateEmpty} {
		if n := states[state]; n > 0 {
			line += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return line, next
}

// whileOurs ends the run when the path does not lead to our socket any more: another
// agent, or a service manager, has put one of its own there, and whoever connects
// gets that one.
//
// An agent that was started where nobody was logged in listens in another folder than
// the one of a login does. Who connects gets that one then, which waits for the state.
// (To watch its folder would not do: systemd mounts it over one that is watched.)
func (r *agentRun) whileOurs(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watch := func(dir string) {
		watching.Go(func() { r.set.folders.watch(ctx, dir, func() { r.lookOurs(ctx) }) })
	}
	watch(filepath.Dir(r.path))
	if filepath.Dir(r.path) == ipc.TempDir() {
		watch(r.state)
	}
}

func (r *agentRun) lookOurs(ctx context.Context) {
	now, err := r.path, error(nil)
	if !r.socket.Kept() { // whose path is not our environment's to say
		now, err = ipc.SocketPath(r.getenv)
	}
	if err == nil && now != r.path {
		_, err = os.Lstat(now)
	}
	_, lost := os.Lstat(r.path)
	gone := errors.Is(lost, fs.ErrNotExist)
	switch {
	case ctx.Err() != nil:
	case gone && r.socket.Kept():
		r.log.Warn("the socket is gone: leaving, for a new one", "socket", r.path)
		if err := renewSocket(ctx); err != nil {
			r.log.Error("no new socket: systemctl --user restart cwagent.socket", "error", err)
		}
		r.leave()
	case gone:
		r.log.Warn("the socket is gone: leaving", "socket", r.path)
		r.leave()
	case !r.socket.Ours():
		r.log.Warn("the socket's path leads to another socket: leaving", "socket", r.path)
		r.heir.Store(&r.path)
		r.leave()
	case err == nil && now != r.path:
		r.log.Warn("whoever connects gets another socket by now: leaving", "socket", r.path, "other", now)
		r.heir.Store(&now)
		r.leave()
	}
}

// renewSocket has the service manager make its socket anew: it does not notice that
// somebody has removed it, and takes what is left for well. That ends this agent.
func renewSocket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	err := exec.CommandContext(ctx, "systemctl", "--user", "--no-block", "restart", "cwagent.socket").Run()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil // it is being done
	}
	return err
}

// whileUsed ends the run when nobody has asked anything for so long, unless that
// would lose a token.
func (r *agentRun) whileUsed(ctx context.Context, s *server.Server, a ipc.Agent, limit time.Duration) {
	if limit <= 0 {
		return
	}
	for wait := limit; ; {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		if wait = limit - time.Since(s.Last()); wait > 0 {
			continue
		}
		wait = limit
		status, err := a.Status(ctx, ipc.StatusRequest{})
		if err == nil && !slices.ContainsFunc(status.Credentials, func(c ipc.Credential) bool { return c.State != ipc.StateEmpty && !c.Saved }) {
			r.log.Info("nobody has asked anything: leaving", "for", limit)
			r.leave()
			return
		}
	}
}
