package config

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// writeCA writes a certificate authority, with text around it as people have it.
func writeCA(t testing.TB, path string) []byte {
	t.Helper()
	b := append([]byte("# ours\n"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("of " + path)})...)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := writeCA(t, filepath.Join(dir, "ca.pem"))
	got, err := parse(filepath.Join(dir, "config.yaml"), []byte(`
credentials:
- name: train
  servers:
  - https://CW7F2E.example.com/
  - &full
    url: https://api.cw7f2e.example.com
    caFile: ca.pem
    tlsServerName: api
    proxyURL: http://me:word@proxy:3128
  - {url: "10.0.0.1:6443", insecureSkipTLSVerify: true, caFile: ~, proxyURL: }
- name: none
  servers: []
- name: learnt
  servers:
- name: again
  servers: [*full]
`))
	if err != nil {
		t.Fatal(err)
	}
	full := Server{CA: ca, Server: ipc.Server{
		URL: "https://api.cw7f2e.example.com:443", CASHA256: agent.Fingerprint(ca), TLSServerName: "api",
		ProxyURL: "http://proxy:3128", ProxySHA256: agent.Fingerprint([]byte("http://me:word@proxy:3128")),
	}}
	want := []Credential{
		{Name: "train", Servers: []Server{
			{Server: ipc.Server{URL: "https://cw7f2e.example.com:443"}},
			full,
			{Server: ipc.Server{URL: "https://10.0.0.1:6443", Insecure: true}},
		}},
		{Name: "none", Servers: []Server{}},
		{Name: "learnt"},
		{Name: "again", Servers: []Server{full}},
	}
	if !reflect.DeepEqual(got.Credentials, want) {
		t.Errorf("got  %+v\nwant %+v", got.Credentials, want)
	}
}

// TestServerCA: what is wrong with a caFile is found when the config is read.
func TestServerCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, b := range map[string][]byte{"empty": nil, "key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), "large": make([]byte, maxSize+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "config.yaml")
	for file, want := range map[string]string{
		"missing": "there is no such file", "''": "there is no such file",
		".": "not a regular file, or larger than 1 MiB", "large": "not a regular file, or larger than 1 MiB",
		"empty": "no certificate in it", "key": "no certificate in it",
		"~bob/ca.pem": "~ stands for your own home folder only",
	} {
		_, err := parse(path, []byte("credentials:\n- name: a\n  servers:\n  - url: https://a\n    caFile: "+file+"\n"))
		if want := "config " + path + ": line 5: servers.caFile: " + want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}

// serverErrors belong to errorTests.
var serverErrors = []errorTest{
	{"servers, one word", "credentials:\n- name: a\n  servers: https://a\n", `line 3: a list is wanted here`},
	{"servers, a mapping", "credentials:\n- name: a\n  servers: {url: https://a}\n", `line 3: a list is wanted here`},
	{"servers, a list in it", "credentials:\n- name: a\n  servers:\n  - [https://a]\n", `line 4: a URL or a mapping is wanted here, not a list`},
	{"servers, empty entry", "credentials:\n- name: a\n  servers:\n  -\n", `line 4: an empty entry`},
	{"servers in themselves", "credentials:\n- name: a\n  servers: &a [*a]\n", `line 3: a URL or a mapping is wanted here, not a list`},
	{"server, unknown key", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    tls-server-name: CW-SECRET-x\n", `line 5: unknown key "tls-server-name"`},
	{"server, a token for a key", "credentials:\n- name: a\n  servers:\n  - {CW-SECRET-x: a}\n", `line 4: unknown key here`},
	{"server, a list for a key", "credentials:\n- name: a\n  servers:\n  - ? [url]\n    : https://a\n", `line 4: unknown key here`},
	{"server, merged", "credentials:\n- name: a\n  servers:\n  - <<: {url: https://a}\n", `line 4: unknown key "<<"`},
	{"server, key twice", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    url: https://a\n", `line 5: the key stands in line 4 already`},
	{"server, a mapping for a value", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    caFile: {a: b}\n", `line 5: one value is wanted here, not a mapping`},
	{"server, no url", "credentials:\n- name: a\n  servers:\n  - tlsServerName: a\n", `line 4: servers.url: it is missing`},
	{"server, nothing", "credentials:\n- name: a\n  servers:\n  - {}\n", `line 4: servers.url: it is missing`},
	{"server, empty", "credentials:\n- name: a\n  servers:\n  - ''\n", `line 4: servers: the host is missing`},
	{"server, http", "credentials:\n- name: a\n  servers:\n  - https://a\n  - http://b\n", `line 5: servers: only https servers get a token`},
	{"server, user", "credentials:\n- name: a\n  servers:\n  - url: https://u:word@a\n", `line 4: servers: a user name has no place in it`},
	{"server, query", "credentials:\n- name: a\n  servers:\n  - 'https://a?\": b'\n", `line 4: servers: a query or a fragment has no place in it`},
	{"server, port", "credentials:\n- name: a\n  servers:\n  - https://a:99999\n", `line 4: servers: the port is not a number from 1 to 65535`},
	{"server, a token", "credentials:\n- name: a\n  servers:\n  - CW-SECRET-x\n", `line 4: servers: a token has no place in the config`},
	{"server, a token below", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    tlsServerName: CW-SECRET-x\n", `line 5: servers: a token has no place in the config`},
	{"server, zero", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    caFile: \"a\\0b\"\n", `line 5: servers: a zero byte has no place in it`},
	{"server, proxy", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    proxyURL: ':x'\n", `line 5: servers.proxyURL: not a URL`},
	{"server, insecure", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    insecureSkipTLSVerify: yes\n", `line 5: servers.insecureSkipTLSVerify: neither true nor false`},
	{"server, insecure with a CA", "credentials:\n- name: a\n  servers:\n  - url: https://a\n    caFile: a\n    insecureSkipTLSVerify: true\n",
		`line 6: servers: insecureSkipTLSVerify and caFile exclude each other`},
	{"server twice", "credentials:\n- name: a\n  servers:\n  - https://a\n  - url: https://A:443/\n", `line 5: servers: it is in the list already`},
}

// checkServers is the law of servers.
func checkServers(t *testing.T, all []Server) {
	t.Helper()
	seen := map[ipc.Server]bool{}
	for _, s := range all {
		if again, err := agent.Canonical(s.Server); err != nil || again != s.Server || seen[s.Server] || s.CASHA256 != agent.Fingerprint(s.CA) {
			t.Errorf("%+v: %v", s, err)
		}
		seen[s.Server] = true
	}
}
