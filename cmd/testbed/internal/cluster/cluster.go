package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
)

// Config says where a cluster lives and whom it asks about tokens.
type Config struct {
	Folder    string // for data and keys; emptied at start and at the end
	Sockets   string // a folder whose path is short enough for sockets
	Listener  net.Listener
	Authority *cloud.Authority
	Webhook   string // https URL of the TokenReview webhook
}

// Run serves until ctx ends. It calls ready once, when the API server says that it is and has its first namespaces.
func Run(ctx context.Context, c Config, ready func()) error {
	if err := os.RemoveAll(c.Folder); err != nil {
		return fmt.Errorf("clear cluster data: %w", err)
	}
	defer os.RemoveAll(c.Folder)
	server, err := c.Authority.Server()
	if err != nil {
		return err
	}
	accounts, err := c.Authority.Server()
	if err != nil {
		return err
	}
	files := filepath.Join(c.Folder, "files")
	if err := writeFiles(files, c.Authority.PEM(), server, accounts, c.Webhook); err != nil {
		return err
	}
	etcd, err := startEtcd(ctx, filepath.Join(c.Folder, "etcd"), c.Sockets)
	if err != nil {
		return err
	}
	defer etcd.Close()

	ctx, stop := context.WithCancel(ctx)
	listener := newCuttable(c.Listener)
	defer context.AfterFunc(ctx, listener.cutAll)()
	ended := make(chan error, 1)
	go func() { ended <- runAPIServer(ctx, listener, apiServerFlags(files, c.Sockets)) }()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer stop()
	waiting.Go(func() {
		if awaitReady(ctx, c) == nil {
			ready()
		}
	})
	select {
	case err = <-ended:
		if err == nil && ctx.Err() == nil {
			err = errors.New("ended by itself")
		}
	case err = <-etcd.Err():
		stop()
		<-ended
	}
	if err != nil {
		return fmt.Errorf("run API server: %w", err)
	}
	return nil
}

// awaitReady comes with a certificate, so that it leaves no trace in the webhook's counts.
func awaitReady(ctx context.Context, c Config) error {
	admin, err := c.Authority.Admin()
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs:      c.Authority.Pool(),
		Certificates: []tls.Certificate{admin},
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"} {
		for !answersOK(ctx, client, "https://"+c.Listener.Addr().String()+path) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func answersOK(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
