package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/cleartext"
	"github.com/cwagent/cwagent/ipc"
)

// kindKubeconfig is the kind of a find that import takes out.
const kindKubeconfig = "kubeconfig"

// A cure says what to do about tokens. It names the credential that a running agent
// has, if it is the only one. Whether it is that token nobody asks: what was found is
// sent nowhere.
type cure struct {
	name   string   // of the credential, or NAME
	none   bool     // no agent is known to have one
	choice []string // what NAME may be
}

// askWait is how long an agent is asked for the names that it has.
const askWait = 2 * time.Second

// newCure asks an agent that runs. One that does not answer, or is locked, has none.
func (c *cli) newCure(ctx context.Context) cure {
	a, err := c.running()
	if err != nil {
		return cure{name: "NAME", none: true}
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	status, err := a.Status(ctx, ipc.StatusRequest{})
	if err != nil || len(status.Credentials) == 0 {
		return cure{name: "NAME", none: true}
	}
	if len(status.Credentials) == 1 {
		return cure{name: status.Credentials[0].Name}
	}
	var names []string
	for _, cred := range status.Credentials {
		names = append(names, cred.Name)
	}
	return cure{name: "NAME", choice: names}
}

// words say what to do about the finds of one file, which are of one kind.
func (c cure) words(found []find) string {
	f := found[0]
	switch kind := cleartext.Kind(f.Kind); kind {
	case kindKubeconfig:
		return c.ofKubeconfig(found)
	case cleartext.History:
		return fromHistory(f.File, found) + "; others may have read it: " + c.another()
	case cleartext.State:
		return "the provider takes it from its environment: " + c.run(nil, "terraform apply") + "; states are copied: " + c.another()
	case cleartext.Variables:
		return c.run(variablesOf(found, "TF_VAR_"), "terraform apply") + ", and delete the line"
	case cleartext.Pulumi:
		return c.run(nil, "pulumi up") + ", and delete the line"
	case cleartext.Ansible:
		return c.run(nil, "ansible-playbook PLAYBOOK") + `, and in its place "{{ lookup('env', 'COREWEAVE_API_TOKEN') }}"`
	case cleartext.S3:
		return c.first() + "cwagent aws " + c.name + " --profile cw --write, delete the line, and use that profile"
	case cleartext.CWIC:
		return "cwic can keep it in the keyring (cwic auth login --help); or cwic auth token | cwagent add NAME, then cwic auth logout"
	case cleartext.Shell:
		if vars := variablesOf(found, ""); filepath.Base(f.File) == "fish_variables" && len(vars) > 0 {
			return c.run(vars, "COMMAND") + "; in fish: set --erase " + strings.Join(vars, " ")
		}
		return c.run(variablesOf(found, ""), "COMMAND") + ", and delete the line; shells that are open have it still"
	case cleartext.Netrc:
		return c.run(nil, "COMMAND") + ", and delete the line"
	case cleartext.Other:
		return c.run(nil, "COMMAND") + " where a program can read it from its environment, and take it out of the file"
	default:
		return c.run(variablesOf(found, ""), "COMMAND") + ", and delete the line"
	}
}

// ofKubeconfig is for users' tokens, which come first, and for others, which import leaves.
func (c cure) ofKubeconfig(found []find) string {
	beside := slices.IndexFunc(found, func(f find) bool { return len(f.Command) == 0 })
	switch beside {
	case -1:
		return quotedWords(found[0].Command)
	case 0:
		return "it is no user's token, which import takes out: " + c.run(nil, "COMMAND") + ", and delete the line"
	}
	return quotedWords(found[0].Command) + "; import leaves what is no user's token: delete these lines"
}

// first is what comes before all else where the agent has no token yet.
func (c cure) first() string {
	if c.none {
		return "cwagent add NAME, then "
	}
	return ""
}

// run gives a command the token in its environment.
func (c cure) run(vars []string, command string) string {
	words := c.first() + "cwagent run " + c.name
	switch {
	case slices.Equal(vars, cleartext.Known[:1]):
	case len(vars) > 4:
		words += " --env VARIABLE..."
	default:
		for _, v := range vars {
			words += " --env " + v
		}
	}
	return words + " -- " + command
}

// another replaces a token that others may have seen.
func (c cure) another() string {
	if c.none {
		return "make another in the Console, and delete this one there"
	}
	return "cwagent rotate " + c.name + ", and delete the old one in the Console"
}

// variablesOf returns the variables that have the token, each once, if a program can get
// all of them.
func variablesOf(found []find, prefix string) (vars []string) {
	for _, f := range found {
		if strings.EqualFold(f.Variable, "authorization") {
			continue // a header's
		}
		if v := prefix + f.Variable; environmentName.MatchString(f.Variable) && !slices.Contains(vars, v) {
			vars = append(vars, v)
		}
	}
	return vars
}

// fromHistory takes lines out of a history. A shell writes what was typed into it when it
// ends, so that this one must end without.
func fromHistory(file string, found []find) string {
	var patterns []string
	for _, f := range found {
		p := tokenPrefix
		if !f.prefixed {
			p = f.Variable
		}
		if !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	if filepath.Base(file) == "fish_history" {
		return "in fish: history delete --contains " + strings.Join(patterns, "; history delete --contains ")
	}
	inPlace := "sed -i"
	if runtime.GOOS == "darwin" {
		inPlace = "sed -i ''"
	}
	if info, err := os.Lstat(file); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			file = real // sed would put a file in the place of the link, and leave the one that it leads to
		}
	}
	for _, p := range patterns {
		inPlace += " -e '/" + p + "/d'"
	}
	return "close all other shells, then " + inPlace + " " + quotedWord(file) + " && kill -9 $$ (a shell that ends as usual may write it back)"
}
