package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A credential is the named thing that kubeconfigs refer to. It is immutable
// but for what the atomics hold and what vigil and bunch point to: a change makes
// a new one.
type credential struct {
	name          string
	revision      uint64 // 0: put gives it one
	token         token
	servers       []ipc.Server // learnt; canonical, sorted
	noClusterInfo bool         // also for callers that name no server
	standby       []token      // in the order of their turns; never written to
	previous      []token      // gave way, and not over yet; the newest first; never written to
	fellBack      bool         // to a previous token: the current one was in memory only
	held          bool         // a person went back to this token: it is used to its end
	guise         *guise       // what the ledger has in place of what is used here; most often nil

	setting Setting  // what the config says
	news    bool     // the source may have something new; it is no failure if it has not
	pending *token   // never written to; came from the source and waits for a verdict
	renewal renewal  // how the source does
	probes  probes   // of a refused token
	unsaved *trouble // why what should be saved is not

	asked    atomic.Pointer[inquiry]     // the last one; true of any credential
	rendered atomic.Pointer[rendering]   // the last answer, but for the token
	refusal  atomic.Pointer[ipc.Refusal] // the last one, for status
	vigil    *vigil                      // over those who use it; shared by all its clones
	bunch    *bunch                      // its object storage keys; likewise
	over     chan struct{}               // closed when another one has taken its place
}

// A token is a bearer secret and what is known about it.
type token struct {
	secret  ipc.Secret
	key     string // its name in the store; nothing rests there unless saved
	saved   bool   // it is in the store
	brief   bool   // memory only, on purpose
	host    string // whose agent has it in memory only, if it is not this one
	api     bool   // one of CoreWeave's API Access Tokens
	id      string // public id, cwtoken-<hash>; may be empty
	added   time.Time
	created time.Time // zero: not known
	expiry  ipc.Expiry
	expires time.Time // only where expiry is known

	identity ipc.Identity
	verified time.Time // when it was last found alive; zero: never asked
	refused  string    // why, if it was last found rejected
	retired  time.Time // when it gave way; zero: it has not
	unknown  bool      // it gave way before it was read: it may be the very token that took over

	fault *trouble // why the store does not give this one, though it works
}

// label names a token where it has no public id: the end of its key.
func (t token) label() string { return t.key[strings.LastIndexByte(t.key, ' ')+1:] }

// kept reports whether the token can still be had: from memory or from the store.
func (t token) kept() bool { return !t.secret.Empty() || t.inStore() }

// inStore reports whether the token has yet to be read from the store.
func (t token) inStore() bool { return t.secret.Empty() && t.saved && !t.missing() }

// missing reports whether the store works and does not have the token.
func (t token) missing() bool { return t.fault != nil && errors.Is(t.fault.err, ErrNotFound) }

// clone copies c for a change. The rendering is left behind: what it says may
// no longer be true. So is the revision.
func (c *credential) clone() *credential {
	n := &credential{
		name: c.name, token: c.token, servers: slices.Clone(c.servers),
		noClusterInfo: c.noClusterInfo, standby: c.standby, previous: c.previous, fellBack: c.fellBack, held: c.held, guise: c.guise,
		setting: c.setting, news: c.news, pending: c.pending, renewal: c.renewal, probes: c.probes, unsaved: c.unsaved,
		vigil: c.vigil, bunch: c.bunch,
	}
	n.asked.Store(c.asked.Load())
	n.refusal.Store(c.refusal.Load())
	return n
}

// same copies c for a change of which requests notice nothing: they get what
// they got.
func (c *credential) same() *credential {
	n := c.clone()
	n.revision = c.revision
	n.rendered.Store(c.rendered.Load())
	return n
}

// tokens calls f for the current token and for those in standby, which are read
// from the store and saved alike, until f returns false.
func (c *credential) tokens(f func(t *token) bool) {
	if !f(&c.token) {
		return
	}
	for i := range c.standby {
		if !f(&c.standby[i]) {
			return
		}
	}
}

// atRest has the secrets of c, which nobody else knows yet, kept where they can stay.
func (c *credential) atRest(keep func(ipc.Secret) ipc.Secret) {
	all := func(tokens []token) []token {
		tokens = slices.Clone(tokens)
		for i := range tokens {
			tokens[i].secret = keep(tokens[i].secret)
		}
		return tokens
	}
	c.token.secret = keep(c.token.secret)
	c.standby, c.previous = all(c.standby), all(c.previous)
	if c.pending != nil {
		c.pending = &all([]token{*c.pending})[0]
	}
}

// bindings are the servers that it may go to: those that the config names, else
// those that it has learnt.
func (c *credential) bindings() []ipc.Server {
	if c.setting.Servers != nil {
		return c.setting.Servers
	}
	return c.servers
}

// settle drops the last refusal where what was refused is allowed by now.
func (c *credential) settle() {
	r := c.refusal.Load()
	if r != nil && (r.Server == nil && c.noClusterInfo || r.Server != nil && c.bound(*r.Server)) {
		c.refusal.Store(nil)
	}
}

// bound reports whether the credential may be given out for s.
func (c *credential) bound(s ipc.Server) bool { return slices.Contains(c.bindings(), s) }

// names: what is safe as a file name, as an argument and in a shell, unquoted. It is
// compiled when it is first used, because every command links it.
var names = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`) })

// CheckName reports whether a credential may have that name.
func CheckName(name string) error {
	if shownName(name) != name {
		return invalid("credential name: it is a token", "a token is never an argument: it is asked for, or read from stdin")
	}
	if names().MatchString(name) {
		return nil
	}
	return invalid("credential name "+quote(name)+": not allowed",
		"up to 63 letters, digits, dots, hyphens and underscores, the first a letter or digit")
}

// shownName is a name as it may be shown: people paste tokens into wrong places.
func shownName(name string) string {
	if strings.HasPrefix(strings.ToUpper(name), apiTokenPrefix) {
		return apiTokenPrefix + "..."
	}
	return name
}

// CheckToken reports whether s can be sent as a bearer token: printable ASCII
// without blanks, because anything else breaks the header that carries it.
func CheckToken(s ipc.Secret) (err error) {
	s.Read(func(token string) { err = checkToken(token) })
	return err
}

func checkToken(v string) error {
	if v == "" {
		return invalid("token: it is empty", "paste the whole token")
	}
	if len(v) > ipc.MaxPart {
		return invalid("token: longer than 128 KiB", "paste only the token")
	}
	if strings.ContainsRune("\"'`", rune(v[0])) || strings.ContainsRune("\"'`", rune(v[len(v)-1])) {
		return invalid("token: it is in quotes", "paste the token without them")
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] > '~' {
			return invalid("token: it has line breaks, blanks or control characters in it", "paste only the token, in one line")
		}
	}
	return nil
}

// apiTokenPrefix begins CoreWeave's API Access Tokens, the only ones that its
// endpoint may see.
const apiTokenPrefix = "CW-SECRET-"

// IsAPIToken reports whether s is one of CoreWeave's API Access Tokens.
func IsAPIToken(s ipc.Secret) (is bool) {
	s.Read(func(token string) { is = strings.HasPrefix(token, apiTokenPrefix) })
	return is
}

// Sum names a token by its SHA-256, and leaves no copy of it. (It is no method of
// Secret, because the plugin would link it.)
func Sum(s ipc.Secret) [sha256.Size]byte {
	b := s.Append(nil)
	defer clear(b)
	return sha256.Sum256(b)
}

// newKey returns the name of a new token in the store, as a person will read it
// there: prod cwtoken-3f9a1c7e #5f3a9c01. It is unique, so that the next token
// never overwrites the one that is still needed.
func newKey(name, id string) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	if id != "" {
		name += " " + id
	}
	return name + " #" + hex.EncodeToString(b[:])
}

func notFound(name string) error {
	return &ipc.Error{
		Code: ipc.CodeNotFound,
		What: "credential " + quote(shownName(name)) + ": no such credential",
		Hint: "cwagent status lists them; cwagent import and cwagent add make them",
	}
}

func invalid(what, hint string) error {
	return &ipc.Error{Code: ipc.CodeInvalid, What: what, Hint: hint}
}
