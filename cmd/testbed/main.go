// Testbed is what cwagent is tested and shown against: one process with a real Kubernetes API server, a stand-in for
// api.coreweave.com, and the Console that mints and revokes the tokens which both believe in.
//
//	testbed up DIR &           until SIGINT or SIGTERM; DIR/ready says when
//	testbed token DIR > k8s    a kubeconfig as the Console would give it
//	testbed revoke DIR NAME    dead from the next request
//
// It is for tests: every token is a cluster administrator, everything listens on the loopback address only, and nothing
// outlives the process. It is a module of its own, so that cwagent itself depends on none of this.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

func main() {
	// up points descriptor 2 to its log, because the API server's libraries write there from their first line on, some
	// through handles that they took before main began. What we have to say goes to a copy.
	stderr := os.Stderr
	if fd, err := unix.FcntlInt(os.Stderr.Fd(), unix.F_DUPFD_CLOEXEC, 3); err == nil {
		stderr = os.NewFile(uintptr(fd), "stderr")
	}
	// The same libraries add flags of theirs to the global set, which cobra would offer as ours.
	pflag.CommandLine = pflag.NewFlagSet("testbed", pflag.ContinueOnError)
	if err := newRoot(stderr).ExecuteContext(context.Background()); err != nil {
		printError(stderr, err)
		os.Exit(1)
	}
}

func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "testbed: %v\n", err)
	if hinted := (*control.Hinted)(nil); errors.As(err, &hinted) {
		fmt.Fprintf(w, "hint: %s\n", hinted.Hint)
	}
}

func newRoot(stderr *os.File) *cobra.Command {
	root := &cobra.Command{
		Use:           "testbed",
		Short:         "A Kubernetes API server and a stand-in for CoreWeave, to test cwagent against",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(misused)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newUp(stderr), newToken(), newRevoke(), newRequests(), newFault(), newURL(), newServer())
	return root
}

// want is for arguments; what they are called stands in Use.
func want(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return misused(cmd, fmt.Errorf("got %d arguments", len(args)))
		}
		return nil
	}
}

func misused(cmd *cobra.Command, err error) error {
	return &control.Hinted{Err: fmt.Errorf("%s: %w", cmd.Name(), err), Hint: "usage: " + cmd.UseLine()}
}
