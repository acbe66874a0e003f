package ipc

// An Op names what a request asks for. Append-only: the numbers are the wire.
type Op uint16

const (
	OpFetch   Op = 1
	OpStatus  Op = 2
	OpAdd     Op = 3
	OpForget  Op = 4
	OpToken   Op = 5
	OpServers Op = 6
	OpVerify  Op = 7
	OpRotate  Op = 8
	OpRetired Op = 9
	OpAddAll  Op = 10
	OpLeave   Op = 11
	OpLock    Op = 12
	OpUnlock  Op = 13
	OpMigrate Op = 14
	OpStores  Op = 15
	OpKeys    Op = 16
	OpMetrics Op = 17
)

// asks reports whether a request changes nothing, so that it may be sent twice.
func (op Op) asks() bool {
	switch op {
	case OpFetch, OpStatus, OpToken, OpStores, OpKeys, OpMetrics:
		return true
	}
	return false
}

// A Code says how a request ended. Append-only: the numbers are the wire.
type Code uint16

const (
	CodeOK          Code = 0
	CodeInternal    Code = 1  // a fault of the agent's own
	CodeMalformed   Code = 2  // the request cannot be understood
	CodeVersion     Code = 3  // the agent does not speak this version
	CodeUnknownOp   Code = 4  // the agent does not know this operation
	CodeTooLarge    Code = 5  // a part is over its cap
	CodeDenied      Code = 6  // the peer runs under another user id
	CodeNotFound    Code = 7  // no credential of that name
	CodeExists      Code = 8  // a credential of that name holds another token
	CodeInvalid     Code = 9  // an argument makes no sense
	CodeNotBound    Code = 10 // the credential is not bound to that server
	CodeExpired     Code = 11 // the token is past its expiry
	CodeEmpty       Code = 12 // the credential has no token
	CodeStore       Code = 13 // the store does not take or give the token
	CodeUnreachable Code = 14 // nobody answers at the socket; made by clients
	CodeTimeout     Code = 15 // the agent did not answer in time; made by clients
	CodeLocked      Code = 16 // the store is locked or not there
	CodeRefused     Code = 17 // the server says no to the token
	CodeUnverified  Code = 18 // nobody could say whether the token is alive
	CodeIdentity    Code = 19 // the token belongs to somebody else
	CodeChanged     Code = 20 // the credential is not the one that was meant any more
	CodeRenewing    Code = 21 // the next token is on its way: try again
	CodeSource      Code = 22 // the source gives no token, or none that will do
	CodePassphrase  Code = 23 // it is not the right one
)

// An Error is an answer that a person will read: what went wrong and why, and
// what to do about it. It never holds a secret.
type Error struct {
	Code Code
	What string // "credential \"prod\": no such credential"
	Hint string // "cwagent status shows the names", or empty
}

func (e *Error) Error() string { return e.What }

// Text is the one way in which an error is shown to a person: a line
// "cwagent: what: why" and, where there is a hint, a line "hint: what to do".
func (e *Error) Text() string {
	s := "cwagent: " + e.What + "\n"
	if e.Hint != "" {
		s += "hint: " + e.Hint + "\n"
	}
	return s
}
