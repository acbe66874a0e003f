package config

import (
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// A Source says where the next token of a credential comes from. At most one
// field is set; with none, a person brings it.
type Source struct {
	Command        *Command
	File           *File
	ServiceAccount *ServiceAccount
}

// A Command is a program that prints a token.
type Command struct {
	Argv     []string      // never empty; the first is an absolute path
	Env      []string      // NAME, passed on from the agent, or NAME=VALUE
	Timeout  time.Duration // 1 s to 5 min; 30 s where the file does not say
	Lifetime time.Duration // of a token that does not say its end; 0: not known
}

// A File is one that something else refreshes.
type File struct {
	Path     string        // absolute
	Lifetime time.Duration // of a token that does not say its end; 0: not known
}

// source is one as it is written.
type source struct {
	Command        commandSource `yaml:"command"`
	File           fileSource    `yaml:"file"`
	ServiceAccount accountSource `yaml:"serviceAccount"`

	line int
}

type commandSource struct {
	Argv     list  `yaml:"argv"`
	Env      list  `yaml:"env"`
	Timeout  value `yaml:"timeout"`
	Lifetime value `yaml:"lifetime"`

	line int
}

type fileSource struct {
	Path     value `yaml:"path"`
	Lifetime value `yaml:"lifetime"`

	line int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *source) UnmarshalYAML(n *yaml.Node) error {
	type plain source
	f.line = n.Line
	return strict(n, (*plain)(f))
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *commandSource) UnmarshalYAML(n *yaml.Node) error {
	type plain commandSource
	f.line = n.Line
	return strict(n, (*plain)(f))
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *fileSource) UnmarshalYAML(n *yaml.Node) error {
	type plain fileSource
	f.line = n.Line
	return strict(n, (*plain)(f))
}

// source judges what the credential of that name has.
func (f *source) source(name, dir string) (s Source, err error) {
	if f.line == 0 {
		return s, nil
	}
	given := 0
	for _, line := range []int{f.Command.line, f.File.line, f.ServiceAccount.line} {
		if line > 0 {
			given++
		}
	}
	switch {
	case given == 0:
		return s, &problem{f.line, "source: none of command, file and serviceAccount", "exactly one; without a source a person brings the next token"}
	case given > 1:
		return s, &problem{f.line, "source: more than one of command, file and serviceAccount", "exactly one"}
	case f.Command.line > 0:
		s.Command, err = f.Command.command()
	case f.File.line > 0:
		s.File, err = f.File.file(dir)
	default:
		s.ServiceAccount, err = f.ServiceAccount.account(name)
	}
	return s, err
}

func (f *commandSource) command() (*Command, error) {
	c := &Command{Timeout: 30 * time.Second}
	if len(f.Argv) == 0 {
		return nil, missing(f.line, "source.command.argv", "argv: [/path/to/PROGRAM, ARGUMENT, ...]")
	}
	if err := proper("source.command.argv", f.Argv...); err != nil {
		return nil, err
	}
	if program := f.Argv[0]; !filepath.IsAbs(program.text) {
		return nil, program.problem("source.command.argv: the program is not an absolute path",
			"a service has another PATH than your shell, where command -v PROGRAM shows the path")
	}
	for _, v := range f.Argv {
		c.Argv = append(c.Argv, v.text)
	}
	var err error
	if c.Env, err = environment(f.Env); err != nil {
		return nil, err
	}
	if f.Timeout.given() {
		if c.Timeout, err = duration("source.command.timeout", f.Timeout, "30s or 2m"); err != nil {
			return nil, err
		}
		if c.Timeout < time.Second || c.Timeout > 5*time.Minute {
			return nil, f.Timeout.problem("source.command.timeout: not from 1s to 5m", "a program that waits for a person is no source")
		}
	}
	c.Lifetime, err = lifetime("source.command.lifetime", f.Lifetime)
	return c, err
}

// variable is a variable that any shell could set.
var variable = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// environment reads the variables of a command. Ours are not for it: it would
// find another agent, or this one, and wait for itself.
func environment(l list) ([]string, error) {
	const key = "source.command.env"
	if err := proper(key, l...); err != nil {
		return nil, err
	}
	var all []string
	seen := map[string]bool{}
	for _, v := range l {
		name, _, _ := strings.Cut(v.text, "=")
		switch {
		case !variable().MatchString(name):
			return nil, v.problem(key+": neither NAME nor NAME=VALUE", "NAME is passed on from the agent, NAME=VALUE is set")
		case strings.HasPrefix(strings.ToUpper(name), "CWAGENT_"):
			return nil, v.problem(key+": the variables of cwagent are not for a command", "a source does not ask the agent that asks it")
		case seen[name]:
			return nil, v.problem(key+": it is in the list already", "one entry a variable")
		}
		seen[name] = true
		all = append(all, v.text)
	}
	return all, nil
}

func (f *fileSource) file(dir string) (*File, error) {
	const key = "source.file.path"
	if f.Path.text == "" {
		return nil, missing(f.line, key, "path: FILE, absolute or relative to the config's folder")
	}
	if err := proper(key, f.Path); err != nil {
		return nil, err
	}
	path, err := expand(f.Path.text, dir)
	if err != nil {
		return nil, f.Path.problem(key+": "+err.Error(), "the absolute path of a file")
	}
	life, err := lifetime("source.file.lifetime", f.Lifetime)
	return &File{Path: path, Lifetime: life}, err
}

// lifetime reads one that need not be there.
func lifetime(key string, v value) (time.Duration, error) {
	if !v.given() {
		return 0, nil
	}
	return duration(key, v, "8h or 30d")
}
