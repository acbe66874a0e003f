package cloud

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Kubeconfig is the Console's download for a token: one user literally named "token", one context per cluster, the
// first one current. The certificate authority is ours to add: the real servers' certificates are publicly trusted.
func Kubeconfig(t Token, clusters []Cluster, ca []byte) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nkind: Config\npreferences: {}\nclusters:\n")
	for _, c := range clusters {
		fmt.Fprintf(&b, "- cluster:\n    certificate-authority-data: %s\n    server: %s\n  name: %s\n",
			base64.StdEncoding.EncodeToString(ca), c.Server, c.Name)
	}
	b.WriteString("contexts:\n")
	for _, c := range clusters {
		fmt.Fprintf(&b, "- context:\n    cluster: %s\n    namespace: %s\n    user: token\n  name: %s\n",
			c.Name, c.Namespace, c.Name)
	}
	fmt.Fprintf(&b, "current-context: %s\nusers:\n- name: token\n  user:\n    token: %s\n", clusters[0].Name, t.Secret.Reveal())
	return b.Bytes()
}

// DownloadName is the name under which the Console saves that file.
func DownloadName(t Token) string { return "CWKubeconfig_" + t.ID + "-" + t.Name }
