package cluster

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// apiServerFlags are what one would type; files is the folder that writeFiles filled.
func apiServerFlags(files, sockets string) []string {
	in := func(name string) string { return filepath.Join(files, name) }
	return []string{
		"--etcd-servers=unix://" + filepath.Join(sockets, clientSocket),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--tls-cert-file=" + in(serverCert),
		"--tls-private-key-file=" + in(serverKey),
		"--client-ca-file=" + in(caCert),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + in(serviceAccountKey),
		"--service-account-signing-key-file=" + in(serviceAccountKey),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--authentication-token-webhook-config-file=" + in(webhookConfig),
		"--authentication-token-webhook-version=v1",
		"--authentication-token-webhook-cache-ttl=0s",
		"--authorization-mode=RBAC",
		"--endpoint-reconciler-type=none",
		"--disable-admission-plugins=ServiceAccount",
	}
}

// runAPIServer serves on l until ctx ends.
func runAPIServer(ctx context.Context, l net.Listener, flags []string) error {
	s := options.NewServerRunOptions()
	all := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range s.Flags().FlagSets {
		all.AddFlagSet(set)
	}
	if err := all.Parse(flags); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.SecureServing.Listener = l
	s.SecureServing.BindPort, _ = strconv.Atoi(port)
	// No flag reaches these two. The defaults (10 s) hide a revocation.
	s.Authentication.TokenSuccessCacheTTL = 0
	s.Authentication.TokenFailureCacheTTL = 0

	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := s.Complete(ctx)
	if err != nil {
		return fmt.Errorf("complete options: %w", err)
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return fmt.Errorf("validate options: %w", utilerrors.NewAggregate(errs))
	}
	return app.Run(ctx, completed)
}
