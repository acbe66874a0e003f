package kubeconfig

import (
	"strings"
	"testing"
)

// Only the command changes, however it is written, and what import noted still restores
// every byte.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, user := range []string{
		block,
		"- name: token\n  user: {token: \"T!\"} # c\n",
		"- {\"name\": \"token\", \"user\": {\"token\": \"T!\"}}\n",
	} {
		for _, to := range []string{"/opt/bin/cwagent-credential", "/opt/my apps/cwagent-credential", `/C:\cw/cwagent-credential`} {
			in := importOne(t, kubeconfig(user))
			f := in.read(in.text)
			if err := f.parse(); err != nil {
				t.Fatal(err)
			}
			calls := f.Calls()
			if len(calls) != 1 || calls[0].User != "cw-prod" || calls[0].Command != "/usr/bin/cwagent-credential" || calls[0].Credential != "prod" {
				t.Fatalf("%+v", calls)
			}
			text, undo, err := f.Redirect(calls, to, in.undo)
			if err != nil {
				t.Fatal(err)
			}
			g := in.read(text)
			if err := g.parse(); err != nil {
				t.Fatal(err)
			}
			if got := g.Calls(); len(got) != 1 || got[0].Command != to || len(undo) != 1 || undo[0].Command() != to {
				t.Errorf("%s: %+v, %+v", to, got, undo)
			}
			users, err := in.restore(text, undo, in.back)
			if err != nil || len(users) != 1 || !users[0].Exact || string(in.restored) != string(in.before.text) {
				t.Errorf("%s: %+v, %v:\n%s", to, users, err, in.restored)
			}
		}
	}
}

// A block that somebody has written by hand, with another's beside it.
func TestRedirectByHand(t *testing.T) {
	t.Parallel()
	text := kubeconfig("- name: a\n  user:\n    exec:\n      command: './cwagent-credential' # mine\n      args: [prod]\n- name: b\n  user: {exec: {command: /bin/other, args: [x]}}\n")
	f := &File{Path: "/home/me/.kube/config", text: []byte(text)}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	calls := f.Calls()
	if len(calls) != 1 || f.Resolved(calls[0].Command) != "/home/me/.kube/cwagent-credential" {
		t.Fatalf("%+v", calls)
	}
	got, undo, err := f.Redirect(calls, "/usr/bin/cwagent-credential", nil)
	if want := strings.Replace(text, "./cwagent", "/usr/bin/cwagent", 1); err != nil || len(undo) > 0 || string(got) != want {
		t.Errorf("%v:\n%s", err, got)
	}
	for _, shared := range []string{
		"- name: a\n  user: {exec: {command: &c ./cwagent-credential, args: [prod]}}\n",
		"- name: a\n  user: {exec: &e {command: ./cwagent-credential, args: [prod]}}\n- name: b\n  user: {exec: *e}\n",
	} {
		f := &File{Path: "config", text: []byte(kubeconfig(shared))}
		if err := f.parse(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Redirect(f.Calls()[:1], "/x/cwagent-credential", nil); err == nil {
			t.Errorf("%s: it was edited", shared)
		}
	}
}
