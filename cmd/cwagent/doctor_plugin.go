package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/lazyregexp"
	"github.com/cwagent/cwagent/agent/rewritten"
)

// A program is the plugin as some exec blocks of a file name it.
type program struct {
	file    *kubeconfig.File
	command string
	users   []string
	lines   []string
}

// programs are the plugins that the kubeconfigs name, in their order.
func (p *subject) programs() (all []*program) {
	for _, c := range p.kubeconfigs().calls() {
		i := slices.IndexFunc(all, func(g *program) bool { return g.file == c.file && g.command == c.Command })
		if i < 0 {
			i, all = len(all), append(all, &program{file: c.file, command: c.Command})
		}
		all[i].users = append(all[i].users, kubeconfig.HideTokens(c.User))
		all[i].lines = append(all[i].lines, fmt.Sprint(c.Line))
	}
	return all
}

// lookPlugin judges the paths of the plugin: GUI programs have another PATH and folder
// than a shell, and an upgrade may take a folder away.
func lookPlugin(_ context.Context, p *subject) (found []finding) {
	all := p.programs()
	if len(all) == 0 {
		return []finding{notHere("no kubeconfig names it")}
	}
	installed, err := p.installedPlugin()
	for _, g := range all {
		grade, cause := p.judgeProgram(g, installed)
		if grade == gradeOK {
			continue
		}
		f := finding{Grade: grade, Cause: "kubectl logs in by " + cause,
			Proof: fmt.Sprintf("%s, line %s, user %s: %s", g.file.Path, strings.Join(g.lines, ", "), strings.Join(g.users, ", "), g.command)}
		if installed == "" {
			f.Mend = "install it to a lasting place (" + err.Error() + "), then cwagent doctor --fix"
		} else if sameFile(g.file.Resolved(g.command), installed) && filepath.IsAbs(g.command) {
			f.Mend = "install it to a lasting place, then cwagent doctor --fix"
		} else {
			f.Mend = "have them run " + installed
			f.fix, f.shows = func(ctx context.Context, m mender) error { return m.redirect(ctx, g, installed) }, true
		}
		found = append(found, f)
	}
	return found
}

// judgeProgram says what is wrong with a path, as the end of a sentence.
func (p *subject) judgeProgram(g *program, installed string) (grade, string) {
	path := g.file.Resolved(g.command)
	if !strings.ContainsAny(path, `/\`) {
		if _, err := p.lookPath(path); err != nil {
			return gradeBroken, "a plugin that is not in PATH"
		}
		return gradeWarning, "a plugin without a path, which programs that no shell has started do not find"
	}
	switch {
	case !executable(path):
		return gradeBroken, "a plugin that is not there"
	case !filepath.IsAbs(g.command):
		return gradeWarning, "a relative path of the plugin, which another copy of the kubeconfig does not find"
	case versioned.MatchString(path), cellar().MatchString(path):
		return gradeWarning, "a plugin in a folder that goes with the next upgrade"
	case fleeting(path) != "":
		return gradeWarning, "a plugin in a temporary folder"
	case inBuild(path):
		return gradeWarning, "a plugin in a build folder, which the next build replaces or removes"
	case installed != "" && !sameFile(path, installed):
		return gradeWarning, "another plugin than the installed one, " + installed
	}
	return gradeOK, ""
}

// cellar matches a folder that is named after a version.
var cellar = lazyregexp.New(`/v?[0-9]+\.[0-9]+[^/]*/`)

// inBuild reports whether a program lies where its source is, or go run has put it.
func inBuild(path string) bool {
	dir := filepath.Dir(path)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return true
		}
	}
	return strings.Contains(path, "/go-build")
}

// lookPath is exec.LookPath in the PATH of the cli.
func (c *cli) lookPath(name string) (string, error) {
	if strings.ContainsAny(name, `/\`) {
		return name, nil
	}
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if path := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(path) {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// redirect has users of a file run the installed plugin, after it has shown that.
func (m mender) redirect(ctx context.Context, g *program, installed string) error {
	text, _, err := m.redirected(g.file, g.command, installed, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(m.out, printable(g.file.Path))
	printDiff(m.out, safeDiff(g.file.Text(), text))
	if !m.yes {
		yes, err := m.ask(ctx, "Rewrite the file?")
		if err == nil && !yes {
			err = errLeft
		}
		if err != nil {
			return err
		}
	}
	folder, err := m.rewrittenFiles()
	if err != nil {
		return err
	}
	done, err := folder.Turn()
	if err != nil {
		return err
	}
	defer done()
	records, err := folder.Load()
	if err != nil {
		return err
	}
	var undo []kubeconfig.Undo
	if i := rewritten.Find(records, rewritten.Path(g.file.Path)); i >= 0 {
		undo = records[i].Users
	}
	takeBack := func() error { return nil }
	err = g.file.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
		text, changed, err := m.redirected(f, g.command, installed, undo)
		if err != nil || len(changed) == 0 {
			return text, err
		}
		if err := takeBack(); err != nil { // of an attempt before this one
			return nil, err
		}
		takeBack, err = folder.Note(f, text, m.now(), changed)
		return text, err
	})
	if err != nil {
		_ = takeBack() // what is reported is the reason
		return err
	}
	fmt.Fprintf(m.out, "%s: rewritten\n", printable(g.file.Path))
	return nil
}

// redirected is the text of f with another plugin in the place of command.
func (m mender) redirected(f *kubeconfig.File, command, installed string, undo []kubeconfig.Undo) ([]byte, []kubeconfig.Undo, error) {
	calls := slices.DeleteFunc(f.Calls(), func(c kubeconfig.Call) bool { return c.Command != command })
	if len(calls) == 0 {
		return nil, nil, fail("run it again", "%s: it has changed meanwhile", f.Path)
	}
	return f.Redirect(calls, installed, undo)
}
