package kubeconfig

import "testing"

// The name of a download is that of its token, without what browsers and people
// have added.
func TestDownload(t *testing.T) {
	t.Parallel()
	for rest, want := range map[string]string{
		"prod": "prod", "prod.yaml": "prod", "prod.yml": "prod", "prod.txt": "prod", "prod (1)": "prod", "prod (12).yaml": "prod",
		"prod(1)": "prod", "prod.yaml.txt": "prod", "prod.txt (1)": "prod", "prod.YAML": "prod", "prod.json": "prod", "prod(2).yaml (1).TXT": "prod",
		"prod-(1)": "prod-", "my prod": "my prod", "v1.2": "v1.2", "(1)": "(1)", "prod(a)": "prod(a)", "yaml": "yaml",
		"build.tmp": "build.tmp", "my.download": "my.download", // names that a person may give a token
		"prod.part": "", "prod.crdownload": "", "prod.yaml.partial": "", "prod.opdownload": "",
	} {
		path := "/home/me/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-" + rest
		id, name := Download(path)
		if name != want || (id != "cwtoken-3f9a1c7e") != (want == "") {
			t.Errorf("%s: %q, %q", rest, id, name)
		}
	}
}
