package config

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// file is config.yaml as it is written. Values are kept with their lines, and
// judged when all is read.
//
// A struct with an UnmarshalYAML, or below one, is decoded by strict: yaml.v3
// forgets KnownFields there.
type file struct {
	Store       value        `yaml:"store"`
	CoreWeave   coreWeave    `yaml:"coreweave"`
	WarnBefore  []value      `yaml:"warnBefore"`
	Watch       watching     `yaml:"watch"`
	LogLevel    value        `yaml:"logLevel"`
	LockAfter   value        `yaml:"lockAfter"`
	Metrics     measuring    `yaml:"metrics"`
	Notices     value        `yaml:"notices"`
	Credentials []credential `yaml:"credentials"`

	lines []int // of the entries of Credentials
}

type coreWeave struct {
	Endpoint value `yaml:"endpoint"`
	CAFile   value `yaml:"caFile"`
}

type credential struct {
	Name    value      `yaml:"name"`
	MaxAge  value      `yaml:"maxAge"`
	Servers serverList `yaml:"servers"`
	Source  source     `yaml:"source"`
}

// A value is one word of the file.
type value struct {
	text string
	line int // 0: the file does not have it
}

// UnmarshalYAML implements yaml.Unmarshaler. YAML's own types do not matter:
// a credential may be named 7.
func (v *value) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return &problem{n.Line, "one value is wanted here, not " + kinds[n.Kind], seeSample}
	}
	*v = value{n.Value, n.Line}
	return nil
}

var kinds = map[yaml.Kind]string{yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}

func (v value) given() bool { return v.line > 0 }

func (v value) problem(why, hint string) error { return &problem{v.line, why, hint} }

func (f *coreWeave) fill(c *CoreWeave, dir string) error {
	if f.Endpoint.given() {
		u, err := url.Parse(f.Endpoint.text)
		switch {
		case err != nil || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			return f.Endpoint.problem("coreweave.endpoint: not of the form https://HOST[:PORT]", "the default is https://api.coreweave.com")
		case u.User != nil:
			return f.Endpoint.problem("coreweave.endpoint: a user name has no place in it", "the default is https://api.coreweave.com")
		case u.Scheme != "https":
			return f.Endpoint.problem("coreweave.endpoint: only https, because tokens are sent there", "https://"+u.Host)
		}
		c.Endpoint = "https://" + u.Host
	}
	if f.CAFile.given() {
		path, err := expand(f.CAFile.text, dir)
		if err != nil {
			return f.CAFile.problem("coreweave.caFile: "+err.Error(), "the absolute path of a PEM file")
		}
		c.CAFile = path
	}
	return nil
}

// credential judges the entry that begins in that line; seen has the lines of
// the names before it.
func (f *credential) credential(line int, seen map[string]int, dir string) (Credential, error) {
	c := Credential{Name: f.Name.text}
	if !f.Name.given() {
		return c, &problem{line, "a credential without a name", "- name: NAME, as cwagent status shows it"}
	}
	if e, ok := agent.CheckName(c.Name).(*ipc.Error); ok {
		return c, f.Name.problem("credential name: not allowed", e.Hint)
	}
	if first, twice := seen[c.Name]; twice {
		return c, f.Name.problem("credential "+c.Name+": it stands in line "+strconv.Itoa(first)+" already", "one entry a name")
	}
	seen[c.Name] = f.Name.line
	if f.MaxAge.given() && f.MaxAge.text == "never" {
		c.MaxAge.Never = true
	} else if f.MaxAge.given() {
		d, err := duration("maxAge", f.MaxAge, "90d, 12h or never")
		if err != nil {
			return c, err
		}
		c.MaxAge.Limit = d
	}
	var err error
	if c.Servers, err = f.Servers.servers(dir); err == nil {
		c.Source, err = f.Source.source(c.Name, dir)
	}
	return c, err
}

// durations reads a list of durations, longest first.
func durations(list []value) ([]time.Duration, error) {
	all := []time.Duration{}
	for _, v := range list {
		d, err := duration("warnBefore", v, "14d, 12h or 30m")
		if err != nil {
			return nil, err
		}
		if slices.Contains(all, d) {
			return nil, v.problem("warnBefore: it is in the list already", "one entry a warning")
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b time.Duration) int { return int(b/time.Second - a/time.Second) })
	return all, nil
}

func duration(key string, v value, like string) (time.Duration, error) {
	d, ok := ParseDuration(v.text)
	if !ok {
		return 0, v.problem(key+": not a duration", "like "+like)
	}
	return d, nil
}

// expand makes a path of the file absolute.
func expand(path, dir string) (string, error) {
	if path == "" {
		return "", nil
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		if rest != "" && !os.IsPathSeparator(rest[0]) {
			return "", errNotOurHome
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, rest), nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path), nil
}
