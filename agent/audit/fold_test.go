package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc/peer"
)

// noJournal keeps what a test writes out of this machine's journal.
func noJournal() copier { return copier{enabled: func() bool { return false }} }

// shells are processes of which each kubectl, which has an even pid, has a shell
// above it.
func shells(looked *int) func(peer.Process) (peer.Program, error) {
	return func(p peer.Process) (peer.Program, error) {
		*looked++
		switch {
		case p.PID == 7:
			return peer.Program{Name: "zsh", Exe: "/bin/zsh", Dir: "/home/me"}, nil
		case p.PID%2 == 1:
			return peer.Program{}, errors.New("it has ended")
		}
		return peer.Program{Name: "kubectl get pods", Exe: "/usr/bin/kubectl", Dir: "/home/me/CW-SECRET-planted/x", Parent: peer.Process{PID: 7, Start: 1}}, nil
	}
}

// start runs a writer until stop is called.
func start(t *testing.T, l *Log, looked *int) (w *writer, stop func()) {
	w = newWriter(l.queue, t.TempDir(), func(err error) { t.Error(err) })
	w.journal, w.callers.look, w.file = noJournal(), shells(looked), plainFile{Path(w.dir)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	return w, func() { cancel(); running.Wait() }
}

func records(t *testing.T, dir string) (all []Record) {
	t.Helper()
	b, err := os.ReadFile(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		r, err := Parse(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

func use(pid int) agent.Use {
	return agent.Use{At: time.Now(), Credential: "prod", Server: "https://a:443", Peer: peer.Peer{UID: 1000,
		Process: peer.Process{PID: pid + 1000, Start: 9}, Parent: peer.Process{PID: pid, Start: 5}}}
}

// The first one stands there at once, those after it a minute later in a sum; who
// asks again after a minute of silence is a first one. Then nothing runs.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, looked := New(), 0
		w, stop := start(t, l, &looked)
		begun := time.Now()
		l.Given(use(20))
		synctest.Wait()
		if all := records(t, w.dir); len(all) != 1 || all[0].Times != 0 || all[0].Caller != "kubectl get pods <- zsh" ||
			all[0].Dir != "/home/me/.../x" || all[0].PID != 20 || all[0].UID != 1000 || all[0].Server != "https://a:443" {
			t.Errorf("%+v", all)
		}
		for i := range 411 {
			time.Sleep(100 * time.Millisecond)
			l.Given(use(22 + i%5*2))
		}
		l.Given(use(21)) // one that has ended
		slog.New(l).InfoContext(t.Context(), "something else")
		synctest.Wait()
		if all := records(t, w.dir); len(all) != 3 || all[1].Caller != "" || all[1].PID != 21 || all[2].Msg != "something else" {
			t.Errorf("%+v", all)
		}
		if u := l.LastUse("prod"); u == nil || u.PID != 21 || !u.At.Equal(time.Now()) || l.LastUse("dev") != nil {
			t.Errorf("%+v", u)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		all := records(t, w.dir)
		if len(all) != 4 || all[3].Times != 411 || all[3].Caller != "kubectl get pods <- zsh" || all[3].Since.Sub(begun) != 100*time.Millisecond {
			t.Errorf("%+v", all)
		}
		if text := all[3].String(); text != "given out to kubectl get pods <- zsh (pid 22 in /home/me/.../x), 411 times" {
			t.Errorf("%s", text)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.repeats) != 0 || w.owing() {
			t.Errorf("%d matters are still waited for", len(w.repeats))
		}
		l.Given(use(20))
		synctest.Wait()
		if all := records(t, w.dir); len(all) != 5 || all[4].Times != 0 {
			t.Errorf("%+v", all)
		}
		stop()
		if looked > 40 {
			t.Errorf("processes were looked at %d times", looked)
		}
	})
}

// A refusal is told once a minute, too, for each caller; all else that the agent says
// each time. Its caller is the program that was asked to do it.
func TestFoldRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, looked := New(), 0
		w, stop := start(t, l, &looked)
		ctx := peer.NewContext(t.Context(), use(20).Peer)
		for range 10 {
			slog.New(l).WarnContext(ctx, agent.NotGivenOut, "credential", "prod", "why", "it expired")
			slog.New(l).InfoContext(ctx, "token revealed", "credential", "prod")
			slog.New(l).InfoContext(ctx, agent.KeysGivenOut, "credential", "prod")
		}
		stop()
		refused, keys, revealed := uint64(0), uint64(0), 0
		all := records(t, w.dir)
		for _, r := range all {
			switch r.Msg {
			case agent.NotGivenOut:
				refused += max(r.Times, 1)
			case agent.KeysGivenOut:
				if keys += max(r.Times, 1); r.PID != 1020 {
					t.Errorf("%+v", r)
				}
			case "token revealed":
				if revealed++; r.PID != 1020 {
					t.Errorf("%+v", r)
				}
			}
		}
		if refused != 10 || keys != 10 || revealed != 10 || len(all) != 14 {
			t.Errorf("%d refused, %d keys, %d revealed, %d records", refused, keys, revealed, len(all))
		}
	})
}

// Many matters at once are told apart as long as there is room, and counted then, too.
func TestFoldMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, looked := New(), 0
		w, stop := start(t, l, &looked)
		for i := range 3 * mostFold {
			for range 2 {
				u := use(20)
				u.Credential = fmt.Sprint("c", i)
				l.Given(u)
			}
			synctest.Wait()
		}
		stop()
		var sum uint64
		for _, r := range records(t, w.dir) {
			sum += max(r.Times, 1)
		}
		if sum != 6*mostFold || l.Trouble() != nil {
			t.Errorf("%d of %d", sum, 6*mostFold)
		}
	})
}
