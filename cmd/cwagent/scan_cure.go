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
	var names, dead []string
	for _, cred := range status.Credentials {
		switch cred.State {
		case ipc.StateExpired, ipc.StateRefused, ipc.StateEmpty:
			dead = append(dead, cred.Name)
		default:
			names = append(names, cred.Name)
		}
	}
	if len(names) == 0 {
		names = dead // it wants another token first, as run then says
	}
	if len(names) == 1 {
		return cure{name: names[0]}
	}
	return cure{name: "NAME", choice: names}
}

// words say what to do about the finds of one file, which are of one kind: lines, of
// which those that begin with blanks are commands.
func (c cure) words(found []find) []string {
	f := found[0]
	switch kind := cleartext.Kind(f.Kind); {
	case kind == kindKubeconfig:
		return c.ofKubeconfig(found)
	case kind == cleartext.History:
		return fromHistory(f.File, found)
	case kind == cleartext.State:
		return c.run("states are copied; the provider reads the environment, too:", nil, "terraform apply")
	case kind == cleartext.Variables || inTerraform(f.File):
		return append(c.run("delete the variable, and token = of the provider coreweave:", nil, "terraform apply"),
			"plan files may hold it, too: delete those")
	case kind == cleartext.Pulumi:
		return c.run("delete the line, and have the provider read the environment:", nil, "pulumi up")
	case kind == cleartext.Ansible:
		return c.run(`write "{{ lookup('env', 'COREWEAVE_API_TOKEN') }}" in its place:`, nil, "ansible-playbook PLAYBOOK")
	case kind == cleartext.S3:
		return c.say("delete the line, and use the profile that this adds:", "cwagent aws "+c.name+" --profile cw --write")
	case kind == cleartext.CWIC:
		return []string{"cwic can keep it in the keyring (cwic auth login --help); or:",
			command("cwic auth token | cwagent add NEW-NAME"), command("cwic auth logout")}
	case kind == cleartext.Shell:
		return c.ofShell(found)
	case kind == cleartext.Netrc:
		return c.say("delete the line; curl can read it from a pipe, not an argument:",
			"cwagent token "+c.name+" --raw | sed 's/^/Authorization: Bearer /' |", "    curl -H @- URL")
	case kind == cleartext.Other:
		return c.run("delete it, if the program can read it from its environment:", nil, "COMMAND")
	}
	return c.run("delete the line, and give it to what needs it:", variablesOf(found), "COMMAND")
}

// inTerraform reports whether a file of no known kind is a configuration of Terraform.
func inTerraform(file string) bool {
	return strings.HasSuffix(file, ".tf") || strings.HasSuffix(file, ".tf.json")
}

// ofShell is for what a shell or a login reads: where they got it, they have it still.
func (c cure) ofShell(found []find) []string {
	vars := variablesOf(found)
	if filepath.Base(found[0].File) == "fish_variables" && len(vars) > 0 {
		return append(c.run("give it to what needs it, and in fish erase it:", vars, "COMMAND"), command("set --erase "+strings.Join(vars, " ")))
	}
	lines := append(c.run("delete the line, and give it to what needs it:", vars, "COMMAND"), "shells that are open have it still")
	if filepath.Base(filepath.Dir(found[0].File)) == "environment.d" {
		// systemctl --user unset-environment does not reach what came from there.
		lines = append(lines[:len(lines)-1], "programs that run have it still; have systemd read it again:", command("systemctl --user daemon-reload"))
	}
	return lines
}

// ofKubeconfig is for users' tokens, which come first, and for others, which import leaves.
func (c cure) ofKubeconfig(found []find) []string {
	beside := slices.IndexFunc(found, func(f find) bool { return len(f.Command) == 0 })
	if beside == 0 {
		return c.run("import leaves what is no user's token: delete the line, and use", nil, "COMMAND")
	}
	lines := []string{command(quotedWords(found[0].Command))}
	if beside > 0 {
		lines = append(lines, "import leaves what is no user's token: delete these lines")
	}
	return lines
}

// command marks a line as one that can be copied.
func command(line string) string { return "  " + line }

// say is a sentence and the commands that it speaks of. Where the agent has no token
// yet, one that adds it comes first.
func (c cure) say(sentence string, commands ...string) []string {
	lines := []string{sentence}
	if c.none {
		lines = append(lines, command("cwagent add NAME"))
	}
	for _, line := range commands {
		lines = append(lines, command(line))
	}
	return lines
}

// run gives a program the token in its environment.
func (c cure) run(sentence string, vars []string, program string) []string {
	words := "cwagent run " + c.name
	switch {
	case slices.Equal(vars, cleartext.Known[:1]):
	case len(vars) > 4:
		words += " --env VARIABLE..."
	default:
		for _, v := range vars {
			words += " --env " + v
		}
	}
	return c.say(sentence, words+" -- "+program)
}

// another replaces a token that others may have seen.
func (c cure) another() string {
	if c.none {
		return "make another in the Console, and delete the old one there"
	}
	return "cwagent rotate " + c.name + ", and delete the old one in the Console"
}

// variablesOf returns the variables that have the token, each once, if a program can get
// all of them.
func variablesOf(found []find) (vars []string) {
	for _, f := range found {
		if strings.EqualFold(f.Variable, "authorization") {
			continue // a header's
		}
		if v := f.Variable; environmentName().MatchString(f.Variable) && !slices.Contains(vars, v) {
			vars = append(vars, v)
		}
	}
	return vars
}

// fromHistory takes lines out of a history. A shell writes what was typed into it when it
// ends, so that this one must end without.
func fromHistory(file string, found []find) []string {
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
		lines := []string{"in fish:"}
		for _, p := range patterns {
			lines = append(lines, command("history delete --contains "+p))
		}
		return lines
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
	return []string{"close all other shells; kill ends this one before it saves:",
		command(inPlace + " \\"), command("    " + quotedWord(file) + " &&"), command("kill -9 $$")}
}
