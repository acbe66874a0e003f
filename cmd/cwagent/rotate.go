package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newRotate() *cobra.Command {
	r := rotation{cli: c}
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give a credential its next token",
		Long: `Give a credential its next token. No kubeconfig changes, nothing is interrupted:
the new token is asked about first, then the very next kubectl uses it, and the
one before is kept until it ends by itself.

Where the next token comes from:
  a source in config.yaml   is asked at once
  standby tokens            the one that ends first takes over
  neither                   you make a token in the Console, which this command
                            opens, and paste it, or download its kubeconfig where
                            the agent takes tokens out of downloads; from a pipe
                            it is read from stdin
A token by hand is also meant with --paste, --expires, --created and --id.

With --rollback the credential goes back to the token that it had before.`,
		Example: `  cwagent rotate prod
  op read op://team/cks/token | cwagent rotate prod --expires 8h
  cwagent rotate prod --rollback`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.name = args[0]
			r.answered = cmd.Flags().Changed("expires")
			for _, about := range []string{"expires", "created", "id", "no-verify"} { // only a token by hand has these
				if cmd.Flags().Changed(about) && r.rollback {
					return fail("it is known of the token before", "rotate: --%s says nothing of a --rollback", about)
				}
				r.paste = r.paste || cmd.Flags().Changed(about)
			}
			return r.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&r.rollback, "rollback", false, "go back to the token before, while it lives")
	f.BoolVar(&r.paste, "paste", false, "take a token by hand although the credential has a source or standby tokens")
	f.BoolVar(&r.anyOwner, "allow-identity-change", false, "the new token may belong to somebody else")
	f.BoolVar(&r.noVerify, "no-verify", false, "take a pasted token without asking whether it is alive")
	f.BoolVar(&r.plaintext, "allow-plaintext-keyring", false, "accept a keyring without a password: the token lies on disk in clear")
	f.StringVar(&r.id, "id", "", "public id of a pasted token, cwtoken-...: it is how you will find it in the Console")
	r.life.register(f)
	completeFlag(cmd, "expires", expiries...)
	return cmd
}

// A rotation is one call of the command.
type rotation struct {
	*cli
	name     string
	id       string
	life     lifeFlags
	began    time.Time
	answered bool     // the lifetime was given as a flag
	passed   []string // downloads that are not meant

	rollback, paste, anyOwner, noVerify, plaintext bool
}

func (r *rotation) run(ctx context.Context) error {
	r.began = r.now()
	a, err := r.agent()
	if err != nil {
		return err
	}
	s, err := a.Status(ctx, ipc.StatusRequest{Name: r.name})
	if err != nil {
		return err
	}
	cred := s.Credentials[0]
	if r.rollback || !r.paste && cred.Source != consoleSource {
		reply, err := a.Rotate(ctx, ipc.RotateRequest{Name: r.name, Rollback: r.rollback, AllowIdentityChange: r.anyOwner})
		if err != nil {
			return err
		}
		r.print(reply.Credential, reply.From, reply.Retired)
		return nil
	}
	return r.byHand(ctx, a, cred)
}

// consoleSource is the source of credentials whose next token a person brings.
const consoleSource = "console"

// byHand takes the token that the person has made.
func (r *rotation) byHand(ctx context.Context, a ipc.Agent, cred ipc.Credential) error {
	add := ipc.AddRequest{
		Name: r.name, ID: r.id, Replace: true, AllowIdentityChange: r.anyOwner, NoVerify: r.noVerify, AllowPlaintext: r.plaintext,
	}
	// A lifetime that makes no sense is said before the token is asked for.
	if err := r.life.apply(&add, r.now(), r.now()); err != nil {
		return err
	}
	if terminal(r.in) {
		if err := r.guide(ctx, a, cred, &add); err != nil {
			return err
		}
	}
	if add.Secret.Empty() {
		if taken, err := r.pastedOrTaken(ctx, a, cred, &add); err != nil || taken {
			return err
		}
	}
	reply, err := a.Add(ctx, add)
	if err != nil {
		return err
	}
	if reply.Outcome == ipc.OutcomeExtended {
		return fail("make another one at "+consolePage, "rotate: that is the token which %s has already; nothing was changed", r.name)
	}
	r.print(reply.Credential, consoleSource, reply.Retired)
	return nil
}

// guide says what to do, opens the Console where there is a browser, and asks for
// the lifetime, which is chosen there before the token is shown.
func (r *rotation) guide(ctx context.Context, a ipc.Agent, cred ipc.Credential, add *ipc.AddRequest) error {
	fmt.Fprintf(r.err, "%s has %s, %s.\n", r.name, orThe(cred.ID), expiryWords(cred.Expiry, cred.Expires))
	how := ""
	if r.browse(consolePage) {
		how = " (opened in your browser)"
	}
	fmt.Fprintf(r.err, "Make a new token at %s%s.\n", consolePage, how)
	made := r.now()
	o, err := r.chosen(ctx, a, cred)
	if err != nil {
		return err
	}
	if o != nil {
		o.into(add, made)
		made = *add.Created
	}
	if !r.answered {
		if r.life.expires, err = r.askExpiry(ctx, "the new token", "Made %s", made); err != nil {
			return err
		}
		if err := r.life.apply(add, made, r.now()); err != nil {
			return err
		}
	}
	if o != nil {
		return nil
	}
	if add.ID == "" && !r.answered {
		if add.ID, err = r.askID(ctx); err != nil {
			return err
		}
	}
	return r.invite(ctx, a)
}

// publicID is the form of the name that the Console has for a token.
var publicID = regexp.MustCompile(`^cwtoken-[A-Za-z0-9]+$`)

// askID asks for the public id of the next token: without it nobody can say later
// which one is to be deleted.
func (r *rotation) askID(ctx context.Context) (string, error) {
	for {
		fmt.Fprint(r.err, "its public id, cwtoken-..., as the Console lists it; Enter if you do not see it: ")
		id, err := r.readLine(ctx)
		switch {
		case err != nil || id == "" || publicID.MatchString(id):
			return id, err
		case agent.IsAPIToken(ipc.NewSecret(id)):
			fmt.Fprintln(r.err, "  that is a token, and it stands on your screen now: it is asked for next, without echo")
		default:
			fmt.Fprintf(r.err, "  %s is not of that form\n", printable(id))
		}
	}
}

// browse opens a page in the person's browser, if there seems to be one, and
// does not wait for it.
func (c *cli) browse(page string) bool {
	program := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		program = "open"
	case c.getenv("DISPLAY") == "" && c.getenv("WAYLAND_DISPLAY") == "":
		return false
	}
	cmd := exec.Command(program, page) // no stdin, stdout or stderr of ours: a browser lives longer than we do
	if cmd.Start() != nil {
		return false
	}
	go cmd.Wait()
	return true
}

// print says what has changed and what remains to be done.
func (r *rotation) print(cred ipc.Credential, from string, gone *ipc.Retiring) {
	fmt.Fprintf(r.out, "%s: rotated (%s): %s, %s\n", r.name, from, orThe(cred.ID), expiryWords(cred.Expiry, cred.Expires))
	if who := identityWords(cred.Identity); who != "" && cred.Verified != nil {
		fmt.Fprintf(r.out, "it is alive and belongs to %s\n", who)
	}
	r.printGone(gone)
	r.printUnsaved(cred)
}

// printGone says what is to be done about a token that gave way.
func (c *cli) printGone(gone *ipc.Retiring) {
	if gone == nil {
		return
	}
	fmt.Fprintf(c.out, "the one before, %s, gave way and %s\n", tokenWords(*gone), livesWords(*gone))
	if gone.Delete {
		fmt.Fprintf(c.err, "note: delete it at %s, then: cwagent retired --done %s\n", consolePage, shellWord(tokenWords(*gone)))
	}
}

// printUnsaved says that a token is in memory only, and why.
func (c *cli) printUnsaved(cred ipc.Credential) {
	switch {
	case cred.Unsaved != "":
		fmt.Fprintf(c.err, "note: it is served, but not saved yet, which is tried again by itself: %s\n", printable(cred.Unsaved))
	case !cred.Saved:
		fmt.Fprintln(c.err, "note: it is in the agent's memory only, and gone when the agent ends")
	}
}

// tokenWords name a token: its public id, or else a label that is ours.
func tokenWords(t ipc.Retiring) string {
	if t.ID != "" {
		return t.ID
	}
	return t.Label
}

// shellWord quotes a label, which begins with "#", for a person's shell.
func shellWord(s string) string {
	if s != "" && s[0] == '#' {
		return s[1:]
	}
	return s
}

// livesWords say how long a token that gave way lives on.
func livesWords(t ipc.Retiring) string {
	switch {
	case t.Refused != "":
		return "is dead: the server refuses it"
	case t.Expiry == ipc.ExpiryKnown && t.Expires != nil:
		return "lives until " + t.Expires.Local().Format("2006-01-02 15:04:05 MST")
	case t.Expiry == ipc.ExpiryNever:
		return "lives until it is deleted"
	}
	return "lives for a time that nobody said"
}

func orThe(id string) string {
	if id == "" {
		return "a token"
	}
	return id
}
