package agent

// SetStore takes another store, as if it always had been that one.
func (a *Agent) SetStore(s Store) {
	a.stores.all[0] = s
	a.stores.now.Store(&s)
}
