package cloud

import (
	"encoding/base64"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The Console's file, with the line that we add.
const downloaded = `apiVersion: v1
kind: Config
preferences: {}
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:1
  name: train-east
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:2
  name: serve-eu
contexts:
- context:
    cluster: train-east
    namespace: default
    user: token
  name: train-east
- context:
    cluster: serve-eu
    namespace: inference
    user: token
  name: serve-eu
current-context: train-east
users:
- name: token
  user:
    token: SECRET
`

func TestKubeconfig(t *testing.T) {
	t.Parallel()
	clusters := FirstTwo([2]string{"https://127.0.0.1:1", "https://127.0.0.1:2"})
	token := mint(t, NewList(newClock().now), Order{Name: "prod"})
	got := string(Kubeconfig(token, clusters, []byte("CA")))
	if want := strings.Replace(downloaded, "SECRET", token.Secret.Reveal(), 1); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := DownloadName(token); got != "CWKubeconfig_"+token.ID+"-prod" {
		t.Errorf("file name %q", got)
	}
}

func TestKubeconfigIsYAML(t *testing.T) {
	t.Parallel()
	ca, err := NewAuthority(newClock().t)
	if err != nil {
		t.Fatal(err)
	}
	token := mint(t, NewList(newClock().now), Order{})
	text := Kubeconfig(token, FirstTwo([2]string{"https://127.0.0.1:1", ""})[:1], ca.PEM())
	var config struct {
		Clusters []struct {
			Cluster struct {
				CA     string `json:"certificate-authority-data"`
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
		Contexts []struct{ Name string } `json:"contexts"`
		Current  string                  `json:"current-context"`
		Users    []struct {
			Name string
			User struct{ Token string }
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Clusters) != 1 || len(config.Contexts) != 1 || len(config.Users) != 1 {
		t.Fatalf("parsed as %+v", config)
	}
	if pem, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA); err != nil || string(pem) != string(ca.PEM()) {
		t.Errorf("CA %q, %v", pem, err)
	}
	user := config.Users[0]
	if user.Name != "token" || user.User.Token != token.Secret.Reveal() || config.Current != config.Contexts[0].Name {
		t.Errorf("parsed as %+v", config)
	}
}
