package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/cwagent/cwagent/ipc"
)

// What a terminal is told, as xterm and all that followed it understand it; what one
// does not know it leaves out.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l" // another screen, no cursor, no line breaks of its own
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	beginFrame  = "\x1b[?2026h\x1b[H" // nothing is shown before the end of the frame
	endOfLine   = "\x1b[K"
	endFrame    = "\x1b[J\x1b[?2026l"
)

const (
	redraw  = time.Second
	inspect = 10              // frames: as often the store is asked how it is, which may take a second
	patient = 2 * time.Second // with an agent that does not answer
)

// watchStatus draws the status in place, each second and when the terminal has another
// size, until somebody ends it. An agent that goes is waited for.
func (c *cli) watchStatus(ctx context.Context, name string, f statusFlags) error {
	if f.format != "table" && f.format != "wide" {
		return fail("without --watch it is written once", "--watch: it draws a table, not -o %s", f.format)
	}
	if out, ok := c.out.(*os.File); !ok || !terminal(out) || !c.drawable(out) {
		return fail("without --watch it is written once", "--watch: stdout is no terminal that can be drawn on")
	}
	a, err := c.running()
	if err != nil {
		return err
	}
	w := &watcher{cli: c, agent: a, request: ipc.StatusRequest{Name: name, Inspect: true}, wide: f.format == "wide"}
	if err := w.ask(ctx); err != nil && !unreachable(err) {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// What ends a program otherwise would leave a terminal without a cursor.
	ctx, deaf := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer deaf()
	restore, err := w.enter(stop)
	if err != nil {
		return err
	}
	defer restore()
	return w.run(ctx)
}

// A watcher draws what it was answered last.
type watcher struct {
	*cli
	agent   ipc.Agent
	request ipc.StatusRequest
	wide    bool

	asked  int
	status ipc.Status
	err    error
}

func (w *watcher) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	r := w.request
	r.Inspect = w.asked%inspect == 0
	w.asked++
	w.status, w.err = w.agent.Status(ctx, r)
	return w.err
}

func (w *watcher) run(ctx context.Context) error {
	resized, stop := resizes()
	defer stop()
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		if _, err := io.WriteString(w.out, w.frame()); err != nil {
			return fmt.Errorf("draw: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case <-tick.C:
			if w.ask(ctx); ctx.Err() != nil { // which is no answer to draw
				return nil
			}
		}
	}
}

// frame is one write, so that no half of it is ever seen.
func (w *watcher) frame() string {
	v := w.view()
	v.wide = w.wide
	v.width-- // erasing what is behind the last column takes that with it
	v.height = 24
	if _, h, err := term.GetSize(int(w.out.(*os.File).Fd())); err == nil && h > 0 {
		v.height = h
	}
	lines := strings.Split(strings.TrimSuffix(w.picture(v), "\n"), "\n")
	return beginFrame + strings.Join(lines, endOfLine+"\r\n") + endOfLine + endFrame
}

func (w *watcher) picture(v view) string {
	switch {
	case w.err != nil:
		var lines []string
		for line := range strings.Lines(w.errorText(w.err)) {
			lines = append(lines, v.wrap("", printableLine(strings.TrimRight(line, "\n")), paint(v.color).bad)...)
		}
		return v.fit(lines, nil, nil)
	case w.request.Name != "" && !w.wide:
		return v.details(w.status, w.status.Credentials[0])
	}
	return v.draw(w.status)
}

// enter has the terminal show another screen, and no key that is typed; q or Ctrl-C
// calls stop. Afterwards it is as it was.
func (w *watcher) enter(stop func()) (restore func(), err error) {
	in, ok := w.in.(*os.File)
	typed := ok && terminal(in)
	var before *term.State
	if typed {
		if before, err = term.MakeRaw(int(in.Fd())); err != nil {
			return nil, fmt.Errorf("--watch: take the keys from the terminal: %w", err)
		}
		go func() { // it cannot be stopped: it ends with the program
			key := make([]byte, 1)
			for {
				if _, err := in.Read(key); err != nil {
					return
				}
				if strings.IndexByte("qQ\x03\x04", key[0]) >= 0 {
					stop()
				}
			}
		}()
	}
	io.WriteString(w.out, enterScreen)
	return func() {
		io.WriteString(w.out, leaveScreen)
		if typed {
			term.Restore(int(in.Fd()), before)
		}
	}, nil
}
