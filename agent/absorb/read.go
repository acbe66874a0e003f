package absorb

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/shell"
	"github.com/cwagent/cwagent/ipc"
)

// A file takes about a hundred times its size of memory while it is read as YAML,
// and a web page may put one among the downloads. The Console's have a few KB, a
// kubeconfig with 5,000 users has about 2 MB.
const (
	maxDownload   = 1 << 20
	maxKubeconfig = 8 << 20
)

// tokenPrefix is how CoreWeave's API Access Tokens begin; agent.IsAPIToken judges
// what has been found by it.
const tokenPrefix = "CW-SECRET-"

// contents returns what is in a file, if it is not too much to be looked at unasked.
func contents(path string, kind ipc.WatchKind) ([]byte, error) {
	most := int64(maxKubeconfig)
	if kind == ipc.WatchDownload {
		most = maxDownload
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, &ipc.Error{Code: ipc.CodeInvalid, What: fmt.Sprintf("it is larger than %d MiB", most>>20),
			Hint: shell.Words("cwagent", "import", path) + " takes its tokens, if it is a kubeconfig"}
	}
	return b, err
}

// parse reads a file that has been found to be a regular one as a kubeconfig; nil
// if there is nothing in it that matters, or nothing yet.
func (e *examination) parse(info os.FileInfo) (*kubeconfig.File, error) {
	b, err := contents(e.f.path, e.f.kind)
	if err != nil || len(b) == 0 { // somebody is about to write it
		return nil, err
	}
	if e.f.kind == ipc.WatchDownload {
		if !bytes.Contains(b, []byte(tokenPrefix)) {
			return nil, nil
		}
		// Nobody may have asked for it, so it is not looked into without consent.
		if why, hint := e.kept(); why != "" {
			e.say(nil, finding{Watch: ipc.Watch{State: ipc.WatchFound, Why: why, Hint: hint}})
			return nil, nil
		}
	}
	f := &kubeconfig.File{Path: e.f.path, Mode: info.Mode().Perm(), Info: info}
	return f.With(b)
}

// concerns reports whether a token is one to look after: CoreWeave's, and of the
// others those that the agent has.
func (e *examination) concerns(token ipc.Secret) bool {
	return agent.IsAPIToken(token) || len(e.Agent.Recognize(token)) > 0
}

// kept says why all tokens of the file are to stay where they are, if they are.
func (e *examination) kept() (why, hint string) {
	e.mu.Lock()
	reaction := e.settings.OnStaticToken
	e.mu.Unlock()
	hint = e.importHint()
	if reaction == Warn {
		return "the config says that it is to be told only", hint
	}
	if e.f.kind == ipc.WatchDownload {
		switch agreed, asked, err := e.Consent.Load(); {
		case err != nil:
			return "not known whether downloads may be taken: " + err.Error(), hint
		case !asked:
			return "nobody has agreed yet that tokens are taken out of downloads", hint + " (at a terminal it asks that, too)"
		case !agreed:
			return "it was not agreed that tokens are taken out of downloads", hint
		}
	}
	if name, shared := e.Shared(e.f.path); shared && !e.Everywhere(e.f.path) {
		return "it lies on " + name + ", and the other machines that share it may not reach this one's store", hint
	}
	return "", ""
}
