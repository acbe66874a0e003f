package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// lookImport finds the tokens that lie in kubeconfigs because nobody has handed them to
// the agent. Those beside another way to log in are for lookBeside.
func lookImport(_ context.Context, p *subject) []finding {
	k := p.kubeconfigs()
	found := k.none()
	if at, paths := k.static(agent.IsAPIToken); len(paths) > 0 {
		found = append(found, finding{Grade: gradeWarning, Cause: "kubeconfigs were not imported: whoever reads them has " + tokens(len(at)), Proof: strings.Join(at, "; "),
			Mend: "hand them to the agent, and take them out", Command: "cwagent import " + quotedWords(paths), fix: imports(paths...), shows: true})
	}
	// Whether cwagent is to have such a token nobody but the person knows.
	if at, paths := k.static(func(s ipc.Secret) bool { return !agent.IsAPIToken(s) }); len(paths) > 0 {
		found = append(found, finding{Grade: gradeWarning, Cause: "whoever reads kubeconfigs has " + tokens(len(at)) + " of another kind than CoreWeave's", Proof: strings.Join(at, "; "),
			Mend: "if the agent is to hold that, too", Command: "cwagent import --all " + quotedWords(paths)})
	}
	return found
}

// static are the users whose token, of one kind, stands in a file, and those files. One
// command imports them all, because the files of KUBECONFIG refer to each other.
func (k kubeconfigs) static(kind func(ipc.Secret) bool) (at, paths []string) {
	for _, f := range k.files {
		for _, u := range f.Users {
			if u.Beside != "" || u.Ours != "" || !kind(u.Token) {
				continue
			}
			at = append(at, fmt.Sprintf("%s, line %d, user %s", f.Path, u.Line, kubeconfig.HideTokens(u.Name)))
			if !slices.Contains(paths, f.Path) {
				paths = append(paths, f.Path)
			}
		}
	}
	return at, paths
}
