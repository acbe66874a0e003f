package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cwagent/cwagent/ipc"
)

// A token in the place of a name is shown nowhere.
func TestTokenForName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"CW-SECRET-s3cr3t", "cw-secret-s3cr3t", "CW-SECRET-" + strings.Repeat("s3cr3t", 20)} {
		_, err := w.Add(t.Context(), request(name, "s3cr3t-1"))
		refused(t, err, ipc.CodeInvalid)
		_, err = w.Status(t.Context(), ipc.StatusRequest{Name: name})
		refused(t, err, ipc.CodeNotFound)
		w.fetch(name, home)
	}
}

// The password of a proxy is what a binding is about, and is shown nowhere.
func TestProxyPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		behind := func(proxy string) []ipc.Server { return []ipc.Server{{URL: home, ProxyURL: proxy}} }
		w := newWorld(t)
		r := request("prod", "s3cr3t-1")
		r.Servers = behind("http://me:s3cr3t-pw@proxy.example.com:3128")
		w.add(r)
		for range 2 {
			for proxy, ok := range map[string]bool{
				"http://me:s3cr3t-pw@proxy.example.com:3128":    true,
				"http://me:s3cr3t-other@proxy.example.com:3128": false,
				"http://proxy.example.com:3128":                 false,
				"http://me:s3cr3t-pw@evil.example.com:3128":     false,
				"http://me:s3cr3t-pw@[::1":                      false,
			} {
				out, stderr := w.askBehind(proxy)
				if (out != "") != ok {
					t.Errorf("%s: %s", proxy, stderr)
				}
				if strings.Contains(proxy, "other") && !strings.Contains(stderr, "user and password") {
					t.Errorf("hint: %s", stderr)
				}
				c := w.status("prod")
				if c.Refusal != nil && c.Refusal.Server != nil {
					noSecret(t, "status", c.Refusal.Hint+c.Refusal.Server.ProxyURL+c.Servers[0].ProxyURL)
				}
			}
			w = again(t, w)
		}
		_, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: behind("http://me:s3cr3t-pw@[::1")})
		refused(t, err, ipc.CodeInvalid)
		c, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Unbind: r.Servers})
		if err != nil || len(c.Servers) != 0 {
			t.Errorf("%+v, %v", c.Servers, err)
		}
	})
}

// askBehind asks for prod, for home behind that proxy.
func (w *world) askBehind(proxy string) (out, stderr string) {
	w.t.Helper()
	info := strings.Replace(string(ask(home)), `"cluster":{`, `"cluster":{"proxy-url":"`+proxy+`",`, 1)
	reply, err := w.Fetch(w.t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: []byte(info)})
	if err != nil {
		w.t.Fatal(err)
	}
	noSecret(w.t, "lines for stderr", string(reply.Stderr))
	return string(reply.Stdout), string(reply.Stderr)
}

// A ledger of an early cwagent, with a proxy's password in it, is as good, and
// has it no more after the next change.
func TestProxyPasswordWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const proxy = "http://me:pw-0f-old@proxy.example.com"
		w := newWorld(t)
		r := request("prod", "s3cr3t-1")
		r.Servers[0].ProxyURL = proxy
		w.add(r)
		b := w.ledger.book(t)
		b.Credentials[0].Servers = r.Servers
		b.Credentials[0].Servers[0].URL = home
		if err := w.ledger.Save(b); err != nil {
			t.Fatal(err)
		}
		w = again(t, w)
		if out, stderr := w.askBehind(proxy); out == "" {
			t.Error(stderr)
		}
		w.add(request("test", "s3cr3t-2"))
		if strings.Contains(string(w.ledger.text), "pw-0f-old") {
			t.Errorf("ledger: %s", w.ledger.text)
		}
	})
}
