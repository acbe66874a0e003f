package agent_test

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A fate is what happens at one effect of an agent on its store or its ledger,
// and from then on.
type fate struct {
	name    string
	happens bool // the effect takes place all the same
	heals   bool // later ones are as they should be
	dies    bool // the agent does: no answer, and nothing more of it happens
	grace   int  // effects that are as they should be before it dies
	store   bool // those on the store always are
}

var fates = []fate{
	{name: "dies", dies: true},
	{name: "fails once", heals: true},
	{name: "fails for good"},
	{name: "happens and says that it failed, once", happens: true, heals: true},
	{name: "happens, says that it failed, and fails for good", happens: true},
	{name: "the disk is full", store: true},
	{name: "the disk is full, said late", store: true, happens: true},
	{name: "happens, says that it failed, and dies 1 later", happens: true, heals: true, dies: true, grace: 1},
	{name: "happens, says that it failed, and dies 2 later", happens: true, heals: true, dies: true, grace: 2},
	{name: "happens, says that it failed, and dies 3 later", happens: true, heals: true, dies: true, grace: 3},
	{name: "happens, says that it failed, and dies 4 later", happens: true, heals: true, dies: true, grace: 4},
}

// shortly are those that a start is put through.
var shortly = fates[:2]

var errPower = errors.New("the power is gone")

// power counts effects and brings the fate at the last one that is as it should
// be, plus one.
type power struct {
	fate
	last int
	dead func() // called when it dies; nil: nobody asks

	mu sync.Mutex // an agent that runs has goroutines
	n  int
}

func (p *power) step(store bool, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	since := p.n - p.last - 1 // effects since the one in question
	switch {
	case since < 0, store && p.store, since > 0 && p.heals && (!p.dies || since <= p.grace):
		return effect()
	case p.dies && since >= p.grace:
		if p.dead != nil {
			p.dead()
		}
		runtime.Goexit()
	case since == 0 && p.happens:
		_ = effect()
	}
	return errPower
}

func (p *power) struck() bool { return p.n > p.last }

// poweredStore and poweredLedger have their effects while there is power.
type poweredStore struct {
	*disk
	*power
}

func (s poweredStore) Get(ctx context.Context, key string) (secret ipc.Secret, err error) {
	err = s.step(true, func() (err error) { secret, err = s.disk.Get(ctx, key); return err })
	return secret, err
}

func (s poweredStore) Put(ctx context.Context, key string, secret ipc.Secret) error {
	return s.step(true, func() error { return s.disk.Put(ctx, key, secret) })
}

func (s poweredStore) Delete(ctx context.Context, key string) error {
	return s.step(true, func() error { return s.disk.Delete(ctx, key) })
}

type poweredLedger struct {
	agent.Ledger
	*power
}

func (l poweredLedger) Save(b agent.Book) error {
	return l.step(false, func() error { return l.Ledger.Save(b) })
}

func (w *world) plug(p *power) {
	w.SetStore(poweredStore{w.disk, p})
	w.Agent.Ledger = poweredLedger{w.Agent.Ledger, p}
}
