package notice

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

func TestEachStepOnce(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.said()
		w.pass(90*day - 15*day)
		w.said()
		looked := w.looked.Load()
		w.pass(day)
		w.said("train expires in 14 days")
		if n := w.looked.Load() - looked; n != 1 {
			t.Errorf("looked %d times in a day", n)
		}
		w.pass(11 * day)
		w.said("train expires in 3 days")
		w.change(func(*ipc.Status) {}) // something else
		w.said()
		w.pass(2 * day)
		w.said("train expires in 1 day")
		w.pass(23 * hour)
		w.said("train expires in 1 hour")
		if got := w.desk.open(); got != "train expires in 1 hour" {
			t.Errorf("on the screen: %s", got)
		}
		w.pass(2 * hour)
		w.said("train has expired")
		w.pass(100 * day)
		w.said()
		w.restart()
		if n := strings.Count(w.log.String(), "msg=notice matter=ending how=shown what=\"train"); n != 5 {
			t.Errorf("%d records:\n%s", n, &w.log)
		}
	})
}

// What is renewed is taken off the screen, and its next token has notices of its own.
func TestRenewed(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 8*day)
		w.pass(7 * day)
		w.said("train expires in 1 day")
		end := w.now().Add(8 * day)
		w.change(func(s *ipc.Status) {
			s.Credentials[0].Label, s.Credentials[0].Expires, s.Credentials[0].Added = "#next", &end, w.now()
		})
		w.said()
		if got := w.desk.open(); got != "" {
			t.Errorf("still on the screen: %s", got)
		}
		w.pass(7 * day)
		w.said("train expires in 1 day")
	})
}

func TestRestartShowsNothingAgain(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.pass(80 * day)
		w.said("train expires in 14 days")
		w.restart()
		w.said()
		w.pass(7 * day)
		w.said("train expires in 3 days")
		w.restart()
		w.said()
		if got := w.desk.open(); got != "train expires in 3 days" { // in the place of the one before, of another run
			t.Errorf("on the screen: %s", got)
		}
		w.desk.be(":1.8 bus", nil) // whose numbers are others
		w.pass(2 * day)
		w.said("train expires in 1 day")
		if len(w.desk.there) != 2 {
			t.Errorf("another server's notice was replaced: %v", w.desk.there)
		}
	})
}

func TestSleptThrough(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.jump(89*day + 12*hour) // past 14 days, 3 days and a day
		w.said("train expires in 12 hours")
		w.jump(10 * day)
		w.said("train has expired")
	})
}

func TestClockSetBack(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.jump(88 * day)
		w.said("train expires in 2 days")
		w.jump(-60 * day)
		w.said()
		w.pass(59 * day) // once more past 14 days, not past 3
		w.said()
		w.pass(2 * day)
		w.said("train expires in 1 day")
	})
}

func TestNoStorm(t *testing.T) {
	live(t, func(w *world) {
		end := w.now().Add(40 * day)
		w.change(func(s *ipc.Status) {
			for _, name := range names(10) {
				s.Credentials = append(s.Credentials, cred(name, w.now(), end))
			}
		})
		w.said()
		w.jump(37 * day)
		w.said("c00 expires in 3 days", "c01 expires in 3 days", "c02 expires in 3 days", "and 7 more")
		w.change(func(s *ipc.Status) { s.Credentials[9].State = ipc.StateRefused })
		w.said("and 8 more") // in the place of the one before
		if got := w.desk.open(); strings.Count(got, "more") != 1 {
			t.Errorf("on the screen: %s", got)
		}
		w.restart()
		w.pass(10 * time.Minute)
		w.said() // what was counted is told
		w.change(func(s *ipc.Status) { s.Credentials[8].State = ipc.StateRefused })
		w.said("c08 is refused")
	})
}

// At a login the agent is there before the keyring is opened; one that stays locked is
// said, once each time that it is locked, and is taken off the screen.
func TestLocked(t *testing.T) {
	shut := func(s *ipc.Status) {
		s.Store.Trouble = "since 09:00:00: the store is locked"
		for i := range s.Credentials {
			s.Credentials[i].State, s.Credentials[i].Reason = ipc.StateLocked, "the keyring is locked"
		}
	}
	open := func(s *ipc.Status) {
		s.Store.Trouble = ""
		for i := range s.Credentials {
			s.Credentials[i].State, s.Credentials[i].Reason = ipc.StateValid, ""
		}
	}
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.change(func(s *ipc.Status) { s.Credentials[0].State = ipc.StateLocked }) // it is being read
		w.pass(hour)
		w.said()
		w.change(shut)
		w.change(open)
		w.pass(hour)
		w.said()
		w.change(shut)
		w.said()
		w.pass(patience)
		w.said("train cannot be given out")
		w.restart()
		w.pass(hour)
		w.said()
		w.change(open)
		if got := w.desk.open(); got != "" {
			t.Errorf("still on the screen: %s", got)
		}
		w.change(shut)
		w.pass(patience)
		w.said("train cannot be given out")
	})
}

// What is said of a credential that cannot be looked at stays, and is not said again.
func TestRefusedWhileLocked(t *testing.T) {
	live(t, func(w *world) {
		w.lives("train", 90*day)
		w.change(func(s *ipc.Status) { s.Credentials[0].State = ipc.StateRefused })
		w.said("train is refused")
		w.change(func(s *ipc.Status) { s.Credentials[0].State = ipc.StateLocked })
		if got := w.desk.open(); got != "train is refused" {
			t.Errorf("on the screen: %q", got)
		}
		w.change(func(s *ipc.Status) { s.Credentials[0].State = ipc.StateValid })
		w.change(func(s *ipc.Status) { s.Credentials[0].State = ipc.StateRefused })
		w.said()
	})
}

// Where nobody shows notices nothing is told, and nothing wakes up for it; who comes
// later, as at a login, shows what there is.
func TestNobodyShows(t *testing.T) {
	live(t, func(w *world) {
		w.desk.be("", nil)
		w.lives("train", 90*day)
		w.pass(89 * day)
		looked := w.looked.Load()
		w.pass(12 * hour)
		if w.looked.Load() != looked {
			t.Errorf("looked %d times for nobody", w.looked.Load()-looked)
		}
		if _, err := os.Stat(File(w.dir).Path()); err == nil {
			t.Error("something was written down")
		}
		w.desk.be(":1.9 bus", nil)
		w.desk.news()
		w.said("train expires in 12 hours")
	})
}

// A server that takes nothing is asked less and less often.
func TestServerRefuses(t *testing.T) {
	live(t, func(w *world) {
		w.desk.be(":1.7 bus", fmt.Errorf("%w: it hangs", ErrNotShown))
		w.lives("train", 4*day)
		w.pass(3 * day)
		looked := w.looked.Load()
		w.pass(12 * hour)
		if n := w.looked.Load() - looked; n < 10 || n > 20 {
			t.Errorf("tried %d times in 12 hours", n)
		}
		w.desk.be(":1.7 bus", nil)
		w.pass(hour)
		w.said("train expires in 12 hours")
		w.desk.be(":1.7 bus", errors.New("no answer in time")) // it may be seen, when the server goes on
		w.pass(10*hour + hour/2)                               // past an hour
		w.said()
		w.desk.be(":1.8 bus", nil) // but it was ended
		w.desk.news()
		w.said("train expires in 30 minutes")
		w.desk.be(":1.8 bus", nil)
		w.pass(day)
		w.said("train has expired")
	})
}

func TestOff(t *testing.T) {
	live(t, func(w *world) {
		w.teller.Configure(Settings{On: false, Steps: steps})
		w.lives("train", 4*day)
		w.pass(10 * day)
		w.said()
		w.teller.Configure(Settings{On: true, Steps: steps})
		w.said("train has expired")
	})
}

func TestStateCannotBeWritten(t *testing.T) {
	live(t, func(w *world) {
		if err := os.Chmod(w.dir, 0o777); err != nil { // which is refused
			t.Fatal(err)
		}
		w.lives("train", 4*day)
		w.pass(3 * day)
		w.said("train expires in 1 day")
		w.change(func(*ipc.Status) {})
		w.said()
	})
}
