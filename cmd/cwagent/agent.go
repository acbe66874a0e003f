package main

import (
	"context"
	"errors"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/coreos/go-systemd/v22/journal"
	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/agent/arena"
	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/agent/source"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/agent/watch"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

func (c *cli) newAgent() *cobra.Command {
	var fl agentFlags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent in the foreground",
		Long: `Run the agent in the foreground, until it is interrupted (SIGINT, SIGTERM).
It then answers what it has been asked and leaves. SIGHUP has it read its config
again, which it also follows by itself.

Tokens rest in the OS keyring, or in a store of encrypted files. The agent reads
them at its start, those first that somebody asks for, and answers from memory. It
looks after kubeconfigs: a static token that comes back into one is taken out again,
see "watch" in the config. On a screen it tells, once, what you should know of a
token, see "notices" there. What it does is logged to stderr, and with who was given
which token to audit-HOST.jsonl in the state folder, where HOST is this machine:
see "cwagent log".

Under systemd it takes the socket that the unit cwagent.socket has made, says when
it is ready and how it is, and gives a sign of life when it has just answered a
fetch of its own.`,
		Example: `  cwagent agent &
  cwagent agent --idle-exit 8h --log-format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runAgent(cmd.Context(), fl) },
	}
	f := cmd.Flags()
	f.DurationVar(&fl.idleExit, "idle-exit", 0, "leave when nobody has asked anything for that long, such as 8h, and everything is saved (default: stay)")
	f.StringVar(&fl.logFormat, "log-format", "text", "text or json")
	completeFlag(cmd, "log-format", "text", "json")
	return cmd
}

// agentFlags are the flags of agent.
type agentFlags struct {
	idleExit  time.Duration
	logFormat string
}

// lastWait is how long the agent may take to leave. What hangs is left behind then:
// tokens that it holds are in the store, or were never going to be.
const lastWait = 5 * time.Second

func (c *cli) runAgent(ctx context.Context, fl agentFlags) error {
	if err := format("--log-format", fl.logFormat, "text", "json"); err != nil {
		return err
	}
	// Small and mostly idle: a quarter of the usual slack of the heap costs
	// nothing that anybody could feel.
	debug.SetGCPercent(25)
	// net/http quotes what a server sent on Go's global logger.
	stdlog.SetOutput(io.Discard)
	r, err := c.newAgentRun(ctx, fl)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // it was told to leave before it served
	}
	if err != nil {
		return err
	}
	forget, signaled := r.leaveLaunch(), ctx
	ctx, r.leave = context.WithCancel(ctx)
	defer r.leave()
	defer func() {
		if signaled.Err() != nil && terminal(c.in) {
			forget() // somebody who is there wants no agent
		}
	}()
	stop := context.AfterFunc(ctx, func() {
		time.Sleep(lastWait)
		if r.extended.Load() {
			time.Sleep(lastWait)
		}
		r.shown.Error("something hangs: left without it")
		os.Exit(1)
	})
	defer stop()
	err = liveAsService(func() error { return r.serve(ctx, fl.idleExit) }, r.leave)
	if r.again.Load() {
		stop()
		return r.executeAgain(signaled)
	}
	return err
}

// newAgentRun finds out where everything is, and listens.
func (c *cli) newAgentRun(ctx context.Context, fl agentFlags) (r *agentRun, err error) {
	// Before anything else: as long as nobody takes this signal, it ends a program.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	r = &agentRun{cli: c, trail: audit.New(), meter: metrics.Meter{GoVersion: runtime.Version()}, beginning: beginning{over: make(chan struct{})}}
	journald, _ := journal.StderrIsJournalStream()
	shown := newLogHandler(c.err, fl.logFormat, journald, &r.level)
	r.shown, r.log = slog.New(shown), slog.New(slog.NewMultiHandler(shown, r.trail))
	r.memory.Short = func(err error) {
		r.log.Warn("tokens are kept, but they may be swapped out", "error", err,
			"hint", "let more memory be locked: ulimit -l, or LimitMEMLOCK= in the unit")
	}
	if err = r.listen(ctx, r.settle()); err != nil {
		return nil, err
	}
	r.level.Set(r.set.first.LogLevel)
	r.set.level, r.set.reload = &r.level, reload
	r.set.idle.changed = make(chan struct{}, 1)
	r.latch = newLatch(r)
	// Others would start it anew, again and again, or have nobody to tell.
	if r.set.broken != nil && r.start() == ipc.StartPerson && !r.resumed {
		return nil, errors.Join(r.set.broken, r.socket.Close())
	}
	if program, err := os.Executable(); err == nil && r.start() == ipc.StartManager {
		if o := (&source.Outside{Helper: []string{program, sourceExec}}); o.Available() {
			r.set.outside = o
		}
	}
	return r, nil
}

// An agentRun is one run of the agent.
type agentRun struct {
	*cli
	path   string // of the socket
	state  string // folder
	socket *server.Listener
	set    *settings
	leave  context.CancelFunc // ends the run

	beginning beginning
	unable    error       // why it cannot begin, as long as it runs; nil: nothing
	owned     *state.Held // the state; nil: not yet, or it cannot be locked
	latch     *latch
	extended  atomic.Bool            // there is something to hand over, which takes its time
	resumed   bool                   // by the program before this one
	left      []*os.File             // to the program that is executed
	again     atomic.Bool            // the program is executed again when the run has ended
	heir      atomic.Pointer[string] // path of the socket at which another agent answers from now on

	level slog.LevelVar
	log   *slog.Logger // to a person and to the audit log
	shown *slog.Logger // to a person
	trail *audit.Log
	meter metrics.Meter

	memory arena.Arena // where tokens rest
}

// serve answers at the socket, and sees to it that the agent begins.
func (r *agentRun) serve(ctx context.Context, idleExit time.Duration) error {
	a, watcher, status := r.wire()
	err := r.serveAs(ctx, a, watcher, status, idleExit)
	if heir := r.heir.Load(); heir != nil {
		r.bequeath(ctx, *heir, a.Legacy())
	}
	return err
}

func (r *agentRun) serveAs(ctx context.Context, a *agent.Agent, watcher *absorb.Watcher, status *supervisor, idleExit time.Duration) error {
	defer r.socket.Close()
	err := r.begin(a)
	if err != nil && r.start() == ipc.StartPerson {
		return err // others would start it anew, again and again
	}
	s := &server.Server{Agent: a, Log: r.log, Ready: r.ready, Secret: r.memory.New, Answered: r.answered}
	var running sync.WaitGroup
	defer running.Wait()
	defer r.leave()
	running.Go(func() { status.run(ctx) })
	running.Go(func() { r.whileOurs(ctx) })
	running.Go(func() {
		if !r.untilBegun(ctx, a, status, err) {
			return
		}
		var measuring sync.WaitGroup
		measuring.Go(func() { r.set.measure.Run(ctx) })
		defer r.release()
		defer measuring.Wait() // the next agent may have the same file
		if r.untilOpen(ctx, status) {
			r.live(ctx, a, watcher, func() { r.whileUsed(ctx, s, a, idleExit) })
		}
	})
	tell(daemon.SdNotifyReady)
	return s.Serve(ctx, r.socket)
}

// live runs the agent, which has begun, and all that looks after things beside it.
func (r *agentRun) live(ctx context.Context, a *agent.Agent, watcher *absorb.Watcher, whileUsed func()) {
	r.log.Info("serving", "socket", r.path, "version", version, "pid", os.Getpid())
	var running, writing sync.WaitGroup
	all, ended := context.WithCancel(context.WithoutCancel(ctx))
	writing.Go(func() {
		r.trail.Run(all, r.state, func(err error) { r.shown.Error("audit log not written", "error", err) })
	})
	defer writing.Wait()
	defer ended() // what the others say last is written, too
	for _, part := range []func(){
		func() { a.Run(ctx) },
		func() { r.set.follow(ctx, a, watcher) },
		func() { watcher.Run(ctx) },
		func() { r.whileShared(ctx, a) },
		func() { r.set.idle.run(ctx, a, r.log) },
		func() { r.set.notices.run(ctx) },
		whileUsed,
	} {
		running.Go(part)
	}
	running.Wait()
}

// whileShared has the agent take over what agents of other machines, which have the
// same state folder, have changed. While they change nothing, nothing runs, but for a
// look a minute where the folder is on a file server.
func (r *agentRun) whileShared(ctx context.Context, a *agent.Agent) {
	look := func() { a.Sync(ctx) }
	watch.Folder(ctx, r.state, watch.Options{
		Match:  func(name string) bool { return name == ledger.Name },
		Shared: kubeconfig.Shared,
		State: func(err error) {
			if err == nil { // nobody has looked since it began
				look()
			}
		},
	}, look)
}

// wire makes the agent of its parts, what looks after kubeconfigs for it, and what
// tells a service manager about it.
func (r *agentRun) wire() (*agent.Agent, *absorb.Watcher, *supervisor) {
	c, set, dir := r.cli, r.set, r.state
	status := newSupervisor(r.path, &r.beginning, r.again.Load)
	var watcher *absorb.Watcher // nobody asks for it before both are made
	var a *agent.Agent          // likewise
	set.notices = r.newNotices(func(ctx context.Context) (ipc.Status, error) { return a.Status(ctx, ipc.StatusRequest{}) })
	stores := allStores(set.first.Store, dir, r.memory.Keep)
	a = agent.New(agent.Config{
		Store: stores[0], Others: stores[1:], Auto: set.first.Store == config.StoreAuto,
		Ledger: &ledger.File{Dir: dir}, Codec: render.Codec{}, Verifier: &set.verify, Exchange: &set.verify, Expose: r.meter.Expose,
		Settings: set.agent(set.first), Now: c.now, Alarm: wall.New(), Log: r.log, Version: version, Socket: r.path, Start: r.start(),
		Host:    state.Host(),
		Watched: func() []ipc.Watch { return watcher.Watched() },
		Audit:   r.trail,
		Changed: func() { watcher.CredentialsChanged(); status.note(); set.measure.Note(); set.notices.note() },
		Keep:    r.memory.Keep,
		End:     func() { r.leave() },
		Latch:   r.latch,
	})
	status.agent, set.measure = a, r.newTextfile(a)
	watcher = absorb.New(absorb.Config{
		Agent: a, Rewritten: rewritten.Folder{Dir: dir}, Consent: absorb.Consent{Dir: dir},
		Plugin: func() (string, error) { return c.chosenPlugin(rewritten.Folder{Dir: dir}) }, Shared: kubeconfig.Shared,
		Everywhere: func(path string) bool { return everywhere(path, dir, a.Store.Info()) }, Settings: watching(set.first), Now: c.now, Log: r.log,
		Changed: set.notices.note,
	})
	return a, watcher, status
}
