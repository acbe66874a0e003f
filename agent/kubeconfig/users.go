package kubeconfig

import (
	"fmt"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/ipc"
)

// A User is a user entry that holds a static token.
type User struct {
	Name      string
	Token     ipc.Secret
	Line      int          // of the token
	Contexts  []string     // that refer to this user
	Elsewhere []*File      // the other files of the run that some of those contexts stand in
	Clusters  []string     // of those contexts, each once
	Servers   []ipc.Server // of those clusters, each once, not yet canonical
	CAs       [][]byte     // their certificate authorities
	Beside    string       // key of another way to log in that stands beside the token; see WithBoth
	Ours      string       // credential of our own exec block beside the token, which has come back

	index int        // in the users list
	entry *yaml.Node // the item there
}

// A Kind is how a user without a static token logs in.
type Kind string

// The ways to log in.
const (
	KindExec         Kind = "exec"
	KindOurs         Kind = "exec of ours"
	KindCertificate  Kind = "client certificate"
	KindBasic        Kind = "basic"
	KindAuthProvider Kind = "auth-provider"
	KindTokenFile    Kind = "tokenFile"
	KindNone         Kind = "none"
)

// An Other is a user entry without a static token.
type Other struct {
	Name string
	Line int // of the key that makes it of its kind, else of the entry
	Kind Kind

	// Detail is the command of an exec block, the credential of ours, the
	// name of an auth-provider, and the path of a tokenFile: absolute if the
	// kubeconfig's is, since client-go takes it relative to the kubeconfig.
	Detail string

	index int
	entry *yaml.Node
}

type userEntry struct {
	Name string `yaml:"name"`
	User struct {
		Token        string    `yaml:"token"`
		Exec         yaml.Node `yaml:"exec"`
		AuthProvider yaml.Node `yaml:"auth-provider"`
		TokenFile    string    `yaml:"tokenFile"`
		Username     string    `yaml:"username"`
		CertFile     string    `yaml:"client-certificate"`
		CertData     string    `yaml:"client-certificate-data"`
	} `yaml:"user"`
}

// beside returns the key of what would win over an exec block in the token's
// place, or be an error together with one.
func (e *userEntry) beside() string {
	switch u := &e.User; {
	case !u.Exec.IsZero():
		return "exec"
	case !u.AuthProvider.IsZero():
		return "auth-provider"
	case u.TokenFile != "":
		return "tokenFile"
	case u.Username != "":
		return "username"
	}
	return ""
}

// WithBoth says what kubectl does with a token and what stands beside it.
func (u *User) WithBoth() string {
	switch u.Beside {
	case "tokenFile":
		return "kubectl uses the file"
	case "username":
		return "kubectl refuses the user"
	}
	return "kubectl uses the token"
}

type execEntry struct {
	Command string   `yaml:"command"`
	Args    []string `yaml:"args"`
}

// ours returns the credential that our exec block names, if there is one.
func (e *userEntry) ours() string {
	var ex execEntry
	if e.User.Exec.Decode(&ex) == nil && filepath.Base(ex.Command) == Plugin && len(ex.Args) == 1 {
		return ex.Args[0]
	}
	return ""
}

// Plugin is the file name of the credential plugin.
const Plugin = "cwagent-credential"

func (f *File) addUser(index int, item *yaml.Node) error {
	var e userEntry
	if err := item.Decode(&e); err != nil {
		return refuse(f.Path, fmt.Sprintf("line %d: a user entry cannot be read", item.Line), "mend it first, then import again")
	}
	f.Names = append(f.Names, e.Name)
	f.counts[e.Name]++
	if e.User.Token == "" {
		f.addOther(index, item, &e)
		return nil
	}
	u := User{Name: e.Name, Token: ipc.NewSecret(e.User.Token), Line: item.Line, Beside: e.beside(), index: index, entry: item}
	if _, v := child(value(item, "user"), "token"); v != nil {
		u.Line = v.Line
	}
	if credential := e.ours(); credential != "" {
		u.Ours, u.Beside = credential, ""
		f.Ours = append(f.Ours, credential)
	}
	f.Users = append(f.Users, u)
	return nil
}

func (f *File) addOther(index int, item *yaml.Node, e *userEntry) {
	o := Other{Name: e.Name, Line: item.Line, index: index, entry: item}
	var key string
	o.Kind, o.Detail, key = f.kind(e)
	if k, _ := child(resolve(value(resolve(item), "user")), key); k != nil {
		o.Line = k.Line
	}
	if o.Kind == KindOurs {
		f.Ours = append(f.Ours, o.Detail)
	}
	f.Others = append(f.Others, o)
}

// kind says how a user logs in, in the order in which client-go takes them, and
// which key says so.
func (f *File) kind(e *userEntry) (k Kind, detail, key string) {
	switch u := &e.User; {
	case u.TokenFile != "":
		path := u.TokenFile
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(f.Path), path)
		}
		return KindTokenFile, path, "tokenFile"
	case !u.Exec.IsZero():
		if credential := e.ours(); credential != "" {
			return KindOurs, credential, "exec"
		}
		var ex execEntry
		_ = u.Exec.Decode(&ex) // of another type it has no command
		return KindExec, ex.Command, "exec"
	case u.Username != "":
		return KindBasic, "", "username"
	case !u.AuthProvider.IsZero():
		var p struct{ Name string }
		_ = u.AuthProvider.Decode(&p) // of another type it has no name
		return KindAuthProvider, p.Name, "auth-provider"
	case u.CertFile != "":
		return KindCertificate, "", "client-certificate"
	case u.CertData != "":
		return KindCertificate, "", "client-certificate-data"
	}
	return KindNone, "", ""
}
