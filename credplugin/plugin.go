// Package credplugin is kubectl's side of the wall: the body of
// cwagent-credential, the exec credential plugin that kubeconfigs refer to.
//
// It is small and dumb on purpose, because it starts with every kubectl: it
// sends its argument and KUBERNETES_EXEC_INFO to the agent and copies back what
// comes: bytes for stdout, bytes for stderr, an exit code. It knows no token
// format and reads no configuration. Where no agent listens it has one started, by
// the service manager or as a person has done it last.
//
// It promises to end within two seconds, whatever happens, because client-go
// waits for a plugin without any limit while it holds a lock; to be silent on
// success; and to say why it failed once per parent process, not at each of the
// five or six runs that kubectl makes of a failing plugin. Together these end
// within three seconds: who has waited once for an agent that hangs waits only a
// moment the next time, and is served again as soon as the agent is.
package credplugin

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	// answer is how long the agent may take. It answers from memory.
	answer = 1800 * time.Millisecond

	// again is how long it may take for a parent that has just waited in vain:
	// five more runs of kubectl's cost 0.75 s.
	again = 150 * time.Millisecond

	// everything is the end of this process, a stuck stdout included.
	everything = 2 * time.Second
)

// Run is the whole program. args are the command line without the program's
// name, getenv is os.Getenv. It returns the exit code.
func Run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	began := time.Now()
	watchdog := time.AfterFunc(everything, func() { os.Exit(1) })
	defer watchdog.Stop()

	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		io.WriteString(stderr, (&ipc.Error{
			Code: ipc.CodeInvalid,
			What: "cwagent-credential: it takes one argument, the name of a credential",
			Hint: "kubectl runs it; by hand use: cwagent status, cwagent token NAME",
		}).Text())
		return 1
	}
	path, err := ipc.SocketPath(getenv)
	told := openTold(path, err == nil)
	var reply ipc.FetchReply
	inVain := false
	if err == nil {
		hung, wait := told.hung(), answer
		if hung {
			wait = again
		}
		a := asking{path, began.Add(wait), args[0], getenv("KUBERNETES_EXEC_INFO")}
		reply, err = a.fetch()
		comes := hung // it has been tried, and may yet come
		if noAgent(err) && !hung {
			_, comes = start(path, a.deadline) // done with at our end
		}
		if noAgent(err) && comes {
			reply, err = a.fetchSoon(err)
		}
		waited := hung || time.Since(began) >= again
		inVain = isTimeout(err) || noAgent(err) && waited
		if hung && inVain {
			return 1
		}
	}
	if err == nil && reply.Exit == 0 {
		stderr.Write(reply.Stderr)
		if _, err := stdout.Write(reply.Stdout); err != nil {
			io.WriteString(stderr, text(err)) // err names the stream, not what was written
			return 1
		}
		return 0
	}
	exit, why := reply.Exit, string(reply.Stderr)
	if err != nil {
		exit, why = 1, text(err)
	}
	if told.first(why, inVain) {
		io.WriteString(stderr, why)
	}
	return exit
}

// startPoll is how often one looks whether an agent that was started listens.
const startPoll = 5 * time.Millisecond

// fetchSoon fetches from an agent that is about to listen. Until then err stands.
func (a asking) fetchSoon(err error) (reply ipc.FetchReply, _ error) {
	for noAgent(err) && time.Now().Add(startPoll).Before(a.deadline) {
		time.Sleep(startPoll)
		reply, err = a.fetch()
	}
	return reply, err
}

// Start is for who is no plugin: where nobody listens at path it has an agent started
// as the plugin does, and waits until one listens, or nearly until the deadline.
func Start(path string, deadline time.Time) {
	err := ipc.Reach(path, deadline)
	if !noAgent(err) {
		return
	}
	done, comes := start(path, deadline)
	defer done()
	for comes && noAgent(err) && time.Now().Add(startPoll).Before(deadline) {
		time.Sleep(startPoll)
		err = ipc.Reach(path, deadline)
	}
}

// noAgent reports whether nobody listens.
func noAgent(err error) bool {
	e, ok := err.(*ipc.Error)
	return ok && e.Code == ipc.CodeUnreachable && e.Hint == ipc.StartHint
}

// An asking is one request of the plugin's.
type asking struct {
	path           string
	deadline       time.Time
	name, execInfo string
}

func (a asking) fetch() (ipc.FetchReply, error) {
	if len(a.execInfo) > ipc.MaxPart {
		return ipc.FetchReply{}, &ipc.Error{
			Code: ipc.CodeTooLarge,
			What: "KUBERNETES_EXEC_INFO: larger than 128 KiB",
			Hint: "a smaller certificate-authority-data in the kubeconfig, perhaps",
		}
	}
	return ipc.Fetch(context.Background(), a.path, a.deadline, ipc.FetchRequest{Name: a.name, ExecInfo: []byte(a.execInfo)})
}

func text(err error) string {
	if e, ok := err.(*ipc.Error); ok {
		return e.Text()
	}
	return (&ipc.Error{What: err.Error()}).Text()
}

func isTimeout(err error) bool {
	e, ok := err.(*ipc.Error)
	return ok && e.Code == ipc.CodeTimeout
}
