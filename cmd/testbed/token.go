package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

func newToken() *cobra.Command {
	var (
		req      control.MintRequest
		lifetime string
		download string
		raw      bool
	)
	cmd := &cobra.Command{
		Use:   "token DIR",
		Short: "Mint a token and print the Console's kubeconfig for it",
		Args:  want(1, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if raw && download != "" {
				return misused(cmd, errors.New("one of --raw and --download, not both"))
			}
			if req.Lifetime, err = cloud.ParseLifetime(lifetime); err != nil {
				return err
			}
			minted, err := control.NewClient(args[0]).Mint(cmd.Context(), req)
			if err != nil {
				return err
			}
			switch {
			case download != "":
				return save(cmd, download, minted)
			case raw:
				fmt.Fprintln(cmd.OutOrStdout(), minted.Secret)
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "%s", minted.Kubeconfig)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&req.Name, "name", "", "name in the Console; another token of that name stays alive (default random)")
	flags.StringVar(&lifetime, "lifetime", "30d", "30s, 8h, 30d ...; 0 or never for no expiry")
	flags.IntVar(&req.Servers, "servers", 1, "how many clusters the kubeconfig has, 1 or 2")
	flags.StringVar(&req.OrgUID, "org", "", "orgUid of the owner (default "+cloud.DefaultOrgUID+")")
	flags.StringVar(&req.UID, "uid", "", "uid of the owner (default "+cloud.DefaultUID+")")
	flags.StringVar(&download, "download", "", "write the file into this folder as a browser would, and print its path")
	flags.BoolVar(&raw, "raw", false, "print the bare secret")
	return cmd
}

// save writes under a temporary name first, as browsers do: who watches the folder never sees half a file.
func save(cmd *cobra.Command, folder string, minted control.MintReply) error {
	path := filepath.Join(folder, minted.FileName)
	if err := writeFile(path, minted.Kubeconfig); err != nil {
		return err
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), path)
	return err
}

// writeFile makes a new 0600 file that is complete as soon as it is there.
func writeFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".testbed-*.part")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
