package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

func lookKubeconfigs(_ context.Context, p *subject) (found []finding) {
	k := p.kubeconfigs()
	for _, err := range k.unread {
		f := finding{Grade: gradeBroken, Cause: "a kubeconfig cannot be read", Proof: kubeconfig.HideTokens(err.Error()), Mend: "mend it by hand"}
		var e *ipc.Error
		if errors.As(err, &e) && e.Hint != "" && e.Hint != "name a kubeconfig" { // as import says to who named this one
			f.Mend = e.Hint
		}
		found = append(found, f)
	}
	if paths := p.getenv("KUBECONFIG"); paths != "" && !slices.ContainsFunc(filepath.SplitList(paths), exists) {
		found = append(found, finding{Grade: gradeWarning, Cause: "KUBECONFIG names nothing that is there: kubectl knows no cluster", Proof: "KUBECONFIG is " + paths,
			Mend: "correct it, or take ~/.kube/config", Command: "unset KUBECONFIG"})
	}
	if len(found) == 0 {
		return k.none()
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !os.IsNotExist(err)
}

// none says so where there is nothing to look at.
func (k kubeconfigs) none() []finding {
	if len(k.files) == 0 {
		return []finding{notHere("there is no kubeconfig")}
	}
	return nil
}

// inFiles looks at each kubeconfig.
func (p *subject) inFiles(look func(*kubeconfig.File) []finding) []finding {
	k := p.kubeconfigs()
	found := k.none()
	for _, f := range k.files {
		found = append(found, look(f)...)
	}
	return found
}

// imports returns a fix that imports files: it shows its plan, and asks.
func imports(paths ...string) func(context.Context, mender) error {
	return func(ctx context.Context, m mender) error {
		plugin, err := m.installedPlugin()
		if err != nil {
			return err
		}
		return m.runImport(ctx, paths, importFlags{yes: m.yes, output: "text", pluginPath: plugin})
	}
}

// lookBeside finds tokens that win over an exec block in silence (kubernetes#87369).
func lookBeside(_ context.Context, p *subject) []finding {
	return p.inFiles(func(f *kubeconfig.File) (found []finding) {
		for _, u := range f.Users {
			name := kubeconfig.HideTokens(u.Name)
			bad := finding{Grade: gradeBroken, Proof: fmt.Sprintf("%s, line %d, user %s", f.Path, u.Line, name)}
			switch {
			case u.Ours != "":
				bad.Cause = fmt.Sprintf("a token stands beside the exec block of credential %s: %s, which lies there in clear", u.Ours, u.WithBoth())
				bad.Mend, bad.Command = "hand it to the agent, and take it out", "cwagent import "+quotedWord(f.Path)
				bad.fix, bad.shows = imports(f.Path), true
			case u.Beside != "":
				bad.Cause = fmt.Sprintf("%s stands beside the token of user %s: %s", u.Beside, name, u.WithBoth())
				bad.Mend = "remove the one that you do not want"
			default:
				continue
			}
			found = append(found, bad)
		}
		return found
	})
}

// lookUsers finds users of one name: kubectl takes the first, in silence. In the
// Console's downloads each is called token.
func lookUsers(_ context.Context, p *subject) (found []finding) {
	k := p.kubeconfigs()
	where := map[string][]*kubeconfig.File{}
	var names []string
	for _, f := range k.merged {
		seen := map[string]bool{}
		for _, name := range f.Names {
			if !seen[name] && where[name] == nil {
				names = append(names, name)
			}
			if seen[name] = true; !slices.Contains(where[name], f) {
				where[name] = append(where[name], f)
			}
		}
	}
	found = p.inFiles(twice)
	for _, name := range names {
		if len(where[name]) < 2 || sameWay(name, where[name]) {
			continue
		}
		var paths []string
		for _, f := range where[name] {
			paths = append(paths, f.Path)
		}
		c := finding{Grade: gradeBroken, Cause: fmt.Sprintf("user %s stands in %d files of KUBECONFIG: kubectl takes the first one for all", kubeconfig.HideTokens(name), len(paths)),
			Proof: strings.Join(paths, ", "), Mend: "give each a name of its own, which its contexts name"}
		if name == "token" && slices.ContainsFunc(where[name], hasToken) {
			c.Mend, c.Command = "import them, which gives each a name of its own", "cwagent import "+quotedWords(paths)
			c.fix, c.shows = imports(paths...), true
		}
		found = append(found, c)
	}
	return found
}

// sameWay reports whether users of one name log in the same way in all files: then it
// does not matter which one kubectl takes.
func sameWay(name string, files []*kubeconfig.File) bool {
	first := wayOf(name, files[0])
	return first != "" && !slices.ContainsFunc(files[1:], func(f *kubeconfig.File) bool { return wayOf(name, f) != first })
}

// wayOf is how the user of that name logs in, if it is by us or by a token.
func wayOf(name string, f *kubeconfig.File) string {
	for _, u := range f.Users {
		if u.Name == name {
			return fmt.Sprintf("%x", agent.Sum(u.Token))
		}
	}
	for _, c := range f.Calls() {
		if c.User == name {
			return c.Credential
		}
	}
	return ""
}

func hasToken(f *kubeconfig.File) bool {
	return slices.ContainsFunc(f.Users, func(u kubeconfig.User) bool { return u.Name == "token" })
}

// twice finds the names that several users of one file have. Which context means which
// of them nobody can tell any more. (kubectl 1.36 refuses such a file, with all that its
// users have in the message.)
func twice(f *kubeconfig.File) (found []finding) {
	count := map[string]int{}
	for _, name := range f.Names {
		if count[name]++; count[name] == 2 {
			found = append(found, finding{Grade: gradeBroken, Cause: fmt.Sprintf("several users are called %s: kubectl refuses the file, and shows what is in it", kubeconfig.HideTokens(name)),
				Proof: f.Path, Mend: "if kubectl has shown tokens, make others; take the second one out with its cluster and context, and add it as it came, which gives it a name of its own", Command: "cwagent import --merge DOWNLOAD"})
		}
	}
	return found
}

// staleLock is how old a lock is that nobody holds any more: kubectl's are there for
// milliseconds.
const staleLock = 10 * time.Second

// lookLock finds what kubectl config and others stumble over.
func lookLock(_ context.Context, p *subject) []finding {
	return p.inFiles(func(f *kubeconfig.File) []finding {
		lock := f.Path + ".lock"
		info, err := os.Lstat(lock)
		if err != nil || p.now().Sub(info.ModTime()) < staleLock {
			return nil
		}
		return []finding{{Grade: gradeBroken, Cause: "a lock is left beside a kubeconfig: nothing can change that file", Proof: fmt.Sprintf("%s, there since %s", lock, info.ModTime().Local().Format("2 Jan 15:04:05")),
			Mend: "remove the lock, if no kubectl is changing the file", Command: "rm " + quotedWord(lock),
			fix: func(ctx context.Context, m mender) error {
				if kubeconfig.SweepLock(f.Path) {
					return errors.New("a cwagent that runs holds it")
				}
				if _, err := os.Lstat(lock); err != nil {
					return nil // it was a dead cwagent's
				}
				return removes(lock, info)(ctx, m)
			}}}
	})
}

// lookMode finds kubeconfigs that others may read, or worse.
func lookMode(_ context.Context, p *subject) []finding {
	if runtime.GOOS == "windows" {
		return []finding{notHere("Windows has no modes")}
	}
	return p.inFiles(func(f *kubeconfig.File) []finding {
		if f.Mode&0o077 == 0 {
			return nil
		}
		bad := finding{Grade: gradeWarning, Cause: "others can read a kubeconfig", Proof: fmt.Sprintf("%s: mode %04o", f.Path, f.Mode),
			Mend: "close it to them", Command: "chmod go= " + quotedWord(f.Path), fix: func(context.Context, mender) error { return os.Chmod(f.Path, f.Mode&^0o077) }}
		switch {
		case f.Mode&0o022 != 0:
			bad.Grade, bad.Cause = gradeBroken, "others can write a kubeconfig, which says what programs kubectl runs as you"
		case len(f.Users) > 0:
			bad.Grade, bad.Cause = gradeBroken, fmt.Sprintf("others can read a kubeconfig with %s in clear", tokens(len(f.Users)))
		}
		return []finding{bad}
	})
}

func tokens(n int) string {
	if n == 1 {
		return "a token"
	}
	return fmt.Sprintf("%d tokens", n)
}
