package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
	"github.com/cwagent/cwagent/cmd/testbed/internal/cluster"
	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

// bed is everything that listens. Every port is chosen by the kernel and held from then on, so two beds never race.
type bed struct {
	folder    *folder
	refuse    bool // 403 before the API server
	keysLife  time.Duration
	authority *cloud.Authority
	tokens    *cloud.List
	faults    *cloud.Faults
	info      control.Info
	ready     chan struct{}

	control, api, webhook, standIn net.Listener
	fronts                         [2]net.Listener // what clients connect to; fronts[0] is api itself without refuse
}

func newBed(f *folder, refuse bool, keysLife time.Duration) (*bed, error) {
	b := &bed{
		folder:   f,
		refuse:   refuse,
		keysLife: keysLife,
		tokens:   cloud.NewList(time.Now),
		faults:   cloud.NewFaults(),
		ready:    make(chan struct{}),
	}
	var err error
	if b.authority, err = cloud.NewAuthority(time.Now()); err != nil {
		return nil, err
	}
	if err := os.WriteFile(f.in("ca.crt"), b.authority.PEM(), 0o644); err != nil {
		return nil, fmt.Errorf("write CA certificate: %w", err)
	}
	if b.control, err = control.Listen(f.sockets); err != nil {
		return nil, err
	}
	ports := []*net.Listener{&b.api, &b.webhook, &b.standIn, &b.fronts[1]}
	if refuse {
		ports = append(ports, &b.fronts[0])
	}
	for _, l := range ports {
		if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("listen: %w", err)
		}
	}
	if !refuse {
		b.fronts[0] = b.api
	}
	b.info = control.Info{
		StandIn: address(b.standIn),
		Servers: []string{address(b.fronts[0]), address(b.fronts[1])},
		PID:     os.Getpid(),
	}
	return b, nil
}

func address(l net.Listener) string { return "https://" + l.Addr().String() }

// serve runs until ctx ends or something breaks, and closes ready in between.
func (b *bed) serve(ctx context.Context) error {
	cert, err := b.authority.Server()
	if err != nil {
		return err
	}
	https := &tls.Config{Certificates: []tls.Certificate{cert}}
	clusters := cloud.FirstTwo([2]string(b.info.Servers))
	standIn := &cloud.StandIn{Tokens: b.tokens, Clusters: clusters, Faults: b.faults, Now: time.Now, KeysLife: b.keysLife}
	commands := &control.Server{Info: b.info, Tokens: b.tokens, Faults: b.faults, Clusters: clusters, CA: b.authority.PEM()}

	group, ctx := errgroup.WithContext(ctx)
	serve := func(h http.Handler, config *tls.Config, on ...net.Listener) {
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, TLSConfig: config}
		for _, l := range on {
			group.Go(func() error { return serveOn(ctx, s, l) })
		}
	}
	serve(cloud.WebhookHandler(b.tokens), https, b.webhook)
	serve(standIn.Handler(), https, b.standIn)
	if b.refuse {
		target := &url.URL{Scheme: "https", Host: b.api.Addr().String()}
		serve(cloud.Refuse(b.tokens, cloud.Proxy(target, b.authority.Pool())), https, b.fronts[:]...)
	} else {
		group.Go(func() error { return cloud.PassThrough(ctx, b.fronts[1], b.api.Addr().String()) })
	}
	group.Go(func() error {
		return cluster.Run(ctx, cluster.Config{
			Folder:    b.data(),
			Sockets:   b.folder.sockets,
			Listener:  b.api,
			Authority: b.authority,
			Webhook:   address(b.webhook),
		}, func() {
			serve(commands.Handler(), nil, b.control)
			close(b.ready)
		})
	})
	return group.Wait()
}

func (b *bed) data() string { return b.folder.in("cluster") }

// clear removes what cluster.Run would have, had it come to an end in time.
func (b *bed) clear() {
	os.RemoveAll(b.data())
	cluster.RemoveSockets(b.folder.sockets)
}

// serveOn ends with ctx and cuts what is still open: a hanging request is there on purpose.
func serveOn(ctx context.Context, s *http.Server, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { s.Close() })()
	serve := s.Serve
	if s.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	if err := serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
