package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

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
}

func (c *cli) newImport() *cobra.Command {
	var fl importFlags
	cmd := &cobra.Command{
		Use:   "import [FILE...]",
		Short: "Take static tokens out of kubeconfigs",
		Long: `Take static tokens out of kubeconfigs: hand them to the agent, and put a
reference to cwagent-credential in their place. Nothing else in the file changes.
A user that is literally named "token", as in the Console's downloads, is renamed
so that two downloads do not collide.

Without FILE: the files of KUBECONFIG, else ~/.kube/config. Tokens that do not
begin with CW-SECRET- are left alone unless asked for with --user or --all.`,
		Example: `  cwagent import --expires 30d ~/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-prod
  cwagent import --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runImport(cmd.Context(), args, fl)
		},
	}
	f := cmd.Flags()
	fl.life.register(f)
	f.StringVar(&fl.name, "name", "", "name of the credential (default: from the file's name, else the cluster's)")
	f.StringArrayVar(&fl.users, "user", nil, "import only this user of the kubeconfig (several allowed)")
	f.BoolVar(&fl.all, "all", false, "import other vendors' tokens as well")
	f.BoolVar(&fl.dryRun, "dry-run", false, "show what would be done, change nothing")
	f.BoolVarP(&fl.yes, "yes", "y", false, "do not ask before a file is rewritten")
	f.BoolVar(&fl.ephemeral, "ephemeral", false, "keep the tokens in the agent's memory only")
	f.BoolVar(&fl.noVerify, "no-verify", false, "take the tokens without asking whether they are alive")
	f.BoolVar(&fl.plaintext, "allow-plaintext-keyring", false, "accept a keyring without a password: tokens lie on disk in clear")
	f.StringVar(&fl.pluginPath, "plugin-path", "", "absolute path of cwagent-credential to write (default: as PATH gives it)")
	f.StringVarP(&fl.output, "output", "o", "text", "text or json")
	return cmd
}

func (c *cli) runImport(ctx context.Context, args []string, fl importFlags) error {
	if err := oneOf(fl.output, "text", "json"); err != nil {
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
	p := &planner{cli: c, agent: a, flags: fl, plugin: plugin, shared: kubeconfig.Shared}
	if err := p.read(ctx, c.kubeconfigs(args)); err != nil {
		return err
	}
	if err := p.check(len(args) > 0); err != nil {
		return err
	}
	if err := p.print(ctx); err != nil || fl.dryRun || len(p.plans) == 0 {
		return err
	}
	if !fl.yes {
		yes, err := c.ask(ctx, "Import these tokens and rewrite the files?")
		if err != nil {
			return err
		}
		if !yes {
			fmt.Fprintln(c.err, "nothing was changed")
			return nil
		}
	}
	return p.carryOut(ctx)
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
