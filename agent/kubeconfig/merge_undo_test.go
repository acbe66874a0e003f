package kubeconfig

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// What a merge has added is taken out again, byte for byte where there were such
// lists before, whoever has written the file meanwhile.
func TestUnmerge(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Config\n"
	for name, text := range map[string]string{
		"block": head + "clusters:\n- name: a # b\n  cluster: {server: 'https://b'}\n# c\nusers:\n  - {name: a, user: {}}\n# d\ncontexts:\n- name: a\n  context: {cluster: a, user: a}\ncurrent-context: a",
		"JSON":  `{"kind":"Config","clusters":[{"name":"a","cluster":{"server":"https://b"}}],"users":[{"name":"a","user":{}}],"contexts":[{"name":"a","context":{"cluster":"a","user":"a"}}],"current-context":"a"}`,
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			into := parsed(t, "/h/.kube/config", strings.ReplaceAll(text, "\n", eol))
			merged := mustMerge(t, into, parsed(t, "/h/Downloads/x", download))
			added := merged.AddedTo(into)
			back, removed, err := merged.Unmerge(added)
			if err != nil || string(back.text) != string(into.text) || len(removed) != 3 {
				t.Errorf("%s: %v, removed %v\n%q\nwant\n%q", name, err, removed, back.text, into.text)
			}
			if again, removed, err := into.Unmerge(added); err != nil || again != into || removed != nil {
				t.Errorf("%s: a second time: %v, %v", name, removed, err)
			}
			// kubectl writes it anew, with another current context.
			config, err := load(string(merged.text))
			must(t, err)
			config.CurrentContext = "train"
			config.Clusters["train"].CertificateAuthority = "../Downloads/ca.crt"
			written, err := clientcmd.Write(*config)
			must(t, err)
			back, removed, err = parsed(t, "/h/.kube/config", string(written)).Unmerge(added)
			must(t, err)
			if len(removed) != 3 || !slices.Equal(back.Names, []string{"a"}) || strings.Contains(string(back.text), "train") {
				t.Errorf("%s: written by kubectl: removed %v\n%s", name, removed, back.text)
			}
		}
	}
}

// Where there was nothing at all, nothing is left but the keys.
func TestUnmergeAll(t *testing.T) {
	t.Parallel()
	made := parsed(t, "/h/.kube/config", download)
	back, removed, err := made.Unmerge(made.AddedTo(nil))
	const want = "apiVersion: v1\nkind: Config\nclusters:\ncontexts:\ncurrent-context: \"\"\nusers:\n"
	if err != nil || string(back.text) != want || len(removed) != 3 {
		t.Errorf("%v, removed %v\n%q\nwant\n%q", err, removed, back.text, want)
	}
}

// What somebody has edited since stays, and so does what a context of his own
// refers to.
func TestUnmergeEdited(t *testing.T) {
	t.Parallel()
	made := parsed(t, "/h/.kube/config", download)
	added := made.AddedTo(nil)
	for edit, want := range map[[2]string][]string{
		{"https://a.example", "https://c.example"}:                                             {"context", "user"},
		{"name: train\ncurrent", "name: mine\ncurrent"}:                                        nil,
		{"args: [prod]", "args: [dev]"}:                                                        {"context", "cluster"},
		{"contexts:\n", "contexts:\n- {name: mine, context: {cluster: b, user: cw-prod}}\n"}:   {"context", "cluster"},
		{"contexts:\n", "contexts:\n- {name: mine, context: {cluster: train, user: other}}\n"}: {"context", "user"},
	} {
		edited := strings.Replace(download, edit[0], edit[1], 1)
		if edited == download {
			t.Fatalf("%q edits nothing", edit)
		}
		_, removed, err := parsed(t, "/h/.kube/config", edited).Unmerge(added)
		var kinds []string
		for _, a := range removed {
			kinds = append(kinds, a.Kind)
		}
		slices.Sort(kinds)
		slices.Sort(want)
		if err != nil || !slices.Equal(kinds, want) {
			t.Errorf("%q: %v, removed %q, want %q", edit, err, kinds, want)
		}
	}
}

// What is noted of an entry says nothing of a secret in it.
func TestAddedHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const text = "kind: Config\nclusters:\n- {name: a, cluster: {server: 'https://b', proxy-url: 'http://me:SECRET@p'}}\n" +
		"users:\n- {name: a, user: {client-key-data: SECRET, password: SECRET, username: u, auth-provider: {config: {x: SECRET}}}}\n" +
		"- {name: b, user: {exec: {command: c, env: [{name: x, value: SECRET}]}}}\n"
	a := parsed(t, "/h/config", text).AddedTo(nil)
	b := parsed(t, "/h/config", strings.ReplaceAll(text, "SECRET", "another")).AddedTo(nil)
	if len(a) != 3 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v differs from %v", a, b)
	}
}

func mustMerge(t *testing.T, into, from *File) *File {
	t.Helper()
	text, err := Merge(into, from, never)
	must(t, err)
	out, err := into.With(text)
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
