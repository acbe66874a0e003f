// Command gofloor is what the plugin's start-up is measured against: the least
// that a Go program can do, which is to dial the socket, send one request and
// copy the reply.
package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
)

func main() {
	conn, err := net.Dial("unix", os.Getenv("CWAGENT_SOCKET"))
	if err != nil {
		os.Exit(1)
	}
	name, info := os.Args[1], os.Getenv("KUBERNETES_EXEC_INFO")
	b := append([]byte("cwa\x01\x00\x01\x00\x00"), make([]byte, 12)...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(name)))
	binary.BigEndian.PutUint32(b[12:], uint32(len(info)))
	b = append(append(b, name...), info...)
	if _, err := conn.Write(b); err != nil {
		os.Exit(1)
	}
	if _, err := io.Copy(os.Stdout, conn); err != nil {
		os.Exit(1)
	}
}
