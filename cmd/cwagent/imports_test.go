package main

import (
	"os/exec"
	"strings"
	"testing"
)

const us = "github.com/cwagent/cwagent/"

// forbidden lists what a package of ours must not link, directly or through
// others, and why. A pattern that ends in "/..." means all below it, too.
var forbidden = []struct {
	from   string
	to     []string
	reason string
}{
	{"./ipc", []string{us + "agent/...", us + "credplugin", us + "cmd/..."},
		"ipc is the language; whoever speaks it imports it, never the reverse"},
	{"./ipc", []string{"fmt", "net", "encoding/json", "log/slog", "net/http", "regexp", "k8s.io/...", "filippo.io/...", "golang.org/x/crypto/..."},
		"the plugin links ipc and starts with every kubectl: each of these costs it 0.1 to 1.5 ms"},
	{"./ipc/...", []string{us + "agent/...", us + "cmd/..."},
		"the socket knows nothing about credentials"},
	{"./credplugin", []string{"fmt", "net", "encoding/json", "log/slog", "net/http", "k8s.io/...", "github.com/zalando/...", "filippo.io/...", "golang.org/x/crypto/...", us + "agent/...", us + "ipc/server", us + "ipc/client"},
		"the plugin starts with every kubectl and carries bytes"},
	{"./agent", []string{us + "agent/...", us + "cmd/...", us + "credplugin", "k8s.io/...", "github.com/zalando/...", "github.com/godbus/...", "filippo.io/...", "golang.org/x/crypto/...", "net/http", "go.yaml.in/..."},
		"the mind knows interfaces only: its children implement them"},
	{"./...", []string{"k8s.io/client-go/kubernetes", "k8s.io/client-go/kubernetes/..."},
		"the clientset is 26 MB and 4 ms at start"},
	{"./...", []string{"github.com/prometheus/...", "google.golang.org/protobuf/..."},
		"0.2 ms at each start, and a tenth of the program: tests only"},
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	for _, rule := range forbidden {
		deps := list(t, "-deps", "../../"+strings.TrimPrefix(rule.from, "./"))
		if len(deps) < 2 {
			t.Fatalf("go list %s names %d packages", rule.from, len(deps))
		}
		own := map[string]bool{}
		for _, p := range list(t, "../../"+strings.TrimPrefix(rule.from, "./")) {
			own[p] = true
		}
		for _, dep := range deps {
			for _, bad := range rule.to {
				if matches(dep, bad) && !own[dep] {
					t.Errorf("%s links %s: %s", rule.from, dep, rule.reason)
				}
			}
		}
	}
}

// TestRenderIsAlone: what costs 1.4 ms at start stays in one place.
func TestRenderIsAlone(t *testing.T) {
	t.Parallel()
	const api = "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.Contains(" "+imports+" ", " "+api+" ") {
			continue
		}
		if found++; pkg != us+"agent/render" {
			t.Errorf("%s imports clientauthentication; agent/render is the one that does", pkg)
		}
	}
	if found == 0 {
		t.Error("nobody imports clientauthentication: this test looks for the wrong thing")
	}
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

func matches(pkg, pattern string) bool {
	if prefix, all := strings.CutSuffix(pattern, "/..."); all {
		return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
	}
	return pkg == pattern
}
