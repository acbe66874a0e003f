package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// A restorer finds out what a restore would do, and does it.
type restorer struct {
	*cli
	agent  ipc.Agent
	flags  restoreFlags
	folder rewritten.Folder
	tokens map[string]held // by credential

	records []rewritten.File
	read    []*kubeconfig.File // all of the run
	files   []*restore
	gone    []string
	failed  bool // one of them cannot be restored
}

// held is a credential with the token that it has at the moment.
type held struct {
	secret     ipc.Secret
	credential ipc.Credential
}

// A restore is what becomes of one file.
type restore struct {
	File   string         `json:"file"`
	Users  []restoredUser `json:"users"`
	Taken  []taken        `json:"takenOut"` // entries that import --merge has added
	Edited bool           `json:"edited"`   // by somebody else since the first import
	Result string         `json:"result"`
	Diff   string         `json:"diff"` // without secrets

	// Renamed is not nil where contexts alone change, because they name a user of
	// another file.
	Renamed *kubeconfig.Undo `json:"-"`

	record rewritten.File // empty where there is none
}

// A restoredUser is what becomes of one user.
type restoredUser struct {
	User       string       `json:"user"` // its name afterwards
	From       string       `json:"from"` // its name now
	Credential string       `json:"credential"`
	Servers    []ipc.Server `json:"servers"`       // to which kubectl sends the token
	Imported   bool         `json:"importedToken"` // the token is the one that stood there
	Exact      bool         `json:"exact"`         // written as it was
	Known      bool         `json:"known"`         // there is a record of how it was

	State ipc.State `json:"state"` // of the credential: whether its token is good for anything
}

// A taken is an entry that is taken out.
type taken struct {
	Kind string `json:"kind"` // cluster, user or context
	Name string `json:"name"`
}

func (u restoredUser) words() string {
	words := "its current token, not the one that stood there"
	switch {
	case !u.Known:
		words = "its token; there is no record of how it was written"
	case u.Imported:
		words = "the token that stood there"
	}
	switch u.State {
	case ipc.StateExpired:
		words += "; it has expired"
	case ipc.StateRefused:
		words += "; the server refuses it"
	}
	return words
}

// plan plans the restore of each file. All are read first: a context in one may
// name a user in another.
func (r *restorer) plan(ctx context.Context, args []string) error {
	var err error
	if r.records, err = r.folder.Load(); err != nil {
		return err
	}
	paths := r.kubeconfigs(args)
	if r.flags.all {
		paths = nil
		for _, rec := range r.records {
			if rec.Imported() { // else it has been restored
				paths = append(paths, rec.Path)
			}
		}
	}
	if len(paths) == 0 {
		return fail("cwagent import rewrites files", "restore: no file has been rewritten")
	}
	for _, path := range paths {
		if err := r.skip(r.open(path)); err != nil {
			return err
		}
	}
	for _, f := range r.read {
		if err := r.skip(r.add(ctx, f)); err != nil {
			return err
		}
	}
	if len(r.files) == 0 && len(r.gone) == 0 && !r.failed {
		return fail("cwagent restore --all --dry-run shows what import has rewritten", "restore: nothing refers to a credential of the agent")
	}
	return nil
}

// skip says an error that is about one of all files, and keeps no other from being
// restored; where the person has named the files it comes back.
func (r *restorer) skip(err error) error {
	if err == nil || !r.flags.all {
		return err
	}
	r.failed = true
	fmt.Fprintf(r.err, "note: skipped: %s\n", printableLine(err.Error()))
	return nil
}

// open reads one file; one that leads to the same is left.
func (r *restorer) open(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && recordOf(r.records, path).Path != "" {
		r.gone = append(r.gone, path)
		return nil
	}
	f, err := kubeconfig.Read(path)
	if err == nil && !slices.ContainsFunc(r.read, func(g *kubeconfig.File) bool { return os.SameFile(f.Info, g.Info) }) {
		r.read = append(r.read, f)
	}
	return err
}

// add plans the restore of one file, if there is something to restore.
func (r *restorer) add(ctx context.Context, f *kubeconfig.File) error {
	re := &restore{File: f.Path, record: recordOf(r.records, f.Path)}
	after, err := r.restore(ctx, f, re)
	if err != nil || len(re.Users)+len(re.Taken) == 0 {
		return err
	}
	if err := f.Writable(); err != nil {
		return err
	}
	re.Diff = safeDiff(f.Text(), after)
	r.files = append(r.files, re)
	return r.references(re)
}

func recordOf(records []rewritten.File, path string) rewritten.File {
	if i := rewritten.Find(records, rewritten.Path(path)); i >= 0 {
		return records[i]
	}
	return rewritten.File{}
}

// restore returns a file's text as it is going to be, and says in re what the
// difference is. What a merge has added goes first: no token was ever in it.
func (r *restorer) restore(ctx context.Context, f *kubeconfig.File, re *restore) ([]byte, error) {
	left, gone, err := f.Unmerge(re.record.Merged)
	if err != nil {
		return nil, err
	}
	servers, err := r.servers(ctx, left)
	if err != nil {
		return nil, err
	}
	after, users, err := left.Restore(re.record.Users, func(name string) (ipc.Secret, error) {
		h, err := r.token(ctx, name)
		if err != nil {
			err = fmt.Errorf("%s: %w", re.File, err)
		}
		return h.secret, err
	})
	if err != nil {
		return nil, err
	}
	re.Users, re.Taken = []restoredUser{}, []taken{}
	for _, a := range gone {
		re.Taken = append(re.Taken, taken{a.Kind, a.Name})
	}
	re.Edited = re.record.Path != "" && (re.record.Edited || rewritten.Sum(f.Text()) != re.record.SHA256)
	for _, u := range users {
		i := slices.IndexFunc(re.record.Users, func(undo kubeconfig.Undo) bool { return undo.User == u.From && undo.Credential == u.Credential })
		c := r.tokens[u.Credential].credential
		re.Users = append(re.Users, restoredUser{
			User: u.User, From: u.From, Credential: u.Credential, Servers: servers[u.From], Exact: u.Exact, Known: i >= 0, State: c.State,
			Imported: i >= 0 && re.record.Users[i].Label != "" && re.record.Users[i].Label == c.Label,
		})
	}
	re.Result = re.result()
	return after, nil
}

// result says how the file is going to differ from how it was before the import.
func (re *restore) result() string {
	const without = "without what import --merge has added"
	switch {
	case len(re.record.Merged) == 0:
		return re.usersResult()
	case len(re.Taken) < len(re.record.Merged):
		return without + ", but for what others have edited or use"
	case len(re.Users) == 0:
		return without
	}
	return re.usersResult() + ", " + without
}

func (re *restore) usersResult() string {
	all := func(is func(restoredUser) bool) bool {
		return !slices.ContainsFunc(re.Users, func(u restoredUser) bool { return !is(u) })
	}
	imported := all(func(u restoredUser) bool { return u.Imported })
	exact := all(func(u restoredUser) bool { return u.Exact })
	kept := ""
	if re.Edited {
		kept = ", with other edits kept"
	}
	switch {
	case re.strange():
		return "with the current token; how all of it was before is not known"
	case !exact:
		return "its users log in as before, but are not written as they were" + kept
	case !imported:
		return "with the current token in the place of the old one" + kept
	case re.Edited || len(re.record.Merged) > 0:
		return "its users as they were" + kept
	}
	return "byte for byte as it was"
}

// token asks the agent for a token, and which one it is.
func (r *restorer) token(ctx context.Context, name string) (held, error) {
	if h, ok := r.tokens[name]; ok {
		return h, nil
	}
	for {
		c, err := r.credential(ctx, name)
		if err != nil {
			return held{}, err
		}
		secret, err := r.agent.Token(ctx, ipc.TokenRequest{Name: name, Dead: true})
		if err != nil {
			return held{}, err
		}
		// One that gave way to the next in between has another label.
		if again, err := r.credential(ctx, name); err != nil || again.Label == c.Label {
			r.tokens[name] = held{secret, c}
			return r.tokens[name], err
		}
	}
}

func (r *restorer) credential(ctx context.Context, name string) (ipc.Credential, error) {
	s, err := r.agent.Status(ctx, ipc.StatusRequest{Name: name})
	if err != nil {
		return ipc.Credential{}, err
	}
	return s.Credentials[0], nil
}
