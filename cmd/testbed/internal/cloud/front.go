package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Refuse answers a dead token with 403 and a Kubernetes Status, as CKS is said to do, and hands everything else on. An
// API server has only 401 for that, so this stands before it. Unknown tokens are handed on: they get the plain 401.
func Refuse(tokens *List, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := bearer(r)
		if _, state := tokens.Lookup(secret); state.Dead() {
			tokens.Asked(Refused, secret)
			writeJSON(w, http.StatusForbidden, forbidden())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Proxy hands requests on to an https server. Watches are flushed event by event. It speaks HTTP/1.1 to that server,
// because that is what exec and port-forward upgrade from.
func Proxy(target *url.URL, trusted *x509.CertPool) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		FlushInterval: -1,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: trusted, NextProtos: []string{"http/1.1"}},
			TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxIdleConnsPerHost: 100,
			IdleConnTimeout:     time.Minute,
		},
	}
}

// PassThrough copies bytes between whoever connects to l and the target until ctx ends, then closes them all: a second
// address of the same server, certificate and all.
func PassThrough(ctx context.Context, l net.Listener, target string) error {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		open.Go(func() { splice(ctx, conn, target) })
	}
}

func splice(ctx context.Context, near net.Conn, target string) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(ctx, func() {
		near.Close()
		far.Close()
	})()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(far, near) })
	both.Go(func() { copyHalf(near, far) })
	both.Wait()
}

// copyHalf passes the end of one direction on and leaves the other open.
func copyHalf(to, from net.Conn) {
	io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		half.CloseWrite()
	}
}
