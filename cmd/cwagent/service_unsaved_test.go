package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

// leaving is an agent that does leave when it is asked, and says who has started it.
type leaving struct {
	ipctest.Fake
	start ipc.Start
	end   context.CancelFunc
}

func (l *leaving) Leave(ctx context.Context, r ipc.LeaveRequest) error {
	err := l.Fake.Leave(ctx, r)
	if err == nil && !r.Stay {
		l.end()
	}
	return err
}

func (l *leaving) Status(ctx context.Context, r ipc.StatusRequest) (ipc.Status, error) {
	s, err := l.Fake.Status(ctx, r)
	s.Agent.Start = l.start
	return s, err
}

// Before launchd's agent is loaded one that was started by hand has left, unless it
// would lose a token; where systemd takes its socket over it stays until then.
func TestMakeRoom(t *testing.T) {
	t.Parallel()
	launchd, systemd := &launchd{}, &systemd{}
	for name, test := range map[string]struct {
		m          manager
		start      ipc.Start
		held       bool // a token in memory only
		force      bool
		gone, fail bool
	}{
		"by hand":                         {m: launchd, start: ipc.StartPerson, gone: true},
		"by the plugin":                   {m: launchd, start: ipc.StartPlugin, gone: true},
		"with something to lose":          {m: launchd, start: ipc.StartPerson, held: true, fail: true},
		"with something to lose, insists": {m: launchd, start: ipc.StartPerson, held: true, force: true, gone: true},
		"launchd's own":                   {m: launchd, start: ipc.StartManager},
		"before systemd's":                {m: systemd, start: ipc.StartPerson},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, a := serveLeaving(t, test.start)
			if test.held {
				if _, err := a.Add(t.Context(), ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret("x"), Expiry: ipc.ExpiryNever, Ephemeral: true, NoVerify: true}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.makeRoom(t.Context(), test.m, test.force); (err != nil) != test.fail {
				t.Errorf("error %v", err)
			}
			if _, err := c.status(t.Context(), ""); hasCode(err, ipc.CodeUnreachable) != test.gone {
				t.Errorf("afterwards: %v, want it gone %v", err, test.gone)
			}
		})
	}
}

// serveLeaving serves a leaving agent until it does, or the test ends, and returns a
// cli that finds it.
func serveLeaving(t *testing.T, start ipc.Start) (*cli, *leaving) {
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	a := &leaving{start: start, end: end}
	done := make(chan error)
	go func() { done <- (&server.Server{Agent: a, Log: slog.New(slog.DiscardHandler)}).Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &cli{out: io.Discard, err: io.Discard, getenv: func(key string) string {
		return map[string]string{"CWAGENT_SOCKET": path}[key]
	}}, a
}

// To start or restart launchd's agent is of use only where it finds the socket free.
func TestVerbsMakeRoom(t *testing.T) {
	t.Parallel()
	for _, v := range verbs {
		m, f := newFakeLaunchd(t)
		f.loaded = true
		c, _ := serveLeaving(t, ipc.StartPerson)
		var out strings.Builder
		c.out = &out
		if err := c.order(t.Context(), m, v, false); err != nil {
			t.Errorf("%s: %v", v.use, err)
		}
		_, err := c.status(t.Context(), "")
		if gone := hasCode(err, ipc.CodeUnreachable); gone == (v.use == "stop") || len(f.verbs()) == 0 {
			t.Errorf("%s: gone %v", v.use, gone)
		}
		if out.String() != v.did[true]+"\n" {
			t.Errorf("%s says %q", v.use, out.String())
		}
	}
}
