package cloud

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// newFront is the 403 front before a server of our own, both with certificates of one authority.
func newFront(t *testing.T, backend http.HandlerFunc) (*List, *httptest.Server) {
	t.Helper()
	ca, err := NewAuthority(newClock().t)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	start := func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	target, err := url.Parse(start(backend).URL)
	if err != nil {
		t.Fatal(err)
	}
	tokens := NewList(newClock().now)
	front := start(Refuse(tokens, Proxy(target, ca.Pool())))
	front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs = ca.Pool()
	return tokens, front
}

func TestRefuseAnswersDeadTokensOnly(t *testing.T) {
	t.Parallel()
	tokens, front := newFront(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, bearer(r)) })
	alive := mint(t, tokens, Order{}).Secret.Reveal()
	dead := mint(t, tokens, Order{Name: "gone"}).Secret.Reveal()
	if _, err := tokens.Revoke("gone"); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{alive, "CW-SECRET-unknown", ""} {
		if resp, body := get(t, front, "/", secret); resp.StatusCode != http.StatusOK || body != secret {
			t.Errorf("%q was not handed on: %s %q", secret, resp.Status, body)
		}
	}
	resp, body := get(t, front, "/api/v1/pods", dead)
	var status metav1.Status
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusForbidden || status.Kind != "Status" || status.Code != 403 ||
		status.Reason != metav1.StatusReasonForbidden || status.Status != metav1.StatusFailure {
		t.Errorf("%s %s", resp.Status, body)
	}
	if got, _ := tokens.Requests("gone"); got != (Counts{Refused: 1}) {
		t.Errorf("counted %+v", got)
	}
}

func TestProxyPassesEventsOnOneByOne(t *testing.T) {
	t.Parallel()
	next := make(chan string)
	_, front := newFront(t, func(w http.ResponseWriter, _ *http.Request) {
		for event := range next {
			fmt.Fprintln(w, event)
			w.(http.Flusher).Flush()
		}
	})
	go func() { next <- "first" }()
	resp, err := front.Client().Get(front.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, event := range []string{"first", "second"} {
		if line, err := lines.ReadString('\n'); line != event+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if event == "first" {
			next <- "second"
		}
	}
	close(next)
}

func TestProxyPassesUpgrades(t *testing.T) {
	t.Parallel()
	_, front := newFront(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
		io.Copy(conn, both)
	})
	conn, err := tls.Dial("tcp", front.Listener.Addr().String(), &tls.Config{
		RootCAs:    front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		ServerName: "localhost",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	io.WriteString(conn, "echo\n")
	if line, err := reader.ReadString('\n'); line != "echo\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestPassThrough(t *testing.T) {
	t.Parallel()
	backend := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(backend.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- PassThrough(ctx, l, backend.Listener.Addr().String()) }()
	resp, err := backend.Client().Get("https://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	resp.Body.Close()
	// The client keeps its connection open, and still this ends.
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
