//go:build unix

package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A browser that is led to the socket gets an error and no secret, whatever it
// asks for.
func TestBrowser(t *testing.T) {
	t.Parallel()
	const token = "CW-SECRET-browser"
	fake := &ipctest.Fake{}
	if _, err := fake.Add(t.Context(), ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret(token), Expiry: ipc.ExpiryNever, NoClusterInfo: true}); err != nil {
		t.Fatal(err)
	}
	path := ipctest.Serve(t, fake)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n" + frame(1, ipc.OpToken, `{"name":"prod"}`),
		"\r\n\r\n" + frame(1, ipc.OpToken, `{"name":"prod"}`),
	} {
		f, err := raw(path, request)
		if err != nil || ipc.Code(f.Kind) != ipc.CodeMalformed {
			t.Errorf("%.20q: code %d, %v", request, f.Kind, err)
		}
		for _, p := range f.Parts {
			if strings.Contains(string(p), token) {
				t.Errorf("%.20q: %s", request, p)
			}
		}
	}
	web := http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
		DisableKeepAlives: true,
	}}
	if r, err := web.Get("http://localhost/"); err == nil {
		r.Body.Close()
		t.Errorf("it answers HTTP: %s", r.Status)
	}
}

// Two hundred plugins at once, and some who connect and say nothing.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	fake := &ipctest.Fake{}
	if _, err := fake.Add(t.Context(), ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret("x"), Expiry: ipc.ExpiryNever, NoClusterInfo: true}); err != nil {
		t.Fatal(err)
	}
	path := ipctest.Serve(t, fake)
	for range 20 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	info := ipctest.ExecInfo(t, "v1", "", nil)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			r, err := client.Client{Path: path}.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: info})
			if err != nil || r.Exit != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
}

// The deadlines hold for the kernel's sockets as they do for pipes: half a
// request is answered and the connection ended.
func TestHalfARequestOnASocket(t *testing.T) {
	t.Parallel()
	c, err := net.Dial("unix", ipctest.Serve(t, &ipctest.Fake{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, fetchRequest[:21]); err != nil {
		t.Fatal(err)
	}
	f, err := ipc.ReadFrame(c, ipc.MaxReply, nil)
	if err != nil || ipc.Code(f.Kind) != ipc.CodeMalformed {
		t.Errorf("code %d, %v", f.Kind, err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
}
