//go:build linux

package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystemctl, systemd-run as well, notes what it is asked. Users 1000, 1001 and 1002
// are logged in; the last has units of its own, and no agent that runs.
const fakeSystemctl = `#!/bin/sh
echo "${0##*/}" "$*" | sed 's/^systemctl //' >>"$CALLS"
case "$*" in
list-units*) printf 'user@1000.service loaded active running User Manager for UID 1000\nuser@1001.service loaded active running User Manager for UID 1001\n'
	echo 'user@1002.service loaded active running User Manager for UID 1002' ;;
*--global*) exit "$REFUSES" ;;
*1002@*show*) echo /home/me/.config/systemd/user/cwagent.service ;;
*show*) echo /usr/lib/systemd/user/cwagent.service ;;
*1002@*is-active*) exit 3 ;;
*1001@*is-active*) ;;
*1001@*) exit "$REFUSES" ;;
esac
`

// TestScripts runs what dpkg and rpm run, with the arguments that each of them gives.
func TestScripts(t *testing.T) {
	t.Parallel()
	const (
		enable  = "--quiet --global enable cwagent.socket\n"
		list    = "list-units --plain --no-legend --state=active user@*.service\n"
		restart = list + "--user -M 1000@ daemon-reload\n--user -M 1000@ --quiet is-active cwagent.service\n" +
			"systemd-run --user -M 1000@ --quiet --collect --wait /usr/bin/cwagent service restart\n" +
			"--user -M 1001@ daemon-reload\n--user -M 1001@ --quiet is-active cwagent.service\n" +
			"systemd-run --user -M 1001@ --quiet --collect --wait /usr/bin/cwagent service restart\n" +
			"--user -M 1002@ daemon-reload\n--user -M 1002@ --quiet is-active cwagent.service\n"
		show   = "show --property=FragmentPath --value cwagent.service\n"
		remove = "--quiet --global disable cwagent.socket\n" + list +
			"--user -M 1000@ " + show + "--user -M 1000@ --quiet disable --now cwagent.socket cwagent.service\n" +
			"--user -M 1001@ " + show + "--user -M 1001@ --quiet disable --now cwagent.socket cwagent.service\n" +
			"--user -M 1002@ " + show // their own
		advice = "cwagent: kubeconfigs that it has rewritten still refer to it; tokens stay in their users' keyrings\n" +
			"hint: each user, with cwagent installed again: cwagent restore --all\n"
	)
	for _, tt := range []struct{ line, calls, says string }{
		{"postinst configure", enable, ""},
		{"postinst configure 0.1.0", restart, ""},
		{"postinst abort-remove", enable, ""},
		{"postinst abort-upgrade 0.2.0", "", ""},
		{"postinst 1", enable, ""},
		{"postinst 2", restart, ""},
		{"prerm remove", remove, advice},
		{"prerm upgrade 0.2.0", "", ""},
		{"prerm 0", remove, advice},
		{"prerm 1", "", ""},
	} {
		t.Run(tt.line, func(t *testing.T) {
			t.Parallel()
			if calls, says := runScript(t, "0", tt.line); calls != tt.calls || says != tt.says {
				t.Errorf("asked\n%ssaid\n%s", calls, says)
			}
		})
	}
	t.Run("a manager that refuses", func(t *testing.T) {
		t.Parallel()
		_, says := runScript(t, "1", "postinst configure 0.1.0")
		if says != "cwagent: user 1001: the agent was not restarted; cwagent service restart does it, or says why not\n" {
			t.Errorf("said %s", says)
		}
		if _, says := runScript(t, "1", "postinst configure"); says != "cwagent: cwagent.socket is not enabled for users: is it masked?\n" {
			t.Errorf("said %s", says)
		}
		runScript(t, "1", "prerm remove")
	})
}

// runScript runs a line of a script and its arguments, and returns what systemctl was
// asked and what a person was told. It has to end well.
func runScript(t *testing.T, refuses, line string) (calls, says string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"systemctl", "systemd-run"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fakeSystemctl), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	args := strings.Fields(line)
	cmd := exec.Command("sh", append([]string{"scripts/" + args[0]}, args[1:]...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(dir, "calls"), "REFUSES="+refuses)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "calls"))
	return string(b), string(out)
}
