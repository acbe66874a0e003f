package agent

import (
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// refused stands for a canonical URL where there is none.
const refused = ""

var canonical = []struct{ in, want string }{
	{"https://a.example.com", "https://a.example.com:443"},
	{"https://a.example.com/", "https://a.example.com:443"},
	{"https://a.example.com:443", "https://a.example.com:443"},
	{"https://a.example.com:0443", "https://a.example.com:443"},
	{"https://a.example.com:", "https://a.example.com:443"}, // as net/http dials it
	{"https://a.example.com:8443", "https://a.example.com:8443"},
	{"HTTPS://A.Example.COM", "https://a.example.com:443"},
	{"a.example.com", "https://a.example.com:443"}, // as client-go completes it
	{"a.example.com:6443/k8s", "https://a.example.com:6443/k8s"},
	{"https://a.example.com.", "https://a.example.com.:443"},

	{"https://a.example.com/k8s/clusters/c-1/", "https://a.example.com:443/k8s/clusters/c-1"},
	{"https://a.example.com//k8s///c", "https://a.example.com:443/k8s/c"},
	{"https://a.example.com/k8s/./x/../c", "https://a.example.com:443/k8s/c"},
	{"https://a.example.com/../..", "https://a.example.com:443"},
	{"https://a.example.com/K8s", "https://a.example.com:443/K8s"},
	{"https://a.example.com/%6b8s", "https://a.example.com:443/%6b8s"},
	{"https://a.example.com/a%2Fb", "https://a.example.com:443/a%2Fb"},
	{"https://a.example.com/a/%2e%2e/b", "https://a.example.com:443/a/%2e%2e/b"},
	{"https://a.example.com/ä", "https://a.example.com:443/%C3%A4"},

	{"https://127.0.0.1:6443", "https://127.0.0.1:6443"},
	{"https://127.1", "https://127.1:443"},
	{"https://[::1]", "https://[::1]:443"},
	{"https://[::1]:6443/", "https://[::1]:6443"},
	{"https://[0:0:0:0:0:0:0:1]", "https://[::1]:443"},
	{"https://[2001:DB8::00A]", "https://[2001:db8::a]:443"},
	{"https://[::ffff:10.0.0.1]", "https://[::ffff:10.0.0.1]:443"},
	{"https://[fe80::1%25eth0]", "https://[fe80::1%25eth0]:443"},
	{"https://::1", refused},
	{"https://[::1", refused},
	{"https://[a.example.com]", refused},

	{"", refused},
	{"https://", refused},
	{"https:///k8s", refused},
	{"https://:443", refused},
	{"http://a.example.com", refused},
	{"ftp://a.example.com", refused},
	{"unix:///run/k8s.sock", refused},
	{"://a.example.com", refused},
	{"https://a.example.com:0", refused},
	{"https://a.example.com:65536", refused},
	{"https://a.example.com:99999999999999999999", refused},
	{"https://a.example.com:-1", refused},
	{"https://a.example.com:https", refused},
	{"https://me@a.example.com", refused},
	{"https://me:pw@a.example.com", refused},
	{"https://@a.example.com", refused},
	{"https://a.example.com?x=1", refused},
	{"https://a.example.com?", refused},
	{"https://a.example.com#x", refused},
	{"https://a.example.com#", refused},
	{"https://bücher.example.com", refused},
	{"https://b%C3%BCcher.example.com", refused},
	{"https://xn--bcher-kva.example.com", "https://xn--bcher-kva.example.com:443"},
	{"https://\u212a8s.example.com", refused}, // the Kelvin sign is "k" in lower case
	{"https://a\u3002example.com", refused},   // an ideographic full stop
	{" https://a.example.com", refused},
	{"https://a.example.com ", refused},
	{"https://a .example.com", refused},
	{"https://a.example.com\n", refused},
	{"https://a.example.com/\t", refused},
	{"https://a.example.com\x00", refused},
	{"https://a\x7f.example.com", refused},
	{`https://a.example.com\@evil.example`, refused},
	{`https://a.example.com\evil`, refused},
	{"https://a.example.com%2fevil", refused},
}

func TestCanonicalURL(t *testing.T) {
	t.Parallel()
	for _, tt := range canonical {
		got, err := Canonical(ipc.Server{URL: tt.in})
		if tt.want == refused {
			if err == nil {
				t.Errorf("%q: taken as %s", tt.in, got.URL)
			}
			continue
		}
		if err != nil || got.URL != tt.want {
			t.Errorf("%q: %q, %v; want %s", tt.in, got.URL, err, tt.want)
		}
		if again, err := Canonical(got); err != nil || again != got {
			t.Errorf("%q: its canonical form %s is not: %s, %v", tt.in, got.URL, again.URL, err)
		}
	}
}

func TestCanonicalOtherFields(t *testing.T) {
	t.Parallel()
	const url = "https://a.example.com:443"
	tests := []struct{ in, want ipc.Server }{
		{ipc.Server{CASHA256: "ABCdef09"}, ipc.Server{CASHA256: "abcdef09"}},
		{ipc.Server{ProxyURL: "HTTP://Proxy:3128"}, ipc.Server{ProxyURL: "http://Proxy:3128"}},
		{ipc.Server{ProxyURL: "socks5://127.0.0.1:1080"}, ipc.Server{ProxyURL: "socks5://127.0.0.1:1080"}},
		{ipc.Server{ProxyURL: "http://proxy", ProxySHA256: "AB"}, ipc.Server{ProxyURL: "http://proxy", ProxySHA256: "ab"}},
		{ipc.Server{ProxyURL: "http://me:pw@proxy"}, ipc.Server{ProxyURL: "http://proxy", ProxySHA256: Fingerprint([]byte("http://me:pw@proxy"))}},
		{ipc.Server{ProxyURL: "http://me@proxy"}, ipc.Server{ProxyURL: "http://proxy", ProxySHA256: Fingerprint([]byte("http://me@proxy"))}},
		{ipc.Server{TLSServerName: "K8s.Example"}, ipc.Server{TLSServerName: "K8s.Example"}},
		{ipc.Server{Insecure: true}, ipc.Server{Insecure: true}},
	}
	for _, tt := range tests {
		tt.in.URL, tt.want.URL = url, url
		if got, err := Canonical(tt.in); err != nil || got != tt.want {
			t.Errorf("%+v: %+v, %v", tt.in, got, err)
		}
		if again, err := Canonical(tt.want); err != nil || again != tt.want {
			t.Errorf("%+v: its canonical form is not: %+v, %v", tt.in, again, err)
		}
	}
	if _, err := Canonical(ipc.Server{URL: url, ProxyURL: "http://[::1"}); err == nil {
		t.Error("a proxy that is no URL was taken")
	}
}

// Text from outside that an error quotes steers no terminal and fills no screen.
func TestCanonicalErrors(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://\x1b]0;gotcha\a", "http://" + strings.Repeat("a", 1<<20), "http://\u202eevil"} {
		_, err := Canonical(ipc.Server{URL: url})
		e, ok := err.(*ipc.Error)
		if !ok || e.Code != ipc.CodeInvalid || e.Hint == "" || len(e.What) > 400 || !printable(e.What) {
			t.Errorf("%.40q: %+v", url, err)
		}
	}
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if got := Fingerprint(nil) + Fingerprint([]byte{}); got != "" {
		t.Errorf("no data: %q", got)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2
	if got := Fingerprint([]byte("abc")); got != abc {
		t.Errorf("abc: %s", got)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	plain := ipc.Server{URL: "https://a:443"}
	insecure := ipc.Server{URL: "https://a:443", Insecure: true}
	named := ipc.Server{URL: "https://a:443", TLSServerName: "xy"}
	proxied := ipc.Server{URL: "https://a:443", TLSServerName: "x", ProxyURL: "y"}
	first := ipc.Server{URL: "https://A:443"}
	all := merge([]ipc.Server{plain, insecure, named, proxied}, []ipc.Server{insecure, plain, first})
	for range 3 {
		all = merge(all, []ipc.Server{proxied, plain, named, insecure})
	}
	want := []ipc.Server{first, plain, insecure, named, proxied}
	if len(all) != len(want) || all[0] != first {
		t.Errorf("%+v", all)
	}
	if got := merge(nil, nil); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
