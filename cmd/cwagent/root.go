package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "cwagent",
		Short: "Holds CoreWeave Kubernetes tokens, so that kubeconfigs need not",
		Long: `cwagent is to CoreWeave Kubernetes (CKS) tokens what ssh-agent is to SSH keys:
an agent holds the tokens, kubeconfigs refer to it and hold no secret, and
kubectl, helm, k9s and every other client-go program just work.`,
		Example: `  cwagent agent &
  cwagent import ~/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-prod
  cwagent status`,
		SilenceErrors: true, // report shows them, in our way
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetVersionTemplate("cwagent {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(cmd.CommandPath()+" --help", "%s: %v", cmd.Name(), err)
	})
	root.AddCommand(
		c.newAdd(), c.newAgent(), c.newAWS(), c.newDoctor(), c.newForget(), c.newImport(), c.newLock(), c.newLog(), c.newMetrics(),
		c.newRestore(), c.newRetired(), c.newRotate(), c.newRun(), c.newServers(), c.newService(), c.newSourceExec(), c.newStatus(), newStatusJSON(), c.newStore(), c.newToken(), c.newUnlock(), c.newVerify(), c.newVersion(),
	)
	completionExamples(root)
	return root
}

// completionExamples are for the commands that cobra makes.
func completionExamples(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, words := range []string{
		"completion: source <(cwagent completion bash)",
		"completion bash: source <(cwagent completion bash)",
		"completion zsh: source <(cwagent completion zsh)",
		"completion fish: cwagent completion fish | source",
		"completion powershell: cwagent completion powershell | Out-String | Invoke-Expression",
	} {
		path, example, _ := strings.Cut(words, ": ")
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil {
			cmd.Example = "  " + example
		}
	}
}

// oneName wants exactly one argument, the name of a credential.
func oneName(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fail(cmd.CommandPath()+" --help", "%s: it takes one argument, the name of a credential", cmd.Name())
}

// oneOf judges the value of an -o flag.
func oneOf(value string, allowed ...string) error { return format("-o", value, allowed...) }

// format judges the value of a flag for a format.
func format(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fail("one of "+strings.Join(allowed, ", "), "%s %s: no such format", flag, value)
}
