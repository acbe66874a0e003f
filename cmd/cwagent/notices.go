package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/notice"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
)

// notices are what the agent tells on a screen, if something here can show them.
type notices struct {
	teller *notice.Teller // nil: nothing can
	alarm  *wall.Alarm
}

func (r *agentRun) newNotices(status func(context.Context) (ipc.Status, error)) *notices {
	desktop := notice.NewDesktop(r.getenv, r.openConsole)
	if desktop == nil {
		return &notices{}
	}
	alarm := wall.New()
	return &notices{alarm: alarm, teller: notice.New(notice.Config{
		Status: status, Desktop: desktop, File: notice.File(r.state), Now: r.now, Alarm: alarm, Log: r.log,
	})}
}

// note says that the status may be another one. It returns at once.
func (n *notices) note() {
	if n.teller != nil {
		n.teller.Note()
	}
}

func (n *notices) set(cfg config.Config) {
	if n.teller != nil {
		n.teller.Configure(notice.Settings{On: !cfg.NoNotices, Steps: cfg.WarnBefore})
	}
}

func (n *notices) run(ctx context.Context) {
	if n.teller != nil {
		defer n.alarm.Close()
		n.teller.Run(ctx)
	}
}

// reminded are the commands after which a person is told what no screen has shown.
// They are about credentials and are typed; status and the like say it all themselves,
// and what others print is for programs.
var reminded = []string{"add", "forget", "import", "restore", "retired", "rotate", "servers", "store", "unlock", "verify"}

// remindWait is how long an agent may take to answer for that: nobody has asked.
const remindWait = 300 * time.Millisecond

// reminder has a line a day and matter said on stderr, where a person sits at a terminal
// and no screen has shown it. Each is one that was there before the command and still is
// after it: what the command has done, or mended, it has said itself.
func (c *cli) reminder(root *cobra.Command) (remind func(context.Context)) {
	var before []notice.Matter
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		output := cmd.Flags().Lookup("output")
		mute := output != nil && output.Changed || !terminal(c.out) || !terminal(c.err)
		if !mute && slices.Contains(reminded, topmost(cmd).Name()) {
			before = c.matters(cmd.Context())
		}
	}
	return func(ctx context.Context) {
		if len(before) == 0 || ctx.Err() != nil {
			return
		}
		dir, err := config.StateDir(c.getenv)
		if err != nil {
			return
		}
		matters := slices.DeleteFunc(c.matters(ctx), func(m notice.Matter) bool {
			return !slices.ContainsFunc(before, func(was notice.Matter) bool { return was.Key() == m.Key() })
		})
		for _, line := range notice.Say(notice.File(dir), matters, c.now().Round(0)) {
			_, _ = c.err.Write([]byte("cwagent: " + printableLine(line) + "\n"))
		}
	}
}

// topmost is the command right below the root.
func topmost(cmd *cobra.Command) *cobra.Command {
	for cmd.HasParent() && cmd.Parent().HasParent() {
		cmd = cmd.Parent()
	}
	return cmd
}

// matters are what there is to say, of the agent that runs; of none nothing.
func (c *cli) matters(ctx context.Context) []notice.Matter {
	path, err := config.Path(c.getenv)
	if err != nil {
		return nil
	}
	cfg, err := config.Load(path)
	if err != nil || cfg.NoNotices {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, remindWait)
	defer cancel()
	a, err := c.running()
	if err != nil {
		return nil
	}
	s, err := a.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return nil
	}
	matters, _ := notice.Look(s, cfg.WarnBefore, c.now())
	return matters
}
