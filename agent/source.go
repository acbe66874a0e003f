package agent

import (
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A Source gives the next token of a credential without a person. Its bodies
// live in agent/source. It is asked by one caller at a time for each credential.
type Source interface {
	// Kind is what the config and the status call it: command, file,
	// serviceAccount.
	Kind() string

	// Next gets another token. It may take as long as ctx lives. Its error is a
	// *SourceError; it never holds a secret.
	Next(ctx context.Context, o Occasion) (Minted, error)
}

// An Occasion is what a source may know and use.
type Occasion struct {
	Credential string // whose next token it is

	// Lend lends the token of a credential, for one server that this credential
	// is bound to; an empty url is its only one. Its error is an *ipc.Error.
	Lend func(ctx context.Context, credential, url string) (Loan, error)
}

// A Loan is a token and the only server that may see it.
type Loan struct {
	Token  ipc.Secret
	Server ipc.Server // with all settings that it is to be reached with
	CA     []byte     // PEM, where Server.CASHA256 is set; nil: not at hand, so nobody is to be asked
}

// Minted is a token as its source gives it.
type Minted struct {
	Secret  ipc.Secret
	Expiry  ipc.Expiry
	Expires time.Time // by the clock of this machine; only where Expiry is known
	Created time.Time // zero: not known
}

// A Class says what is to be expected of a source that gave no token.
type Class string

const (
	Transient Class = "transient" // it may work in a moment: no network, a busy server, nothing new yet
	Denied    Class = "refused"   // it says no, and will until somebody does something
	Broken    Class = "other"     // it does not work as it should: a missing program, output that is no token
)

// A SourceError is why a source gave no token.
type SourceError struct {
	Class Class
	Why   string // for a person, one line, no secret: "/usr/bin/op: exit code 1: not signed in"
	Hint  string // what to do; may be empty
}

func (e *SourceError) Error() string { return e.Why }

// A Watcher is a Source that notices by itself when it has something new.
type Watcher interface {
	Source

	// Watch calls changed whenever Next may give another token than before,
	// until ctx ends. It returns then.
	Watch(ctx context.Context, changed func())
}
