package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [NAME]",
		Short: "Ask whether tokens are alive",
		Long: `Ask whether the token of a credential, or of each, is alive: API Access Tokens at
CoreWeave's endpoint and, where that gives no clear answer, at the API servers
that they are bound to; others at those servers only. What cannot be asked, or
answers as it should not, changes nothing. A token that is refused gives way at
once, where there is one in standby or a source.

Exit codes: 0 all are alive, or others have taken over; 1 nobody could say; 2 one is refused, or there is
no token to ask about.`,
		Example: `  cwagent verify
  cwagent verify prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(cmd.CommandPath()+" --help", "%s: it takes at most one argument, the name of a credential", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.agent()
			if err != nil {
				return err
			}
			s, err := a.Status(cmd.Context(), ipc.StatusRequest{Name: append(args, "")[0]})
			if err != nil {
				return err
			}
			worst := 0
			for _, cred := range s.Credentials {
				v, err := a.Verify(cmd.Context(), ipc.VerifyRequest{Name: cred.Name})
				var e *ipc.Error
				switch {
				case unreachable(err), err != nil && !errors.As(err, &e):
					return err
				case err != nil: // this one has no token; the others are asked
					c.report(err)
					worst = exitDead
				default:
					worst = max(worst, c.printVerdict(cred.Name, v))
				}
			}
			if worst != 0 {
				return exitCode(worst)
			}
			return nil
		},
	}
}

// printVerdict prints one line and returns the exit code that it stands for.
func (c *cli) printVerdict(name string, v ipc.VerifyReply) int {
	line, code := v.Life, exitDue
	switch agent.Life(v.Life) {
	case agent.Alive:
		line, code = "alive", 0
		if who := identityWords(v.Credential.Identity); who != "" {
			line += ", " + who
		}
		if v.Credential.State == ipc.StateExpired {
			line += "; it has expired by what is known of it, which this corrects: cwagent add " + name + " --same --expires TIME"
		}
	case agent.Rejected:
		line, code = "refused: "+v.Why, exitDead
		if st := v.Credential.State; st == ipc.StateValid || st == ipc.StateDue {
			line, code = "refused: "+v.Why+"; "+orThe(v.Credential.ID)+" has taken over", 0
		}
	case agent.Unknown:
		line = "unknown: " + v.Why
	}
	fmt.Fprintf(c.out, "%s: %s\n", name, line)
	if v.Skew.Abs() > agent.Tolerable {
		fmt.Fprintf(c.err, "note: this machine's clock is %s; expiry is off by as much\n", agent.SkewWords(v.Skew))
	}
	return code
}

// identityWords says whose token it is, or nothing.
func identityWords(i ipc.Identity) string {
	switch {
	case i.OrgUID != "" && i.UID != "":
		return "organization " + printable(i.OrgUID) + ", user " + printable(i.UID)
	case i.User != "":
		return "user " + printable(i.User)
	case i.UID != "":
		return "user " + printable(i.UID)
	}
	return ""
}
