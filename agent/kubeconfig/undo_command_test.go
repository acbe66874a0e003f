package kubeconfig

import "testing"

// The program that an edit has written is found again in what undoes it, in every
// style.
func TestUndoCommand(t *testing.T) {
	t.Parallel()
	const command = "/opt/my tools/cwagent-credential"
	for name, text := range map[string]string{
		"block": "kind: Config\nusers:\n- name: a\n  user:\n    token: CW-SECRET-0123456789\n",
		"crlf":  "kind: Config\r\nusers:\r\n- name: a\r\n  user:\r\n    token: CW-SECRET-0123456789\r\n",
		"flow":  "kind: Config\nusers: [{name: a, user: {token: CW-SECRET-0123456789}}]\n",
		"json":  `{"kind":"Config","users":[{"name":"a","user":{"token":"CW-SECRET-0123456789"}}]}`,
	} {
		f := parsed(t, "/h/config", text)
		_, undo, err := f.Edit([]Change{{User: 0, Exec: Exec{Command: command, Credential: "prod"}}})
		if err != nil || len(undo) != 1 || undo[0].Command() != command {
			t.Errorf("%s: %+v, %v", name, undo, err)
		}
	}
}
