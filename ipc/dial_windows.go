package ipc

import (
	"net"
	"time"
)

func connect(path string, deadline time.Time) (conn, error) {
	d := net.Dialer{Deadline: deadline}
	c, err := d.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}
