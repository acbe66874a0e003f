package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cwagent/cwagent/credplugin"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/peer"
)

func lookAgent(ctx context.Context, p *subject) []finding {
	s, err := p.status()
	socket, _ := ipc.SocketPath(p.getenv)
	switch {
	case err == nil:
		return judgeAgent(s.Agent)
	case hasCode(err, ipc.CodeUnreachable):
		f := finding{Grade: gradeBroken, Cause: "no agent runs", Proof: "nobody answers at " + socket}
		p.beginAgent(ctx, &f)
		return []finding{f}
	case hasCode(err, ipc.CodeTimeout):
		f := finding{Grade: gradeBroken, Cause: "the agent does not answer", Proof: socket + ": connected, and no answer within " + statusTime.String()}
		p.endAgent(ctx, &f, socket)
		return []finding{f}
	}
	f := finding{Grade: gradeBroken, Cause: "the agent does not serve", Proof: socket + ": " + err.Error(), Mend: "it tries again by itself, when that is mended"}
	var e *ipc.Error
	if errors.As(err, &e) && e.Hint != "" {
		f.Mend = e.Hint
	}
	return []finding{f}
}

func judgeAgent(a ipc.AgentInfo) (found []finding) {
	proof := fmt.Sprintf("pid %d, started %s", a.PID, howStarted[a.Start])
	if a.Locked != nil {
		found = append(found, finding{Grade: gradeBroken, Cause: "the agent is locked, and gives nothing out", Proof: proof + ", locked since " + a.Locked.Local().Format("2 Jan 15:04"),
			Mend: "unlock it", Command: "cwagent unlock", fix: runs("unlock"), shows: true})
	}
	if words := anotherVersion(a, version); words != "" {
		f := finding{Grade: gradeWarning, Cause: "the agent has another version than this program", Proof: proof + ": " + a.Version, Mend: words}
		if a.Start == ipc.StartManager {
			f.Mend, f.Command, f.fix = "restart it: no request fails", "cwagent service restart", runs("service", "restart")
		}
		found = append(found, f)
	}
	return found
}

// beginAgent says how an agent is started here.
func (p *subject) beginAgent(ctx context.Context, f *finding) {
	f.Mend, f.Command = "start one", "cwagent agent &"
	if p.getenv("CWAGENT_SOCKET") == "" {
		m, err := p.manager(ctx)
		if s, err2 := stateOf(m, err); err2 == nil && !s.silent && len(s.Masked) == 0 {
			f.Mend, f.Command, f.fix = "start it", "cwagent service start", runs("service", "start")
			if !s.Installed {
				f.Mend, f.Command, f.fix = "have it started now and at each login", "cwagent service install", runs("service", "install")
			}
			return
		}
	}
	socket, _ := ipc.SocketPath(p.getenv)
	text, _ := os.ReadFile(ipc.LaunchPath())
	if l, ok := ipc.DecodeLaunch(text); ok && l.Socket == socket {
		f.Mend, f.Command, f.fix = "start it as a person has started the last one", quotedWords(l.Args)+" &", startAgain
	}
}

// endAgent says how an agent that hangs is ended and started again. That is left to the
// person: it may hold tokens that are nowhere else.
func (p *subject) endAgent(ctx context.Context, f *finding, socket string) {
	if p.getenv("CWAGENT_SOCKET") == "" {
		if s, err := stateOf(p.manager(ctx)); err == nil && s.Running {
			f.Mend, f.Command = "end it and start it again", "cwagent service restart"
			return
		}
	}
	p.beginAgent(ctx, f)
	f.Mend, f.fix = "end it, which loses the tokens that it has in memory only, and start it again", nil
	if pid := listener(ctx, socket); pid != 0 {
		f.Command = fmt.Sprintf("kill -KILL %d; %s", pid, f.Command) // it would not hear SIGTERM
	}
}

// listener is the process that listens at socket; 0 where that cannot be told.
func listener(ctx context.Context, socket string) int {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0
	}
	defer conn.Close()
	who, _ := peer.Of(conn.(*net.UnixConn))
	return who.PID
}

func stateOf(m manager, err error) (serviceState, error) {
	if err != nil {
		return serviceState{}, err
	}
	return m.state()
}

// startAgain starts an agent as the plugin would.
func startAgain(ctx context.Context, m mender) error {
	a, err := m.running()
	if err != nil {
		return err
	}
	credplugin.Start(a.Path, time.Now().Add(startWait))
	_, err = a.Status(ctx, ipc.StatusRequest{})
	return err
}

// lookAgents asks at each place at which an agent of this person may listen.
func lookAgents(ctx context.Context, p *subject) []finding {
	var err error
	var wait sync.WaitGroup
	wait.Go(func() { _, err = p.status() }) // one that hangs takes all the time that there is
	all, mute := p.agents(ctx)
	wait.Wait()
	if hasCode(err, ipc.CodeExists) {
		var e *ipc.Error
		errors.As(err, &e)
		return []finding{{Grade: gradeBroken, Cause: "two agents run: one waits for the other to end", Proof: e.What + agentsSeen(),
			Mend: "end the other one, if it does not leave by itself"}}
	}
	var found []finding
	for _, path := range mute {
		found = append(found, unchecked("the agent at %s does not answer", path))
	}
	if len(all) < 2 {
		return found
	}
	var seen []string
	leaves := all[len(all)-1]
	for _, a := range all {
		if seen = append(seen, fmt.Sprintf("pid %d at %s", a.PID, a.Socket)); leaves.Start == ipc.StartManager {
			leaves = a // the manager would only start it again
		}
	}
	return append(found, finding{Grade: gradeBroken, Cause: fmt.Sprintf("%d agents run: each has tokens that the other has not", len(all)), Proof: strings.Join(seen, ", "),
		Mend: fmt.Sprintf("have the one at %s save what it can and leave", leaves.Socket),
		fix: func(ctx context.Context, _ mender) error {
			a := client.Client{Path: leaves.Socket}
			err := a.Leave(ctx, ipc.LeaveRequest{})
			if err == nil {
				hasLeft(ctx, a) // or the second look says that it has not
			}
			return err
		}})
}

// elsewhereTime is how long an agent may take that listens elsewhere: one that is well
// answers in a millisecond.
const elsewhereTime = 500 * time.Millisecond

// agents are those that answer, each once, in the order of the places; mute are the
// places at which somebody listens and does not answer.
func (p *subject) agents(ctx context.Context) (all []ipc.AgentInfo, mute []string) {
	ctx, cancel := context.WithTimeout(ctx, elsewhereTime)
	defer cancel()
	paths := p.sockets()
	answers, errs := make([]ipc.AgentInfo, len(paths)), make([]error, len(paths))
	var wait sync.WaitGroup
	for i, path := range paths {
		wait.Go(func() {
			s, err := (client.Client{Path: path}).Status(ctx, ipc.StatusRequest{})
			answers[i], errs[i] = s.Agent, err
			answers[i].Socket = path
		})
	}
	wait.Wait()
	for i, a := range answers {
		if hasCode(errs[i], ipc.CodeTimeout) {
			mute = append(mute, paths[i])
		}
		if a.PID != 0 && !slices.ContainsFunc(all, func(b ipc.AgentInfo) bool { return a.PID == b.PID }) {
			all = append(all, a)
		}
	}
	return all, mute
}

// sockets are the places, that of the environment as it is first.
func (p *subject) sockets() (paths []string) {
	without := func(names ...string) func(string) string {
		return func(name string) string {
			if slices.Contains(names, name) {
				return ""
			}
			return p.getenv(name)
		}
	}
	for _, getenv := range []func(string) string{p.getenv, without("CWAGENT_SOCKET"), without("CWAGENT_SOCKET", "XDG_RUNTIME_DIR")} {
		if path, err := ipc.SocketPath(getenv); err == nil {
			paths = append(paths, path)
		}
	}
	paths = append(paths, filepath.Join(ipc.TempDir(), ipc.SocketName))
	slices.Sort(paths[1:])
	return slices.Compact(paths)
}

// agentsSeen lists the agents of this person that /proc knows, for a proof. Whose they
// are the owner of a folder there does not tell: nobody may trace an agent.
func agentsSeen() (words string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	mine := fmt.Sprintf("\nUid:\t%d\t", os.Getuid())
	for _, dir := range all {
		text, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		status, _ := os.ReadFile(filepath.Join(dir, "status"))
		args := strings.Split(string(text), "\x00")
		if len(args) > 1 && filepath.Base(args[0]) == "cwagent" && args[1] == "agent" && strings.Contains(string(status), mine) {
			words += fmt.Sprintf("; pid %s is %s", filepath.Base(dir), strings.TrimSpace(strings.Join(args, " ")))
		}
	}
	return words
}
