package agent

import (
	"slices"

	"github.com/cwagent/cwagent/ipc"
)

// mostStandby is how many tokens may wait for their turn in one credential. A
// person makes each of them by hand.
const mostStandby = 32

// mergeStandby returns old with t among its standby tokens.
func (a *Agent) mergeStandby(old *credential, r ipc.AddRequest, t token, reply ipc.AddReply) (*credential, ipc.AddReply, error) {
	if old.token.secret.Equal(r.Secret) {
		return nil, reply, &ipc.Error{
			Code: ipc.CodeExists, What: "credential " + quote(r.Name) + ": it serves that very token",
			Hint: "a standby token is another one, made ahead at " + consolePage,
		}
	}
	next := old.clone()
	t.brief = t.brief || old.memoryOnly()
	reply.Outcome = ipc.OutcomeStandby
	for i, known := range old.standby {
		if known.secret.Equal(r.Secret) {
			reply.Outcome = ipc.OutcomeExtended
			known.learn(r, t)
			t = known
			next.standby = slices.Delete(slices.Clone(old.standby), i, i+1)
			break
		}
	}
	if len(next.standby) >= mostStandby {
		return nil, reply, invalid("credential "+quote(r.Name)+": it has 32 standby tokens already", "cwagent status "+r.Name+" shows them")
	}
	next.previous = slices.DeleteFunc(slices.Clone(old.previous), func(o token) bool {
		return !o.secret.Empty() && o.secret.Equal(t.secret)
	})
	next.standby = append(slices.Clone(next.standby), t)
	slices.SortStableFunc(next.standby, byTurn)
	return next, reply, nil
}

// byTurn orders standby tokens: those that are known to end first come first.
func byTurn(x, y token) int {
	ends := func(t token) bool { return t.expiry == ipc.ExpiryKnown }
	switch {
	case ends(x) && ends(y):
		return x.expires.Compare(y.expires)
	case ends(x):
		return -1
	case ends(y):
		return 1
	}
	return 0
}
