package coreweave

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// flights counts questions that are put for real; each ends when its ctx does or
// when let go.
type flights struct {
	begun, now, most atomic.Int32
	letGo            chan struct{}
}

func (f *flights) ask(ctx context.Context, r agent.VerifyRequest) agent.Verdict {
	f.begun.Add(1)
	f.most.Store(max(f.most.Load(), f.now.Add(1)))
	defer f.now.Add(-1)
	select {
	case <-f.letGo:
		return agent.Verdict{Life: agent.Alive, Why: describe(r)}
	case <-ctx.Done():
		return agent.Verdict{Life: agent.Unknown, Why: "cut"}
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &flights{letGo: make(chan struct{})}
		v := &Verifier{Config: Config{Now: time.Now}, limit: most, ask: f.ask}
		same := agent.VerifyRequest{Token: ipc.NewSecret(cwToken), Servers: []ipc.Server{{URL: "https://a:443"}}}
		others := same
		others.Servers = []ipc.Server{{URL: "https://b:443"}}
		another := agent.VerifyRequest{Token: ipc.NewSecret(otherToken)}

		first, leave := context.WithCancel(t.Context())
		verdicts := make(chan agent.Verdict, 100)
		start := func(ctx context.Context, r agent.VerifyRequest) {
			go func() { verdicts <- v.Verify(ctx, r) }()
			synctest.Wait()
		}
		start(first, same)
		for range 20 {
			start(t.Context(), same)
		}
		start(t.Context(), others)
		if f.begun.Load() != 1 {
			t.Fatalf("%d questions about one token", f.begun.Load())
		}
		start(t.Context(), another)
		if f.begun.Load() != 2 {
			t.Fatalf("one token waits for another")
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start(short, same)
		time.Sleep(time.Second)
		if got := <-verdicts; got.Life != agent.Unknown || got.At.IsZero() {
			t.Errorf("who had a second got %+v", got)
		}

		leave() // the others go on without the first
		if got := <-verdicts; got.Life != agent.Unknown {
			t.Errorf("who left got %+v", got)
		}
		synctest.Wait()
		close(f.letGo)
		count := map[string]int{}
		for range 22 {
			got := <-verdicts
			count[string(got.Life)+" "+got.Why]++
		}
		if count["alive "+describe(same)] != 20 || count["alive "+describe(others)] != 1 || count["alive "+describe(another)] != 1 {
			t.Errorf("got %v", count)
		}
		if f.most.Load() != 2 {
			t.Errorf("%d questions at a time about two tokens", f.most.Load())
		}
	})
}
