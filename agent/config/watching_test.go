package config

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("other paths there")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		ipctest.Skip(t, "no home: "+err.Error())
	}
	kube, downloads := []string{filepath.Join(home, ".kube/config")}, []string{filepath.Join(home, "Downloads")}
	for text, want := range map[string]Watch{
		"":                                   {kube, downloads, ReactAbsorb},
		"watch:\n":                           {kube, downloads, ReactAbsorb},
		"watch: {}\n":                        {kube, downloads, ReactAbsorb},
		"watch: {onStaticToken: warn}\n":     {kube, downloads, ReactWarn},
		"watch: {onStaticToken: ignore}\n":   {kube, downloads, ReactIgnore},
		"watch: {kubeconfigs: []}\n":         {[]string{}, downloads, ReactAbsorb},
		"watch: {downloads: [~/d, /a/../b]}": {kube, []string{filepath.Join(home, "d"), "/b"}, ReactAbsorb},
		"watch:\n  kubeconfigs: [a, ~/]\n  downloads: []\n  onStaticToken: absorb\n": {
			[]string{"/etc/x/a", home}, []string{}, ReactAbsorb},
	} {
		got, err := parse("/etc/x/config.yaml", []byte(text))
		if err != nil || !reflect.DeepEqual(got.Watch, want) {
			t.Errorf("%q: %+v, %v, want %+v", text, got.Watch, err, want)
		}
	}
}

// watchErrors belong to errorTests.
var watchErrors = []errorTest{
	{"watch, a list", "watch: [~/.kube/config]\n", `line 1: a mapping is wanted here`},
	{"watch, unknown", "store: auto\nwatch:\n  folders: []\n", `line 3: unknown key "folders"`},
	{"watch, one path", "watch:\n  kubeconfigs: ~/.kube/config\n", `line 2: a list is wanted here`},
	{"watch, null", "watch:\n  downloads:\n  - ~\n", `line 3: an empty entry`},
	{"watch, empty", "watch:\n  downloads:\n  - ''\n", `line 3: watch.downloads: an empty path`},
	{"watch, twice", "watch:\n  kubeconfigs:\n  - /a/b\n  - /a/./b\n", `line 4: watch.kubeconfigs: it is in the list already`},
	{"watch, somebody's home", "watch: {downloads: [~bob/x]}\n", `line 1: watch.downloads: ~ stands for your own home folder only`},
	{"watch, a token", "watch: {kubeconfigs: [CW-SECRET-x]}\n", `line 1: watch.kubeconfigs: a token has no place in the config`},
	{"watch, zero", "watch: {kubeconfigs: [\"a\\0\"]}\n", `line 1: watch.kubeconfigs: a zero byte has no place in it`},
	{"watch, reaction", "watch:\n  downloads: []\n  onStaticToken: delete\n", `line 3: watch.onStaticToken: "delete" is none of absorb, warn and ignore`},
	{"watch, no reaction", "watch: {onStaticToken: \"\\e\"}\n", `line 1: watch.onStaticToken: "\x1b" is none of absorb, warn and ignore`},
	{"watch, a token as reaction", "watch: {onStaticToken: cw-secret-x}\n", `line 1: watch.onStaticToken: a token has no place in the config`},
}
