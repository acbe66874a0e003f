package control

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
)

// start serves a control socket in dir, without the servers that it would control.
func start(t *testing.T, dir string) *Client {
	t.Helper()
	folder, err := SocketFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { RemoveLeftovers(dir) })
	l, err := Listen(folder)
	if err != nil {
		t.Fatal(err)
	}
	servers := []string{"https://127.0.0.1:1", "https://127.0.0.1:2"}
	s := &Server{
		Info:     Info{StandIn: "https://127.0.0.1:3", Servers: servers, PID: 42},
		Tokens:   cloud.NewList(time.Now),
		Faults:   cloud.NewFaults(),
		Clusters: cloud.FirstTwo([2]string(servers)),
		CA:       []byte("CA"),
	}
	h := &http.Server{Handler: s.Handler()}
	go h.Serve(l)
	t.Cleanup(func() { h.Close() })
	return NewClient(dir)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	c, ctx := start(t, t.TempDir()), t.Context()
	info, err := c.Info(ctx)
	if err != nil || info.StandIn != "https://127.0.0.1:3" || len(info.Servers) != 2 || info.PID != 42 {
		t.Errorf("info %+v, %v", info, err)
	}
	minted, err := c.Mint(ctx, MintRequest{Name: "prod", Servers: 2})
	if err != nil {
		t.Fatal(err)
	}
	text := string(minted.Kubeconfig)
	if !strings.Contains(text, "token: "+minted.Secret+"\n") || strings.Count(text, "server: ") != 2 {
		t.Errorf("kubeconfig:\n%s", text)
	}
	if !strings.HasPrefix(minted.FileName, "CWKubeconfig_cwtoken-") || !strings.HasSuffix(minted.FileName, "-prod") {
		t.Errorf("file name %q", minted.FileName)
	}
	dead, err := c.Revoke(ctx, "prod")
	if err != nil || len(dead.IDs) != 1 || !strings.Contains(minted.FileName, dead.IDs[0]) {
		t.Errorf("revoked %v, %v", dead, err)
	}
	if counts, err := c.Requests(ctx, "prod"); err != nil || counts != (cloud.Counts{}) {
		t.Errorf("requests %+v, %v", counts, err)
	}
	if err := c.Fault(ctx, cloud.FaultDate); err != nil {
		t.Errorf("fault: %v", err)
	}
}

func TestErrorsArriveInWords(t *testing.T) {
	t.Parallel()
	c, ctx := start(t, t.TempDir()), t.Context()
	_, mint := c.Mint(ctx, MintRequest{Name: "a/b", Servers: 1})
	_, many := c.Mint(ctx, MintRequest{Servers: 3})
	_, revoke := c.Revoke(ctx, "a b&c")
	_, count := c.Requests(ctx, "nobody")
	for _, e := range []struct {
		err  error
		want string
	}{
		{mint, `mint token: name "a/b": letters, digits, dots, dashes and underscores only, 63 at most`},
		{many, `servers 3: want 1 to 2`},
		{revoke, `revoke "a b&c": no such token`},
		{count, `count requests of "nobody": no such token`},
		{c.Fault(ctx, "x"), `fault "x": unknown, want one of ` + strings.Join(cloud.Kinds, ", ")},
	} {
		if e.err == nil || e.err.Error() != e.want {
			t.Errorf("got %v, want %s", e.err, e.want)
		}
	}
}

func TestNobodyIsUp(t *testing.T) {
	t.Parallel()
	_, err := NewClient(t.TempDir()).Info(t.Context())
	var hinted *Hinted
	if !errors.Is(err, ErrNotRunning) || !errors.As(err, &hinted) {
		t.Errorf("error %v", err)
	}
}

func TestLongFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir)
	if _, err := c.Info(t.Context()); err != nil {
		t.Error(err)
	}
	elsewhere := socketFolderOf(dir)
	if elsewhere == dir {
		t.Fatal("the socket is in a folder whose path is too long for one")
	}
	if err := RemoveLeftovers(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(elsewhere); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket folder after the clean-up: %v", err)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left over: %v", got)
	}
}

func TestRemoveLeftoversTouchesOnlyOurs(t *testing.T) {
	t.Parallel()
	dir, stranger := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(dir, redirectName): stranger,
		filepath.Join(dir, socketName):   "",
		filepath.Join(dir, "mine"):       "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveLeftovers(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(stranger); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("left over: %v", got)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
