package agent

import (
	"context"

	"github.com/cwagent/cwagent/ipc"
)

// AtRest returns the secrets of all tokens that the agent has, and of all keys.
func (a *Agent) AtRest() (all []ipc.Secret) {
	for _, c := range a.all() {
		c.bunch.mu.Lock()
		all = append(all, c.bunch.keys.Answer)
		c.bunch.mu.Unlock()
		if c.pending != nil {
			all = append(all, c.pending.secret)
		}
		for _, t := range append(append([]token{c.token}, c.standby...), c.previous...) {
			all = append(all, t.secret)
		}
	}
	return all
}

// SetStore takes another store, as if it always had been that one.
func (a *Agent) SetStore(s Store) {
	a.stores.all[0] = s
	a.stores.now.Store(&s)
}

// Sweep removes what no credential uses any more.
func (a *Agent) Sweep(ctx context.Context) { a.sweep(ctx) }
