package kubeconfig

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd/api"
)

// parsed reads a text as the file at path.
func parsed(t testing.TB, path, text string) *File {
	t.Helper()
	f := &File{Path: path, text: []byte(text)}
	if err := f.parse(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

const download = `apiVersion: v1
kind: Config
clusters:
- name: train # ours
  cluster:
    server: https://a.example.com
    certificate-authority: ca.crt
contexts:
- context: {cluster: train, user: cw-prod}
  name: train
current-context: train
users:
- name: cw-prod
  user:
    exec:
      command: /usr/bin/cwagent-credential
      args: [prod]
`

// never is for merges without a collision.
func never(kind, name string) (string, error) { return "", fmt.Errorf("%s %s collides", kind, name) }

// The lists that people have, and what they look like with one entry more.
func TestMergeShapes(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Config\n"
	tests := map[string]struct{ into, want string }{
		"nothing there": {head, head + "clusters:\n- name: train # ours\n  cluster:\n    server: https://a.example.com\n    certificate-authority: ca.crt\n" +
			"users:\n- name: cw-prod\n  user:\n    exec:\n      command: /usr/bin/cwagent-credential\n      args: [prod]\n" +
			"contexts:\n- context: {cluster: train, user: cw-prod}\n  name: train\ncurrent-context: train\n"},
		"empty lists": {head + "users: [] # mine\ncontexts:\nclusters: null\ncurrent-context: \"\"\n# end\n",
			head + "users: # mine\n- name: cw-prod\n  user:\n    exec:\n      command: /usr/bin/cwagent-credential\n      args: [prod]\n" +
				"contexts:\n- context: {cluster: train, user: cw-prod}\n  name: train\n" +
				"clusters:\n- name: train # ours\n  cluster:\n    server: https://a.example.com\n    certificate-authority: ca.crt\ncurrent-context: train\n# end\n"},
		"their own indentation": {head + "clusters:\n    -   name: a # b\n        cluster:\n            server: https://b\n    # c\n\nusers:\n  - {name: a, user: {}}\n# d\ncontexts:\n- name: a\n  context: {}\ncurrent-context: a",
			head + "clusters:\n    -   name: a # b\n        cluster:\n            server: https://b\n    -   name: train # ours\n        cluster:\n          server: https://a.example.com\n          certificate-authority: ca.crt\n    # c\n\n" +
				"users:\n  - {name: a, user: {}}\n  - name: cw-prod\n    user:\n      exec:\n        command: /usr/bin/cwagent-credential\n        args: [prod]\n# d\n" +
				"contexts:\n- name: a\n  context: {}\n- context: {cluster: train, user: cw-prod}\n  name: train\ncurrent-context: a"},
		"JSON": {`{"kind":"Config","apiVersion":"v1","clusters":[{"name":"a","cluster":{}}],"users":[]}`,
			`{"kind":"Config","apiVersion":"v1","clusters":[{"name":"a","cluster":{}},{"cluster":{"certificate-authority":"ca.crt","server":"https://a.example.com"},"name":"train"}],` +
				`"users":[{"name":"cw-prod","user":{"exec":{"args":["prod"],"command":"/usr/bin/cwagent-credential"}}}],` +
				`"contexts":[{"context":{"cluster":"train","user":"cw-prod"},"name":"train"}],"current-context":"train"}`},
	}
	for name, tt := range tests {
		for _, eol := range []string{"\n", "\r\n"} {
			into, want := strings.ReplaceAll(tt.into, "\n", eol), strings.ReplaceAll(tt.want, "\n", eol)
			got, err := Merge(parsed(t, "/h/config", into), parsed(t, "/h/download", download), never)
			if err != nil || string(got) != want {
				t.Errorf("%s: %v\n%q\nwant\n%q", name, err, got, want)
				continue
			}
			again, err := Merge(parsed(t, "/h/config", want), parsed(t, "/h/download", download), never)
			if err != nil || string(again) != want {
				t.Errorf("%s: merged twice: %v\n%s", name, err, again)
			}
		}
	}
	if got, err := Merge(nil, parsed(t, "/h/download", download), never); err != nil || string(got) != download {
		t.Errorf("a new file: %v\n%s", err, got)
	}
}

// What may stand at the end of a flow list, and what JSON alone can hold.
func TestMergeFlow(t *testing.T) {
	t.Parallel()
	const from = "kind: Config\nusers:\n- &cw {name: \"a: bx\", user: {as: \"\\x7f\\x85\\ufeffü\", username: \"yes\"}}\n"
	const user = `{"name":"a: bx","user":{"as":"\u007f\u0085\ufeffü","username":"yes"}}`
	for into, want := range map[string]string{
		"kind: Config\nusers: [\n  {name: '#]', user: {}}, # z ]\n  # z\n]\n": "kind: Config\nusers: [\n  {name: '#]', user: {}}," + user + " # z ]\n  # z\n]\n",
		"kind: Config\nusers: [ {name: q, user: {}} # z\n]\n":                 "kind: Config\nusers: [ {name: q, user: {}}," + user + " # z\n]\n",
		"{kind: Config, # z\n}\n":                                             "{kind: Config,\"users\":[" + user + "] # z\n}\n",
		"{\"kind\": \"Config\" # z\n}":                                        "{\"kind\": \"Config\",\"users\":[" + user + "] # z\n}",
	} {
		got, err := Merge(parsed(t, "/h/config", into), parsed(t, "/h/from", from), never)
		if err != nil || string(got) != want {
			t.Errorf("%v\n%q\nwant\n%q", err, got, want)
			continue
		}
		if config, err := load(string(got)); err != nil || config.AuthInfos["a: bx"].Impersonate != "\x7f\u0085\ufeffü" {
			t.Errorf("client-go: %v\n%q", err, got)
		}
	}
}

// Another thing of the same name is called what the caller says, and contexts
// follow; paths still lead to where they led.
func TestMergeCollisions(t *testing.T) {
	t.Parallel()
	into := strings.Replace(strings.Replace(download, "a.example", "b.example", 1), "[prod]", "[dev]", 1)
	var asked []string
	got, err := Merge(parsed(t, "/h/.kube/config", into), parsed(t, "/h/Downloads/x", download), func(kind, name string) (string, error) {
		asked = append(asked, kind+" "+name)
		return name + "-2", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(into, "contexts:", "- name: train-2 # ours\n  cluster:\n    server: https://a.example.com\n    certificate-authority: /h/Downloads/ca.crt\ncontexts:", 1)
	want = strings.Replace(want, "current-context:", "- context: {cluster: train-2, user: cw-prod-2}\n  name: train-2\ncurrent-context:", 1)
	want += "- name: cw-prod-2\n  user:\n    exec:\n      command: /usr/bin/cwagent-credential\n      args: [prod]\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(asked, ", "); got != "cluster train, user cw-prod, context train" {
		t.Errorf("asked about %s", got)
	}
	no := errors.New("no")
	for _, rename := range []func(kind, name string) (string, error){
		func(string, string) (string, error) { return "", no },
		func(_, name string) (string, error) { return name, nil },
		func(string, string) (string, error) { return "", nil },
	} {
		text, err := Merge(parsed(t, "/h/.kube/config", into), parsed(t, "/h/Downloads/x", download), rename)
		if text != nil || err == nil {
			t.Errorf("%v\n%s", err, text)
		} else if err != no && !strings.Contains(refusal(t, err), "is taken in /h/.kube/config") {
			t.Error(err)
		}
	}
}

// Lists that cannot be extended safely are refused.
func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Config\n"
	for name, tt := range map[string]struct{ into, from, want string }{
		"anchored":        {head + "clusters: &c\n- {name: a, cluster: {}}\n", download, "line 3: clusters is shared"},
		"aliased":         {head + "x: &c\n- {name: a, cluster: {}}\nclusters: *c\n", download, "line 5: clusters is shared"},
		"anchored null":   {head + "clusters: &c\n", download, "line 3: clusters is shared"},
		"current context": {head + "current-context: &c ''\n", download, "line 3: current-context is shared"},
		"empty elsewhere": {head + "clusters:\n  []\n", download, "line 4: an empty list"},
		"merge key":       {head, head + "clusters:\n- name: a\n  cluster:\n    <<: {server: x}\n", "line 6: a merge key"},
		"no name":         {head, head + "users:\n- user: {}\n", "line 4: an entry of users has no name"},
	} {
		text, err := Merge(parsed(t, "/h/config", tt.into), parsed(t, "/h/from", tt.from), never)
		if err == nil {
			t.Errorf("%s: merged to\n%s", name, text)
		} else if got := refusal(t, err); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Whatever two files hold: client-go reads what is in both, and of the one that was
// there every byte still stands, in its order.
func TestMergeAnything(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range *samples {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		a, b := newSample(r).text(), newSample(r).text()
		want, err := load(a)
		if err != nil {
			t.Fatal(err)
		}
		from, err := load(b)
		if err != nil {
			t.Fatal(err)
		}
		renamed := map[string]string{}
		got, err := Merge(parsed(t, "/h/config", a), parsed(t, "/h/from", b), func(kind, name string) (string, error) {
			renamed[kind+name] = name + "-from"
			return name + "-from", nil
		})
		if err != nil {
			t.Fatalf("sample %d: %v\n%s\nand\n%s", i, err, a, b)
		}
		mergeInto(want, from, renamed)
		config, err := load(string(got))
		if err != nil || !reflect.DeepEqual(config, want) {
			t.Fatalf("sample %d: client-go reads something else: %v\n%s\nand\n%s\nbecame\n%s", i, err, a, b, got)
		}
		if rest := without([]byte(a), got); len(rest) > 0 {
			t.Fatalf("sample %d: from here on it is not what it was: %q\n%s\nand\n%s\nbecame\n%s", i, rest, a, b, got)
		}
	}
}

// without returns what is left of a when all that stands in b, in its order, is
// taken away: nothing, if b came about by insertions only.
func without(a, b []byte) []byte {
	for _, c := range b {
		if len(a) > 0 && a[0] == c {
			a = a[1:]
		}
	}
	return a
}

// mergeInto does with client-go's types what Merge does with text.
func mergeInto(into, from *api.Config, renamed map[string]string) {
	name := func(kind, name string) string {
		if fresh := renamed[kind+name]; fresh != "" {
			return fresh
		}
		return name
	}
	for n, c := range from.Clusters {
		into.Clusters[name("cluster", n)] = c
	}
	for n, u := range from.AuthInfos {
		into.AuthInfos[name("user", n)] = u
	}
	for n, c := range from.Contexts {
		c.Cluster, c.AuthInfo = name("cluster", c.Cluster), name("user", c.AuthInfo)
		into.Contexts[name("context", n)] = c
	}
}
