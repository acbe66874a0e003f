// Package config reads config.yaml, which belongs to the person: the program
// never writes it. It also knows where that file and the state folder are.
//
// The file is strict. An unknown key, a wrong type or a value that makes no
// sense is an error that names the line, so that a misspelt key never means
// that a setting is silently not in force. Errors quote keys, never values: a
// value in the wrong place may be a token, and a token in a server or a source is
// refused as such.
//
// A file that is missing or empty is all defaults. Relative paths in it are
// relative to its folder, and "~" is the home folder. The certificates of servers
// are read with it; Follow reads it again when it changes.
//
// What it says about servers and sources is plain data: this package runs
// nothing and asks nobody.
package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/ipc"
)

// Config is what the file says, defaults filled in.
type Config struct {
	Store       Store
	CoreWeave   CoreWeave
	WarnBefore  []time.Duration // before an expiry, longest first; empty where the file says []
	Watch       Watch
	LogLevel    slog.Level    // of what a person sees of the agent's log
	LockAfter   time.Duration // without a token given out; 0: never
	Textfile    string        // for node_exporter; absolute; empty: none
	NoNotices   bool          // nobody is told on a screen or a terminal
	Credentials []Credential  // in the order of the file, names unique
}

// Store names where tokens rest.
type Store string

const (
	StoreAuto    Store = "auto"    // the agent finds out once, when the first token comes
	StoreKeyring Store = "keyring" // the system's, or nothing
	StoreFile    Store = "file"    // encrypted, in the state folder
	StoreMemory  Store = "memory"  // gone when the agent ends
)

var stores = []Store{StoreAuto, StoreKeyring, StoreFile, StoreMemory}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// CoreWeave says how CoreWeave's API is reached.
type CoreWeave struct {
	Endpoint string // https://HOST[:PORT], without a slash at its end
	CAFile   string // absolute; who signs its certificate; empty: the system's roots
}

// A Credential overrides what the agent has learnt about the one of that name.
type Credential struct {
	Name    string
	MaxAge  Age
	Servers []Server // nil: those that it has learnt; empty: none
	Source  Source
}

// An Age is how old a token may become. The zero Age is not set.
type Age struct {
	Limit time.Duration
	Never bool // no limit, said in so many words
}

// Default is what holds without a file.
func Default() Config {
	const day = 24 * time.Hour
	return Config{
		Store:      StoreAuto,
		CoreWeave:  CoreWeave{Endpoint: "https://api.coreweave.com"},
		WarnBefore: []time.Duration{14 * day, 3 * day, day, time.Hour},
		Watch:      defaultWatch(),
	}
}

// maxSize is the most bytes that the file may have: it is written by hand.
const maxSize = 1 << 20

// Load reads the file at path. Its errors are *ipc.Error.
func Load(path string) (Config, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Default(), nil
	case err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		err = errors.New("others may write it, and it says where tokens are sent")
	case err == nil && !info.Mode().IsRegular():
		err = errors.New("not a regular file")
	case err == nil && info.Size() > maxSize:
		err = errors.New("larger than 1 MiB")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return Config{}, &ipc.Error{
			Code: ipc.CodeInvalid, What: "config " + path + ": " + err.Error(),
			Hint: "it must be yours alone to write: chmod go-w; CWAGENT_CONFIG names another file",
		}
	}
	return parse(path, text)
}

// parse reads text, which stands at path.
func parse(path string, text []byte) (Config, error) {
	var f file
	err := decode(text, &f)
	c := Default()
	if err == nil {
		err = f.fill(&c, filepath.Dir(path))
	}
	if p := (*problem)(nil); errors.As(err, &p) {
		what := "config " + path + ": "
		if p.line > 0 {
			what += "line " + strconv.Itoa(p.line) + ": "
		}
		return Config{}, &ipc.Error{Code: ipc.CodeInvalid, What: what + p.why, Hint: p.hint}
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// decode reads the one document of text, strictly.
func decode(text []byte, f *file) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	switch err := d.Decode(f); {
	case errors.Is(err, io.EOF):
		return nil // empty, or nothing but comments
	case err != nil:
		return translate(err)
	}
	f.lines = entryLines(text)
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return &problem{second.Line, "more follows after the first document", "remove the line --- and what follows"}
	}
	return nil
}

// entryLines returns where the entries of "credentials" begin: an empty one has
// no value that would know.
func entryLines(text []byte) []int {
	var top struct {
		Credentials []yaml.Node `yaml:"credentials"`
	}
	_ = yaml.Unmarshal(text, &top) // it has been decoded before
	var lines []int
	for _, n := range top.Credentials {
		if n.ShortTag() != "!!null" { // yaml.v3 leaves those out of a list of structs
			lines = append(lines, n.Line)
		}
	}
	return lines
}

// fill puts what the file says over the defaults in c.
func (f *file) fill(c *Config, dir string) error {
	if f.Store.given() {
		c.Store = Store(f.Store.text)
		if !slices.Contains(stores, c.Store) {
			return f.Store.problem("store: there is no such store", "auto, keyring, file or memory")
		}
	}
	if f.LockAfter.given() {
		d, err := duration("lockAfter", f.LockAfter, "8h or 30m")
		if err != nil {
			return err
		}
		c.LockAfter = d
	}
	if f.LogLevel.given() {
		level, ok := logLevels[f.LogLevel.text]
		if !ok {
			return f.LogLevel.problem("logLevel: there is no such level", "debug, info, warn or error")
		}
		c.LogLevel = level
	}
	if f.Notices.given() {
		c.NoNotices = f.Notices.text == "off"
		if f.Notices.text != "on" && !c.NoNotices {
			return f.Notices.problem("notices: neither on nor off", "notices: off")
		}
	}
	err := f.CoreWeave.fill(&c.CoreWeave, dir)
	if err == nil && f.WarnBefore != nil {
		c.WarnBefore, err = durations(f.WarnBefore)
	}
	if err == nil {
		err = f.Watch.fill(&c.Watch, dir)
	}
	if err == nil {
		err = f.Metrics.fill(c, dir)
	}
	seen := map[string]int{}
	for i := 0; i < len(f.Credentials) && err == nil; i++ {
		var made Credential
		if made, err = f.Credentials[i].credential(f.lines[i], seen, dir); err == nil {
			c.Credentials = append(c.Credentials, made)
		}
	}
	if err == nil {
		err = f.checkLenders(c.Credentials)
	}
	return err
}
