package kubeconfig_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// Two files as KUBECONFIG names them: a user of the second is hidden by one of the
// first, contexts reach into the other file, and one leads nowhere.
var spread = []string{`
contexts:
- {name: web, context: {cluster: one, user: p, namespace: web}}
- {name: two, context: {cluster: two, user: p}}
- {name: hidden, context: {cluster: one, user: q}}
clusters:
- {name: one, cluster: {server: https://one.example.com/k8s, certificate-authority-data: b25l, tls-server-name: one.internal}}
users:
- {name: q, user: {token: abc}}
`, `
current-context: two
contexts:
- {name: web, context: {cluster: two, user: p}}
- {name: nowhere, context: {cluster: three, user: p}}
clusters:
- {name: one, cluster: {server: https://other.example.com}}
- {name: two, cluster: {server: https://two.example.com, certificate-authority: ca.crt, proxy-url: "http://me:pw@proxy:3128"}}
users:
- {name: p, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/cwagent-credential, args: [prod], interactiveMode: Never}}}
- {name: q, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/cwagent-credential, args: [prod], interactiveMode: Never}}}
`}

// What the program gets leads where client-go goes with the person's own files.
func TestLeads(t *testing.T) {
	dir := t.TempDir()
	rules := &clientcmd.ClientConfigLoadingRules{}
	var files []*kubeconfig.File
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range spread {
		path := filepath.Join(dir, string(rune('a'+len(files))))
		if err := os.WriteFile(path, []byte("apiVersion: v1\nkind: Config"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := kubeconfig.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		files, rules.Precedence = append(files, f), append(rules.Precedence, path)
	}
	theirs, err := rules.Load()
	if err != nil {
		t.Fatal(err)
	}
	text, err := kubeconfig.Render(kubeconfig.Leads(files, "prod"), kubeconfig.Exec{Command: "/usr/bin/cwagent-credential", Credential: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := clientcmd.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(ours.Contexts) != 2 || ours.CurrentContext != theirs.CurrentContext {
		t.Errorf("%d contexts, the current one %q", len(ours.Contexts), ours.CurrentContext)
	}
	for name, x := range ours.Contexts {
		was := theirs.Contexts[name]
		a, b := ours.Clusters[x.Cluster], theirs.Clusters[was.Cluster]
		ca := b.CertificateAuthorityData
		if b.CertificateAuthority != "" {
			ca = []byte("two")
		}
		if x.Namespace != was.Namespace || a.Server != b.Server || a.TLSServerName != b.TLSServerName || a.ProxyURL != b.ProxyURL ||
			!bytes.Equal(a.CertificateAuthorityData, ca) || a.CertificateAuthority != "" {
			t.Errorf("%s: %+v %+v, want %+v %+v", name, x, a, was, b)
		}
		if e := ours.AuthInfos[x.AuthInfo].Exec; e == nil || e.Command != "/usr/bin/cwagent-credential" || e.Args[0] != "prod" || !e.ProvideClusterInfo {
			t.Errorf("%s: exec %+v", name, e)
		}
	}
}
