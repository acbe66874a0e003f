package ipc

import "time"

// FetchRequest is what the credential plugin knows.
type FetchRequest struct {
	Name     string // the credential, the plugin's argument
	ExecInfo []byte // KUBERNETES_EXEC_INFO, raw
	Room     []byte // empty; Stdout goes there if it is large enough, so that who lends it can clear it
}

// FetchReply is what the credential plugin does.
type FetchReply struct {
	Stdout []byte // an ExecCredential, or nothing
	Stderr []byte // lines for the person, or nothing
	Exit   int    // 0 to 255
}

// StatusRequest asks for one credential, or for all where Name is empty.
type StatusRequest struct {
	Name    string `json:"name,omitempty"`
	Inspect bool   `json:"inspect,omitempty"` // wait up to a second for how the store does now
	CAs     bool   `json:"cas,omitempty"`     // of one credential: with the certificate authorities of its servers
	Worst   bool   `json:"worst,omitempty"`   // of those only the one that needs a person most, if one does, and no files: for a prompt
}

// MaxTogether is how many tokens one AddAll hands over at most: so many are saved
// one by one before a client thinks that nobody answers.
const MaxTogether = 32

// AddRequest hands a token over.
type AddRequest struct {
	Name          string     `json:"name"`
	Secret        Secret     `json:"-"`
	ID            string     `json:"id,omitempty"`      // public id, cwtoken-<hash>
	Created       *time.Time `json:"created,omitempty"` // when the token was made, if known
	Expires       *time.Time `json:"expires,omitempty"` // only with Expiry "known"
	Expiry        Expiry     `json:"expiry"`
	Servers       []Server   `json:"servers,omitempty"`
	NoClusterInfo bool       `json:"noClusterInfo,omitempty"` // also serve callers that name no server
	Ephemeral     bool       `json:"ephemeral,omitempty"`     // memory only, on purpose
	Replace       bool       `json:"replace,omitempty"`       // the name's token gives way to this one
	Standby       bool       `json:"standby,omitempty"`       // for later: the name keeps the token that it has
	DryRun        bool       `json:"dryRun,omitempty"`        // judge the request and the token, change nothing
	CAs           [][]byte   `json:"cas,omitempty"`           // PEM, for asking the servers about the token

	NoVerify            bool `json:"noVerify,omitempty"`            // take the token without asking anybody
	AllowIdentityChange bool `json:"allowIdentityChange,omitempty"` // with Replace: another owner's token is meant
	AllowPlaintext      bool `json:"allowPlaintext,omitempty"`      // a keyring that is in clear on disk will do
}

// AddReply says what became of an AddRequest, or what would become of it.
type AddReply struct {
	Credential Credential `json:"credential"`
	Outcome    Outcome    `json:"outcome"`
	SameAs     string     `json:"sameAs,omitempty"`  // another credential that holds this very token
	Bound      []Server   `json:"bound,omitempty"`   // what it was not bound to before
	Retired    *Retiring  `json:"retired,omitempty"` // the token that gave way, if one did

	// Former is set in a dry run about a token that no credential has any more, but
	// one that is bound to all the servers of the request had before.
	Former *Retiring `json:"former,omitempty"`
}

// Outcome of an AddRequest.
type Outcome string

const (
	OutcomeCreated  Outcome = "created"
	OutcomeExtended Outcome = "extended" // the token was there already
	OutcomeReplaced Outcome = "replaced"
	OutcomeStandby  Outcome = "standby" // kept for later
)

// ForgetRequest names the credential to remove.
type ForgetRequest struct {
	Name       string `json:"name"`
	IfRevision uint64 `json:"ifRevision,omitempty"` // only if the credential is still that one; 0: whatever it is
}

// TokenRequest names the credential whose token is to be revealed.
type TokenRequest struct {
	Name string `json:"name"`
	Dead bool   `json:"dead,omitempty"` // even one that has expired or is refused: for what is not to be used but put back

	For     string        `json:"for,omitempty"`     // the program that gets it, by the name of its file and never with arguments
	MinLeft time.Duration `json:"minLeft,omitempty"` // how long it must live at least, if its end is known, nanoseconds
	Keep    bool          `json:"keep,omitempty"`    // only judge and note it: the program asks the plugin when it needs it
}

// KeysRequest names the credential whose token object storage keys are wanted for.
type KeysRequest struct {
	Name string `json:"name"`
}

// ServersRequest changes a credential's bindings; without a change it only asks.
type ServersRequest struct {
	Name          string   `json:"name"`
	Add           []Server `json:"add,omitempty"`
	Remove        []string `json:"remove,omitempty"`        // URLs, with whatever other fields
	Unbind        []Server `json:"unbind,omitempty"`        // exactly these; absent ones are no error
	NoClusterInfo *bool    `json:"noClusterInfo,omitempty"` // set where not nil
	CAs           [][]byte `json:"cas,omitempty"`           // PEM, for asking the servers about the token
}

// VerifyRequest names the credential whose token is to be asked about.
type VerifyRequest struct {
	Name string `json:"name"`
}

// VerifyReply says what those who were asked know about a token.
type VerifyReply struct {
	Credential Credential    `json:"credential"`
	Life       string        `json:"life"` // alive, rejected, unknown
	Why        string        `json:"why,omitempty"`
	Skew       time.Duration `json:"clockSkew,omitempty"` // the server's clock minus ours, nanoseconds
}

// RotateRequest asks for the next token of a credential: from its source, or the
// standby token that ends first, or with Rollback the one that gave way last.
type RotateRequest struct {
	Name                string `json:"name"`
	Rollback            bool   `json:"rollback,omitempty"`
	AllowIdentityChange bool   `json:"allowIdentityChange,omitempty"` // another owner's token is meant
}

// RotateReply says what took over from what.
type RotateReply struct {
	Credential Credential `json:"credential"`
	From       string     `json:"from"`              // where the token came from: a kind of source, standby, rollback
	Retired    *Retiring  `json:"retired,omitempty"` // the token that gave way, if there was one
}

// RetiredRequest lists the tokens that gave way to newer ones; with Done, it
// takes one from the list: its public id or its label.
type RetiredRequest struct {
	Done string `json:"done,omitempty"`
}

// RetiredReply is the list as it is after that, by credential, the newest first.
type RetiredReply struct {
	Tokens []Retiring `json:"tokens"`
}

// Retiring is a token that gave way to a newer one and has not ended yet.
type Retiring struct {
	Credential string     `json:"credential"`        // whose it was
	ID         string     `json:"id,omitempty"`      // public id
	Label      string     `json:"label"`             // names it where there is no id: #5f3a9c01
	Since      time.Time  `json:"since"`             // when it gave way
	Expiry     Expiry     `json:"expiry"`            // what is known about its end
	Expires    *time.Time `json:"expires,omitempty"` // if that is known
	Kept       bool       `json:"kept"`              // still in the store: a rollback can bring it back
	Delete     bool       `json:"delete,omitempty"`  // an API Access Token: it lives on until it is deleted in the Console
	Refused    string     `json:"refused,omitempty"` // why, if it was found rejected: it is dead, whatever its expiry
}

// Standby is a token that waits for its turn.
type Standby struct {
	ID      string     `json:"id,omitempty"`      // public id
	Label   string     `json:"label"`             // names it where there is no id: #5f3a9c01
	Expiry  Expiry     `json:"expiry"`            // what is known about its end
	Expires *time.Time `json:"expires,omitempty"` // if that is known
	Saved   bool       `json:"saved"`             // outlives the agent
	Refused string     `json:"refused,omitempty"` // why, if it was found rejected: it has no turn
}

// Renewal is how the unattended source of a credential does, or a standby token
// that is to take over.
type Renewal struct {
	Next  *time.Time `json:"next,omitempty"`  // when it is asked next
	Since *time.Time `json:"since,omitempty"` // since when it gives none
	Class string     `json:"class,omitempty"` // transient, refused, other
	Error string     `json:"error,omitempty"` // why it gives none
}

// A Server is one place to which a credential may be given out. Every field
// counts when two are compared.
type Server struct {
	URL           string `json:"url"`                             // canonical: scheme, host, port, path
	TLSServerName string `json:"tlsServerName,omitempty"`         // as in the kubeconfig
	ProxyURL      string `json:"proxyURL,omitempty"`              // as in the kubeconfig, canonical: without user and password
	ProxySHA256   string `json:"proxySHA256,omitempty"`           // hex, of the whole proxy URL where it has a user or a password
	Insecure      bool   `json:"insecureSkipTLSVerify,omitempty"` // as in the kubeconfig
	CASHA256      string `json:"caSHA256,omitempty"`              // hex, of certificate-authority-data; empty: the system's roots
}

// Expiry says what is known about the end of a token.
type Expiry string

const (
	ExpiryKnown   Expiry = "known"   // it stands in expires
	ExpiryUnknown Expiry = "unknown" // a CKS token does not tell, and nobody said
	ExpiryNever   Expiry = "never"   // it has none
)

// State of a credential, worst last.
type State string

const (
	StateValid   State = "valid"   // all is well
	StateDue     State = "due"     // a person is needed soon
	StateExpired State = "expired" // past its expiry
	StateRefused State = "refused" // the server says no
	StateLocked  State = "locked"  // the store is locked
	StateEmpty   State = "empty"   // there is no token
)

// Status is the one truth that every view of the agent is drawn from.
type Status struct {
	Agent       AgentInfo    `json:"agent"`                   // the one that answered
	Store       StoreInfo    `json:"store"`                   // where it has its tokens
	Config      string       `json:"configTrouble,omitempty"` // why the config as it is now is not in force
	Credentials []Credential `json:"credentials"`             // by name
	Audit       *AuditInfo   `json:"audit,omitempty"`         // what is wrong with the audit log, if something is
	Watched     []Watch      `json:"watched,omitempty"`       // files that the agent looks after, by path; those of all credentials
}

// AuditInfo is what is wrong with the audit log. Tokens are given out all the same.
type AuditInfo struct {
	Trouble string `json:"trouble,omitempty"` // why nothing is written at the moment
	Dropped uint64 `json:"dropped,omitempty"` // records that are in no file, of this run of the agent
}

// AgentInfo describes the running agent.
type AgentInfo struct {
	Version string    `json:"version"` // as "cwagent version" prints it
	PID     int       `json:"pid"`     // its process
	Started time.Time `json:"started"` // when it began
	Start   Start     `json:"start"`   // who has started it
	Socket  string    `json:"socket"`  // the path at which it listens

	Locked  *time.Time `json:"lockedSince,omitempty"` // if it is: it gives nothing out
	Guarded bool       `json:"guarded,omitempty"`     // a passphrase unlocks it
}

// Start says who has started an agent.
type Start string

const (
	StartManager Start = "manager" // systemd or launchd
	StartPlugin  Start = "plugin"  // because somebody asked
	StartPerson  Start = "person"  // by hand
)

// Credential is one line of the status.
type Credential struct {
	Name          string     `json:"name"`                    // what kubeconfigs call it
	Revision      uint64     `json:"revision"`                // another one after each change of what requests get; of this run of the agent
	ID            string     `json:"id,omitempty"`            // public id of the current token
	Label         string     `json:"label,omitempty"`         // ours for the current token, #5f3a9c01: another one for each
	State         State      `json:"state"`                   // how it is; the worst stands last
	Reason        string     `json:"reason,omitempty"`        // why it is in that state, for a person
	Hint          string     `json:"hint,omitempty"`          // what a person can do about that
	Expiry        Expiry     `json:"expiry"`                  // what is known about the end of its token
	Expires       *time.Time `json:"expires,omitempty"`       // if that is known
	Created       *time.Time `json:"created,omitempty"`       // when the token was made
	Added         time.Time  `json:"added"`                   // when the agent got it
	Saved         bool       `json:"saved"`                   // outlives the agent
	Identity      Identity   `json:"identity"`                // whose token it is
	Verified      *time.Time `json:"verified,omitempty"`      // when it was last found alive
	Servers       []Server   `json:"servers"`                 // to which it may go
	NoClusterInfo bool       `json:"noClusterInfo,omitempty"` // it also goes to callers that name no server
	Held          bool       `json:"held,omitempty"`          // a person went back to this token
	Refusal       *Refusal   `json:"lastRefusal,omitempty"`   // the last request that it was not given out for, until that is allowed
	Source        string     `json:"source"`                  // where the next token comes from: console, standby, command, file, serviceAccount
	Renewal       *Renewal   `json:"renewal,omitempty"`       // only where the source is unattended
	Unsaved       string     `json:"unsaved,omitempty"`       // why the token is not saved, though it should be
	Standby       []Standby  `json:"standby,omitempty"`       // in the order of their turns
	Retiring      []Retiring `json:"retiring,omitempty"`      // the newest first
	LastUse       *Use       `json:"lastUse,omitempty"`       // when a program got the token last, as far as is known

	// CAs are what is known of the certificate authorities of its servers, by their
	// CASHA256 and byte for byte what that is of. Only on demand.
	CAs map[string][]byte `json:"cas,omitempty"`
}

// Use is a request that got a token.
type Use struct {
	At     time.Time `json:"at"`               // when it was given out
	Caller string    `json:"caller,omitempty"` // who asked and who ran that: kubectl <- zsh <- tmux
	PID    int       `json:"pid,omitempty"`    // of the first of these
}

// Refusal is the last request that a credential was not given out for.
type Refusal struct {
	At     time.Time `json:"at"`               // when that was
	Server *Server   `json:"server,omitempty"` // none: the caller named none
	Hint   string    `json:"hint"`             // the line that would allow it
}

// Identity is whose token it is, as CoreWeave's whoami tells it, or for a token
// of another kind the user name that its API server knows.
type Identity struct {
	OrgUID string `json:"orgUid,omitempty"` // the organization
	UID    string `json:"uid,omitempty"`    // the user in it
	User   string `json:"user,omitempty"`   // the user name at its API server
}
