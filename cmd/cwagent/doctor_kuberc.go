package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// A kuberc is what matters here of the file in which a person tells kubectl which
// plugins it may run, from 1.35 on. That version calls the program of an entry name;
// 1.36 calls it command, still takes the old word, and refuses both together.
type kuberc struct {
	Policy    string           `yaml:"credentialPluginPolicy"`
	Allowlist []allowlistEntry `yaml:"credentialPluginAllowlist"`

	path     string
	text     []byte
	explicit bool // KUBERC names it: kubectl then does not go on without
}

type allowlistEntry struct {
	Name    string `yaml:"name"`
	Command string `yaml:"command"`
}

// keys of a kuberc
const (
	policyKey    = "credentialPluginPolicy"
	allowlistKey = "credentialPluginAllowlist"
)

func lookKuberc(ctx context.Context, p *subject) []finding {
	rc := kuberc{path: p.getenv("KUBERC")}
	switch rc.explicit = rc.path != ""; {
	case rc.path == "off", strings.EqualFold(p.getenv("KUBECTL_KUBERC"), "false"):
		return nil // kubectl looks at none
	case !rc.explicit:
		rc.path = filepath.Join(p.getenv("HOME"), ".kube", "kuberc")
	}
	text, err := os.ReadFile(rc.path)
	if errors.Is(err, os.ErrNotExist) && !rc.explicit {
		return nil // then all are allowed
	}
	if err != nil {
		return []finding{rc.ignored("kuberc cannot be read", err.Error(), "correct KUBERC, or its permissions")}
	}
	if rc.text = text; len(text) == 0 {
		return nil // kubectl takes it for one that is not there
	}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&rc); err != nil {
		return []finding{rc.ignored("kuberc cannot be read", rc.path+": not YAML, or another shape", "mend it by hand")}
	}
	switch rc.Policy {
	case "", "AllowAll", "DenyAll":
		if rc.Allowlist != nil {
			return []finding{rc.blocks("kuberc has an allowlist without the policy for one, which kubectl refuses", rc.at(allowlistKey), policyKey+": Allowlist puts it in force")}
		}
		if rc.Policy == "DenyAll" {
			return []finding{rc.blocks("kuberc lets kubectl run no plugin", rc.at(policyKey)+": DenyAll", "make that Allowlist, and the plugin an entry of "+allowlistKey)}
		}
		return nil
	case "Allowlist":
		return p.judgeAllowlist(rc, kubectlMinor(ctx))
	}
	return []finding{rc.blocks("kuberc has a credentialPluginPolicy that kubectl does not know", rc.at(policyKey), "AllowAll, DenyAll or Allowlist")}
}

func (rc *kuberc) at(key string) string {
	return fmt.Sprintf("%s, line %d", rc.path, lineOf(rc.text, key))
}

func (rc *kuberc) blocks(cause, proof, mend string) finding {
	return finding{Grade: gradeBroken, Cause: cause, Proof: proof, Mend: mend}
}

// ignored is about a file of which kubectl takes nothing: it goes on without, unless
// KUBERC names the file.
func (rc *kuberc) ignored(cause, proof, mend string) finding {
	if rc.explicit {
		return rc.blocks(cause+", and kubectl refuses to run", proof, mend)
	}
	return finding{Grade: gradeWarning, Cause: cause + ": kubectl takes nothing of it, and runs every plugin", Proof: proof, Mend: mend}
}

// judgeAllowlist says which of the plugins that kubeconfigs name a list leaves out.
func (p *subject) judgeAllowlist(rc kuberc, minor int) (found []finding) {
	var allowed []string
	for i, e := range rc.Allowlist {
		program := e.Name + e.Command
		switch clean := filepath.Clean(program); {
		case e.Name != "" && e.Command != "":
			return []finding{rc.ignored("an entry of kuberc's allowlist has both name and command", rc.at(allowlistKey), "kubectl 1.35 wants name, 1.36 and later command: keep that")}
		case program == "":
			return []finding{rc.blocks(fmt.Sprintf("entry %d of kuberc's allowlist is empty, and kubectl refuses to run", i+1), rc.at(allowlistKey), "take it out")}
		case clean != program:
			return []finding{rc.blocks("a path in kuberc's allowlist is longer than it need be, and kubectl refuses to run", rc.at(allowlistKey)+": "+program, "write it as "+clean)}
		case e.Name == "" && minor == 35:
		default:
			allowed = append(allowed, program)
		}
	}
	var seen []string
	for _, c := range p.kubeconfigs().calls() {
		command := c.file.Resolved(c.Command)
		if slices.Contains(seen, command) {
			continue
		}
		if seen = append(seen, command); !p.allows(allowed, command) {
			found = append(found, p.leftOut(rc, c, command, minor))
		}
	}
	return found
}

func (p *subject) leftOut(rc kuberc, c callAt, command string, minor int) finding {
	key := "command"
	if minor == 35 {
		key = "name"
	}
	f := rc.blocks("kuberc does not let kubectl run the plugin of user "+kubeconfig.HideTokens(c.User), fmt.Sprintf("%s: no entry for %s", rc.at(allowlistKey), command),
		fmt.Sprintf("add an entry there: - %s: %s", key, command))
	for _, e := range rc.Allowlist {
		if p.allows([]string{e.Command}, command) {
			f.Proof = rc.at(allowlistKey) + ": the entry for " + command + " is spelled as kubectl 1.36 wants it, and this one is older"
			f.Mend = "write - name: " + command
		}
	}
	return f
}

// allows reports whether kubectl would run command: it compares words, and what PATH
// makes of both; links are not resolved.
func (p *subject) allows(allowed []string, command string) bool {
	want, _ := p.lookPath(command)
	return slices.ContainsFunc(allowed, func(a string) bool {
		if a == "" {
			return false
		}
		is, err := p.lookPath(a)
		return a == command || err == nil && is == want
	})
}

// lineOf is the line in which a key stands, from 1 on.
func lineOf(text []byte, key string) int {
	at := regexp.MustCompile(`(?m)^["']?` + key + `["']?\s*:`).FindIndex(text)
	if at == nil {
		return 1
	}
	return bytes.Count(text[:at[0]], []byte("\n")) + 1
}

// kubectlMinor is the minor version of the kubectl in PATH, and 0 if that does not tell.
func kubectlMinor(ctx context.Context) int {
	out, err := exec.CommandContext(ctx, "kubectl", "version", "--client", "-o", "json").Output()
	var v struct {
		ClientVersion struct{ Minor string } `json:"clientVersion"`
	}
	if err != nil || json.Unmarshal(out, &v) != nil {
		return 0
	}
	minor, _ := strconv.Atoi(regexp.MustCompile(`^[0-9]*`).FindString(v.ClientVersion.Minor))
	return minor
}
