package cluster

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

const (
	clientSocket = "etcd.sock"
	peerSocket   = "peer.sock"
)

// startEtcd listens on unix sockets only: a port would let every user of the machine read and write the cluster.
func startEtcd(ctx context.Context, data, sockets string) (*embed.Etcd, error) {
	// etcd reserves two segments in advance, of 64 MB each by default: too much for a test's folder.
	wal.SegmentSizeBytes = 4 << 20
	cfg := embed.NewConfig()
	cfg.Dir = data
	cfg.UnsafeNoFsync = true
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{"stderr"}
	cfg.ListenClientUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, clientSocket)}}
	// For peers etcd looks at the host alone; without one Linux picks an abstract socket, open to everybody.
	cfg.ListenPeerUrls = []url.URL{{Scheme: "unix", Host: filepath.Join(sockets, peerSocket)}}
	// What is advertised has to be host:port by etcd's rules. A single member never dials it.
	cfg.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "localhost:2379"}}
	cfg.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:2380"}}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	// There is nobody to hold an election with; the default waits a second for one.
	cfg.TickMs, cfg.ElectionMs = 10, 100

	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	select {
	case <-e.Server.ReadyNotify():
		return e, nil
	case err = <-e.Err():
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.Close()
	return nil, fmt.Errorf("wait for etcd: %w", err)
}

// RemoveSockets does what etcd does when it comes to an end by itself.
func RemoveSockets(folder string) {
	for _, name := range []string{clientSocket, peerSocket} {
		os.Remove(filepath.Join(folder, name))
	}
}
