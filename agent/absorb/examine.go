package absorb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/agent/shell"
	"github.com/cwagent/cwagent/ipc"
)

// asking is why a token is left for the moment.
const asking = "it is being asked about"

// deleted is why nothing is to be done about a file.
const deleted = "it was deleted, and is looked after again if it is back"

// An examination is one look at one file.
type examination struct {
	*Watcher
	f      *file
	read   *kubeconfig.File
	record rewritten.File // without a path where import never has rewritten the file
	id     string         // public id of the token in a download, by the name of the file
	deep   bool           // whoever knows may be asked; else it is left at what the agent has in memory

	credentials []ipc.Credential
	decided     []decision
	successors  []successor
	out         outcome
	asks        []string // what is left to be asked
}

// A decision is that a user is to refer to the credential that has its token. It
// was made without any lock: who has the token is asked again in each edit.
type decision struct {
	user     string
	token    ipc.Secret
	holding  agent.Holding
	revision uint64 // of the credential, as of that holding
	fresh    bool   // it has just taken over
}

// examine looks at f, and does what can be done. It does not change f.
func (w *Watcher) examine(ctx context.Context, f *file, deep bool) outcome {
	e := &examination{Watcher: w, f: f, deep: deep}
	e.begin(ctx)
	if len(e.decided)+len(e.successors) > 0 {
		e.act(ctx)
	}
	if len(e.asks) > 0 && deep {
		e.out.answered = strings.Join(e.asks, "\n")
	} else {
		e.out.question = strings.Join(e.asks, "\n")
	}
	if len(e.out.found) == 0 {
		e.say(nil, finding{Watch: ipc.Watch{State: ipc.WatchQuiet}})
	}
	return e.out
}

func (e *examination) begin(ctx context.Context) {
	info, err := os.Stat(e.f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.f.noted:
		e.say(nil, finding{Watch: ipc.Watch{State: ipc.WatchQuiet, Why: deleted}})
		return
	case errors.Is(err, fs.ErrNotExist):
		e.say(nil, finding{Watch: ipc.Watch{State: ipc.WatchMissing, Why: "there is no such file"}})
		return
	case err == nil && info.Mode().IsRegular():
		e.read, err = e.parse(info)
	default:
		_, err = kubeconfig.Read(e.f.path) // says what it is instead
	}
	if err != nil {
		why, hint := e.words(err)
		if denied(e.f.path) {
			hint = permissionHint(runtime.GOOS)
		}
		e.say(nil, finding{Watch: ipc.Watch{State: ipc.WatchUnreadable, Why: why, Hint: hint}})
		return
	}
	if e.read == nil {
		return
	}
	e.out.foreign = slices.ContainsFunc(e.read.Users, func(u kubeconfig.User) bool { return !agent.IsAPIToken(u.Token) })
	if !slices.ContainsFunc(e.read.Users, func(u kubeconfig.User) bool { return e.concerns(u.Token) }) {
		return
	}
	why, hint := e.kept()
	s, err := e.Agent.Status(ctx, ipc.StatusRequest{})
	e.credentials = s.Credentials
	if err == nil {
		err = e.recall()
	}
	if e.f.kind == ipc.WatchDownload { // which none is any more that was rewritten: another token may have come since
		e.id, _ = kubeconfig.Download(e.f.path)
	}
	for i := range e.read.Users {
		u := &e.read.Users[i]
		switch {
		case !e.concerns(u.Token):
		case err != nil:
			e.again(u, "", err)
		case e.putBack(u):
			e.say(u, e.restored())
		case why != "":
			e.say(u, finding{Watch: ipc.Watch{State: ipc.WatchFound, Why: why, Hint: hint}})
		default:
			e.judge(ctx, u)
		}
	}
}

// judge decides about one token.
func (e *examination) judge(ctx context.Context, u *kubeconfig.User) {
	servers, err := canonical(u.Servers)
	if err != nil {
		e.fail(u, ipc.WatchFound, err)
		return
	}
	if h, ok := e.recognize(u, servers); ok {
		e.decide(u, h)
		return
	}
	if known := e.Agent.Recognize(u.Token); len(known) > 0 {
		e.found(u, known[0].Credential, "credential "+known[0].Credential+" has this token, but is not bound to all servers of its contexts", e.importHint())
		return
	}
	if !agent.IsAPIToken(u.Token) {
		return // it was the agent's a moment ago, and nobody is to be asked about it
	}
	candidates := e.candidates(u, servers)
	if len(candidates) == 0 {
		return
	}
	for _, c := range candidates {
		e.asks = append(e.asks, fmt.Sprintf("%q %s %d %v", u.Name, c.Name, c.Revision, c.Identity))
	}
	if !e.deep {
		x := finding{Watch: ipc.Watch{State: ipc.WatchWaiting, Why: asking}}
		if len(candidates) == 1 {
			x.Credential = candidates[0].Name
		}
		e.say(u, x)
		return
	}
	e.succeed(ctx, u, candidates)
}

// act does what was found to be right, while nobody else rewrites kubeconfigs.
func (e *examination) act(ctx context.Context) {
	done, busy, err := e.Rewritten.TryTurn()
	if busy {
		e.out.busy = true
		err = &ipc.Error{Code: ipc.CodeInvalid, What: "another cwagent is rewriting kubeconfigs",
			Hint: "if that does not come to an end, look for one that hangs, and end it"}
	}
	if err != nil {
		for _, s := range e.successors {
			e.again(s.user, s.credential.Name, err)
		}
		e.left(err)
		return
	}
	defer done()
	e.promote(ctx)
	if len(e.decided) > 0 {
		e.rewrite(ctx)
	}
}

// recognize returns who has the token of u and is bound to all of its servers.
func (e *examination) recognize(u *kubeconfig.User, servers []ipc.Server) (agent.Holding, bool) {
	var found agent.Holding
	for _, h := range e.Agent.Recognize(u.Token) {
		if c, ok := e.credential(h.Credential); ok && serves(c, servers) && (found.Credential == "" || h.Credential == u.Ours) {
			found = h
		}
	}
	return found, found.Credential != ""
}

func (e *examination) credential(name string) (ipc.Credential, bool) {
	i := slices.IndexFunc(e.credentials, func(c ipc.Credential) bool { return c.Name == name })
	if i < 0 {
		return ipc.Credential{}, false
	}
	return e.credentials[i], true
}

// decide has u refer to the credential that has its token, if that is saved.
func (e *examination) decide(u *kubeconfig.User, h agent.Holding) {
	if t, is := e.record.PutBack(u.Name); is && t.Label == h.Label {
		e.say(u, e.restored())
		return
	}
	if h.Saved {
		e.decided = append(e.decided, decision{user: u.Name, token: u.Token, holding: h})
		return
	}
	c, _ := e.credential(h.Credential)
	why := "credential " + h.Credential + " is in the agent's memory only"
	switch {
	case c.Unsaved == "" && !h.Brief: // a new token is served before it is saved: that is being done
		e.say(u, finding{Watch: ipc.Watch{State: ipc.WatchWaiting, Why: asking, Credential: c.Name}})
		return
	case c.Unsaved != "":
		why = "the token of credential " + h.Credential + " is not saved yet: " + c.Unsaved
	}
	e.found(u, h.Credential, why, "as soon as it is saved, the file loses it; cwagent status "+h.Credential)
}

func (e *examination) found(u *kubeconfig.User, credential, why, hint string) {
	e.say(u, finding{Watch: ipc.Watch{State: ipc.WatchFound, Why: why, Hint: hint, Credential: credential}})
}

// fail says an error that stays one until something changes.
func (e *examination) fail(u *kubeconfig.User, s ipc.WatchState, err error) {
	why, hint := e.words(err)
	e.say(u, finding{Watch: ipc.Watch{State: s, Why: why, Hint: hint}})
}

// again says an error that may pass by itself.
func (e *examination) again(u *kubeconfig.User, credential string, err error) {
	why, hint := e.words(err)
	e.say(u, finding{Watch: ipc.Watch{State: ipc.WatchWaiting, Why: why, Hint: hint, Credential: credential}, again: true})
}

// words are those of an error, without the path, which is said anyway.
func (e *examination) words(err error) (why, hint string) {
	var ours *ipc.Error
	if errors.As(err, &ours) {
		hint = ours.Hint
	}
	return strings.TrimPrefix(err.Error(), e.f.path+": "), hint
}

// say notes what there is to say about the file, or about the token of u.
func (e *examination) say(u *kubeconfig.User, x finding) {
	x.Path, x.Kind, x.At = e.f.path, e.f.kind, e.Now().Round(0)
	if u != nil {
		x.User = kubeconfig.HideTokens(u.Name)
	}
	e.out.found = append(e.out.found, x)
}

func (e *examination) importHint() string { return shell.Words("cwagent", "import", e.f.path) }

// serves reports whether c is bound to all of these servers.
func serves(c ipc.Credential, servers []ipc.Server) bool {
	return !slices.ContainsFunc(servers, func(s ipc.Server) bool { return !slices.Contains(c.Servers, s) })
}

func canonical(servers []ipc.Server) ([]ipc.Server, error) {
	var out []ipc.Server
	for _, s := range servers {
		c, err := agent.Canonical(s)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
