package config

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

const sources = `
credentials:
- name: op
  source:
    command:
      argv: [/usr/bin/op, read, "op://team/cks/token", "", "~", 7]
      env: [OP_ACCOUNT, "X=y=z", "_e="]
      timeout: 2m
      lifetime: 8h
- name: plain
  source: &plain {command: {argv: [/bin/x]}}
- name: again
  source: *plain
- name: home
  source: {file: {path: ~/x/token, lifetime: 1h}}
- name: here
  source: {file: {path: token}}
- name: person
  source:
- name: mint
  source:
    serviceAccount: {namespace: ci, name: deployer.v2, lifetime: 10m, audiences: [a, b], from: prod, server: https://API.prod}
- name: self
  servers: [https://a]
  source: {serviceAccount: {namespace: ci, name: deployer, audiences: []}}
- name: prod
  servers: [https://api.prod, https://prod]
`

func TestSources(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("other paths there")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		ipctest.Skip(t, "no home: "+err.Error())
	}
	got, err := parse("/etc/x/config.yaml", []byte(sources))
	if err != nil {
		t.Fatal(err)
	}
	plain := Source{Command: &Command{Argv: []string{"/bin/x"}, Timeout: 30 * time.Second}}
	want := map[string]Source{
		"op": {Command: &Command{
			Argv: []string{"/usr/bin/op", "read", "op://team/cks/token", "", "~", "7"}, Env: []string{"OP_ACCOUNT", "X=y=z", "_e="},
			Timeout: 2 * time.Minute, Lifetime: 8 * time.Hour,
		}},
		"plain": plain,
		"again": plain,
		"home":  {File: &File{Path: filepath.Join(home, "x", "token"), Lifetime: time.Hour}},
		"here":  {File: &File{Path: "/etc/x/token"}},
		"mint": {ServiceAccount: &ServiceAccount{
			Namespace: "ci", Name: "deployer.v2", Lifetime: 10 * time.Minute, Audiences: []string{"a", "b"}, From: "prod", Server: "https://api.prod:443",
		}},
		"self": {ServiceAccount: &ServiceAccount{Namespace: "ci", Name: "deployer", Lifetime: time.Hour, From: "self"}},
	}
	for _, c := range got.Credentials {
		if !reflect.DeepEqual(c.Source, want[c.Name]) {
			t.Errorf("%s: got %+v", c.Name, c.Source)
		}
	}
	if len(got.Credentials) != len(want)+2 {
		t.Errorf("%d credentials", len(got.Credentials))
	}
}

// below is an entry with that source in its third line.
func below(source string) string { return "credentials:\n- name: a\n  source: " + source + "\n" }

// sourceErrors belong to errorTests.
var sourceErrors = []errorTest{
	{"source, a word", below("CW-SECRET-x"), `line 3: a mapping is wanted here`},
	{"source, none", below("{}"), `line 3: source: none of command, file and serviceAccount`},
	{"source, an empty one", below("{command: }"), `line 3: source: none of command, file and serviceAccount`},
	{"source, two", below("\n    file: {path: a}\n    command: {argv: [/b]}"), `line 4: source: more than one of command, file and serviceAccount`},
	{"source, unknown", below("\n    file: {path: a}\n    vault: {}"), `line 5: unknown key "vault"`},
	{"source in itself", below("&a {command: *a}"), `line 3: unknown key "command"`},

	{"command, a list", below("{command: [/bin/x]}"), `line 3: a mapping is wanted here`},
	{"command, unknown", below("\n    command:\n      argv: [/b]\n      dir: CW-SECRET-x"), `line 6: unknown key "dir"`},
	{"command, a line", below("{command: {argv: /bin/x CW-SECRET-x}}"), `line 3: a list is wanted here`},
	{"command, nothing", below("{command: {}}"), `line 3: source.command.argv: it is missing`},
	{"command, no argv", below("\n    command:\n      timeout: 3s"), `line 5: source.command.argv: it is missing`},
	{"command, empty argv", below("{command: {argv: []}}"), `line 3: source.command.argv: it is missing`},
	{"command, null", below("\n    command:\n      argv:\n      - /bin/ls\n      - ~"), `line 7: an empty entry`},
	{"command, relative", below("\n    command:\n      argv:\n      - op"), `line 6: source.command.argv: the program is not an absolute path`},
	{"command, empty", below("{command: {argv: ['']}}"), `line 3: source.command.argv: the program is not an absolute path`},
	{"command, home", below("{command: {argv: [~/bin/op]}}"), `line 3: source.command.argv: the program is not an absolute path`},
	{"command, a token", below("\n    command:\n      argv: [/bin/echo,\n        -n=cw-secret-x]"), `line 6: source.command.argv: a token has no place in the config`},
	{"command, a token first", below("{command: {argv: [CW-SECRET-x]}}"), `line 3: source.command.argv: a token has no place in the config`},
	{"command, zero", below(`{command: {argv: [/bin/x, "a\0b"]}}`), `line 3: source.command.argv: a zero byte has no place in it`},
	{"command, a mapping in argv", below("{command: {argv: [/bin/x, {a: b}]}}"), `line 3: one value is wanted here, not a mapping`},
	{"env, a token", below("{command: {argv: [/b], env: [T=CW-SECRET-x]}}"), `line 3: source.command.env: a token has no place in the config`},
	{"env, no name", below("{command: {argv: [/b], env: ['=x']}}"), `line 3: source.command.env: neither NAME nor NAME=VALUE`},
	{"env, no variable", below("{command: {argv: [/b], env: [a b=c]}}"), `line 3: source.command.env: neither NAME nor NAME=VALUE`},
	{"env, ours", below("\n    command:\n      argv: [/b]\n      env:\n      - HOME\n      - CWAGENT_SOCKET=x"), `line 8: source.command.env: the variables of cwagent are not for a command`},
	{"env, ours in small letters", below("{command: {argv: [/b], env: [cwagent_config]}}"), `line 3: source.command.env: the variables of cwagent are not for a command`},
	{"env, twice", below("{command: {argv: [/b], env: [A, A=b]}}"), `line 3: source.command.env: it is in the list already`},
	{"timeout", below("{command: {argv: [/b], timeout: soon}}"), `line 3: source.command.timeout: not a duration`},
	{"timeout, short", below("{command: {argv: [/b], timeout: 999ms}}"), `line 3: source.command.timeout: not from 1s to 5m`},
	{"timeout, long", below("\n    command:\n      argv: [/b]\n      timeout: 5m1s"), `line 6: source.command.timeout: not from 1s to 5m`},
	{"lifetime", below("{command: {argv: [/b], lifetime: 0s}}"), `line 3: source.command.lifetime: not a duration`},

	{"file, a word", below("{file: token}"), `line 3: a mapping is wanted here`},
	{"file, unknown", below("{file: {paht: token}}"), `line 3: unknown key "paht"`},
	{"file, no path", below("{file: {lifetime: 1h}}"), `line 3: source.file.path: it is missing`},
	{"file, empty path", below("{file: {path: ''}}"), `line 3: source.file.path: it is missing`},
	{"file, somebody's home", below("{file: {path: ~bob/token}}"), `line 3: source.file.path: ~ stands for your own home folder only`},
	{"file, a token", below("{file: {path: CW-SECRET-x}}"), `line 3: source.file.path: a token has no place in the config`},
	{"file, lifetime", below("\n    file:\n      path: a\n      lifetime: -1h"), `line 6: source.file.lifetime: not a duration`},

	{"account, a word", below("{serviceAccount: ci/deployer}"), `line 3: a mapping is wanted here`},
	{"account, unknown", below("{serviceAccount: {audience: a}}"), `line 3: unknown key "audience"`},
	{"account, no namespace", below("{serviceAccount: {name: b}}"), `line 3: source.serviceAccount.namespace: it is missing`},
	{"account, no name", below("{serviceAccount: {namespace: a, name: ''}}"), `line 3: source.serviceAccount.name: it is missing`},
	{"account, namespace", below("{serviceAccount: {namespace: a.b, name: b}}"), `line 3: source.serviceAccount.namespace: not a DNS label`},
	{"account, long namespace", below("{serviceAccount: {namespace: " + strings.Repeat("a", 64) + ", name: b}}"), `line 3: source.serviceAccount.namespace: not a DNS label`},
	{"account, name", below("{serviceAccount: {namespace: a, name: b/c}}"), `line 3: source.serviceAccount.name: not a DNS name`},
	{"account, name ends", below("{serviceAccount: {namespace: a, name: b.}}"), `line 3: source.serviceAccount.name: not a DNS name`},
	{"account, a token", below("{serviceAccount: {namespace: a, name: CW-SECRET-x}}"), `line 3: source.serviceAccount: a token has no place in the config`},
	{"account, lifetime", below("{serviceAccount: {namespace: a, name: b, lifetime: x}}"), `line 3: source.serviceAccount.lifetime: not a duration`},
	{"account, short", below("\n    serviceAccount:\n      namespace: a\n      name: b\n      lifetime: 599s"), `line 7: source.serviceAccount.lifetime: less than 10m`},
	{"account, audience", below("{serviceAccount: {namespace: a, name: b, audiences: [a, '']}}"), `line 3: source.serviceAccount.audiences: an empty one`},
	{"account, from", below("{serviceAccount: {namespace: a, name: b, from: a/b}}"), `line 3: source.serviceAccount.from: not the name of a credential`},
	{"account, server", below("{serviceAccount: {namespace: a, name: b, server: http://a}}"), `line 3: source.serviceAccount.server: only https servers get a token`},

	{"lender, no server", below("{serviceAccount: {namespace: a, name: b}}") + "  servers: []\n",
		`line 3: source.serviceAccount: credential a has no server that could be asked`},
	{"lender, another server", below("\n    serviceAccount:\n      namespace: a\n      name: b\n      from: z\n      server: https://y") + "- name: z\n  servers: [https://x]\n",
		`line 8: source.serviceAccount.server: not one of the servers of credential z`},
	{"lender, several", below("{serviceAccount: {namespace: a, name: b}}") + "  servers: [https://x, https://y]\n",
		`line 3: source.serviceAccount.server: it is missing`},
}

// checkSource is the law of sources.
func checkSource(t *testing.T, s Source) {
	t.Helper()
	set := 0
	if c := s.Command; c != nil {
		set++
		words := strings.ToUpper(strings.Join(append(c.Argv, c.Env...), "\n"))
		if !filepath.IsAbs(c.Argv[0]) || strings.Contains(words, "CW-SECRET-") || c.Timeout < time.Second || c.Timeout > 5*time.Minute || c.Lifetime < 0 {
			t.Errorf("%+v", c)
		}
	}
	if f := s.File; f != nil {
		set++
		if !filepath.IsAbs(f.Path) || f.Lifetime < 0 {
			t.Errorf("%+v", f)
		}
	}
	if a := s.ServiceAccount; a != nil {
		set++
		if a.Namespace == "" || a.Name == "" || a.From == "" || a.Lifetime < 10*time.Minute || a.Server != "" && !strings.HasPrefix(a.Server, "https://") {
			t.Errorf("%+v", a)
		}
	}
	if set > 1 {
		t.Errorf("%+v", s)
	}
}
