package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// tlsFlags say how a server is reached; they are part of what is bound.
type tlsFlags struct {
	ca, caSHA256, serverName, proxy string
	insecure                        bool
}

func (t *tlsFlags) register(f *pflag.FlagSet) {
	f.StringVar(&t.ca, "certificate-authority", "", "file with the server's CA, as in the kubeconfig")
	f.StringVar(&t.caSHA256, "ca-sha256", "", "SHA-256 of that file in hex, as a refusal prints it")
	f.StringVar(&t.serverName, "tls-server-name", "", "as in the kubeconfig")
	f.StringVar(&t.proxy, "proxy-url", "", "as in the kubeconfig")
	f.BoolVar(&t.insecure, "insecure-skip-tls-verify", false, "as in the kubeconfig")
}

// servers returns a server for each URL, all reached in the same way, and the
// certificate authority if it was named by its file.
func (t *tlsFlags) servers(urls []string) (out []ipc.Server, cas [][]byte, err error) {
	sum := t.caSHA256
	if b, err := hex.DecodeString(sum); err != nil || len(b) != 0 && len(b) != 32 {
		return nil, nil, fail("64 hexadecimal digits", "--ca-sha256 %s: not a SHA-256", sum)
	}
	if t.ca != "" {
		b, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, nil, fail("a PEM file, as the kubeconfig's certificate-authority", "--certificate-authority: %v", err)
		}
		if len(agent.Certificates(b)) == 0 {
			return nil, nil, fail("a PEM file, as the kubeconfig's certificate-authority", "--certificate-authority %s: no certificate in it", t.ca)
		}
		sum, cas = agent.Fingerprint(b), [][]byte{b}
	}
	for _, u := range urls {
		s, err := agent.Canonical(ipc.Server{
			URL: u, CASHA256: sum, TLSServerName: t.serverName, ProxyURL: t.proxy, Insecure: t.insecure,
		})
		if err != nil {
			return nil, nil, err
		}
		out = append(out, s)
	}
	return out, cas, nil
}

func (c *cli) newServers() *cobra.Command {
	var add, remove []string
	var tls tlsFlags
	var noInfo bool
	cmd := &cobra.Command{
		Use:   "servers NAME",
		Short: "Show or change to which servers a credential may go",
		Long: `Show or change to which API servers a credential may be given out. A kubeconfig
that names another server, or the same one with another certificate authority,
proxy or TLS setting, gets no token.`,
		Example: `  cwagent servers prod
  cwagent servers prod --add https://cw7f2e-91d0be77.k8s.eu-south-04b.coreweave.com
  cwagent servers prod --remove https://old.example.com`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			servers, cas, err := tls.servers(add)
			if err != nil {
				return err
			}
			r := ipc.ServersRequest{Name: args[0], Add: servers, Remove: remove, CAs: cas}
			if cmd.Flags().Changed("no-cluster-info") {
				r.NoClusterInfo = &noInfo
			}
			a, err := c.agent()
			if err != nil {
				return err
			}
			cred, err := a.Servers(cmd.Context(), r)
			if err != nil {
				return err
			}
			for _, s := range cred.Servers {
				fmt.Fprintln(c.out, serverWords(s))
			}
			if cred.NoClusterInfo {
				fmt.Fprintln(c.out, "callers that do not say for which server")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&add, "add", nil, "URL of a server to bind to (several allowed)")
	f.StringArrayVar(&remove, "remove", nil, "URL of a server to release (several allowed)")
	f.BoolVar(&noInfo, "no-cluster-info", false, "also answer callers that do not say for which server (=false ends that)")
	tls.register(f)
	completeWith(cmd, "remove", c.serversOf)
	return cmd
}

// serverWords describes a binding in one line.
func serverWords(s ipc.Server) string {
	line := printable(s.URL)
	if s.CASHA256 != "" {
		line += " ca " + s.CASHA256[:min(12, len(s.CASHA256))]
	}
	if s.TLSServerName != "" {
		line += " tls-server-name " + printable(s.TLSServerName)
	}
	if s.ProxyURL != "" {
		line += " proxy-url " + printable(s.ProxyURL)
	}
	if s.ProxySHA256 != "" {
		line += " (with its user and password)"
	}
	if s.Insecure {
		line += " insecure-skip-tls-verify"
	}
	return line
}

// printable quotes text that came from a kubeconfig and could otherwise steer
// the terminal.
func printable(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strconv.QuoteToASCII(s)
		}
	}
	return s
}
