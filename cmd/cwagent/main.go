// Command cwagent is everything that a person does with the agent, and the
// agent itself: one file a command, wired together in root.go.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cwagent/cwagent/credplugin"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// version is set by the linker.
var version = "devel"

func run() int {
	ctx, deaf := hearing()
	defer deaf()
	c := &cli{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, now: time.Now, deaf: deaf}
	root := newRoot(c)
	remind := c.reminder(root)
	cmd, err := root.ExecuteContextC(ctx)
	code := c.report(advised(cmd, err))
	remind(ctx)
	return code
}

// advised is an error of cobra's own about cmd with a hint, as all others have one.
func advised(cmd *cobra.Command, err error) error {
	if err != nil && strings.HasPrefix(err.Error(), "unknown command ") {
		return fail(cmd.CommandPath()+" --help", "%v", err)
	}
	return err
}

// hearing returns a context that an interrupt ends. From deaf on one ends the
// process instead, and none is lost between: one that came before has ended the context.
// (signal.Reset drops what the runtime has received and not handed over; Stop waits.)
func hearing() (ctx context.Context, deaf func()) {
	ctx, interrupt := context.WithCancel(context.Background())
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, is := <-heard; is {
			interrupt()
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(heard)
		close(heard)
		<-over
	})
}

// cli is what commands share: the outside world, handed in.
type cli struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time
	deaf     func()        // lets an interrupt end the process from now on; nil where it does
	lines    *bufio.Reader // of in, once a question was asked
}

// startWait is how long an agent that has to be started first may take until it
// listens.
const startWait = 5 * time.Second

// agent returns the agent that listens at the usual place. Where nobody does it has one
// started, as the plugin would.
func (c *cli) agent() (ipc.Agent, error) {
	a, err := c.running()
	if err == nil {
		credplugin.Start(a.Path, time.Now().Add(startWait))
	}
	return a, err
}

// running is agent for who only wants one that runs already. It does not connect.
func (c *cli) running() (a client.Client, err error) {
	a.Path, err = ipc.SocketPath(c.getenv)
	return a, err
}

// exitCode ends the program with a code and says nothing more.
type exitCode int

func (exitCode) Error() string { return "" }

// report shows an error to the person, in the one way there is, and returns the
// exit code.
func (c *cli) report(err error) int {
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, context.Canceled):
		io.WriteString(c.err, "cwagent: interrupted\n")
		return 130
	}
	io.WriteString(c.err, c.errorText(err))
	var f failure
	if errors.As(err, &f) {
		return f.code
	}
	return 1
}

// errorText are the lines that say what went wrong, and what to do.
func (c *cli) errorText(err error) (text string) {
	var e *ipc.Error
	shown := ipc.Error{What: err.Error()} // with what was wrapped around it
	if errors.As(err, &e) {
		shown.Hint = e.Hint
	}
	if shown.Hint == ipc.StartHint {
		shown.Hint = c.startHint()
	}
	for line := range strings.Lines(shown.Text()) { // a file's name may be in it
		text += printableLine(strings.TrimRight(line, "\n")) + "\n"
	}
	return text
}

// fail makes an error with a hint.
func fail(hint, format string, args ...any) error {
	return &ipc.Error{Code: ipc.CodeInvalid, What: fmt.Sprintf(format, args...), Hint: hint}
}

// hasCode reports whether err is one of the agent's with one of these codes.
func hasCode(err error, codes ...ipc.Code) bool {
	var e *ipc.Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// terminal reports whether v, a stream of the cli, is a terminal.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
