package agent

import "context"

// SetStore takes another store, as if it always had been that one.
func (a *Agent) SetStore(s Store) {
	a.stores.all[0] = s
	a.stores.now.Store(&s)
}

// Sweep removes what no credential uses any more.
func (a *Agent) Sweep(ctx context.Context) { a.sweep(ctx) }
