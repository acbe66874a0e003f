package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newAWS() *cobra.Command {
	var fl awsFlags
	cmd := &cobra.Command{
		Use:   "aws NAME",
		Short: "Give AWS tools temporary keys for AI Object Storage",
		Long: `Print temporary keys for CoreWeave AI Object Storage, as AWS tools read them from the
credential_process of a profile. The agent exchanges the token of the credential for
them, which must be one of CoreWeave's API Access Tokens, and whose owner needs the role
Object Storage Admin or a policy that grants cwobject:CreateAccessKey. It keeps them in
memory, renews them while somebody uses them, and asks CoreWeave once however many
processes want some. While CoreWeave does not answer, those that it has serve to their
end. They are told with the end that they have: AWS tools ask again before it, by
themselves.

--profile P prints the section that ~/.aws/config needs (or the file that AWS_CONFIG_FILE
names), and with --write adds it there, after showing it. A profile of that name that says
something else stays as it is. AI Object Storage wants virtual-hosted addresses, and
https://cwobject.com, or within a CoreWeave cluster --endpoint-url http://cwlota.com. A
default region, which is an availability zone, is a matter of taste: --region; but
"aws sts get-caller-identity" does nothing without one.

AWS CLI 2 before 2.13 and 1 before 1.29, and boto3 before 1.28 (botocore 1.31) do not
read endpoint_url: their requests, with the session token, go to amazonaws.com. Give
those --endpoint-url at each call, or endpoint_url to the client; rclone wants it in its
own config. What AWS_ACCESS_KEY_ID in the environment says comes before the profile
that AWS_PROFILE names.`,
		Example: `  cwagent aws prod --profile cw --write
  aws --profile cw s3 ls`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("profile") {
				return c.awsProfile(cmd.Context(), args[0], fl)
			}
			for _, flag := range []string{"write", "endpoint-url", "region", "cwagent-path"} {
				if cmd.Flags().Changed(flag) {
					return fail("such as --profile cw", "aws: --%s is about a profile, and none is named", flag)
				}
			}
			return c.awsKeys(cmd.Context(), args[0], fl.raw)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fl.raw, "raw", false, "print the keys even to a terminal")
	f.StringVar(&fl.profile, "profile", "", "print the section of this profile in place of the keys")
	f.BoolVar(&fl.write, "write", false, "add the profile to ~/.aws/config")
	f.BoolVarP(&fl.yes, "yes", "y", false, "do not ask before that")
	f.StringVar(&fl.endpoint, "endpoint-url", "https://cwobject.com", "the profile's endpoint")
	f.StringVar(&fl.region, "region", "", "the profile's region, such as US-EAST-04A")
	f.StringVar(&fl.program, "cwagent-path", "", "absolute path of cwagent for the profile (default: what PATH gives)")
	completeFlag(cmd, "endpoint-url", "https://cwobject.com", "http://cwlota.com")
	return cmd
}

// awsFlags are the flags of aws.
type awsFlags struct {
	raw, write, yes                    bool
	profile, program, endpoint, region string
}

// awsKeys prints the keys. A program reads them: on a terminal they would stand for all
// to see, and nobody could do anything with them.
func (c *cli) awsKeys(ctx context.Context, name string, raw bool) error {
	if !raw && terminal(c.out) {
		return fail("cwagent aws "+name+" --profile cw shows what calls it; --raw, if you want to see the keys",
			"aws: stdout is a terminal, and the keys are for a program to read")
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	keys, err := a.Keys(ctx, ipc.KeysRequest{Name: name})
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, keys.Reveal())
	return nil
}

// awsProfile prints the section of a profile, or adds it to the config of AWS.
func (c *cli) awsProfile(ctx context.Context, name string, fl awsFlags) error {
	p, err := c.newProfile(name, fl)
	if err != nil {
		return err
	}
	if !fl.write {
		fmt.Fprint(c.out, p.section())
		return nil
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	if _, err := a.Status(ctx, ipc.StatusRequest{Name: name}); err != nil {
		return err
	}
	f, err := c.readAWSConfig()
	if err != nil {
		return err
	}
	same, err := f.has(p)
	switch {
	case err != nil:
		return err
	case same:
		fmt.Fprintf(c.out, "%s: profile %s is there already\n", f.shown, p.name)
	default:
		if done, err := c.addProfile(ctx, f, p, fl.yes); err != nil || !done {
			return err
		}
	}
	c.warnOfKeys(p.name)
	return nil
}

// addProfile shows what is to be added to the config of AWS, and adds it if it may.
func (c *cli) addProfile(ctx context.Context, f *awsConfig, p profile, yes bool) (done bool, err error) {
	added := f.add(p.section())
	fmt.Fprintf(c.out, "%s gets, at its end:\n", f.shown)
	for line := range strings.Lines(added) {
		printDiff(c.out, "+"+strings.TrimRight(line, "\r\n")+"\n")
	}
	if !yes {
		if yes, err = c.ask(ctx, "Add this profile?"); err != nil {
			return false, err
		}
	}
	if !yes {
		fmt.Fprintln(c.err, "nothing was changed")
		return false, nil
	}
	if err := f.write(added); err != nil {
		return false, err
	}
	fmt.Fprintf(c.out, "profile %s added; for example: aws --profile %s s3 ls\n", p.name, p.name)
	fmt.Fprintf(c.err, "note: AWS CLI before 2.13 (1: 1.29) and boto3 before 1.28 do not read endpoint_url,\n      and send the session token to amazonaws.com: give those --endpoint-url %s\n", p.endpoint)
	return true, nil
}
