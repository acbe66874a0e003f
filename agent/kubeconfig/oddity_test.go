package kubeconfig

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// Shapes that people have and no generator thinks of: they are imported and
// restored to the byte.
var oddities = map[string]string{
	"tabs in comments":       "- name: token\t# \ta\n  user:\t#\tb\n    token:\tT!\t#\tc\t\n#\td\n",
	"a comment behind":       "- name: token\n  user:\n    token: T! # until March\n    # then another\n",
	"name after user":        "- user:\n    token: T!\n  name: token\n",
	"quoted keys":            "- \"name\": token\n  'user':\n    \"token\": T!\n",
	"single quotes":          "- name: 'token'\n  user:\n    'token': 'T!'\n",
	"escapes":                "- name: \"tok\\x65n\"\n  user:\n    token: \"\\x54T!\\u0054\\U00000054\\x2f\\'\\\"\\\\\\t\\e\\_\\\t\"\n",
	"raw in double quotes":   "- name: token\n  user:\n    token: \"T! ä <&> \t\"\n",
	"digits first":           "- name: token\n  user:\n    token: 9T!\n",
	"no final newline":       "- name: token\n  user:\n    token: T!",
	"blanks at the end":      "- name: token\n  user:\n    token: T!  \n\n   \n\n",
	"flow":                   "- {name: token, user: {token: T!}}\n",
	"flow over lines":        "- {\n    name: token, # a\n    user: {\n      token: T!, # b\n    },\n  }\n",
	"flow with quoted keys":  "- {\"name\":\"token\",\"user\":{\"token\":\"T!\"}}\n",
	"explicit key":           "- {name: token, user: {? token : T!}}\n",
	"impersonation beside":   "- name: token\n  user:\n    as: me\n    token: T!\n    as-groups: [a, b]\n",
	"an extension":           "- name: token\n  user:\n    token: T!\n    extensions:\n    - name: x\n      extension: {a: 1, b: [x, *y]}\n",
	"user of no context":     "- name: nobody\n  user: {token: T!x}\n",
	"no-break spaces":        "- name: token\u00a0\n  user: {token: T!}\n",
	"a byte order mark in":   "- name: \"to\ufeffken\"\n  user: {token: T!}\n",
	"tagged elsewhere":       "- !!map\n  name: token\n  user: !!map\n    !!str token: T!\n",
	"the token in the name":  "- name: T\n  user: {token: T!}\n",
	"document end":           "- name: token\n  user:\n    token: T!\n...\n# after\n",
	"deep indentation":       "        -         name: token\n                  user:\n                              token: T!\n",
	"comments between":       "# a\n- # b\n  # c\n  name: token\n  # d\n  user: # e\n    # f\n    token: T!\n    # g\n  # h\n# i\n",
	"empty lines between":    "\n-\n\n  name: token\n\n  user:\n\n    token: T!\n\n\n",
	"list at no indentation": "-\n name: token\n user:\n  token: T!\n",
}

func TestOddities(t *testing.T) {
	t.Parallel()
	for name, user := range oddities {
		text := strings.Replace(kubeconfig(user), "users:\n", "y: &y 1\nusers:\n", 1)
		if !strings.HasSuffix(user, "\n") {
			text = strings.TrimSuffix(text, "\n")
		}
		for variant, text := range map[string]string{
			"": text, " with a byte order mark": "\ufeff" + text, " on Windows": strings.ReplaceAll(text, "\n", "\r\n"),
			" begun": "---\n" + text, " with a directive": "%YAML 1.1\n---\n" + text,
		} {
			in := &imported{before: &File{Path: "config", text: []byte(text)}, tokens: map[string]string{}}
			if err := in.importAll(); err != nil {
				t.Errorf("%s%s: %v", name, variant, err)
				continue
			}
			for _, law := range []func() error{in.restoresAll, in.restoresAnother, in.importsOnce, in.redacted} {
				if err := law(); err != nil {
					t.Errorf("%s%s: %v\n%q\nbecame\n%q\nand\n%q", name, variant, err, text, in.text, in.restored)
				}
			}
		}
	}
}

// importAll imports and renames all users.
func (in *imported) importAll() (err error) {
	if err := in.before.parse(); err != nil {
		return err
	}
	for i, u := range in.before.Users {
		credential := fmt.Sprintf("prod-%d", i)
		in.tokens[credential] = u.Token.Reveal()
		in.changes = append(in.changes, Change{User: i, NewName: fmt.Sprintf("cw-%d", i), Exec: Exec{"/usr/bin/cwagent-credential", credential}})
	}
	in.text, in.undo, err = in.before.Edit(in.changes)
	return err
}

// Whoever bears the token's name would carry it into the undo data.
func TestTokenInName(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"- name: T!\n  user: {token: T!}", "- name: x-T!-y\n  user:\n    token: T!"} {
		_, err := editAll(kubeconfig(user))
		refusal(t, err)
	}
}

// What is left alone is told, with the line that makes it what it is.
func TestOthers(t *testing.T) {
	t.Parallel()
	f := &File{Path: "/home/me/.kube/config", text: []byte(kubeconfig(strings.Join([]string{
		"- {name: a, user: {token: T!}}",
		"- name: b\n  user:\n    as: me\n    tokenFile: run/token",
		"- {name: c, user: {tokenFile: /run/token, exec: {command: x}}}",
		"- {name: d, user: {exec: {command: gke-gcloud-auth-plugin, args: [x]}}}",
		"- {name: e, user: {exec: {command: /usr/bin/cwagent-credential, args: [prod]}}}",
		"- {name: f, user: {client-certificate: /c, client-key: /k}}",
		"- {name: g, user: {client-certificate-data: Yw==, client-key-data: aw==}}",
		"- {name: h, user: {username: me, password: x}}",
		"- {name: i, user: {auth-provider: {name: oidc, config: {}}}}",
		"- name: j\n  user: {}",
		"- name: k",
		"- {name: l, user: {exec: [x]}}",
		"- {name: m, user: {exec: {command: cwagent-credential, args: [prod]}, token: T!}}",
	}, "\n")))}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	var got []Other
	for _, o := range f.Others {
		got = append(got, Other{Name: o.Name, Line: o.Line, Kind: o.Kind, Detail: o.Detail})
	}
	want := []Other{
		{Name: "b", Line: 15, Kind: KindTokenFile, Detail: "/home/me/.kube/run/token"},
		{Name: "c", Line: 16, Kind: KindTokenFile, Detail: "/run/token"},
		{Name: "d", Line: 17, Kind: KindExec, Detail: "gke-gcloud-auth-plugin"},
		{Name: "e", Line: 18, Kind: KindOurs, Detail: "prod"},
		{Name: "f", Line: 19, Kind: KindCertificate},
		{Name: "g", Line: 20, Kind: KindCertificate},
		{Name: "h", Line: 21, Kind: KindBasic},
		{Name: "i", Line: 22, Kind: KindAuthProvider, Detail: "oidc"},
		{Name: "j", Line: 23, Kind: KindNone},
		{Name: "k", Line: 25, Kind: KindNone},
		{Name: "l", Line: 26, Kind: KindExec},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(f.Users) != 2 || f.Users[1].Ours != "prod" || f.Users[1].Beside != "" || !slices.Equal(f.Ours, []string{"prod", "prod"}) {
		t.Errorf("%d users, ours %q", len(f.Users), f.Ours)
	}
}

// A token that came back beside our block is taken out again, and the file is as
// import had left it.
func TestCameBack(t *testing.T) {
	t.Parallel()
	ours := "exec: {command: /usr/bin/cwagent-credential, args: [prod]}"
	for before, with := range map[string]string{
		"- name: x\n  user:\n    " + ours:                  "- name: x\n  user:\n    " + ours + "\n    token: T!",
		"- name: a\n  user:\n    " + ours + "\n":           "- name: a\n  user:\n    token: 'T!'\n    " + ours + "\n",
		"- name: c\n  user:\n    # c\n    " + ours + "\n":  "- name: c\n  user:\n    token: T! # c\n    " + ours + "\n",
		"- {name: d, user: {" + ours + "}}\n":              "- {name: d, user: {" + ours + ", token: T!}}\n",
		"- {name: e, user: { " + ours + "}}\n":             "- {name: e, user: { token: \"T!\", " + ours + "}}\n",
		"- {name: f, user: {as: me, " + ours + "\n  }}\n":  "- {name: f, user: {as: me, token: T!,\n   " + ours + "\n  }}\n",
		"- {name: g, user: {" + ours + ", as: me}}\n":      "- {name: g, user: {" + ours + ", token: T! , as: me}}\n",
		"- {name: i, user: {" + ours + ", as: \"a,b\"}}\n": "- {name: i, user: {" + ours + ", token: T!, as: \"a,b\"}}\n",
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			text := strings.ReplaceAll(kubeconfig(with), "\n", eol)
			want := strings.ReplaceAll(kubeconfig(before), "\n", eol)
			if !strings.HasSuffix(with, "\n") {
				text, want = strings.TrimSuffix(text, eol), strings.TrimSuffix(want, eol)
			}
			f := &File{Path: "config", text: []byte(text)}
			if err := f.parse(); err != nil {
				t.Fatal(err)
			}
			got, undo, err := f.Edit([]Change{{Exec: Exec{"/other/path", "prod"}}})
			if err != nil || string(got) != want || len(undo) != 0 {
				t.Errorf("%v, %d to undo\n%q became\n%q, want\n%q", err, len(undo), text, got, want)
			}
			_, _, err = f.Edit([]Change{{Exec: Exec{"/other/path", "dev"}}})
			if text := refusal(t, err); !strings.Contains(text, `beside the exec block of credential "prod"`) {
				t.Error(text)
			}
		}
	}
}

// restoreAll restores all users of a text with one token.
func restoreAll(text, token string, undo ...Undo) (string, []Restored, error) {
	f := &File{Path: "config", text: []byte(text)}
	if err := f.parse(); err != nil {
		return "", nil, err
	}
	out, users, err := f.Restore(undo, func(string) (ipc.Secret, error) { return ipc.NewSecret(token), nil })
	return string(out), users, err
}
