package kubeconfig

import (
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// What is said of a token with something beside it is what client-go does.
func TestWithBoth(t *testing.T) {
	t.Parallel()
	for user, want := range map[string]string{
		"{token: T!, exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Never}}": "kubectl uses the token",
		"{token: T!, auth-provider: {name: oidc}}":                                                             "kubectl uses the token",
		"{token: T!, tokenFile: /x}":                                                                           "kubectl uses the file",
		"{token: T!, username: me, password: x}":                                                               "kubectl refuses the user",
	} {
		text := kubeconfig("- name: token\n  user: " + user)
		f := &File{Path: "config", text: []byte(text)}
		if err := f.parse(); err != nil {
			t.Fatal(err)
		}
		if got := f.Users[0].WithBoth(); got != want {
			t.Errorf("%s: %s", user, got)
		}
		config, err := load(text)
		if err != nil {
			t.Fatal(err)
		}
		got := "kubectl uses the token"
		switch client, err := clientcmd.NewDefaultClientConfig(*config, nil).ClientConfig(); {
		case err != nil:
			got = "kubectl refuses the user"
			t.Log(err)
		case client.BearerTokenFile != "": // its contents take precedence over BearerToken
			got = "kubectl uses the file"
		case client.BearerToken != secret:
			t.Errorf("%s: no token", user)
		}
		if got != want {
			t.Errorf("%s: client-go does: %s", user, got)
		}
	}
}
