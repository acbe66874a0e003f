package ipc

import "time"

// What concerns the agent as a whole: where its tokens rest, its lock, its end.

// StoreInfo says where tokens rest, and why there.
type StoreInfo struct {
	Kind      string     `json:"kind"`                         // keyring, file, memory
	Why       string     `json:"why"`                          // why this one was taken
	Plaintext bool       `json:"plaintext,omitempty"`          // it rests on disk unencrypted
	OneHost   bool       `json:"oneHost,omitempty"`            // machines that share the HOME do not reach it
	Trouble   string     `json:"trouble,omitempty"`            // why it gives or takes nothing at the moment
	Silent    *time.Time `json:"doesNotAnswerSince,omitempty"` // if that is the trouble
}

// StoresRequest asks for all stores.
type StoresRequest struct{}

// StoresReply describes them, the one in use first.
type StoresReply struct {
	Stores  []StoreInfo `json:"stores"`
	Decided bool        `json:"decided"` // a token rests in the first, and the choice is made
}

// MigrateRequest asks for a move of all tokens.
type MigrateRequest struct {
	To             string `json:"to"`                       // kind of store
	DryRun         bool   `json:"dryRun,omitempty"`         // only whether it could be done, and how many they are
	AllowPlaintext bool   `json:"allowPlaintext,omitempty"` // a keyring that is in clear on disk will do
}

// MigrateReply says how far a move is.
type MigrateReply struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Total   int    `json:"total"`             // tokens
	Copied  int    `json:"copied"`            // and compared
	Missing int    `json:"missing,omitempty"` // of those: the old store did not have them
	Left    int    `json:"left,omitempty"`    // in the old store, from which they go last
	Done    bool   `json:"done"`
}

// MetricsRequest asks for what there is to measure.
type MetricsRequest struct{}

// MetricsReply has it as Prometheus reads it: its text format, version 0.0.4.
type MetricsReply struct {
	Text string `json:"text"`
}

// LockRequest locks the agent. Where a token would be lost by that, it does not.
type LockRequest struct {
	Passphrase Secret `json:"-"`               // that will unlock it; empty: anybody of this user can
	Force      bool   `json:"force,omitempty"` // lose what is in memory only
}

// UnlockRequest answers what the last reply wanted.
type UnlockRequest struct {
	Passphrase Secret `json:"-"`
	Store      string `json:"store,omitempty"` // of that kind, though another one is in use
}

// UnlockReply says what is still locked.
type UnlockReply struct {
	Wants Wanted `json:"wants,omitempty"` // empty: nothing, it is unlocked
	Asks  string `json:"asks,omitempty"`  // what it is called, where a store wants it
	Was   bool   `json:"was,omitempty"`   // something was locked before
}

// Wanted is what an unlock waits for.
type Wanted string

const (
	WantsPassphrase Wanted = "passphrase" // that the agent was locked with
	WantsStore      Wanted = "store"      // the passphrase of the store
	WantsKeyring    Wanted = "keyring"    // that somebody unlocks the keyring
)

// LeaveRequest asks an agent to save what it can and to leave, which it does after
// the answer; where a token would be lost by that, it stays.
type LeaveRequest struct {
	Stay  bool `json:"stay,omitempty"`  // only save
	Force bool `json:"force,omitempty"` // leave even so
}
