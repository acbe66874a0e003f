package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// A merge is what is added to the kubeconfig that kubectl uses.
type merge struct {
	Target   string   `json:"target"`
	New      bool     `json:"new"` // it is made
	Contexts []string `json:"contexts"`
	Diff     string   `json:"diff,omitempty"`
	Done     bool     `json:"done"`

	names map[string]string // new names by file, kind and name: what was decided
}

// target is the kubeconfig that kubectl writes to.
func (c *cli) target() string {
	for _, f := range filepath.SplitList(c.getenv("KUBECONFIG")) {
		if f != "" {
			return f
		}
	}
	return filepath.Join(c.getenv("HOME"), ".kube", "config")
}

// readTarget returns nil for a file that is not there yet.
func readTarget(path string) (*kubeconfig.File, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return kubeconfig.Read(path)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fail("make the file that it leads to, or remove it", "--merge: %s is a link that leads nowhere", path)
	}
	return nil, nil
}

// planMerge finds out what is added, and settles the names with the person while
// nothing has been changed yet.
func (p *planner) planMerge(ctx context.Context) error {
	m := &merge{Target: p.target(), New: p.into == nil, names: map[string]string{}}
	p.merge = m
	var before []byte
	if p.into != nil {
		if err := p.into.Writable(); err != nil {
			return err
		}
		before = p.into.Text()
	}
	if err := p.checkAsked(); err != nil {
		return err
	}
	into, after := p.into, before
	for _, f := range p.files {
		edited, err := p.edited(f)
		if err != nil {
			return err
		}
		had := into
		if after, err = kubeconfig.Merge(into, edited, func(kind, name string) (string, error) {
			fresh, err := p.newName(ctx, kind, name, had, edited)
			m.names[f.Path+"\n"+kind+"\n"+name] = fresh
			return fresh, err
		}); err != nil {
			return err
		}
		if into == nil {
			into = &kubeconfig.File{Path: m.Target}
		}
		if into, err = into.With(after); err != nil {
			return err
		}
	}
	for _, name := range into.ContextNames() {
		if p.into == nil || !p.into.Has("context", name) {
			m.Contexts = append(m.Contexts, name)
		}
	}
	if p.showsDiff() {
		m.Diff = safeDiff(before, after)
	}
	return nil
}

// edited is a file as the import is going to leave it.
func (p *planner) edited(f *kubeconfig.File) (*kubeconfig.File, error) {
	for _, pl := range p.plans {
		if pl.file != f {
			continue
		}
		text, _, err := f.Edit(pl.changes())
		if err != nil {
			return nil, err
		}
		if f, err = f.With(text); err != nil {
			return nil, err
		}
		break
	}
	if len(f.Users) > 0 {
		return nil, fail("--all imports it as well, or take it out of the file",
			"--merge: %s: user %s would bring its token along in clear", f.Path, printable(kubeconfig.HideTokens(f.Users[0].Name)))
	}
	return f, nil
}

// mergeNow adds to the target what the files hold by now, under the names that
// were settled.
func (p *planner) mergeNow() error {
	m := p.merge
	done, err := p.folder.Turn()
	if err != nil {
		return err
	}
	defer done()
	for _, f := range p.files {
		from, err := kubeconfig.Read(f.Path)
		if err != nil {
			return err
		}
		settled := func(kind, name string) (string, error) {
			if fresh := m.names[f.Path+"\n"+kind+"\n"+name]; fresh != "" {
				return fresh, nil
			}
			return "", fail("run the command again", "--merge: %s has changed meanwhile: it has another %s %q", m.Target, kind, name)
		}
		if err := p.mergeInto(m.Target, from, settled); err != nil {
			return err
		}
	}
	m.Done = true
	if p.flags.output == "json" {
		return nil
	}
	if len(m.Contexts) == 0 {
		fmt.Fprintf(p.out, "%s: it has all of it already\n", printable(m.Target))
		return nil
	}
	fmt.Fprintf(p.out, "%s: added %s\n", printable(m.Target), printable(strings.Join(m.Contexts, ", ")))
	for _, name := range m.Contexts {
		fmt.Fprintf(p.out, "  kubectl config use-context %s\n", quotedWord(name))
	}
	if len(p.plans) == 0 { // else it was said with the rest
		p.noteUndo([]string{m.Target})
	}
	return nil
}

// mergeInto adds one file to the target, after what restore needs to take it out
// again is noted.
func (p *planner) mergeInto(target string, from *kubeconfig.File, rename func(kind, name string) (string, error)) (err error) {
	takeBack := func() error { return nil }
	defer func() {
		if err != nil {
			err = errors.Join(err, takeBack())
		}
	}()
	edit := func(into *kubeconfig.File) ([]byte, error) {
		text, err := kubeconfig.Merge(into, from, rename)
		if err != nil || into != nil && bytes.Equal(text, into.Text()) {
			return text, err
		}
		if err := takeBack(); err != nil { // of an attempt before this one
			return nil, err
		}
		was := into
		if was == nil {
			was = &kubeconfig.File{Path: target}
		}
		merged, err := was.With(text)
		if err != nil {
			return nil, err
		}
		takeBack, err = p.folder.NoteMerge(was, text, p.now(), merged.AddedTo(into))
		return text, err
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		return kubeconfig.Rewrite(target, edit)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fail("look at the folder", "--merge: %v", err)
	}
	text, err := edit(nil)
	if err != nil {
		return err
	}
	return kubeconfig.Create(target, text)
}

// printMerge shows what is going to be added.
func (p *planner) printMerge() {
	if p.merge == nil {
		return
	}
	fmt.Fprintln(p.out, printable(p.merge.Target))
	what := "nothing: it has all of it already"
	if len(p.merge.Contexts) > 0 {
		what = "context " + printable(strings.Join(p.merge.Contexts, ", "))
	}
	if p.merge.New {
		what += " (the file is made)"
	}
	fmt.Fprintf(p.out, "  adds        %s\n", what)
	printDiff(p.out, p.merge.Diff)
}

// mergeFiles are the files to merge: those named, or downloads.
func (p *planner) mergeFiles(named []string) error {
	into, err := readTarget(p.target())
	if err != nil {
		return err
	}
	p.into = into
	if slices.ContainsFunc(named, func(path string) bool { return sameFile(path, p.target()) }) {
		return fail("name the download", "--merge: %s is the file that is added to", p.target())
	}
	return nil
}
