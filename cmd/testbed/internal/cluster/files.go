package cluster

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
)

const (
	caCert            = "ca.crt"
	serverCert        = "server.crt"
	serverKey         = "server.key"
	serviceAccountKey = "service-accounts.key"
	webhookConfig     = "webhook.yaml"
)

// writeFiles puts down what the API server reads from files only. The service account key is a pair of its own, whose
// certificate nobody needs.
func writeFiles(folder string, ca []byte, server, accounts tls.Certificate, webhook string) error {
	cert, key, err := cloud.EncodePair(server)
	if err != nil {
		return err
	}
	_, signing, err := cloud.EncodePair(accounts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder for API server: %w", err)
	}
	for name, text := range map[string][]byte{
		caCert:            ca,
		serverCert:        cert,
		serverKey:         key,
		serviceAccountKey: signing,
		webhookConfig:     fmt.Appendf(nil, webhookTemplate, filepath.Join(folder, caCert), webhook),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return fmt.Errorf("write file for API server: %w", err)
		}
	}
	return nil
}

const webhookTemplate = `apiVersion: v1
kind: Config
clusters:
- name: webhook
  cluster:
    certificate-authority: %q
    server: %q
users:
- name: apiserver
contexts:
- name: webhook
  context:
    cluster: webhook
    user: apiserver
current-context: webhook
`
