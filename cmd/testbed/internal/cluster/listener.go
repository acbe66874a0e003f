package cluster

import (
	"net"
	"sync"
)

// cuttable can close its connections: an API server that is told to end waits up to a minute for those with a watch.
type cuttable struct {
	net.Listener

	mu   sync.Mutex
	cut  bool
	open map[*cuttableConn]struct{}
}

func newCuttable(l net.Listener) *cuttable {
	return &cuttable{Listener: l, open: map[*cuttableConn]struct{}{}}
}

func (l *cuttable) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &cuttableConn{Conn: conn, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		conn.Close()
	}
	l.open[c] = struct{}{}
	return c, nil
}

// cutAll closes what is open, and what is still to come.
func (l *cuttable) cutAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.open {
		c.Conn.Close()
	}
}

type cuttableConn struct {
	net.Conn
	of *cuttable
}

func (c *cuttableConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
