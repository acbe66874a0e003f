package kubeconfig

import "strings"

// Exec is the block that takes the place of a token.
type Exec struct {
	Command    string // absolute path of cwagent-credential
	Credential string // its argument
}

const (
	execVersion = "client.authentication.k8s.io/v1"
	installHint = "cwagent-credential is missing: install cwagent, or correct this path"
)

// pair is a key and its value in a spelling that is both YAML and JSON, or for
// YAML alone where it can do without quotes.
type pair struct{ key, yaml, json string }

// pairs returns the fields of the block in their order.
func (e Exec) pairs() []pair {
	str := func(key, v string) pair { return pair{key, scalar(v), quoted(v)} }
	args := pair{"args", "[" + scalar(e.Credential) + "]", "[" + quoted(e.Credential) + "]"}
	return []pair{
		str("apiVersion", execVersion),
		str("command", e.Command),
		args,
		str("interactiveMode", "Never"),
		{"provideClusterInfo", "true", "true"},
		str("installHint", installHint),
	}
}

// block returns the lines below "exec:", which stands at indent; each begins
// with a line break, so that a file without a final one stays without.
func (e Exec) block(indent, nl string) string {
	var b strings.Builder
	for _, p := range e.pairs() {
		b.WriteString(nl + indent + "  " + p.key + ": " + p.yaml)
	}
	return b.String()
}

// Lines returns the block as a person writes it into a user, at the margin.
func (e Exec) Lines() string { return "exec:" + e.block("", "\n") + "\n" }

// flow returns the block as an entry of a flow mapping, or of a JSON object.
func (e Exec) flow(isJSON bool) string {
	var fields []string
	for _, p := range e.pairs() {
		if isJSON {
			fields = append(fields, quoted(p.key)+":"+p.json)
		} else {
			fields = append(fields, p.key+": "+p.yaml)
		}
	}
	if isJSON {
		return `"exec":{` + strings.Join(fields, ",") + "}"
	}
	return "exec: {" + strings.Join(fields, ", ") + "}"
}

// tree returns the block as it decodes.
func (e Exec) tree() map[string]any {
	return map[string]any{
		"apiVersion":         execVersion,
		"command":            e.Command,
		"args":               []any{e.Credential},
		"interactiveMode":    "Never",
		"provideClusterInfo": true,
		"installHint":        installHint,
	}
}
