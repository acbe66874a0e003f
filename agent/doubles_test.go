package agent_test

import (
	"context"
	"sync"

	"github.com/cwagent/cwagent/agent"
)

// notebook is a ledger in memory; its err, if set, is a full disk.
type notebook struct {
	mu    sync.Mutex
	book  agent.Book
	err   error
	saves int
}

func (n *notebook) Load() (agent.Book, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.book, nil
}

func (n *notebook) Save(b agent.Book) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.saves++; n.err != nil {
		return n.err
	}
	n.book = b
	return nil
}

// oracle is a verifier that answers what it is told to; the zero one finds
// every token alive and knows nobody's name.
type oracle struct {
	mu      sync.Mutex
	verdict agent.Verdict
	asked   []agent.VerifyRequest
}

func (o *oracle) Verify(_ context.Context, r agent.VerifyRequest) agent.Verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	if o.verdict.Life == "" {
		return agent.Verdict{Life: agent.Alive}
	}
	return o.verdict
}
