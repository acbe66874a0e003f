package kubeconfig

import (
	"fmt"
	"strings"
	"testing"
)

// Each user that cannot be edited is told, with its reason, and the others can be.
func TestEditable(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, user, want string }{
		{"plain", "token: CW-SECRET-plain", ""},
		{"flow", "{token: CW-SECRET-flow}", ""},
		{"folded", "token: >-\n      CW-SECRET-folded", "a value is written"},
		{"anchor", "token: &a CW-SECRET-anchor", "is shared by an anchor"},
		{"beside", "{token: CW-SECRET-beside, username: me}", "has username beside"},
		{"comment", "token: CW-SECRET-comment # not CW-SECRET-comment", `the token of user "comment" stands here as well`},
		{"same", "token: CW-SECRET-folded", `user "folded" has the token of user "same", too`},
		{"1234", "token: CW-SECRET-number", "its shape cannot be edited"},
		{"CW-SECRET-named", "token: CW-SECRET-named", "stands here as well"},
		{"named after CW-SECRET-other", "token: CW-SECRET-name-of-none", ""},
	}
	var users []string
	for _, tt := range tests {
		block := "\n    " + tt.user
		if strings.HasPrefix(tt.user, "{") {
			block = " " + tt.user
		}
		users = append(users, "- name: "+tt.name+"\n  user:"+block)
	}
	f := &File{Path: "config", text: []byte(kubeconfig(strings.Join(users, "\n")))}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	var changes []Change
	for i := range f.Users {
		changes = append(changes, Change{User: i, Exec: Exec{"/usr/bin/cwagent-credential", fmt.Sprintf("prod-%d", i)}})
	}
	can, cannot := f.Editable(changes)
	why := map[int]string{}
	for _, c := range can {
		why[c.User] = ""
	}
	for _, c := range cannot {
		why[c.User] = refusal(t, c.Err)
	}
	for i, tt := range tests {
		if got, told := why[i]; !told || (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: told %v, %q, want %q", tt.name, told, got, tt.want)
		}
	}
	if len(can)+len(cannot) != len(tests) {
		t.Errorf("%d and %d of %d", len(can), len(cannot), len(tests))
	}
	if _, _, err := f.Edit(can); err != nil {
		t.Error(err)
	}
}

// A rename would be noted with the name that it replaces.
func TestEditableNames(t *testing.T) {
	t.Parallel()
	f := &File{Path: "config", text: []byte(kubeconfig("- name: T!\n  user:\n    token: T!\n- name: b\n  user:\n    token: CW-SECRET-b"))}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	can, cannot := f.Editable([]Change{{User: 0, NewName: "cw-a"}, {User: 1}})
	if len(can) != 1 || can[0].User != 1 || len(cannot) != 1 || !strings.Contains(refusal(t, cannot[0].Err), "the token of user 1 stands in a name") {
		t.Errorf("%+v, %+v", can, cannot)
	}
}
