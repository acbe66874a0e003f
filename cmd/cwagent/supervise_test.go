package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
	"github.com/cwagent/cwagent/packaging"
)

func TestStatusLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	cred := func(s ipc.State, ends time.Duration) ipc.Credential {
		at := now.Add(ends)
		return ipc.Credential{State: s, Expires: &at}
	}
	for want, creds := range map[string][]ipc.Credential{
		"0 credentials":                              nil,
		"1 credential":                               {{State: ipc.StateValid}},
		"2 credentials, next expiry 18:40":           {cred(ipc.StateValid, 6*time.Hour+40*time.Minute), cred(ipc.StateValid, 7*time.Hour)},
		"1 credential, next expiry 2026-12-24 12:00": {cred(ipc.StateValid, 30*24*time.Hour)},
		"4 credentials, next expiry 13:00, 1 due, 1 expired, 1 locked, 1 empty": {
			cred(ipc.StateDue, time.Hour), cred(ipc.StateExpired, -time.Hour), {State: ipc.StateLocked}, {State: ipc.StateEmpty},
		},
	} {
		if got, _ := statusLine(ipc.Status{Credentials: creds}, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// mortal is an agent with two tokens that end.
type mortal struct {
	ipc.Agent
	ends [2]time.Time
}

func (m *mortal) Status(context.Context, ipc.StatusRequest) (s ipc.Status, _ error) {
	for _, end := range m.ends {
		state := ipc.StateValid
		if !time.Now().Before(end) {
			state = ipc.StateExpired
		}
		s.Credentials = append(s.Credentials, ipc.Credential{State: state, Expires: &end})
	}
	return s, nil
}

// The line of STATUS is another one when a token has ended, though nothing happens.
func TestStatusLineFollowsTheClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := beginning{over: make(chan struct{})}
		close(b.over)
		var said atomic.Value
		s, now := newSupervisor("", &b, func() bool { return false }), time.Now()
		s.tell = func(state string) { said.Store(state) }
		s.agent = &mortal{ends: [2]time.Time{now.Add(time.Hour), now.Add(2 * time.Hour)}}
		ctx, end := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); s.run(ctx) }()
		for _, tt := range []struct {
			wait time.Duration
			want string
		}{
			{2 * time.Second, "STATUS=2 credentials, next expiry " + now.Add(time.Hour).Local().Format("15:04")},
			{time.Hour, "STATUS=2 credentials, next expiry " + now.Add(2*time.Hour).Local().Format("15:04") + ", 1 expired"},
			{time.Hour, "STATUS=2 credentials, 2 expired"},
		} {
			time.Sleep(tt.wait)
			synctest.Wait()
			if got := said.Load(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		}
		end()
		<-over
	})
}

// What an agent says that has yet to begin is a sign of life, and that it is locked;
// what nobody says, or another one does, is none.
func TestAlive(t *testing.T) {
	t.Parallel()
	why := &ipc.Error{Code: ipc.CodeInternal, What: "agent: it cannot begin: x"}
	for _, tt := range []struct {
		says error
		want bool
	}{
		{why, true},
		{agent.ErrAgentLocked(time.Now(), time.Now()), true},
		{&ipc.Error{Code: ipc.CodeInternal, What: "agent: no memory"}, false},
	} {
		path := ipctest.SocketPath(t)
		s := newSupervisor(path, &beginning{over: make(chan struct{})}, func() bool { return false })
		s.beginning.why.Store(why)
		if s.alive(t.Context()) {
			t.Error("nobody listens, and it is alive")
		}
		l, err := server.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(t.Context())
		over := make(chan error, 1)
		ready := func(context.Context, ipc.Op) error { return tt.says }
		go func() { over <- (&server.Server{Log: slog.New(slog.DiscardHandler), Ready: ready}).Serve(ctx, l) }()
		if got := s.alive(ctx); got != tt.want {
			t.Errorf("%v: alive %v", tt.says, got)
		}
		end()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

// journald gets a level it understands, and no second time of day.
func TestLogHandler(t *testing.T) {
	t.Parallel()
	var level slog.LevelVar
	for _, tt := range []struct {
		format  string
		journal bool
		want    string
	}{
		{"text", true, "<4>msg=\"a b\" credential=prod n=1\n<3>msg=c credential=prod\n"},
		{"json", true, "<4>{\"msg\":\"a b\",\"credential\":\"prod\",\"n\":1}\n<3>{\"msg\":\"c\",\"credential\":\"prod\"}\n"},
		{"json", false, "\"level\":\"WARN\",\"msg\":\"a b\",\"credential\":\"prod\",\"n\":1}\n"},
		{"text", false, " level=WARN msg=\"a b\" credential=prod n=1\n"},
	} {
		var out bytes.Buffer
		log := slog.New(newLogHandler(&out, tt.format, tt.journal, &level)).With("credential", "prod")
		log.Warn("a b", "n", 1)
		log.Debug("no")
		log.Error("c")
		if got := out.String(); tt.journal && got != tt.want || !strings.Contains(got, tt.want) {
			t.Errorf("%s, journal %v: %q", tt.format, tt.journal, got)
		}
	}
}

// A unit names a program at any path that systemd can start.
func TestUnitOfProgram(t *testing.T) {
	t.Parallel()
	for program, want := range map[string]string{
		"/usr/bin/cwagent":        "\nExecStart=/usr/bin/cwagent agent\n",
		"/home/ä b/50%/{{x}}/cwa": "\nExecStart=\"/home/ä b/50%%/{{x}}/cwa\" agent\n",
		`/home/$HOME/cwagent`:     "",
		`/home/"x"/cwagent`:       "",
		`/home/o'neill/cwagent`:   "",
		`/home/a\b/cwagent`:       "",
		"/home/\xff/cwagent":      "",
		"/home/a\nExecStop=x/cwa": "",
	} {
		text, err := packaging.Service(program)
		if (err == nil) != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%s: %v\n%s", program, err, text)
		}
	}
}

// oneToken is an agent with one credential.
type oneToken struct {
	ipc.Agent
	saved atomic.Bool
}

func (h *oneToken) Status(context.Context, ipc.StatusRequest) (ipc.Status, error) {
	return ipc.Status{Credentials: []ipc.Credential{{Name: "prod", State: ipc.StateValid, Saved: h.saved.Load()}}}, nil
}

// An idle agent leaves when it would lose nothing by it, and not before.
func TestWhileUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		r, h, began := &agentRun{log: slog.New(slog.DiscardHandler), leave: leave}, &oneToken{}, time.Now()
		go r.whileUsed(ctx, &server.Server{}, h, 8*time.Hour)
		time.Sleep(20 * time.Hour)
		if ctx.Err() != nil {
			t.Fatal("it has left with a token in memory only")
		}
		h.saved.Store(true)
		<-ctx.Done()
		if took := time.Since(began); took != 24*time.Hour {
			t.Errorf("it left after %v", took)
		}
	})
}
