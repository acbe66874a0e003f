package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Watch says where static tokens are looked for, and what is done about them.
type Watch struct {
	Kubeconfigs   []string // absolute; beside those that import has rewritten
	Downloads     []string // folders; absolute
	OnStaticToken Reaction
}

// A Reaction is what is done about a static token.
type Reaction string

// The reactions.
const (
	ReactAbsorb Reaction = "absorb" // the agent takes it
	ReactWarn   Reaction = "warn"   // the agent says it
	ReactIgnore Reaction = "ignore" // nothing is looked at
)

var reactions = []Reaction{ReactAbsorb, ReactWarn, ReactIgnore}

// defaultWatch is what holds without a file: where kubectl and browsers write.
// Without a home nothing is watched.
func defaultWatch() Watch {
	w := Watch{OnStaticToken: ReactAbsorb}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		w.Kubeconfigs = []string{filepath.Join(home, ".kube", "config")}
		w.Downloads = []string{filepath.Join(home, "Downloads")}
	}
	return w
}

// watching is Watch as it is written.
type watching struct {
	Kubeconfigs   list  `yaml:"kubeconfigs"`
	Downloads     list  `yaml:"downloads"`
	OnStaticToken value `yaml:"onStaticToken"`
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *watching) UnmarshalYAML(n *yaml.Node) error {
	type plain watching
	return strict(n, (*plain)(f))
}

func (f *watching) fill(w *Watch, dir string) error {
	if f.OnStaticToken.given() {
		if err := proper("watch.onStaticToken", f.OnStaticToken); err != nil {
			return err
		}
		w.OnStaticToken = Reaction(f.OnStaticToken.text)
		if !slices.Contains(reactions, w.OnStaticToken) {
			return f.OnStaticToken.problem(fmt.Sprintf("watch.onStaticToken: %+.40q is none of absorb, warn and ignore", w.OnStaticToken), "absorb is the default")
		}
	}
	for _, l := range []struct {
		key  string
		from list
		to   *[]string
	}{{"watch.kubeconfigs", f.Kubeconfigs, &w.Kubeconfigs}, {"watch.downloads", f.Downloads, &w.Downloads}} {
		if l.from == nil {
			continue
		}
		var err error
		if *l.to, err = l.from.paths(l.key, dir); err != nil {
			return err
		}
	}
	return nil
}

// paths reads a list of paths, each once. It is empty, not nil, where the file
// says so.
func (l list) paths(key, dir string) ([]string, error) {
	if err := proper(key, l...); err != nil {
		return nil, err
	}
	all := []string{}
	for _, v := range l {
		path, err := expand(v.text, dir)
		switch {
		case err != nil:
			return nil, v.problem(key+": "+err.Error(), "an absolute path, or one that begins with ~/")
		case path == "":
			return nil, v.problem(key+": an empty path", "an absolute path, or one that begins with ~/")
		case slices.Contains(all, path):
			return nil, v.problem(key+": it is in the list already", "one entry a path")
		}
		all = append(all, path)
	}
	return all, nil
}
