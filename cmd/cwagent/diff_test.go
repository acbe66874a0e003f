package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a plan shows of a kubeconfig: the change, and no secret, whatever else the
// file has in it.
func TestSafeDiff(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, after, want string }{
		{"block", "users:\n- name: a\n  user:\n    token: S1\n", "users:\n- name: a\n  user:\n    exec:\n      command: /x\n",
			"@@ -1,4 +1,5 @@\n users:\n - name: a\n   user:\n-    token: [secret]\n+    exec:\n+      command: /x\n"},
		{"beside it", "- name: b\n  user:\n    password: S2\n    client-key-data: S3\n- user:\n    token: S1 # S4CommentThatIsLong\n", "- name: b\n  user:\n    password: S2\n    client-key-data: S3\n- user:\n    exec:\n",
			"@@ -3,4 +3,4 @@\n     password: [secret]\n     client-key-data: [secret]\n - user:\n-    token: [secret] # [...]\n+    exec:\n"},
		{"flow", "user: {token: S1, x: {y: 'S2'}, name: n}\n", "user: {exec: {args: [n]}}\n",
			"@@ -1,1 +1,1 @@\n-user: {token: [secret], [...]: {y: [secret]}, name: n}\n+user: {exec: {args: [n]}}\n"},
		{"args of others", "exec:\n  args: [S1]\n  args:\n  - S2\n  - --x=S3:y\nname: a\n", "exec:\n  args: [S1]\n  args:\n  - S2\n  - --x=S3:y\nname: b\n",
			"@@ -3,4 +3,4 @@\n   args:\n   [...]\n   - --[...]:[...]\n-name: a\n+name: b\n"},
		{"JSON", `{"users":[{"name":"token","user":{"token":"S1","password":"S,\"2"}}],"clusters":[{"name":"c","cluster":{"server":"https://me:S3@x/"}}]}`,
			`{"users":[{"name":"cw-a","user":{"exec":{},"password":"S,\"2"}}],"clusters":[{"name":"c","cluster":{"server":"https://me:S3@x/"}}]}`,
			"S"},
		{"a folded key", "a:\n    client-key-data: >\n      S1base64+/=\n      S2base64+/=\nname: x\n", "a:\n    client-key-data: >\n      S1base64+/=\n      S2base64+/=\nname: y\n",
			"@@ -2,4 +2,4 @@\n     client-key-data: [secret]\n       [...]\n       [...]\n-name: x\n+name: y\n"},
		{"a # in quotes", "- user:\n    password: \"one #S1\"\n    token: x\n    client-key: 'it''s #S2'\n    name: \"n #S3\"\n", "- user:\n    password: \"one #S1\"\n    token: y\n    client-key: 'it''s #S2'\n    name: \"n #S3\"\n",
			"@@ -1,5 +1,5 @@\n - user:\n     password: [secret] # [...]\n-    token: [secret]\n+    token: [secret]\n     client-key: [secret] # [...]\n     name: \"n # [...]\n"},
		{"a # in a flow", `{password: "x #S1", token: x}`, `{password: "x #S1", token: y}`, "S"},
		{"comments", "# pw: S1\nname: a # S2\n\t# S3\nkind: it's\t# S4\n", "# pw: S1\nname: b # S2\n\t# S3\nkind: it's\t# S4\n",
			"@@ -1,4 +1,4 @@\n # [...]\n-name: a # [...]\n+name: b # [...]\n \t# [...]\n kind: it's\t# [...]\n"},
		{"the terminal", "name: \"\x1b[2K\"\n", "name: b\n", "@@ -1,1 +1,1 @@\n-name: \"?[2K\"\n+name: b\n"},
	} {
		got := safeDiff([]byte(tt.before), []byte(tt.after))
		if tt.want == "S" {
			if got == "" {
				t.Errorf("%s: nothing is shown", tt.name)
			}
		} else if got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		for _, s := range []string{"S1", "S2", "S3", "S4"} {
			if strings.Contains(got, s) {
				t.Errorf("%s shows %s:\n%s", tt.name, s, got)
			}
		}
	}
}

// Every line of every kubeconfig that people really have, shown as changed.
func TestSafeDiffOfCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../agent/kubeconfig/testdata/*/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, got := range []string{safeDiff(text, nil), safeDiff(nil, text)} {
			for _, bad := range []string{"CW-SECRET-", "9f8e7d6c5b4a39281706f5e4d3c2b1a0", "LS0tLS1CRUdJTg"} {
				if strings.Contains(got, bad) {
					t.Errorf("%s shows %s:\n%s", path, bad, got)
				}
			}
		}
	}
}
