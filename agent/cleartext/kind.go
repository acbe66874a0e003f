package cleartext

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// A Kind is what a file is to the person who left a token in it. What to do about the
// token depends on it.
type Kind string

const (
	Env       Kind = "env"            // variables for programs of a folder
	Shell     Kind = "shell"          // what a shell or a login reads
	History   Kind = "history"        // what was typed into a shell
	Variables Kind = "tfvars"         // variables of Terraform
	State     Kind = "tfstate"        // what Terraform remembers, also in its backups
	Pulumi    Kind = "pulumi"         // a stack's settings
	Ansible   Kind = "ansible"        // variables of an inventory
	S3        Kind = "object-storage" // settings of S3 clients
	CWIC      Kind = "cwic"           // settings of CoreWeave's own CLI
	Netrc     Kind = "netrc"          // passwords of hosts
	Other     Kind = "other"          // a file of no known kind: what begins as CoreWeave's tokens do is one there as well
)

// A shape says which files are of a kind: by their name, or by the folder that they
// are in. Names are globs of package path, of the last folder as well where they have a
// slash.
type shape struct {
	kind    Kind
	names   []string
	folders []string // the last one or two of the path
}

// shapes is looked through in order: .env.d/.bashrc is the shell's.
var shapes = []shape{
	{History, []string{".bash_history", ".zsh_history", ".sh_history", ".ash_history", ".history", ".zhistory", ".histfile", "fish_history", "ConsoleHost_history.txt", "bash/history", "zsh/history", "nushell/history.txt"}, []string{".bash_sessions", ".zsh_sessions"}},
	{Shell, []string{
		".bashrc", ".bashrc.*", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".shrc", ".kshrc", ".mkshrc", ".cshrc", ".tcshrc", ".login",
		".zshrc", ".zshrc.*", ".zshenv", ".zprofile", ".zlogin", ".xprofile", ".xsessionrc", ".pam_environment", "fish_variables",
		"*.sh", "*.bash", "*.zsh", "*.fish", "*.nu", "*.ps1",
	}, []string{".bashrc.d", ".profile.d", "environment.d"}},
	{Variables, []string{"*.tfvars", "*.tfvars.json"}, nil},
	{State, []string{"*.tfstate", "*.tfstate.backup", "*.tfstate.*.backup"}, nil},
	{Pulumi, []string{"Pulumi.yaml", "Pulumi.*.yaml", "Pulumi.yml", "Pulumi.*.yml"}, nil},
	{Netrc, []string{".netrc", "_netrc"}, nil},
	{S3, []string{".s3cfg", ".s3cfg-*", "rclone.conf", ".rclone.conf", ".boto", ".passwd-s3fs"}, []string{".aws", ".mc"}},
	{CWIC, []string{".cwic", ".cwic.*"}, []string{".cwic", ".config/cwic"}},
	{Ansible, nil, []string{"group_vars", "host_vars"}},
	{Env, []string{".env", ".env.*", ".env-*", ".envrc", ".envrc.*", "*.env"}, nil},
}

// editors matches what editors and careful people leave beside a file: .bashrc~,
// .env.bak, terraform.tfvars.orig. A token lies there just as well.
var editors = lazyregexp.New(`(~|\.(bak|old|orig|save|swp))$`)

// KindOf returns what a file is, by its path alone; Other and false if that is not known.
func KindOf(file string) (Kind, bool) {
	file = filepath.ToSlash(file)
	folder, name := path.Split(file)
	name = editors().ReplaceAllString(name, "")
	// group_vars/all/vault.yml is as much a variable of Ansible as group_vars/all.
	above := strings.Split(strings.Trim(folder, "/"), "/")
	for _, s := range shapes {
		named := slices.ContainsFunc(s.names, func(glob string) bool {
			is, _ := path.Match(glob, name)
			below, _ := path.Match(glob, above[len(above)-1]+"/"+name)
			return is || below
		})
		if named || slices.ContainsFunc(s.folders, func(f string) bool { return within(above, strings.Split(f, "/")) }) {
			return s.kind, true
		}
	}
	return Other, false
}

// within reports whether the folders end in those wanted, or in one more below them.
func within(folders, wanted []string) bool {
	for below := range 2 {
		if n := len(folders) - below; n >= len(wanted) && slices.Equal(folders[n-len(wanted):n], wanted) {
			return true
		}
	}
	return false
}
