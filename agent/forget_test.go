package agent_test

import (
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

func TestForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.add(request("dev", "s3cr3t-2"))
	w.serves("prod", "s3cr3t-1")
	if err := w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatal(err)
	}
	if got, _, stderr := w.fetch("prod", home); got != "" || !strings.Contains(stderr, "no such credential") {
		t.Errorf("fetch after forget: %q, %s", got, stderr)
	}
	refused(t, w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}), ipc.CodeNotFound)
	if got := w.disk.holds(); len(got) != 1 || got[0] != "s3cr3t-2" {
		t.Errorf("the store holds %q", got)
	}
	w.serves("dev", "s3cr3t-2")
	w.add(request("prod", "s3cr3t-3"))
	w.serves("prod", "s3cr3t-3")
}

func TestServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	yes, no := true, false
	b := ipc.Server{URL: "https://b.example.com:443"}
	insecure := ipc.Server{URL: "https://b.example.com:443", Insecure: true}
	steps := []struct {
		name string
		r    ipc.ServersRequest
		want int // servers afterwards; negative: refused
	}{
		{"only ask", ipc.ServersRequest{}, 1},
		{"add, in another spelling", ipc.ServersRequest{Add: []ipc.Server{{URL: "B.example.com/"}}}, 2},
		{"again", ipc.ServersRequest{Add: []ipc.Server{b, b}}, 2},
		{"the same, reached in another way", ipc.ServersRequest{Add: []ipc.Server{insecure}}, 3},
		{"and again", ipc.ServersRequest{Add: []ipc.Server{b, insecure}}, 3},
		{"http", ipc.ServersRequest{Add: []ipc.Server{{URL: "http://c"}}}, -3},
		{"one wrong in a row", ipc.ServersRequest{Add: []ipc.Server{{URL: "https://c"}}, Remove: []string{"https://nobody"}}, -3},
		{"remove, whatever the other fields", ipc.ServersRequest{Remove: []string{"b.example.com"}}, 1},
		{"remove again", ipc.ServersRequest{Remove: []string{"b.example.com"}}, -1},
		{"remove nonsense", ipc.ServersRequest{Remove: []string{"\x1b[2J"}}, -1},
		{"remove one that is added in the same breath", ipc.ServersRequest{Add: []ipc.Server{b}, Remove: []string{b.URL}}, 1},
		{"no cluster info", ipc.ServersRequest{NoClusterInfo: &yes}, 1},
		{"remove the last", ipc.ServersRequest{Remove: []string{home}}, 0},
		{"cluster info again", ipc.ServersRequest{NoClusterInfo: &no}, 0},
	}
	for _, s := range steps {
		s.r.Name = "prod"
		c, err := w.Servers(t.Context(), s.r)
		if s.want < 0 {
			refused(t, err, ipc.CodeInvalid)
			c, s.want = w.status("prod"), -s.want
		} else if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if len(c.Servers) != s.want {
			t.Fatalf("%s: %+v", s.name, c.Servers)
		}
		if got, _, _ := w.fetch("prod", ""); (got != "") != (s.r.NoClusterInfo == &yes || s.name == "remove the last") {
			t.Errorf("%s: without cluster info: %q", s.name, got)
		}
	}
	_, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "nobody"})
	refused(t, err, ipc.CodeNotFound)
}

// A refusal says what would allow it, is in the status until it is allowed, and
// no other caller's.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.add(request("dev", "s3cr3t-2"))
	if c := w.status("prod"); c.Refusal != nil {
		t.Errorf("%+v", c.Refusal)
	}
	for _, tt := range []struct{ server, hint string }{
		{"https://evil.example", "cwagent servers prod --add https://evil.example:443"},
		{"", "cwagent servers prod --no-cluster-info"},
		{"http://a.example.com", "https://HOST"},
		{"https://x/\x1b[2J", "https://HOST"},
		{"https://me:s3cr3t-pw@a.example.com", "https://HOST"},
	} {
		got, _, stderr := w.fetch("prod", tt.server)
		if got != "" || !strings.Contains(stderr, tt.hint) || strings.Contains(stderr, "\x1b") || strings.Count(stderr, "\n") != 2 {
			t.Errorf("%q: %q, %q", tt.server, got, stderr)
		}
		r := w.status("prod").Refusal
		if r == nil || !r.At.Equal(noon) || !strings.Contains(r.Hint, tt.hint) || (r.Server == nil) != (tt.server == "") {
			t.Fatalf("%q: %+v", tt.server, r)
		}
		if r.Server != nil {
			noSecret(t, "status", r.Server.URL)
			if strings.Contains(r.Server.URL, "\x1b") {
				t.Errorf("%q", r.Server.URL)
			}
		}
	}
	if c := w.status("dev"); c.Refusal != nil {
		t.Errorf("%+v", c.Refusal)
	}
	w.serves("prod", "s3cr3t-1")
	if w.status("prod").Refusal == nil {
		t.Error("a good request wiped the refusal out")
	}
	if log := w.log.String(); strings.Count(log, "not given out") != 5 {
		t.Errorf("log:\n%s", log)
	}

	w.fetch("prod", "https://evil.example")
	c, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: []ipc.Server{{URL: "https://evil.example"}}})
	if err != nil || c.Refusal != nil {
		t.Errorf("allowed, and still shown: %+v, %v", c.Refusal, err)
	}
}
