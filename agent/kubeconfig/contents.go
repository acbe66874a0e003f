package kubeconfig

import (
	"os"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// readText reads a file. kubectl empties one before it writes it anew, under its
// lock: an empty file with a lock beside it is about to have contents.
func readText(path string) ([]byte, error) {
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockPoll) {
		text, err := os.ReadFile(path)
		if err != nil || len(text) > 0 || time.Now().After(deadline) {
			return text, err
		}
		if _, err := os.Lstat(path + ".lock"); err != nil {
			return os.ReadFile(path) // it may have got them in between
		}
	}
}

// Text returns the file's text as it was read. Tokens may be in it.
func (f *File) Text() []byte { return f.text }

// With returns the file as it would be read with another text in it.
func (f *File) With(text []byte) (*File, error) {
	g := &File{Path: f.Path, Mode: f.Mode, Info: f.Info, text: text}
	return g, g.parse()
}

// ContextNames returns the names of the file's contexts, in its order.
func (f *File) ContextNames() []string {
	var names []string
	for _, c := range f.config.Contexts {
		names = append(names, c.Name)
	}
	return names
}

// Has reports whether the file has a cluster, user or context of that name.
func (f *File) Has(kind, name string) bool {
	switch kind {
	case "user":
		return f.counts[name] > 0
	case "cluster":
		_, has := f.config.clusterOf[name]
		return has
	}
	for _, c := range f.config.Contexts {
		if c.Name == name {
			return true
		}
	}
	return false
}

// ServersOf returns the servers that a user's contexts lead to, each once and not
// yet canonical. files are all of the run, as for Resolve.
func (f *File) ServersOf(user string, files []*File) ([]ipc.Server, error) {
	u := User{Name: user}
	for _, g := range append([]*File{f}, f.elsewhere(&u, files)...) {
		if err := g.addContexts(&u, files); err != nil {
			return nil, err
		}
	}
	return u.Servers, nil
}
