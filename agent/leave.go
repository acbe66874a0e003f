package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Leave implements ipc.Agent.
func (a *Agent) Leave(ctx context.Context, r ipc.LeaveRequest) error {
	a.saveNow(ctx)
	if r.Stay {
		return nil
	}
	if lost := a.inMemoryOnly(); len(lost) > 0 && !r.Force {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "agent: it has tokens in memory only, which are gone when it leaves: " + strings.Join(lost, ", "),
			Hint: "add them again afterwards, and insist with --force",
		}
	}
	a.Log.InfoContext(ctx, "asked to leave")
	if a.End != nil {
		a.End()
	}
	return nil
}

// saveNow tries to save what could not be saved so far, however lately that was tried.
func (a *Agent) saveNow(ctx context.Context) {
	a.overdue()
	a.saveDue(ctx)
}

// inMemoryOnly are the names of the credentials that would lose a token, by name.
func (a *Agent) inMemoryOnly() (names []string) {
	for _, c := range a.all() {
		c.tokens(func(t *token) bool {
			lost := !t.saved && !t.secret.Empty()
			if lost {
				names = append(names, c.name)
			}
			return !lost
		})
	}
	slices.Sort(names)
	return names
}

// handOver is how long after it has left an agent may need to hand over what it has.
const handOver = 2 * time.Second

// Inherit has this agent, which takes the place of another one, expect what that one
// has in memory only: until then a request for such a token waits.
func (a *Agent) Inherit() { a.heir.Store(a.Now().Add(handOver).UnixNano()) }

// inherits reports whether the token of c may be about to be handed over.
func (a *Agent) inherits(c *credential, now time.Time) bool {
	return c.token.secret.Empty() && !c.token.saved && now.UnixNano() < a.heir.Load()
}

// Legacy are the tokens that nobody else has, as requests to the agent that takes the
// place of this one, which has ended.
func (a *Agent) Legacy() (all []ipc.AddRequest) {
	for _, c := range a.all() {
		bequeath := func(t token, standby bool) {
			if t.saved || t.secret.Empty() || expired(a.Now(), t) {
				return
			}
			all = append(all, ipc.AddRequest{
				Name: c.name, Secret: t.secret, ID: t.id, Created: known(t.created), Expires: known(t.expires), Expiry: t.expiry,
				Servers: c.servers, NoClusterInfo: c.noClusterInfo, Ephemeral: t.brief,
				Replace: !standby, Standby: standby, NoVerify: true, AllowIdentityChange: true,
			})
		}
		bequeath(c.token, false)
		for _, t := range c.standby {
			bequeath(t, true)
		}
	}
	return all
}
