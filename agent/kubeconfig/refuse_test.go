package kubeconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// secret is the token of the tables below. No error may hold it.
const secret = "CW-SECRET-Zk3vY0pQm1tR7wXc9bL5nH2s"

// kubeconfig returns one whose user "token" is written like that; USER begins
// in line 11, and T stands for the token.
func kubeconfig(user string) string {
	const text = `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: https://a.example.com}
contexts:
- name: c
  context: {cluster: c, user: token}
current-context: c
users:
USER
`
	return strings.ReplaceAll(strings.Replace(text, "USER", user, 1), "T!", secret)
}

// refusal looks at an error of this package and returns its text.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeInvalid && e.Code != ipc.CodeChanged {
		t.Fatalf("%v (%T)", err, err)
	}
	text := e.Text()
	if strings.Contains(text, secret[:14]) {
		t.Errorf("a secret in the error: %s", text)
	}
	if strings.Count(text, "\n") > 2 || strings.ContainsAny(text, "\x1b\r\x00") {
		t.Errorf("%q", text)
	}
	return text
}

// editAll renames and edits every user of a text.
func editAll(text string) ([]byte, error) {
	f := &File{Path: "config", text: []byte(text)}
	if err := f.parse(); err != nil {
		return nil, err
	}
	var changes []Change
	for i := range f.Users {
		changes = append(changes, Change{User: i, NewName: fmt.Sprintf("cw-%d", i), Exec: Exec{"/usr/bin/cwagent-credential", "prod"}})
	}
	out, _, err := f.Edit(changes)
	return out, err
}

// Shapes that cannot be edited safely are refused with the line, and shapes
// next to them are not.
func TestEditRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, user, want string }{
		{"plain", "- name: token\n  user:\n    token: T!", ""},
		{"an anchor elsewhere", "- name: token\n  user:\n    token: T!\n    as: &x me", ""},
		{"tagged key", "- name: token\n  user:\n    !!str token: T!", ""},
		{"escapes", "- name: token\n  user:\n    token: \"\\x43W-SECRET-0\"", ""},

		{"token aliased", "- name: x\n  user: {as: &t T!}\n- name: token\n  user:\n    token: *t", "line 15: the token of user"},
		{"token anchored", "- name: token\n  user:\n    token: &t T!", "line 13: the token of user"},
		{"user anchored", "- name: token\n  user: &u\n    token: T!", "line 12: the token of user"},
		{"user aliased", "- name: x\n  user: &u {token: T!}\n- name: token\n  user: *u", "line 12: the token of user"},
		{"entry anchored", "- &e\n  name: token\n  user: {token: T!}", "line 11: the token of user"},
		{"merge key", "- name: base\n  user: &b {as: me, token: T!}\n- name: token\n  user:\n    <<: *b", "line 12: the token of user"},
		{"merge key of a literal", "- name: token\n  user:\n    <<: {token: T!}", "line 11: the token of user"},
		{"folded", "- name: token\n  user:\n    token: >-\n      T!", "line 13: a value is written"},
		{"literal", "- name: token\n  user:\n    token: |-\n      T!", "line 13: a value is written"},
		{"plain over two lines", "- name: token\n  user:\n    token: T!\n      more", "line 13: a value is written"},
		{"quoted over two lines", "- name: token\n  user:\n    token: \"T!\\\n      more\"", "line 13: a value is written"},
		{"below its key", "- name: token\n  user:\n    token: # mine\n      T!", "line 14: the token does not stand"},
		{"tagged", "- name: token\n  user:\n    token: !!str T!", "line 13: a value is written"},
		{"explicit key", "- name: token\n  user:\n    ? token\n    : T!", "line 14: the token does not stand"},
		{"explicit key in one line", "- name: token\n  user: {? token : T!}", ""},
		{"a number", "- name: token\n  user:\n    token: 1234567890123", "line 13: the token is written in a way"},

		{"exec", "- name: token\n  user:\n    token: T!\n    exec: {command: x}", "line 13: user \"token\" has exec beside"},
		{"auth-provider", "- name: token\n  user:\n    token: T!\n    auth-provider: {name: oidc}", "line 13: user \"token\" has auth-provider beside"},
		{"tokenFile", "- name: token\n  user:\n    tokenFile: /x\n    token: T!", "line 14: user \"token\" has tokenFile beside"},
		{"basic", "- name: token\n  user: {username: me, password: T!, token: T!}", "line 12: user \"token\" has username beside"},
		{"one name twice", "- {name: token, user: {token: T!}}\n- {name: token, user: {token: T!x}}", "line 11: several users are named"},
		{"one name twice, other kinds", "- {name: token, user: {}}\n- {name: token, user: {token: T!x}}", "line 12: several users are named"},

		{"name anchored", "- name: &n token\n  user: {token: T!}", "line 12: the name of user"},
		{"name over two lines", "- name: >-\n    token\n  user: {token: T!}", "line 11: a value is written"},
		{"name tagged", "- name: !!str token\n  user: {token: T!}", "line 11: a value is written"},
		{"name is a number", "- name: 12\n  user: {token: T!}", "its shape"},
		{"users shared", " &u\n- name: token\n  user: {token: T!}\nextensions: *u", "its shape"},
	}
	for _, tt := range tests {
		_, err := editAll(kubeconfig(tt.user))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == "":
		case err == nil:
			t.Errorf("%s: edited", tt.name)
		default:
			if text := refusal(t, err); !strings.Contains(text, "config: "+tt.want) {
				t.Errorf("%s: %s", tt.name, text)
			}
		}
	}
}

// Renaming a user takes all contexts along, or none.
func TestRenameRefuses(t *testing.T) {
	t.Parallel()
	good := kubeconfig("- name: token\n  user: {token: T!}")
	for name, shape := range map[string][2]string{
		"contexts aliased":      {"contexts:\n- name", "current: &x\n- {name: c, context: {user: token}}\ncontexts: *x\nrest:\n- name"},
		"reference anchored":    {"user: token}", "user: &u token}"},
		"reference tagged":      {"user: token}", "user: !!str token}"},
		"reference on two rows": {"user: token}", "user:\n     token}"},
	} {
		text := strings.Replace(good, shape[0], shape[1], 1)
		if text == good {
			t.Fatal(name)
		}
		if out, err := editAll(text); err == nil {
			if again, err := load(string(out)); err != nil || again.Contexts["c"].AuthInfo != "cw-0" {
				t.Errorf("%s: edited to\n%s", name, out)
			}
		} else {
			refusal(t, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	one := "- name: token\n  user: {token: T!}"
	tests := []struct{ name, text, want string }{
		{"empty", "", "there is nothing in it"},
		{"only comments", "# " + secret + "\n", "there is nothing in it"},
		{"null", "~", "not a kubeconfig"},
		{"a token alone", secret, "not a kubeconfig"},
		{"a list", "- " + secret, "not a kubeconfig"},
		{"not YAML", "users: [" + secret, "not YAML"},
		{"tabs", "users:\n\t- " + secret, "not YAML"},
		{"binary", "\x00\x01\x02" + secret, "not YAML"},
		{"not UTF-8", "kind: \xff\xfe " + secret, "not YAML"},
		{"another kind", "kind: Secret\ndata: {token: " + secret + "}", "not a kubeconfig"},
		{"neither kind nor lists", "data: {token: " + secret + "}", "not a kubeconfig"},
		{"a kind of another type", "kind: [" + secret + "]\nusers: []", "not a kubeconfig"},
		{"users of another type", "kind: Config\nusers: " + secret, "line 2: a kubeconfig has something else here"},
		{"users twice", kubeconfig(one) + "users:\n- {name: x, user: {token: T!}}", "line 13: a key stands here for the second time"},
		{"UTF-16", "\xff\xfek\x00:\x00", "it is written in UTF-16"},
		{"UTF-16, the other way", "\xfe\xff\x00k\x00:", "it is written in UTF-16"},
		{"user of another type", kubeconfig("- " + secret), "line 11: a user entry cannot be read"},
		{"token of another type", kubeconfig("- name: x\n- name: token\n  user: {token: [T!]}"), "line 12: a user entry cannot be read"},
		{"a key twice", kubeconfig("- name: token\n  user: {token: T!, token: T!}"), "line 11: a user entry cannot be read"},
		{"two documents", kubeconfig(one) + "---\n" + kubeconfig(one), "line 13: a second document"},
		{"the second is empty", kubeconfig(one) + "---\n", "a second document"},
		{"the second is not YAML", kubeconfig(one) + "---\n\"" + secret, "not YAML"},
		{"CA data", strings.Replace(kubeconfig(one), "{server", "{certificate-authority-data: '%', server", 1), `cluster "c": certificate-authority-data is not base64`},
		{"CA file", strings.Replace(kubeconfig(one), "{server", "{certificate-authority: /nowhere/ca.crt, server", 1), `cluster "c": certificate-authority: no such file`},
		{"CA that never ends", strings.Replace(kubeconfig(one), "{server", "{certificate-authority: /dev/zero, server", 1), `cluster "c": certificate-authority: not a regular file`},
		{"an alias of itself", "kind: Config\nusers: &u\n- *u\n", ""},
		{"aliases upon aliases", "kind: Config\na: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nusers: [*e,*e,*e,*e,*e,*e,*e,*e]\n", ""},
		{"deep", "kind: Config\nx: " + strings.Repeat("[", 20_000), "not YAML"},
	}
	dir := t.TempDir()
	for i, tt := range tests {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Read(path)
		if err == nil {
			t.Errorf("%s: %+v", tt.name, f)
			continue
		}
		if text := refusal(t, err); !strings.HasPrefix(text, "cwagent: "+path+": ") || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s", tt.name, text)
		}
	}
}

func TestReadTakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no users":        "kind: Config\n",
		"no kind":         "clusters: []\n",
		"an empty kind":   "kind:\nusers:\n",
		"users are null":  "kind: Config\nusers:\n",
		"users are empty": "kind: Config\nusers: []\n",
		"null entries":    kubeconfig("- name: x\n  user:\n- name: y"),
		"an empty token":  kubeconfig("- {name: x, user: {token: ''}}\n- {name: y, user: {token: }}"),
		"end of document": kubeconfig("- name: x") + "...\n",
	} {
		f := &File{Path: "config", text: []byte(text)}
		if err := f.parse(); err != nil || len(f.Users) != 0 {
			t.Errorf("%s: %d users, %v", name, len(f.Users), err)
		}
	}
}
