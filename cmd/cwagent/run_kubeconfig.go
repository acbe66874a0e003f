package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// kubeconfigOf makes a kubeconfig that leads to the servers of a credential, and to no
// other: with the contexts of the person's own ones, whose names and namespaces they
// know, and for a server that none of those leads to with one after the credential.
func (c *cli) kubeconfigOf(ctx context.Context, a ipc.Agent, name string) ([]byte, error) {
	s, err := a.Status(ctx, ipc.StatusRequest{Name: name, CAs: true})
	if err != nil {
		return nil, err
	}
	m := &mapping{credential: s.Credentials[0]}
	for _, files := range c.ownKubeconfigs() {
		for _, l := range kubeconfig.Leads(files, name) {
			m.own(l)
		}
	}
	why := m.rest()
	if len(m.leads) == 0 {
		return nil, m.nowhere(why)
	}
	plugin, err := c.anyPlugin()
	if err != nil {
		return nil, err
	}
	if len(m.leads) > 1 && !slices.ContainsFunc(m.leads, func(l kubeconfig.Lead) bool { return l.Current }) {
		fmt.Fprintf(c.err, "note: %d contexts use %s, and none is your current one: name one to the program, such as --context %s\n",
			len(m.leads), name, quotedWord(m.leads[0].Context))
	}
	return kubeconfig.Render(m.leads, kubeconfig.Exec{Command: plugin, Credential: name})
}

// ownKubeconfigs are those that kubectl uses, together, and each of the others that
// import has rewritten, alone. What cannot be read leads nowhere.
func (c *cli) ownKubeconfigs() (groups [][]*kubeconfig.File) {
	var all, group []*kubeconfig.File
	read := func(path string) *kubeconfig.File {
		f, err := kubeconfig.Read(path)
		if err != nil || slices.ContainsFunc(all, func(g *kubeconfig.File) bool { return os.SameFile(f.Info, g.Info) }) {
			return nil
		}
		all = append(all, f)
		return f
	}
	for _, path := range c.kubeconfigs(nil) {
		if f := read(path); f != nil {
			group = append(group, f)
		}
	}
	groups = append(groups, group)
	folder, err := c.rewrittenFiles()
	if err != nil {
		return groups
	}
	records, _ := folder.Load()
	for _, r := range records {
		if f := read(r.Path); f != nil {
			groups = append(groups, []*kubeconfig.File{f})
		}
	}
	return groups
}

// anyPlugin is the plugin that import wrote or would write, else the one beside us: a
// file that goes so soon may refer to one that does not stay for long.
func (c *cli) anyPlugin() (string, error) {
	folder, err := c.rewrittenFiles()
	if err != nil {
		return "", err
	}
	path, err := c.chosenPlugin(folder)
	if self, failed := os.Executable(); err != nil && failed == nil {
		if beside := filepath.Join(filepath.Dir(self), kubeconfig.Plugin); executable(beside) {
			return beside, nil
		}
	}
	return path, err
}

// A mapping is which contexts lead to which servers of a credential.
type mapping struct {
	credential ipc.Credential
	leads      []kubeconfig.Lead
	reached    []ipc.Server // canonical
}

// own takes over a context of the person's, if it leads to a server that the
// credential is bound to.
func (m *mapping) own(l kubeconfig.Lead) {
	s, err := agent.Canonical(l.Server)
	if err != nil || !slices.Contains(m.credential.Servers, s) {
		return
	}
	if m.taken(l.Context) { // by a file that is used apart from this one
		if slices.Contains(m.reached, s) {
			return
		}
		l.Context = m.free(l.Context)
	}
	m.leads, m.reached = append(m.leads, l), append(m.reached, s)
}

// rest adds the servers that no context of the person's leads to, and says why it
// cannot.
func (m *mapping) rest() (why []string) {
	for _, s := range m.credential.Servers {
		if slices.Contains(m.reached, s) {
			continue
		}
		ca := m.credential.CAs[s.CASHA256]
		switch {
		case s.ProxySHA256 != "":
			why = append(why, s.URL+": the password of its proxy is in none of your kubeconfigs")
		case s.CASHA256 != "" && ca == nil:
			why = append(why, s.URL+": its certificate authority is in none of your kubeconfigs")
		default:
			l := kubeconfig.Lead{Context: m.free(m.credential.Name), Server: s, CA: ca}
			m.leads, m.reached = append(m.leads, l), append(m.reached, s)
		}
	}
	return why
}

// nowhere is for a credential that leads to no server.
func (m *mapping) nowhere(why []string) error {
	name := m.credential.Name
	if len(why) == 0 {
		return fail("cwagent servers "+name+" --add URL", "run: credential %q is bound to no server", name)
	}
	return fail("name the kubeconfig that leads there in KUBECONFIG, or: cwagent servers "+name+" --add URL --certificate-authority FILE",
		"run: no kubeconfig can be made for credential %q: %s", name, strings.Join(why, "; "))
}

func (m *mapping) taken(context string) bool {
	return slices.ContainsFunc(m.leads, func(l kubeconfig.Lead) bool { return l.Context == context })
}

// free is the name of a context, or the first of it with a number that is not taken.
func (m *mapping) free(context string) string {
	name := context
	for n := 2; m.taken(name); n++ {
		name = fmt.Sprintf("%s-%d", context, n)
	}
	return name
}
