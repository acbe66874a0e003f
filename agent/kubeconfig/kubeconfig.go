// Package kubeconfig reads kubeconfigs, finds the static tokens in them, and
// replaces those by a reference to the credential plugin.
//
// It edits text, not a decoded tree: it changes the bytes of the affected
// users and of the references to a renamed one, and nothing else. What it
// wrote is decoded again and compared with what was meant; where the two
// differ, or where a shape cannot be edited safely, it refuses with the line
// number and changes nothing.
package kubeconfig

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/ipc"
)

// MaxSize is the most bytes that a kubeconfig may have. One with 5,000 users
// has about 2 MB.
const MaxSize = 64 << 20

// A File is a kubeconfig as it was read.
type File struct {
	Path   string
	Mode   fs.FileMode
	Info   fs.FileInfo
	Users  []User   // those with a static token, in the order of the file
	Others []Other  // the rest of them
	Names  []string // of all users
	Ours   []string // credentials that the file refers to already

	text   []byte
	root   *yaml.Node
	json   bool // which YAML contains
	config config

	counts map[string]int         // of users, by name
	places *positions             // built when first needed
	refs   map[string][]reference // likewise, by the name of the user
}

// the parts of a kubeconfig that matter here
type config struct {
	Clusters []namedCluster `yaml:"clusters"`
	Contexts []namedContext `yaml:"contexts"`
	Users    []yaml.Node    `yaml:"users"`

	contextsOf map[string][]int // by the name of their user
	clusterOf  map[string]int   // the first of each name
}

// Read reads the kubeconfig at path and finds its static tokens. Its errors
// are *ipc.Error and quote nothing of the file's contents.
func Read(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse(path, "no such file", "name a kubeconfig, or set KUBECONFIG")
	case err != nil:
		return nil, refuse(path, reason(err), unreadable)
	case info.IsDir():
		return nil, refuse(path, "it is a folder", "name the files in it")
	case !info.Mode().IsRegular():
		return nil, refuse(path, "it is not a regular file", "name a kubeconfig")
	case info.Size() > MaxSize:
		return nil, refuse(path, "it is larger than 64 MiB", "this cannot be a kubeconfig")
	}
	text, err := readText(path)
	if err != nil {
		return nil, refuse(path, reason(err), unreadable)
	}
	f := &File{Path: path, Mode: info.Mode().Perm(), Info: info, text: text}
	if err := f.parse(); err != nil {
		return nil, err
	}
	return f, nil
}

const unreadable = "look at its permissions, and at those of its folder"

var bom = []byte("\xef\xbb\xbf")

// UTF16 reports whether a text begins as UTF-16 does: a shell of Windows writes that
// where it is told to write into a file. kubectl reads it, and so does the YAML
// library, whose positions are then none in the text.
func UTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
}

func (f *File) parse() error {
	if UTF16(f.text) {
		return refuse(f.Path, "it is written in UTF-16", "save it as UTF-8, then import again")
	}
	dec := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(f.text, bom)))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF): // comments may be in it
		return refuse(f.Path, "there is nothing in it", "name a kubeconfig")
	case err != nil:
		return refuse(f.Path, "not YAML", "name a kubeconfig")
	}
	// What follows is refused even where it is no YAML: a token may be in it.
	switch err := dec.Decode(&second); {
	case err == nil:
		return f.refuseLine(second.Line, "a second document begins", "kubectl reads only the first: split the file")
	case !errors.Is(err, io.EOF):
		return refuse(f.Path, "what follows its first document is not YAML", "kubectl reads only the first: remove the rest")
	}
	f.root = doc.Content[0]
	c, err := f.decode()
	if err != nil {
		return err
	}
	f.json = bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(f.text, bom)), []byte("{"))
	f.counts = make(map[string]int, len(c.Users))
	for i := range c.Users {
		if err := f.addUser(i, &c.Users[i]); err != nil {
			return err
		}
	}
	c.index()
	f.config = c
	return Resolve([]*File{f})
}

// decode takes out of the text what matters here. As client-go does, it takes a file
// without a kind for a kubeconfig.
func (f *File) decode() (c config, err error) {
	var kind string
	if n := value(f.root, "kind"); n != nil && (n.Decode(&kind) != nil || kind != "" && kind != "Config") {
		return c, refuse(f.Path, "not a kubeconfig (its kind is another)", "name a kubeconfig")
	}
	if kind == "" && !slices.ContainsFunc(lists, func(l list) bool { return value(f.root, l.key) != nil }) {
		return c, refuse(f.Path, "not a kubeconfig (clusters, contexts and users are missing)", "name a kubeconfig")
	}
	err = f.root.Decode(&c)
	if err == nil {
		return c, nil
	}
	var e *yaml.TypeError
	if errors.As(err, &e) {
		// The rest of what the library says may quote a token.
		if m := undecoded.FindStringSubmatch(e.Errors[0]); m != nil && m[2] != "" {
			return c, refuse(f.Path, m[1]+"a key stands here for the second time", "kubectl takes the last one: remove the other, then import again")
		} else if m != nil {
			return c, refuse(f.Path, m[1]+"a kubeconfig has something else here", "kubectl refuses the file as well: mend the line first")
		}
	}
	return c, refuse(f.Path, "not a kubeconfig", "name a kubeconfig")
}

// undecoded finds the line in the words of the YAML library, and whether a key is
// repeated there.
var undecoded = regexp.MustCompile(`^(line \d+: )(mapping key )?`)

// child returns the key and the value of that name in a mapping.
func child(m *yaml.Node, name string) (k, v *yaml.Node) {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// value returns the value of that name in a mapping.
func value(m *yaml.Node, name string) *yaml.Node {
	_, v := child(m, name)
	return v
}

func refuse(path, why, hint string) error {
	return &ipc.Error{Code: ipc.CodeInvalid, What: path + ": " + why, Hint: hint}
}

// reason is an error of the file system without the path, which stands before.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}
