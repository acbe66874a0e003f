package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// the exit codes of status; the worst credential wins
const (
	exitDue         = 1
	exitDead        = 2
	exitUnreachable = 3
)

func (c *cli) newStatus() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show the credentials and how they are",
		Long: `Show the credentials and how they are.

Exit codes: 0 all is well; 1 a credential is due, in memory only or not saved; 2
one is expired, refused, locked or empty; 3 the agent cannot be reached. The
worst wins.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(cmd.CommandPath()+" --help", "%s: it takes at most one argument, the name of a credential", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf(format, "table", "json", "name"); err != nil {
				return err
			}
			s, err := c.status(cmd.Context(), append(args, "")[0])
			if unreachable(err) {
				c.report(err)
				return exitCode(exitUnreachable)
			}
			if err != nil {
				return err
			}
			if err := c.printStatus(s, format, len(args) == 1); err != nil {
				return err
			}
			if code := statusCode(s); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table, json or name")
	completeFlag(cmd, "output", "table", "json", "name")
	return cmd
}

// status asks the agent that runs about one credential, or about all where name is empty.
func (c *cli) status(ctx context.Context, name string) (ipc.Status, error) {
	a, err := c.running()
	if err != nil {
		return ipc.Status{}, err
	}
	return a.Status(ctx, ipc.StatusRequest{Name: name, Inspect: true})
}

func unreachable(err error) bool {
	return hasCode(err, ipc.CodeUnreachable, ipc.CodeTimeout, ipc.CodeDenied)
}

func statusCode(s ipc.Status) int {
	worst := 0
	if s.Agent.Locked != nil {
		worst = exitDead
	}
	for _, cred := range s.Credentials {
		switch cred.State {
		case ipc.StateValid:
			if !cred.Saved {
				worst = max(worst, exitDue)
			}
		case ipc.StateDue:
			worst = max(worst, exitDue)
		default:
			worst = max(worst, exitDead)
		}
	}
	return worst
}

func (c *cli) printStatus(s ipc.Status, format string, details bool) error {
	switch format {
	case "json":
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "name":
		for _, cred := range s.Credentials {
			fmt.Fprintln(c.out, cred.Name)
		}
		return nil
	}
	if details {
		cred := s.Credentials[0]
		printDetails(c.out, cred, c.now())
		printWatched(c.out, watchedOf(s.Watched, cred.Name), c.now())
		return nil
	}
	printTable(c.out, s, c.now())
	return nil
}

func printTable(out io.Writer, s ipc.Status, now time.Time) {
	fmt.Fprintf(out, "agent  %s, pid %d, up %s\n", s.Agent.Version, s.Agent.PID, span(now.Sub(s.Agent.Started)))
	if words := anotherVersion(s.Agent); words != "" {
		fmt.Fprintf(out, "       %s\n", words)
	}
	if s.Agent.Locked != nil {
		how := "cwagent unlock"
		if s.Agent.Guarded {
			how += " asks for the passphrase"
		}
		fmt.Fprintf(out, "       locked for %s: %s\n", span(now.Sub(*s.Agent.Locked)), how)
	}
	fmt.Fprintf(out, "store  %s (%s)\n", s.Store.Kind, s.Store.Why)
	if s.Store.Plaintext {
		fmt.Fprintln(out, "       it has no password: what is in it lies on disk in clear")
	}
	switch {
	case s.Store.Silent != nil:
		silence := &agent.Silence{Since: *s.Store.Silent}
		fmt.Fprintf(out, "       the %s %s\n", s.Store.Kind, silence.Words())
	case s.Store.Trouble != "":
		fmt.Fprintf(out, "       it gives nothing %s\n", s.Store.Trouble)
	}
	if s.Config != "" {
		why := strings.TrimPrefix(s.Config, "config ")
		fmt.Fprintf(out, "config %s\n", printable(why))
	}
	if len(s.Credentials) == 0 {
		fmt.Fprintln(out, "no credentials yet: cwagent import FILE, or cwagent add NAME")
	} else {
		printCredentials(out, s, now)
	}
	printWatched(out, s.Watched, now)
}

// anotherVersion says so where the agent has another version than this program.
func anotherVersion(a ipc.AgentInfo) string {
	switch {
	case a.Version == version:
		return ""
	case a.Start == ipc.StartManager:
		return "this program is " + version + "; the agent is that, too, after: cwagent service restart"
	}
	return "this program is " + version + "; the agent is that, too, once it is ended and started again"
}

func printCredentials(out io.Writer, s ipc.Status, now time.Time) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tLEFT\tTOKEN\tSAVED\tNEXT FROM\tSERVERS")
	for _, cred := range s.Credentials {
		servers := "none"
		for i, b := range cred.Servers {
			if servers = b.URL; i > 0 {
				servers = fmt.Sprintf("%s and %d more", cred.Servers[0].URL, i)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cred.Name, cred.State, leftOf(cred.Expiry, cred.Expires, now),
			orDash(cred.ID), yesNo(cred.Saved), nextWords(cred), servers)
	}
	w.Flush()
	for _, cred := range s.Credentials {
		printTrouble(out, cred, s.Agent.Locked != nil)
		printRefusal(out, cred, now)
	}
	printDeletions(out, s, now)
}

// nextWords say where the next token comes from, in a word or two.
func nextWords(cred ipc.Credential) string {
	if n := len(cred.Standby); n > 0 && cred.Source == "standby" {
		return fmt.Sprintf("standby (%d)", n)
	}
	return cred.Source
}

// printTrouble says what is wrong with a credential beside that the agent is locked.
func printTrouble(out io.Writer, cred ipc.Credential, locked bool) {
	if cred.Reason != "" && !locked {
		fmt.Fprintf(out, "\n%s: %s\n", cred.Name, cred.Reason)
	}
	if r := cred.Renewal; r != nil && r.Error != "" && cred.State != ipc.StateDue {
		fmt.Fprintf(out, "\n%s: no next token yet (%s): %s\n", cred.Name, r.Class, printable(r.Error))
	}
	if cred.Unsaved != "" {
		fmt.Fprintf(out, "\n%s: not saved %s\n", cred.Name, printable(cred.Unsaved))
	}
}

// printDeletions lists what a person has to delete in the Console: no program
// can.
func printDeletions(out io.Writer, s ipc.Status, now time.Time) {
	first := true
	for _, cred := range s.Credentials {
		for _, t := range cred.Retiring {
			if !t.Delete {
				continue
			}
			if first {
				fmt.Fprintf(out, "\ndelete in the Console (%s), then: cwagent retired --done ID\n", consolePage)
				first = false
			}
			fmt.Fprintf(out, "  %s, which %s had until %s ago, %s\n", tokenWords(t), t.Credential, span(now.Sub(t.Since)), livesWords(t))
		}
	}
}
