package agent_test

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// office is an exchange that gives keys for a quarter of an hour, numbered, after a
// tenth of a second, as long as nothing is wrong.
type office struct {
	now gauge

	mu    sync.Mutex
	life  time.Duration // of its keys; a quarter of an hour, if zero
	slow  time.Duration // a tenth of a second, if zero
	err   *agent.SourceError
	asked []string // with which tokens
}

func (o *office) Keys(ctx context.Context, token ipc.Secret) (agent.Keys, error) {
	defer o.now.enter()()
	o.mu.Lock()
	o.asked = append(o.asked, token.Reveal())
	n, err, life, slow := len(o.asked), o.err, o.life, cmp.Or(o.slow, 100*time.Millisecond)
	o.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return agent.Keys{}, ctx.Err()
	}
	if err != nil {
		return agent.Keys{}, err
	}
	return agent.Keys{Answer: ipc.NewSecret(fmt.Sprintf("s3cr3t-keys-%d", n)), Expires: time.Now().Add(cmp.Or(life, 15*time.Minute))}, nil
}

// does has it fail from now on, if err is not nil, after so long.
func (o *office) does(err *agent.SourceError, slow time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.slow = err, slow
}

// times is how often it has been asked.
func (o *office) times() int {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

var (
	cut    = &agent.SourceError{Class: agent.Transient, Why: "no answer in time"}
	denied = &agent.SourceError{Class: agent.Denied, Why: "temporary-credentials says 403"}
)

// withKeys runs f with a credential whose token can be exchanged.
func withKeys(t *testing.T, o *office, f func(w *world)) {
	t.Helper()
	running(t, func(w *world) {
		w.Exchange = o
		w.add(request("prod", "CW-SECRET-s3cr3t-1"))
		w.oracle.questions()
		f(w)
		o.now.wants(w.t, 0, 1)
	})
}

// has wants the next request to get those keys, within so long.
func (w *world) has(want string, most time.Duration) {
	w.t.Helper()
	began := time.Now()
	got, err := w.Keys(w.t.Context(), ipc.KeysRequest{Name: "prod"})
	if err != nil || got.Reveal() != want {
		w.t.Errorf("%q, %v; want %q", got.Reveal(), err, want)
	}
	if took := time.Since(began); took > most {
		w.t.Errorf("%s after %v", want, took)
	}
}

// keyless wants the next request to get none, and returns what is said.
func (w *world) keyless(code ipc.Code) string {
	w.t.Helper()
	got, err := w.Keys(w.t.Context(), ipc.KeysRequest{Name: "prod"})
	if !got.Empty() {
		w.t.Errorf("it gets keys")
	}
	return refused(w.t, err, code).Text()
}

// wants wants it to have been asked that often in all.
func (o *office) wants(w *world, want int) {
	w.t.Helper()
	if n := o.times(); n != want {
		w.t.Errorf("asked %d times, want %d", n, want)
	}
}

// However many want keys, one request is made for them; from then on memory answers.
func TestKeysOfMany(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { w.has("s3cr3t-keys-1", 100*time.Millisecond) })
		}
		all.Wait()
		w.has("s3cr3t-keys-1", 0)
		o.wants(w, 1)
		if n := strings.Count(w.log.String(), `"object storage keys given out" credential=prod`); n != 101 {
			w.t.Errorf("the log has %d of 101", n)
		}
	})
}

// Keys that somebody uses are renewed at four fifths of their life, before anybody has
// to wait for that; those that nobody uses are not, and nothing wakes.
func TestKeysRenewed(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		time.Sleep(12*time.Minute - time.Second)
		o.wants(w, 1)
		time.Sleep(2 * time.Second)
		o.wants(w, 2) // one more, because the first ones were used
		w.has("s3cr3t-keys-2", 0)
		time.Sleep(24 * time.Minute)
		o.wants(w, 3)
		synctest.Wait()
		before := w.wakes.Load()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		o.wants(w, 3) // nobody has taken these
		if n := w.wakes.Load() - before; n > 0 {
			w.t.Errorf("%d wake-ups in a day in which nobody asks", n)
		}
		w.has("s3cr3t-keys-4", 100*time.Millisecond)
	})
}

// While the endpoint is down the keys serve until they end, and however many ask it
// is asked less and less often.
func TestKeysInAnOutage(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		end := time.Now().Add(15*time.Minute - 2*time.Second + 1)
		o.does(cut, 10*time.Second) // as long as it may take
		time.Sleep(12 * time.Minute)
		for range 100 {
			w.has("s3cr3t-keys-1", 1500*time.Millisecond)
		}
		if n := o.times(); n > 8 {
			w.t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Until(end))
		w.crowdWithout()
		asked := o.times()
		w.crowdWithout()
		o.wants(w, asked) // a failure of this moment is an answer
		if text := w.keyless(ipc.CodeSource); !regexp.MustCompile(`^cwagent: credential "prod": no object storage keys: no answer in time \(([0-9]+s ago; )?asked again in [0-9]+s\)
hint: try again in [0-9]+s: CoreWeave is asked once somebody wants them
$`).MatchString(text) {
			w.t.Error(text)
		}
		if n := strings.Count(w.log.String(), `"no object storage keys"`); n != 1 {
			w.t.Errorf("the log says it %d times", n)
		}
		o.does(nil, 0)
		time.Sleep(30 * time.Second)
		w.has(fmt.Sprintf("s3cr3t-keys-%d", o.times()+1), time.Second)
	})
}

// crowdWithout is a hundred that want keys at once and get none.
func (w *world) crowdWithout() {
	w.t.Helper()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { w.keyless(ipc.CodeSource) })
	}
	all.Wait()
}

// Another token has other keys; until there are any, those of the one before serve,
// unless they end or it was somebody else's.
func TestKeysAfterARotation(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		w.add(replacing(request("prod", "CW-SECRET-s3cr3t-2")))
		w.has("s3cr3t-keys-2", time.Second)
		o.does(cut, time.Second)
		w.add(replacing(request("prod", "CW-SECRET-s3cr3t-3")))
		w.has("s3cr3t-keys-2", time.Second)
		w.has("s3cr3t-keys-2", 0)
		o.does(nil, 0)
		time.Sleep(10 * time.Second)
		w.has(fmt.Sprintf("s3cr3t-keys-%d", o.times()), 0) // without being asked
	})
}

// Keys that have ended when they come are none, and nobody asks for others at once: the
// clock is wrong.
func TestKeysThatHaveEnded(t *testing.T) {
	o := &office{life: time.Second}
	withKeys(t, o, func(w *world) {
		for range 2 {
			if text := w.keyless(ipc.CodeSource); !strings.Contains(text, "keys that have ended by this machine's clock (asked again in ") || !strings.HasSuffix(text, ")\nhint: set the clock\n") {
				w.t.Error(text)
			}
		}
		o.wants(w, 1)
	})
}

// A clock that was set back makes nobody wait for the end of the keys, or for a pause.
func TestKeysWhenTheClockIsSetBack(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		w.jumps(-24 * time.Hour)
		w.has("s3cr3t-keys-2", time.Second)
	})
}
