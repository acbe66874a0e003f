package agent

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// hostOf is the machine whose store s is; empty: every machine that has the ledger
// reaches it.
func (a *Agent) hostOf(s Store) string {
	if s != nil && s.Info().OneHost {
		return a.Host
	}
	return ""
}

// far is the machine in whose store the tokens rest, if it is another one.
func (a *Agent) far() string {
	host, _ := a.keeper.Load().(string)
	if host == a.Host {
		return ""
	}
	return host
}

// glances is how many tokens are looked for in a store before it is another machine's.
const glances = 3

// reached reports whether the store of this machine is the one in which the tokens
// rest. Where the book names another machine the store itself decides: a machine may
// have got another name, and there are keyrings that lie in a shared HOME. The caller
// is the one who may change.
func (a *Agent) reached(ctx context.Context) bool {
	if a.far() == "" {
		return true
	}
	for _, c := range a.all() {
		if c.token.saved && !c.token.secret.Empty() {
			return true // it was read here
		}
	}
	n := 0
	for key := range a.book.keys() {
		if n++; n > glances {
			break
		}
		get, cancel := context.WithTimeout(ctx, storeCall)
		_, err := a.Store.Get(get, key)
		cancel()
		if !errors.Is(err, ErrNotFound) {
			return true // whatever else keeps it from being read is for the store to say
		}
	}
	return n == 0 && len(a.book.Orphans) == 0
}

// errFar is for a token that would have to rest in the store of another machine.
func errFar(kind, host string) error {
	return &ipc.Error{Code: ipc.CodeStore, What: "store " + kind + ": the tokens so far rest in the " + kind + " of " + host, Hint: farHint(host)}
}

func farHint(host string) string {
	return "on " + host + ": cwagent store migrate file moves them to where every machine has them"
}

// place is how the book names a store that is not in use.
func (a *Agent) place(kind string) string {
	if host := a.hostOf(a.stores.of(kind)); host != "" {
		return kind + "@" + host
	}
	return kind
}

// here is the kind of a store that the book names so, and whether it is one that this
// machine has.
func (a *Agent) here(place string) (kind string, mine bool) {
	kind, host, _ := strings.Cut(place, "@")
	return kind, host == "" || host == a.Host
}

// followTo takes the store that another agent has chosen for the first token, or has
// moved all to.
func (a *Agent) followTo(kind string) {
	a.stores.keep(kind)
	a.move = nil
	a.note(&a.trouble, nil)
	a.note(&a.silent, nil)
	for _, c := range a.all() {
		a.revise(c.name, func(next *credential) {
			next.standby = slices.Clone(next.standby)
			next.tokens(func(t *token) bool { t.fault = nil; return true })
		})
	}
	a.overdue()
	a.Log.Info("another agent's choice of a store is followed", "store", kind)
}
