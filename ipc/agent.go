package ipc

import "context"

// Agent is what the socket offers. It has three bodies: the daemon
// (package agent), the wire client (ipc/client) and an in-memory fake
// (ipc/ipctest); one conformance suite in ipc/ipctest holds for all of them.
//
// An error is an *Error where a person is meant to read it.
type Agent interface {
	// Fetch answers the credential plugin. A refusal is not an error: it is a
	// reply with an exit code and the lines for stderr. What it returns is the
	// caller's, who may clear it.
	Fetch(ctx context.Context, r FetchRequest) (FetchReply, error)

	// Status describes the agent, its store and its credentials, by name.
	Status(ctx context.Context, r StatusRequest) (Status, error)

	// Add stores a token under a new name, adds servers to a name that holds
	// the same token already, or, asked to, replaces the token of that name.
	Add(ctx context.Context, r AddRequest) (AddReply, error)

	// AddAll is Add for up to MaxTogether tokens with a name each that are new or
	// held there already: all of them or none. It costs little more than one.
	AddAll(ctx context.Context, rs []AddRequest) ([]AddReply, error)

	// Forget removes a credential and its tokens, on demand only if it is still
	// as it was.
	Forget(ctx context.Context, r ForgetRequest) error

	// Token reveals the current token of a credential.
	Token(ctx context.Context, r TokenRequest) (Secret, error)

	// Keys gives out temporary keys for object storage, which the current token of a
	// credential is good for, as the JSON that AWS tools read from a program.
	Keys(ctx context.Context, r KeysRequest) (Secret, error)

	// Verify asks those who should know whether a credential's token is alive.
	Verify(ctx context.Context, r VerifyRequest) (VerifyReply, error)

	// Rotate gives a credential its next token, or the one before.
	Rotate(ctx context.Context, r RotateRequest) (RotateReply, error)

	// Retired lists the tokens that gave way and are to be deleted elsewhere.
	Retired(ctx context.Context, r RetiredRequest) (RetiredReply, error)

	// Servers changes and returns what a credential is bound to.
	Servers(ctx context.Context, r ServersRequest) (Credential, error)

	// Stores describes all stores that there are, the one in use first.
	Stores(ctx context.Context, r StoresRequest) (StoresReply, error)

	// Metrics is what there is to measure, as Prometheus reads it.
	Metrics(ctx context.Context, r MetricsRequest) (MetricsReply, error)

	// Migrate does one step of a move of all tokens to another store, and says how
	// far it is: until it is done it wants to be called again.
	Migrate(ctx context.Context, r MigrateRequest) (MigrateReply, error)

	// Lock has the agent give nothing out any more, and forget what it holds.
	Lock(ctx context.Context, r LockRequest) error

	// Unlock undoes that, and opens a store that a passphrase opens. The reply says
	// what is still wanted, if anything: then it is to be called again with that.
	Unlock(ctx context.Context, r UnlockRequest) (UnlockReply, error)

	// Leave has the agent save what it can, and then end.
	Leave(ctx context.Context, r LeaveRequest) error
}
