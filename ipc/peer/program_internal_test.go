package peer

import (
	"strings"
	"testing"
)

// What is shown of a command line: never what could be a secret.
func TestName(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"kubectl get pods":                           "kubectl get pods",
		"/usr/local/bin/kubectl get pods -n prod":    "kubectl get pods",
		"kubectl get pods web-0 x":                   "kubectl get pods",
		"kubectl -n prod get pods":                   "kubectl",
		"kubectl --token=CW-SECRET-planted get pods": "kubectl",
		"kubectl get --token CW-SECRET-planted":      "kubectl get",
		"kubectl get CW-SECRET-planted":              "kubectl get",
		"kubectl get cw-secret-planted":              "kubectl get",
		"curl https://me:pass@example.com":           "curl",
		"vault login hvs.CAESIJ":                     "vault login",
		"mysql password=x":                           "mysql",
		"x 0123456789abcdef":                         "x",
		"x " + strings.Repeat("a", 26) + " b":        "x",
		"x " + strings.Repeat("a", 25):               "x " + strings.Repeat("a", 25),
		"-zsh":                                       "zsh",
		"tmux:_server":                               "tmux",
		"sshd:_root@pts/0":                           "sshd",
		"/opt/My.App+1-2_":                           "My.App+1-2",
		"/opt/CW-SECRET-planted x":                   "?",
		"CW-SECRET-planted get":                      "helm get",
		"\x1b[31mred get":                            "helm get",
		"":                                           "helm",
	} {
		exe := "/usr/bin/helm"
		if want == "?" {
			exe = ""
		}
		argv := strings.ReplaceAll(line, " ", "\x00") + "\x00"
		if got := name([]byte(strings.ReplaceAll(argv, "_", " ")), exe); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := name([]byte("kubectl\x00get\x00cut-o"), ""); got != "kubectl get" {
		t.Errorf("an argument that is cut off: %q", got)
	}
}
