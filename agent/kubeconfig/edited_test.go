package kubeconfig

import (
	"errors"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// importOne imports the user of a text as cw-prod.
func importOne(t *testing.T, text string) *imported {
	t.Helper()
	in := &imported{before: &File{Path: "config", text: []byte(text)}, tokens: map[string]string{"prod": secret}}
	err := in.before.parse()
	if err == nil {
		in.text, in.undo, err = in.before.Edit([]Change{{NewName: "cw-prod", Exec: Exec{"/usr/bin/cwagent-credential", "prod"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return in
}

const block = "- name: token\n  user:\n    token: T! # c\n"

// Whatever a person did to the file since the import: that stays, and what can
// come back does.
func TestRestoreAfter(t *testing.T) {
	t.Parallel()
	swap := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, -1) }
	}
	after := func(text string) func(string) string {
		return func(s string) string { return s + text }
	}
	tests := []struct {
		name  string
		edit  func(imported string) string
		want  func(before string) string
		exact bool
	}{
		{"nothing", after(""), after(""), true},
		{"a comment in the block", swap("      command:", "# x\n      command:"), after(""), false},
		{"a comment behind the block", swap("path\"\n", "path\"\n      # x\n    # y\n# z\n"), after("      # x\n    # y\n# z\n"), true},
		{"a key more in the block", swap("path\"\n", "path\"\n      env:\n      - {name: a, value: b}\n"), after(""), false},
		{"another path of the plugin", swap("/usr/bin/", "/opt/"), after(""), false},
		{"a key more in the user", swap("path\"\n", "path\"\n    as: me\n"), after("    as: me\n"), true},
		{"a user more", after("- name: x\n  user: {token: x}\n"), after("- name: x\n  user: {token: x}\n"), true},
		{"a user of the old name", after("- name: token\n  user: {token: x}\n"),
			func(s string) string { return swap("token", "cw-prod")(s) + "- name: token\n  user: {token: x}\n" }, false},
		{"a context of the old name", swap("contexts:\n", "contexts:\n- {name: x, context: {user: token}}\n"),
			func(s string) string {
				return swap("contexts:\n", "contexts:\n- {name: x, context: {user: token}}\n")(swap("token", "cw-prod")(s))
			}, false},
		{"a context more", swap("contexts:\n", "contexts:\n- {name: x, context: {user: 'cw-prod'}}\n"),
			swap("contexts:\n", "contexts:\n- {name: x, context: {user: 'token'}}\n"), false},
		{"the context is gone", swap("- name: c\n  context: {cluster: c, user: cw-prod}\n", ""), swap("- name: c\n  context: {cluster: c, user: token}\n", ""), false},
		{"the context has another user", swap("c, user: cw-prod", "c, user: other"), swap("c, user: token", "c, user: other"), false},
		{"the user is gone", func(s string) string { return s[:strings.Index(s, "users:")] + "users: []\n" },
			func(s string) string {
				return swap("user: token", "user: cw-prod")(s[:strings.Index(s, "users:")]) + "users: []\n"
			}, true},
		{"another name", swap("cw-prod", "mine"), swap("user: token", "user: mine"), false},
		{"another credential", swap("[prod]", "[dev]"), after(""), false},
		{"quotes around the name", swap("user: cw-prod", `user: "cw-prod"`), swap("user: token", `user: "token"`), false},
	}
	for _, tt := range tests {
		in := importOne(t, kubeconfig(block))
		before := strings.TrimSuffix(string(in.before.text), "\n")
		text := tt.edit(strings.TrimSuffix(string(in.text), "\n"))
		got, users, err := restoreAll(text, secret, in.undo...)
		// Only the names are told from the word in "token: ".
		want := strings.ReplaceAll(tt.want(strings.ReplaceAll(before, "token: ", "T: ")), "T: ", "token: ")
		if tt.name == "another name" {
			want = strings.Replace(want, "name: token", "name: mine", 1)
		}
		if err != nil || got != want {
			t.Errorf("%s: %v\n%s\nbecame\n%s\nwant\n%s", tt.name, err, text, got, want)
		}
		for _, u := range users {
			if u.Exact != tt.exact {
				t.Errorf("%s: %+v", tt.name, u)
			}
		}
	}
}

// What cannot be restored safely is refused with its line, and nothing is
// changed.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	const exec = "{command: /b/cwagent-credential, args: [prod]}"
	for name, tt := range map[string]struct{ user, want string }{
		"anchored":         {"- name: x\n  user:\n    exec: &e " + exec + "\n- name: y\n  user: {exec: *e}", "line 13: the exec block"},
		"anchored user":    {"- name: x\n  user: &u\n    exec: " + exec, "line 12: the exec block"},
		"aliased user":     {"- {name: y, user: &u {exec: " + exec + "}}\n- {name: x, user: *u}", "line 11: the exec block"},
		"anchored entry":   {"- &e\n  name: x\n  user: {exec: " + exec + "}", "line 11: the exec block"},
		"merge key":        {"- name: x\n  user:\n    <<: {exec: " + exec + "}", "line 11: the exec block"},
		"empty token":      {"- name: x\n  user:\n    token: ''\n    exec: " + exec, "line 13: user \"x\" has an empty token"},
		"a tag":            {"- name: x\n  user:\n    exec: !!map " + exec, "line 13: where the exec block"},
		"explicit key":     {"- name: x\n  user:\n    ? exec\n    : " + exec, "line 13: the exec block does not begin"},
		"null in between":  {"- name: x\n  user:\n    exec: # {\n      command: /b/cwagent-credential\n      args: ['pr\n   od']", "its shape"},
		"literal to blank": {"- name: x\n  user: {? exec : " + exec + "}", ""},
	} {
		text, _, err := restoreAll(kubeconfig(tt.user), secret)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want == "":
		case err == nil:
			t.Errorf("%s: restored to\n%s", name, text)
		default:
			if got := refusal(t, err); !strings.Contains(got, "config: "+tt.want) {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// Without its token nothing is restored, and the caller's reason stays.
func TestRestoreWithoutToken(t *testing.T) {
	t.Parallel()
	in := importOne(t, kubeconfig(block))
	no := errors.New("no")
	for want, token := range map[error]func(string) (ipc.Secret, error){
		no:  func(string) (ipc.Secret, error) { return ipc.Secret{}, no },
		nil: func(string) (ipc.Secret, error) { return ipc.Secret{}, nil },
	} {
		f := in.read(in.text)
		if err := f.parse(); err != nil {
			t.Fatal(err)
		}
		text, _, err := f.Restore(in.undo, token)
		switch {
		case text != nil || err == nil || want != nil && err != want:
			t.Errorf("%q, %v", text, err)
		case want == nil && !strings.Contains(refusal(t, err), `no token for credential "prod"`):
			t.Error(err)
		}
	}
}

// The next token is written as it has to be where the first one stood.
func TestRestoreSpelling(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		"- name: token\n  user:\n    token: T!":              "a: '#\"b",
		"- name: token\n  user:\n    token: 'T!'":            "a: '#\"b",
		"- name: token\n  user:\n    token: \"T!\"":          "a: '#\"b\\\n\x01\u2028ü",
		"- {name: token, user: {token: T!}}":                 "a,b]}",
		"- {name: token, user: {token: T!} }":                "yes",
		"- {name: token, user: {token: T! }}":                "12345",
		"- {\"name\":\"token\",\"user\":{\"token\":\"T!\"}}": "&x \x7f\U0001f600\ufeff",
	} {
		in := importOne(t, kubeconfig(user))
		got, users, err := restoreAll(string(in.text), want, in.undo...)
		if err != nil || len(users) != 1 || !users[0].Exact {
			t.Errorf("%q: %+v, %v", want, users, err)
			continue
		}
		if config, err := load(got); err != nil || config.AuthInfos["token"].Token != want {
			t.Errorf("%q: %v\n%s", want, err, got)
		}
	}
}
