package notice

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const hour = time.Hour

var steps = []time.Duration{14 * day, 3 * day, day, hour}

// A world is an agent, a desk and the time in a synctest bubble.
type world struct {
	t      *testing.T
	dir    string
	desk   *desk
	log    bytes.Buffer
	end    func()
	teller *Teller

	offset atomic.Int64 // of the wall clock to the bubble's: what was slept, or set
	looked atomic.Int64 // how often the status was asked for
	ring   func()

	mu     sync.Mutex
	status ipc.Status
}

func live(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir(), desk: &desk{server: ":1.7 bus"}}
		w.start()
		f(w)
		w.end()
	})
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())).Round(0) }

// start starts the agent, and comes back when it has looked.
func (w *world) start() {
	b := &bell{w: w, rings: make(chan struct{}, 1)}
	w.ring = b.ring
	w.teller = New(Config{
		Status: func(context.Context) (ipc.Status, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.looked.Add(1)
			return w.status, nil
		},
		Desktop: w.desk, File: File(w.dir), Now: w.now, Alarm: b, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	w.teller.Configure(Settings{On: true, Steps: steps})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.teller.Run(ctx) }()
	w.end = func() { cancel(); <-done; b.Set(time.Time{}) }
	synctest.Wait()
}

// restart is the next run of the agent.
func (w *world) restart() { w.end(); w.start() }

// change changes the status, which the agent hears of.
func (w *world) change(f func(s *ipc.Status)) {
	w.mu.Lock()
	f(&w.status)
	w.mu.Unlock()
	w.teller.Note()
	time.Sleep(2 * burst) // of the bubble
	synctest.Wait()
}

// jump sets the clock, or is a sleep of the machine: the alarm rings as wall's does.
func (w *world) jump(d time.Duration) {
	w.offset.Add(int64(d))
	w.ring()
	synctest.Wait()
}

func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// said wants exactly these titles to have been shown since it was asked last.
func (w *world) said(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.desk.take(); !slices.Equal(got, want) {
		w.t.Errorf("shown: %q, want %q", got, want)
	}
}

// lives adds a credential whose token lives so long from now on.
func (w *world) lives(name string, d time.Duration) {
	end := w.now().Add(d)
	w.change(func(s *ipc.Status) { s.Credentials = append(s.Credentials, cred(name, w.now(), end)) })
}

func cred(name string, born, end time.Time) ipc.Credential {
	return ipc.Credential{Name: name, Label: "#" + name, State: ipc.StateValid, Expiry: ipc.ExpiryKnown, Expires: &end, Added: born, Source: "console"}
}

// A desk is a Desktop. It remembers what it was told.
type desk struct {
	mu     sync.Mutex
	server string // empty: nobody shows notices
	err    error  // of each Show
	last   uint32
	shown  []string // since take
	there  map[uint32]string
	news   func()
}

func (d *desk) Run(ctx context.Context, news func()) {
	d.mu.Lock()
	d.news = news
	d.mu.Unlock()
	news()
	<-ctx.Done()
}

func (d *desk) Session(context.Context, bool) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.server
}

func (d *desk) Show(_ context.Context, m Matter, instead uint32) (uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, d.err
	}
	if instead == 0 {
		d.last++
		instead = d.last
	}
	if d.there == nil {
		d.there = map[uint32]string{}
	}
	d.there[instead] = m.Title
	d.shown = append(d.shown, m.Title)
	return instead, nil
}

func (d *desk) Close(_ context.Context, id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.there, id)
}

func (d *desk) be(server string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server, d.err = server, err
}

func (d *desk) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	got := d.shown
	d.shown = nil
	return got
}

// open are the titles that are on the screen.
func (d *desk) open() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, title := range d.there {
		all = append(all, title)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// A bell is an alarm by the world's wall clock.
type bell struct {
	w     *world
	rings chan struct{}
	timer *time.Timer
}

func (b *bell) Set(at time.Time) {
	if b.timer != nil {
		b.timer.Stop()
	}
	if !at.IsZero() {
		b.timer = time.AfterFunc(max(at.Sub(b.w.now()), 0), b.ring)
	}
}

func (b *bell) Rings() <-chan struct{} { return b.rings }

func (b *bell) ring() { agent.Signal(b.rings) }

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("c%02d", i))
	}
	return all
}
