package absorb

import (
	"fmt"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// recall reads what is noted about the file.
func (e *examination) recall() (err error) {
	if e.record, err = e.Rewritten.Record(e.f.path, e.Now()); err != nil {
		return fmt.Errorf("not known which files import has rewritten: %w", err)
	}
	return nil
}

// putBack reports whether the token of u is meant to be there: the person has put
// it back. That of a user that has got another one since is not. Where nobody has a
// token of that label any more, it cannot be told from another, and stays.
func (e *examination) putBack(u *kubeconfig.User) bool {
	t, is := e.record.PutBack(u.Name)
	same := func(h agent.Holding) bool { return h.Label == t.Label }
	return is && (t.Label == "" || !e.held(t.Label) || slices.ContainsFunc(e.Agent.Recognize(u.Token), same))
}

// held reports whether some credential has a token of that label.
func (e *examination) held(label string) bool {
	return slices.ContainsFunc(e.credentials, func(c ipc.Credential) bool {
		return c.Label == label ||
			slices.ContainsFunc(c.Retiring, func(t ipc.Retiring) bool { return t.Label == label }) ||
			slices.ContainsFunc(c.Standby, func(t ipc.Standby) bool { return t.Label == label })
	})
}

func (e *examination) restored() finding {
	return finding{Watch: ipc.Watch{State: ipc.WatchRestored, Why: "it was restored: its token is meant to be there", Hint: e.importHint()}}
}
