package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// importFlags are the flags of import.
type importFlags struct {
	life       lifeFlags
	name       string
	users      []string
	all        bool
	dryRun     bool
	yes        bool
	ephemeral  bool
	noVerify   bool
	plaintext  bool
	pluginPath string
	output     string
	scan       bool
	merge      bool

	renameContext []string // OLD=NEW, or NEW alone
}

const importHelp = `Take static tokens out of kubeconfigs: hand them to the agent, and put a
reference to cwagent-credential in their place. Nothing else in the file changes,
and "cwagent restore FILE" takes it back. What is going to happen is shown first,
as a diff without secrets.

Without FILE: the files of KUBECONFIG, else ~/.kube/config; downloads of the
Console in ~/Downloads are offered. Tokens that do not begin with CW-SECRET- are
left alone unless asked for with --user or --all; so are users with an exec block,
a certificate or a password.

A credential is named after the file (CWKubeconfig_cwtoken-ID-NAME), else after
the cluster, or by --name: up to 63 letters, digits, dots, hyphens and
underscores, the first a letter or digit. If that name is taken by another token
it gets -2. The same token in several files is one credential; one that a
credential had before becomes a reference to what that one has now. A user that
is literally named "token", as in the Console's downloads, is renamed cw-NAME, so
that two downloads do not collide; other users keep their names.

With --merge the clusters, contexts and users of FILE are added to the kubeconfig
that kubectl uses: the first of KUBECONFIG, else ~/.kube/config. "cwagent restore"
of that file takes them out again.

With --scan nothing is imported and nothing is changed: what lies below HOME, or
below the folders named, is searched for CKS tokens in clear: kubeconfigs, .env
files, what shells and logins read, their histories, variables and states of
Terraform, settings of Pulumi, Ansible, cwic and S3 clients, .netrc; and for what
begins with CW-SECRET- every other text. It lists the places, never a value, and for
each what to do about it, commands on lines of their own. A token that has lain in
clear may have been copied: make another, and delete the old one in the Console. In
files of those kinds it also finds values of another shape in COREWEAVE_API_TOKEN,
CW_API_TOKEN, CW_API_ACCESS_TOKEN, CW_TOKEN and CWSANDBOX_API_KEY. What is found is
sent nowhere; an agent that runs is only asked which credentials it has.

Left out are files over 8 MiB and, as it then says, other file systems and folders
that programs fill again (.git, node_modules, caches); a history over 8 MiB is read
from its end. Exit code 0: none, 1: some, 2: none, but not everything else could be
looked at. With -o json each place has: file, line (0 in a history that was read from
its end), kind (kubeconfig, env, shell, history, tfvars, tfstate, pulumi, ansible,
object-storage, cwic, netrc, other), user (of a kubeconfig), variable (else, if it has
one), cure (what to do: lines, of which commands are indented) and command (of a
kubeconfig: what takes it out; else empty).`

func (c *cli) newImport() *cobra.Command {
	var fl importFlags
	cmd := &cobra.Command{
		Use:   "import [FILE...]",
		Short: "Take static tokens out of kubeconfigs",
		Long:  importHelp,
		Example: `  cwagent import --expires 30d ~/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-prod
  cwagent import --merge ~/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-prod
  cwagent import --dry-run
  cwagent import --scan`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runImport(cmd.Context(), args, fl)
		},
	}
	f := cmd.Flags()
	fl.life.register(f)
	f.StringVar(&fl.name, "name", "", "name of the credential: letters, digits, dots, hyphens, underscores (default: from the file's name, else the cluster's)")
	f.StringArrayVar(&fl.users, "user", nil, "import only this user of the kubeconfig (several allowed)")
	f.BoolVar(&fl.all, "all", false, "import other vendors' tokens as well")
	f.BoolVar(&fl.dryRun, "dry-run", false, "show what would be done, change nothing")
	f.BoolVarP(&fl.yes, "yes", "y", false, "do not ask before a file is rewritten")
	f.BoolVar(&fl.ephemeral, "ephemeral", false, "keep the tokens in the agent's memory only")
	f.BoolVar(&fl.noVerify, "no-verify", false, "take the tokens without asking whether they are alive")
	f.BoolVar(&fl.plaintext, "allow-plaintext-keyring", false, "accept a keyring without a password: tokens lie on disk in clear")
	f.BoolVar(&fl.merge, "merge", false, "add the clusters, contexts and users of FILE to the kubeconfig that kubectl uses")
	f.StringArrayVar(&fl.renameContext, "rename-context", nil, "with --merge: OLD=NEW, another name for a context whose own is taken there (several allowed; NEW alone for a single one)")
	f.BoolVar(&fl.scan, "scan", false, "only list the tokens that lie in clear below HOME, or below the folders named")
	f.StringVar(&fl.pluginPath, "plugin-path", "", "absolute path of cwagent-credential to write (default: as PATH gives it)")
	f.StringVarP(&fl.output, "output", "o", "text", "text or json; with --yes it says as well what came of it")
	completeFlag(cmd, "output", "text", "json")
	completeFlag(cmd, "expires", expiries...)
	completeWith(cmd, "user", c.usersOf)
	return cmd
}

// check judges what is said of tokens before any is found.
func (fl *importFlags) check(now time.Time) error {
	if err := fl.life.apply(&ipc.AddRequest{}, now, now); err != nil || fl.name == "" {
		return err
	}
	return agent.CheckName(fl.name)
}

func (c *cli) runImport(ctx context.Context, args []string, fl importFlags) error {
	if err := oneOf(fl.output, "text", "json"); err != nil {
		return err
	}
	if fl.scan {
		return c.runScan(ctx, args, fl.output)
	}
	if err := fl.check(c.now()); err != nil {
		return err
	}
	asked, err := contextNames(fl)
	if err != nil {
		return err
	}
	plugin, err := c.pluginPath(fl.pluginPath)
	if err != nil {
		return err
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	folder, err := c.rewrittenFiles()
	if err != nil {
		return err
	}
	p := &planner{cli: c, agent: a, flags: fl, plugin: plugin, folder: folder, shared: kubeconfig.Shared, asked: asked}
	if err := p.plan(ctx, args); err != nil {
		return err
	}
	// Where nobody is asked, a program is told at once what came of it.
	reports := fl.output == "json" && fl.yes && !fl.dryRun
	if !reports {
		if err := p.print(ctx); err != nil {
			return err
		}
	}
	err = p.perform(ctx, len(args) > 0)
	if reports {
		if failed := p.printJSON(); failed != nil {
			return failed
		}
	}
	return err
}

// perform does what is planned, if the person agrees. named says that the files were.
func (p *planner) perform(ctx context.Context, named bool) error {
	if err := p.check(named); err != nil || p.flags.dryRun || len(p.plans) == 0 && p.merge == nil {
		return err
	}
	if !p.flags.yes {
		yes, err := p.ask(ctx, "Import these tokens and rewrite the files?")
		if err != nil {
			return err
		}
		if !yes {
			fmt.Fprintln(p.err, "nothing was changed")
			return nil
		}
	}
	if err := p.carryOut(ctx); err != nil {
		return err
	}
	if p.merge != nil {
		if err := p.mergeNow(); err != nil {
			return err
		}
	}
	p.noticed(ctx)
	return p.askConsent(ctx)
}

// noticed waits until the agent, which looks after files by itself, has seen what was
// rewritten, so that a status right after it is true. It takes a tenth of a second.
func (p *planner) noticed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		status, err := p.agent.Status(ctx, ipc.StatusRequest{})
		left := slices.ContainsFunc(status.Watched, func(w ipc.Watch) bool {
			return w.State == ipc.WatchFound && slices.ContainsFunc(p.plans, func(pl *plan) bool { return sameFile(w.Path, pl.File) })
		})
		if err != nil || !left || !sleep(ctx, 10*time.Millisecond) {
			return
		}
	}
}

// plan finds out what is going to be done.
func (p *planner) plan(ctx context.Context, args []string) error {
	if p.flags.merge {
		if err := p.mergeFiles(args); err != nil {
			return err
		}
	}
	files, err := p.choose(ctx, args)
	if err != nil {
		return err
	}
	if err := p.read(ctx, files); err != nil {
		return err
	}
	if !p.flags.dryRun {
		if err := p.vouch(ctx); err != nil {
			return err
		}
	}
	if p.asksLives() {
		if err := p.askLives(ctx); err != nil {
			return err
		}
	}
	if p.flags.merge {
		return p.planMerge(ctx)
	}
	return nil
}

// kubeconfigs returns the files to import: those named, else those of
// KUBECONFIG that exist, else ~/.kube/config.
func (c *cli) kubeconfigs(args []string) []string {
	if len(args) > 0 {
		return args
	}
	var files []string
	for _, f := range filepath.SplitList(c.getenv("KUBECONFIG")) {
		if _, err := os.Stat(f); f != "" && err == nil {
			files = append(files, f)
		}
	}
	if len(files) > 0 {
		return files
	}
	return []string{filepath.Join(c.getenv("HOME"), ".kube", "config")}
}

// vouchedWords says what was found out about a token that has just been added.
func vouchedWords(cred ipc.Credential) string {
	words := "not verified"
	if cred.Verified != nil {
		words = "verified"
		if who := identityWords(cred.Identity); who != "" {
			words += ", " + who
		}
	}
	if cred.Saved {
		return words + "; saved"
	}
	return words + "; in memory only"
}

const consolePage = "https://console.coreweave.com/tokens"
