package agent

import (
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Verifier asks those who should know whether a token is alive. Its body is
// agent/coreweave. It may take as long as ctx lives.
type Verifier interface {
	Verify(ctx context.Context, r VerifyRequest) Verdict
}

// VerifyRequest says which token is in question and who may be asked about it.
type VerifyRequest struct {
	Token   ipc.Secret
	Servers []ipc.Server      // canonical; the only API servers that may see it
	CAs     map[string][]byte // PEM by SHA-256 in hex, as Server.CASHA256 names it
}

// Verdict is what came of it.
type Verdict struct {
	Life     Life
	Identity ipc.Identity  // whose token it is; only where Life is Alive
	Why      string        // for a person: "whoami says 401", "no answer from ..."
	At       time.Time     // local time of the answer
	Skew     time.Duration // the server's clock minus ours; 0 where it did not say
}

// Life of a token as far as could be found out.
type Life string

const (
	Alive    Life = "alive"
	Rejected Life = "rejected"
	Unknown  Life = "unknown" // nothing follows from the answers; nothing changes
)
