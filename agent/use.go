package agent

import (
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// NotGivenOut is what the log says of a fetch that got no token; its ctx carries who
// asked.
const NotGivenOut = "not given out"

// KeysGivenOut and KeysNotGivenOut are the same of object storage keys. S3 programs ask
// for them as often as kubectl for tokens.
const (
	KeysGivenOut    = "object storage keys given out"
	KeysNotGivenOut = "object storage keys not given out"
)

// A Use is one token that was given to a plugin.
type Use struct {
	At         time.Time
	Credential string
	Server     string // URL, for which it is; empty: the caller named none
	Peer       peer.Peer
}

// An Audit remembers who was given what.
type Audit interface {
	// Given is told of each token while its plugin waits for it: it neither waits nor
	// allocates, and what it cannot take it counts.
	Given(Use)

	// LastUse is who was given the token of that credential last; nil: nobody, in this
	// run of the agent.
	LastUse(credential string) *ipc.Use

	// Trouble is what is wrong with what it writes; nil: nothing, and nothing was lost.
	Trouble() *ipc.AuditInfo
}

// lastUse is LastUse of the audit, if there is one.
func (a *Agent) lastUse(credential string) *ipc.Use {
	if a.Audit == nil {
		return nil
	}
	return a.Audit.LastUse(credential)
}
