package agent

import (
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Ledger keeps the Book between two runs of the agent, and for agents on several
// machines that share it. Its body is agent/ledger.
type Ledger interface {
	// Lock keeps other agents from writing the book until unlock. It waits for one
	// that has the lock as long as ctx lives.
	Lock(ctx context.Context) (unlock func(), err error)

	// Changed reports whether somebody else has written the book since it was loaded
	// or saved here last. That there is none any more does not count.
	Changed() (bool, error)

	// Load returns the book, an empty one where there is none yet.
	Load() (Book, error)

	// Save replaces the book, whole or not at all. An error leaves open which.
	Save(Book) error

	// Missing reports whether there is no book, such as where somebody has
	// deleted it.
	Missing() bool
}

// Book is everything about credentials that outlives the agent, and no secret.
type Book struct {
	// Store is the kind of store that was taken for the first token. It is
	// decided once: a store that is absent later is absent, never replaced.
	Store string `json:"store,omitempty"`

	// Host is the machine whose store that is, where other machines do not reach it:
	// its keyring.
	Host string `json:"host,omitempty"`

	Credentials []Record `json:"credentials"`

	// Orphans are keys of the store that no credential uses: a token that is about
	// to be saved, or one that gave way and has ended, is done with or was one too
	// many. They are written down before the store is touched, and deleted after
	// the next change or at the next start.
	Orphans []string `json:"orphans,omitempty"`

	// Elsewhere are keys by the kind of another store, with "@" and the machine where
	// other ones do not reach it: what a move of the tokens has left there, or is about
	// to. They are deleted as Orphans are.
	Elsewhere map[string][]string `json:"elsewhere,omitempty"`

	// Moving is who moves the tokens to another store, so that agents of other machines
	// leave alone what it has copied.
	Moving *Moving `json:"moving,omitempty"`

	// CAs holds the certificate authorities of bound servers, PEM by their
	// SHA-256 in hex, so that the agent can ask those servers itself.
	CAs map[string][]byte `json:"certificateAuthorities,omitempty"`
}

// Moving is a move of the tokens that has begun.
type Moving struct {
	Host string    `json:"host"`
	At   time.Time `json:"at"` // when it last went on
}

// Record is what is known about one credential.
type Record struct {
	Name          string       `json:"name"`
	Servers       []ipc.Server `json:"servers"`
	NoClusterInfo bool         `json:"noClusterInfo,omitempty"` // also for callers that name no server
	Ephemeral     bool         `json:"ephemeral,omitempty"`     // its token is in memory only, on purpose

	// Token is the current one. Without a key it was in memory only when this was
	// written, on purpose or because the store did not take it: who reads that goes
	// back to the newest of Previous that is good.
	Token Token `json:"token"`

	// Host is the machine whose agent had it in memory then.
	Host string `json:"host,omitempty"`

	// Standby are the tokens that wait for their turn, in its order. All of them
	// are in the store.
	Standby []Token `json:"standby,omitempty"`

	// Previous are the tokens that gave way and have not ended, the newest first.
	// They are served only after one has taken over again. One without a key is
	// gone from the store, and here only so that a person is told to delete it.
	Previous []Token `json:"previous,omitempty"`

	// Held says that a person went back to this token: it is used to its end,
	// whatever a source would give in its place.
	Held bool `json:"held,omitempty"`
}

// Token is what is known about one bearer secret.
type Token struct {
	Key      string       `json:"key,omitempty"`            // its name in the store; empty: not there
	Label    string       `json:"label,omitempty"`          // its name for people, only where there is no key: #5f3a9c01
	API      bool         `json:"apiAccessToken,omitempty"` // one of CoreWeave's, which only a person can delete
	ID       string       `json:"id,omitempty"`             // public id, cwtoken-<hash>
	Added    time.Time    `json:"added"`
	Created  *time.Time   `json:"created,omitempty"`
	Expiry   ipc.Expiry   `json:"expiry"`
	Expires  *time.Time   `json:"expires,omitempty"` // only where expiry is known
	Identity ipc.Identity `json:"identity"`
	Verified *time.Time   `json:"verified,omitempty"` // when it was last found alive
	Refused  string       `json:"refused,omitempty"`  // why, if it was last found rejected
	Retired  *time.Time   `json:"retired,omitempty"`  // when it gave way; only in Previous
}
