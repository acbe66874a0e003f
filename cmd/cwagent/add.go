package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newAdd() *cobra.Command {
	var r ipc.AddRequest
	var urls []string
	var tls tlsFlags
	var life lifeFlags
	var same bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Take a token from a prompt or from stdin",
		Long: `Take a token from a prompt, or from stdin where that is no terminal; never from
the command line, where other programs could read it.

The same token for a NAME that has it adds servers, or corrects its expiry; with
--same nobody has to have it at hand, and it may have expired by a wrong one.
With --replace the token takes the place of the one that NAME has: the very next
kubectl uses it. The servers that NAME is bound to stay. With --standby it waits
until the one that NAME has is near its end, or refused, and then takes over by
itself; those that end first come first.`,
		Example: `  cwagent add prod --expires 30d --server https://cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com
  op read op://team/cks/token | cwagent add prod --replace --expires 8h
  cwagent add prod --standby --expires 90d --id cwtoken-3f9a1c7e
  cwagent add prod --same --expires 2026-12-31`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r.Name = args[0]
			if r.Servers, r.CAs, err = tls.servers(urls); err != nil {
				return err
			}
			return c.runAdd(cmd.Context(), r, life, same)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&urls, "server", nil, "URL of an API server that may get the token (several allowed)")
	tls.register(f)
	life.register(f)
	completeFlag(cmd, "expires", expiries...)
	f.BoolVar(&r.NoClusterInfo, "no-cluster-info", false, "also answer callers that do not say for which server")
	f.BoolVar(&r.Ephemeral, "ephemeral", false, "keep the token in the agent's memory only")
	f.BoolVar(&same, "same", false, "about the token that NAME has already: none is asked for")
	f.BoolVar(&r.Replace, "replace", false, "replace the token that NAME has")
	f.BoolVar(&r.Standby, "standby", false, "keep the token for later: it takes over when the one that NAME has ends")
	f.StringVar(&r.ID, "id", "", "public id of the token, cwtoken-...: it is how you will find it in the Console")
	f.BoolVar(&r.NoVerify, "no-verify", false, "take the token without asking whether it is alive")
	f.BoolVar(&r.AllowIdentityChange, "allow-identity-change", false, "with --replace: the new token may belong to somebody else")
	f.BoolVar(&r.AllowPlaintext, "allow-plaintext-keyring", false, "accept a keyring without a password: the token lies on disk in clear")
	return cmd
}

func (c *cli) runAdd(ctx context.Context, r ipc.AddRequest, life lifeFlags, same bool) error {
	now := c.now()
	if err := life.apply(&r, now, now); err != nil {
		return err
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	switch {
	case same && (r.Replace || r.Standby):
		return fail("cwagent add --help", "add: --same is about the token that %s has, --replace and --standby bring another one", r.Name)
	case same:
		err = c.tokenItHas(ctx, a, &r, life)
	default:
		r.Secret, err = c.readToken(ctx)
	}
	if err != nil {
		return err
	}
	reply, err := a.Add(ctx, r)
	if err != nil {
		return err
	}
	c.printAdded(reply)
	return nil
}

// tokenItHas puts the token that a credential has into a request about it, also one
// that has ended: its expiry may be what is wrong. It stays where it is, and nobody has
// to be asked about it.
func (c *cli) tokenItHas(ctx context.Context, a ipc.Agent, r *ipc.AddRequest, life lifeFlags) error {
	s, err := a.Status(ctx, ipc.StatusRequest{Name: r.Name})
	if err != nil {
		return err
	}
	r.Ephemeral, r.NoVerify = !s.Credentials[0].Saved, true
	if s.Credentials[0].Expiry == ipc.ExpiryUnknown && life.fromNow() {
		fmt.Fprintf(c.err, "note: the %s count from now; --created T says when the token was made\n", life.expires)
	}
	r.Secret, err = a.Token(ctx, ipc.TokenRequest{Name: r.Name, Dead: true})
	return err
}

// readToken reads one token, without echo where a person types it.
func (c *cli) readToken(ctx context.Context) (ipc.Secret, error) {
	s, err := c.readSecret(ctx, "token")
	return ipc.NewSecret(strings.TrimSpace(s.Reveal())), err
}

// printAdded says what became of an AddRequest.
func (c *cli) printAdded(r ipc.AddReply) {
	cred := r.Credential
	if r.Outcome == ipc.OutcomeStandby {
		c.printStandby(cred)
		return
	}
	fmt.Fprintf(c.out, "%s credential %s: %s\n", r.Outcome, cred.Name, expiryWords(cred.Expiry, cred.Expires))
	if who := identityWords(cred.Identity); who != "" {
		fmt.Fprintf(c.out, "it belongs to %s\n", who)
	}
	c.printGone(r.Retired)
	if r.SameAs != "" {
		fmt.Fprintf(c.err, "note: credential %s holds the same token\n", r.SameAs)
	}
	if len(cred.Servers) == 0 && !cred.NoClusterInfo {
		fmt.Fprintf(c.err, "note: it is bound to no server yet: cwagent servers %s --add URL\n", cred.Name)
	}
	c.printUnsaved(cred)
}

// printStandby says which tokens wait by now.
func (c *cli) printStandby(cred ipc.Credential) {
	fmt.Fprintf(c.out, "%s has %d in standby, in this order:\n", cred.Name, len(cred.Standby))
	for _, t := range cred.Standby {
		fmt.Fprintf(c.out, "  %s\n", standbyWords(t))
	}
}
