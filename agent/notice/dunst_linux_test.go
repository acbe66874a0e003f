package notice

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/notice/desktest"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A scene is a bus, a screen, a dunst, and what shows notices there.
type scene struct {
	bus    *keyringtest.Keyring
	desk   *desktest.Desk
	us     Desktop
	opened chan struct{}
	news   chan struct{}
}

func play(t *testing.T) *scene {
	t.Helper()
	t.Parallel()
	if err := desktest.Missing(); err != nil {
		ipctest.Skip(t, err.Error())
	}
	s := &scene{bus: keyringtest.New(t, keyringtest.Options{BusOnly: true}), opened: make(chan struct{}, 1), news: make(chan struct{}, 16)}
	desk, err := desktest.Start(t.TempDir(), s.bus.Env(), keyringtest.NewScreen(t))
	must(t, err)
	s.desk = desk
	t.Cleanup(func() { s.desk.Kill() })
	s.connect(t, s.bus.Getenv)
	<-s.news
	return s
}

func (s *scene) connect(t *testing.T, getenv func(string) string) {
	s.us = NewDesktop(getenv, func() { s.opened <- struct{}{} })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.us.Run(ctx, func() { s.news <- struct{}{} }) }()
	t.Cleanup(func() { cancel(); <-done })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var hostile = Matter{
	Kind: Refused, Credential: "train", Title: "train is refused", Urgent: true, Console: true,
	Body: `The server refuses its token: <b>401</b> & <a href="https://evil.example">more</a>. Make a new one in the Console, then: cwagent rotate train`,
}

func TestDunst(t *testing.T) {
	s := play(t)
	ctx := t.Context()
	if s.us.Session(ctx, false) == "" {
		t.Fatal("nobody shows notices")
	}
	id, err := s.us.Show(ctx, hostile, 0)
	must(t, err)
	second, err := s.us.Show(ctx, Matter{Title: "prod expires in 3 days", Body: "Its token ends at 2026-11-28 12:00 UTC.", Console: true}, 0)
	must(t, err)
	must(t, s.desk.Await(2))
	must(t, s.desk.Screenshot("../..", "notices.png"))

	again, err := s.us.Show(ctx, Matter{Title: "prod expires in 1 day", Body: "Its token ends at 2026-11-28 12:00 UTC."}, second)
	must(t, err)
	if again != second {
		t.Errorf("number %d in the place of %d", again, second)
	}
	must(t, s.desk.Await(2))
	s.us.Close(ctx, second)
	must(t, s.desk.Await(1))
	s.us.Close(ctx, second) // which is gone

	must(t, s.desk.Press())
	select {
	case <-s.opened:
	case <-time.After(10 * time.Second):
		t.Fatal("the button does nothing")
	}
	must(t, s.desk.Await(0))
	s.us.Close(ctx, id)
	got, err := s.desk.Seen()
	must(t, err)
	want := []string{
		"prod expires in 1 day: Its token ends at 2026-11-28 12:00 UTC.",
		"train is refused: " + unmarked(hostile.Body),
	}
	if !slices.Equal(got, want) {
		t.Errorf("seen: %q, want %q", got, want)
	}
}

// A server that hangs takes the time of an answer and no more; what was sent to it is
// seen once, when it goes on.
func TestDunstHangs(t *testing.T) {
	s := play(t)
	ctx := t.Context()
	must(t, s.desk.Stop())
	began := time.Now()
	if _, err := s.us.Show(ctx, hostile, 0); !errors.Is(err, ErrNotShown) {
		t.Errorf("one that never answered: %v", err)
	}
	must(t, s.desk.Continue())
	id, err := s.us.Show(ctx, hostile, 0)
	must(t, err)
	must(t, s.desk.Stop())
	if _, err := s.us.Show(ctx, Matter{Title: "late", Body: "body"}, 0); err == nil || errors.Is(err, ErrNotShown) {
		t.Errorf("one that has answered before: %v", err)
	}
	s.us.Close(ctx, id)
	if took := time.Since(began); took > 3*answerTime+5*time.Second {
		t.Errorf("it took %v", took)
	}
	must(t, s.desk.Continue())
	must(t, s.desk.Await(1))
	got, err := s.desk.Seen()
	must(t, err)
	if len(got) != 2 || !slices.Contains(got, "late: body") {
		t.Errorf("seen: %q", got)
	}
}

// Who comes to show notices is news, and is another one.
func TestDunstComesBack(t *testing.T) {
	s := play(t)
	ctx := t.Context()
	first := s.us.Session(ctx, false)
	s.desk.Kill()
	<-s.news
	if got := s.us.Session(ctx, true); got != "" {
		t.Errorf("dead, and there is %q", got)
	}
	if _, err := s.us.Show(ctx, hostile, 0); !errors.Is(err, ErrNotShown) {
		t.Errorf("shown by nobody: %v", err)
	}
	must(t, s.desk.Restart())
	<-s.news
	if got := s.us.Session(ctx, false); got == "" || got == first {
		t.Errorf("%q after %q", got, first)
	}
	s.desk.Kill()
	s.bus.KillBus()
	must(t, s.bus.Restart())
	for s.us.Session(ctx, false) != "" || len(s.news) == 0 { // the old bus, until its end is noticed
	}
	must(t, s.desk.Restart())
	_, err := s.us.Show(ctx, hostile, 0)
	for ; err != nil; _, err = s.us.Show(ctx, hostile, 0) {
		<-s.news
	}
	must(t, s.desk.Await(1))
}

// A server of notices is started where there is a screen, and for a notice only.
func TestDunstIsStarted(t *testing.T) {
	s := play(t)
	ctx := t.Context()
	s.desk.Kill()
	<-s.news
	services := filepath.Join(filepath.Dir(s.bus.Getenv("XDG_RUNTIME_DIR")), "services")
	text := "[D-BUS Service]\nName=org.freedesktop.Notifications\nExec=" + s.desk.Command() + "\n"
	must(t, os.WriteFile(filepath.Join(services, "notifications.service"), []byte(text), 0o600))
	s.bus.KillBus()
	must(t, s.bus.Restart()) // it reads the folder
	<-s.news
	if got := s.us.Session(ctx, true); got != "" {
		t.Errorf("started without a screen: %q", got)
	}
	s.connect(t, func(name string) string {
		if name == "DISPLAY" {
			_, display, _ := strings.Cut(s.desk.Command(), "DISPLAY=")
			display, _, _ = strings.Cut(display, " ")
			return display
		}
		return s.bus.Getenv(name)
	})
	<-s.news
	if got := s.us.Session(ctx, false); got != "" {
		t.Errorf("started for nothing: %q", got)
	}
	if s.us.Session(ctx, true) == "" {
		t.Fatal("not started")
	}
	_, err := s.us.Show(ctx, hostile, 0)
	must(t, err)
	must(t, s.desk.Await(1))
}

func TestNoBus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &scene{news: make(chan struct{}, 16)}
	s.connect(t, func(name string) string {
		if name == "XDG_RUNTIME_DIR" {
			return dir
		}
		return ""
	})
	if got := s.us.Session(t.Context(), true); got != "" {
		t.Errorf("%q", got)
	}
	if _, err := s.us.Show(t.Context(), hostile, 0); !errors.Is(err, ErrNotShown) {
		t.Errorf("%v", err)
	}
	s.us.Close(t.Context(), 1)
}
