package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

const day = 24 * time.Hour

func TestDefault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "comments": "# store: memory\n", "start": "---\n", "nothing": "{}\n", "null": "store: ~\ncoreweave:\nwarnBefore:\ncredentials:\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path)
		if err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, err := Load(filepath.Join(dir, "missing", "config.yaml"))
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("missing: %+v, %v", got, err)
	}
	if d := Default(); d.Store != "auto" || d.CoreWeave.Endpoint != "https://api.coreweave.com" || len(d.WarnBefore) != 4 {
		t.Errorf("%+v", d)
	}
}

func TestEverything(t *testing.T) {
	t.Parallel()
	home, err := os.UserHomeDir()
	if err != nil {
		ipctest.Skip(t, "no home: "+err.Error())
	}
	got, err := parse(filepath.Join(home, "c", "config.yaml"), []byte(`
store: keyring
coreweave: {endpoint: "https://API.example.com:8443/", caFile: ~/ca.pem}
warnBefore: [1h, 14d, 3d]
credentials:
- name: train
  maxAge: 90d
- name: "7"
  maxAge: never
- &plain
  name: plain
`))
	want := Config{
		Store:      StoreKeyring,
		CoreWeave:  CoreWeave{Endpoint: "https://API.example.com:8443", CAFile: filepath.Join(home, "ca.pem")},
		WarnBefore: []time.Duration{14 * day, 3 * day, time.Hour},
		Watch:      defaultWatch(),
		Credentials: []Credential{
			{Name: "train", MaxAge: Age{Limit: 90 * day}},
			{Name: "7", MaxAge: Age{Never: true}},
			{Name: "plain"},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = parse("/etc/x/config.yaml", []byte("warnBefore: []\ncoreweave: {caFile: ca.pem}\n"))
	if err != nil || got.WarnBefore == nil || len(got.WarnBefore) != 0 || got.CoreWeave.CAFile != filepath.Join("/etc/x", "ca.pem") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestReadme: hints send people to its sample, so that has every key there is,
// and is right.
func TestReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(b), "`config.yaml`, all of it optional")
	sample := regexp.MustCompile(`(?m)(^    .*\n)+`).FindString(after)
	if !ok || sample == "" {
		t.Fatal("no sample in the README")
	}
	text := strings.ReplaceAll("\n"+sample, "\n    ", "\n")
	dir := t.TempDir()
	writeCA(t, filepath.Join(dir, "ca.pem"))
	if _, err := parse(filepath.Join(dir, "config.yaml"), []byte(text)); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
	for _, key := range keysOf(reflect.TypeFor[file]()) {
		if !regexp.MustCompile(`(?m)^[ -]*` + key + `: *\S*`).MatchString(text) {
			t.Errorf("no %s in\n%s", key, text)
		}
	}
}

// keysOf are the keys that the decoder takes.
func keysOf(t reflect.Type) []string {
	var keys []string
	for t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			keys = append(append(keys, key), keysOf(t.Field(i).Type)...)
		}
	}
	return keys
}

// An errorTest is a file, and what is said of it after its path.
type errorTest struct{ name, text, want string }

var errorTests = []errorTest{
	{"unknown key", "store: auto\nstroe: auto\n", `line 2: unknown key "stroe"`},
	{"unknown key below", "coreweave:\n  endpoint: https://x\n  token: CW-SECRET-x\n", `line 3: unknown key "token"`},
	{"store, not one", "store: files\n", `line 1: store: there is no such store`},
	{"a token for a key", "CW-SECRET-x: auto\n", `line 1: unknown key here`},
	{"key twice", "store: auto\n\nstore: memory\n", `line 3: the key stands in line 1 already`},
	{"a list for a value", "store: [auto]\n", `line 1: one value is wanted here, not a list`},
	{"a mapping for a value", "warnBefore:\n- {a: 1}\n", `line 2: one value is wanted here, not a mapping`},
	{"a value for a list", "warnBefore: CW-SECRET-x\n", `line 1: a list is wanted here`},
	{"a value for a mapping", "store: auto\ncoreweave: CW-SECRET-x\n", `line 2: a mapping is wanted here`},
	{"a list for everything", "- store: auto\n", `line 1: a mapping is wanted here`},
	{"text", "CW-SECRET-x\n", `line 1: a mapping is wanted here`},
	{"store", "\nstore: CW-SECRET-x\n", `line 2: store: there is no such store`},
	{"store, empty", "store: ''\n", `line 1: store: there is no such store`},
	{"http", "coreweave: {endpoint: http://api.coreweave.com}\n", `line 1: coreweave.endpoint: only https, because tokens are sent there`},
	{"no scheme", "coreweave: {endpoint: api.coreweave.com}\n", `line 1: coreweave.endpoint: not of the form https://HOST[:PORT]`},
	{"path", "coreweave:\n  endpoint: https://api.coreweave.com/v1\n", `line 2: coreweave.endpoint: not of the form https://HOST[:PORT]`},
	{"query", "coreweave: {endpoint: 'https://api.coreweave.com?'}\n", `line 1: coreweave.endpoint: not of the form https://HOST[:PORT]`},
	{"user", "coreweave: {endpoint: https://u:p@api.coreweave.com}\n", `line 1: coreweave.endpoint: a user name has no place in it`},
	{"somebody's home", "coreweave: {caFile: ~bob/ca.pem}\n", `line 1: coreweave.caFile: ~ stands for your own home folder only`},
	{"duration", "warnBefore:\n- 1d\n- soon\n", `line 3: warnBefore: not a duration`},
	{"duration, negative", "warnBefore: [-1h]\n", `line 1: warnBefore: not a duration`},
	{"notices", "notices: loud\n", `line 1: notices: neither on nor off`},
	{"duration twice", "warnBefore: [24h, 1d]\n", `line 1: warnBefore: it is in the list already`},
	{"no name", "credentials:\n- name: a\n- maxAge: 3d\n", `line 3: a credential without a name`},
	{"nothing at all", "credentials:\n- ~\n- name: a\n- {}\n", `line 4: a credential without a name`},
	{"bad name", "credentials:\n- name: a/b\n", `line 2: credential name: not allowed`},
	{"name twice", "credentials:\n- name: a\n- name: b\n- name: a\n", `line 4: credential a: it stands in line 2 already`},
	{"age", "credentials:\n- name: a\n  maxAge: 90\n", `line 3: maxAge: not a duration`},
	{"age, a century and a day", "credentials:\n- {name: a, maxAge: 36501d}\n", `line 2: maxAge: not a duration`},
	{"tab", "coreweave:\n\tendpoint: x\n", `line 2: not YAML: found character that cannot start any token`},
	{"alias", "store: *CW-SECRET-x\n", `not YAML`},
	{"bytes", "\x00\xff", `not YAML`},
	{"second document", "store: auto\n---\nstore: memory\n", `line 2: more follows after the first document`},
	{"second, broken", "store: auto\n---\n\t- CW-SECRET-x\n", `line 3: not YAML: found character that cannot start any token`},
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range slices.Concat(errorTests, serverErrors, sourceErrors, watchErrors) {
		_, err := parse("/c.yaml", []byte(tt.text))
		var e *ipc.Error
		if !errors.As(err, &e) || e.What != "config /c.yaml: "+tt.want || e.Hint == "" || e.Code != ipc.CodeInvalid {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(strings.ToUpper(e.Text()), "CW-SECRET-X") {
			t.Errorf("%s: a token is shown", tt.name)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "not a regular file", large: "larger than 1 MiB"} {
		if _, err := Load(path); err == nil || err.Error() != "config "+path+": "+want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("other variables there")
	}
	mac := runtime.GOOS == "darwin"
	tests := []struct {
		env           map[string]string
		config, state string // empty: an error
		mac           string
	}{
		{map[string]string{"HOME": "/h"}, "/h/.config/cwagent", "/h/.local/state/cwagent", "/h/Library/Application Support/cwagent"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/x", "XDG_STATE_HOME": "/y"}, "/x/cwagent", "/y/cwagent", "/h/Library/Application Support/cwagent"},
		{map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "x", "XDG_STATE_HOME": "y"}, "/h/.config/cwagent", "/h/.local/state/cwagent", "/h/Library/Application Support/cwagent"},
		{map[string]string{}, "", "", ""},
		{map[string]string{"HOME": "h"}, "", "", ""},
	}
	for _, tt := range tests {
		if mac {
			tt.config, tt.state = tt.mac, tt.mac
		}
		getenv := func(k string) string { return tt.env[k] }
		config, err := Path(getenv)
		if tt.config == "" && err == nil || tt.config != "" && config != tt.config+"/config.yaml" {
			t.Errorf("%v: config %q, %v", tt.env, config, err)
		}
		state, err := StateDir(getenv)
		if state != tt.state || (err == nil) != (tt.state != "") {
			t.Errorf("%v: state %q, %v", tt.env, state, err)
		}
	}
	for _, find := range []func(func(string) string) (string, error){Path, StateDir} {
		if p, err := find(func(string) string { return "/a/../b" }); p != "/b" || err != nil {
			t.Errorf("%q, %v", p, err)
		}
		if p, err := find(func(string) string { return "b" }); err == nil {
			t.Errorf("a relative path: %q", p)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"store: memory\n", "coreweave: {endpoint: https://x, caFile: a}\n", "warnBefore: [1d, 1h]\n",
		"credentials:\n- {name: a, maxAge: never}\n", "a: &a [*a]\n", "store: *b\n", "<<: {store: auto}\n",
		"? [x]\n: y\n", "credentials: [[]]\n", "credentials: [~]\n", "---\n---\n", "!!binary store: x\n",
	} {
		f.Add([]byte(seed))
	}
	for _, tt := range slices.Concat(serverErrors, sourceErrors, watchErrors) {
		f.Add([]byte(tt.text))
	}
	f.Add([]byte(sources))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse("/c.yaml", text)
		if err != nil {
			var e *ipc.Error
			if !errors.As(err, &e) || strings.IndexFunc(e.What+e.Hint, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("%#v", err)
			}
			return
		}
		if !strings.HasPrefix(c.CoreWeave.Endpoint, "https://") || c.CoreWeave.CAFile != "" && !filepath.IsAbs(c.CoreWeave.CAFile) {
			t.Errorf("%+v", c.CoreWeave)
		}
		for i, d := range c.WarnBefore {
			if d <= 0 || i > 0 && d >= c.WarnBefore[i-1] {
				t.Errorf("%v", c.WarnBefore)
			}
		}
		names := map[string]bool{}
		for _, cred := range c.Credentials {
			if cred.Name == "" || names[cred.Name] || cred.MaxAge.Limit < 0 {
				t.Errorf("%+v", cred)
			}
			names[cred.Name] = true
			checkServers(t, cred.Servers)
			checkSource(t, cred.Source)
		}
	})
}
