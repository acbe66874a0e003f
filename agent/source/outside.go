package source

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Outside runs programs as transient units of systemd's user manager: the agent's
// own unit is locked down in ways that some of them do not survive, such as those
// with a set-group-ID bit, or node.
//
// A unit gets the variables of the user manager beside ours. Helper is a program that
// takes those away: it is run as HELPER... NAME,NAME,... PROGRAM ARGUMENT... and
// becomes the program, with these variables alone.
type Outside struct {
	Helper []string
}

// Available reports whether there is a user manager that can be asked to.
func (*Outside) Available() bool {
	_, err := os.Stat(systemdRun)
	_, manager := os.Stat(os.Getenv("XDG_RUNTIME_DIR") + "/systemd/private")
	return err == nil && manager == nil
}

const (
	systemdRun = "/usr/bin/systemd-run"
	systemctl  = "/usr/bin/systemctl"
)

// wrap returns the command that runs argv outside, with the variables of env, and
// what kills it there. The values of the variables are not in it: those of other
// programs see the arguments of a process.
func (o *Outside) wrap(argv, env []string, limit time.Duration) (wrapped []string, kill func()) {
	unit := "cwagent-source-" + strings.ToLower(rand.Text()) + ".service"
	wrapped = []string{
		systemdRun, "--user", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--unit=" + unit,
		"--description=cwagent: source of a token", "--working-directory=/", "--property=LimitCORE=0",
		"--property=RuntimeMaxSec=" + (limit + grace).String(), // if we do not live to kill it
	}
	var names []string
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
		wrapped = append(wrapped, "--setenv="+name)
	}
	wrapped = append(append(append(wrapped, "--"), o.Helper...), strings.Join(names, ","))
	return append(wrapped, argv...), func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		_ = exec.CommandContext(ctx, systemctl, "--user", "kill", "--signal=KILL", unit).Run() // it may have ended
	}
}

// startable is why a program cannot be run at all, which whoever runs it outside
// would say less clearly.
func startable(program string) error {
	info, err := os.Stat(program)
	switch {
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return os.ErrPermission
	}
	return nil
}
