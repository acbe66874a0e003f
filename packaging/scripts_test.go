//go:build linux

package packaging_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSystemctl, systemd-run as well, notes what it is asked. Users 1000, 1001 and 1002
// are logged in; the last has units of its own, and no agent that runs. It is id as well,
// which does not know them.
const fakeSystemctl = `#!/bin/sh
[ "${0##*/}" = id ] || echo "${0##*/}" "$*" | sed 's/^systemctl //' >>"$CALLS"
case "$*" in
-nu*) exit 1 ;;
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
	stop := func(uid string) string {
		return "--user -M " + uid + "@ --quiet is-active cwagent.service\n" +
			"systemd-run --user -M " + uid + "@ --quiet --collect --wait /usr/bin/cwagent service stop\n" +
			"--user -M " + uid + "@ --quiet disable --now cwagent.socket cwagent.service\n"
	}
	const (
		enable  = "--quiet --global enable cwagent.socket\n"
		list    = "list-units --plain --no-legend --state=active user@*.service\n"
		restart = list + "--user -M 1000@ daemon-reload\n--user -M 1000@ --quiet is-active cwagent.service\n" +
			"systemd-run --user -M 1000@ --quiet --collect --wait /usr/bin/cwagent service restart\n" +
			"--user -M 1001@ daemon-reload\n--user -M 1001@ --quiet is-active cwagent.service\n" +
			"systemd-run --user -M 1001@ --quiet --collect --wait /usr/bin/cwagent service restart\n" +
			"--user -M 1002@ daemon-reload\n--user -M 1002@ --quiet is-active cwagent.service\n"
		show   = "show --property=FragmentPath --value cwagent.service\n"
		advice = "cwagent: kubeconfigs that it has rewritten still refer to it; tokens stay in their users' keyrings\n" +
			"hint: each user, with cwagent installed again: cwagent restore --all\n"
	)
	remove := "--quiet --global disable cwagent.socket\n" + list +
		"--user -M 1000@ " + show + stop("1000") + "--user -M 1001@ " + show + stop("1001") +
		"--user -M 1002@ " + show // their own
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
			if calls, says := runScript(t, t.TempDir(), "0", tt.line); calls != tt.calls || says != tt.says {
				t.Errorf("asked\n%ssaid\n%s", calls, says)
			}
		})
	}
	t.Run("a manager that refuses", func(t *testing.T) {
		t.Parallel()
		_, says := runScript(t, t.TempDir(), "1", "postinst configure 0.1.0")
		if says != "cwagent: user 1001: the agent was not restarted; cwagent service restart does it, or says why not\n" {
			t.Errorf("said %s", says)
		}
		if _, says := runScript(t, t.TempDir(), "1", "postinst configure"); says != "cwagent: cwagent.socket is not enabled for users: is it masked?\n" {
			t.Errorf("said %s", says)
		}
		_, says = runScript(t, t.TempDir(), "1", "prerm remove")
		if want := "cwagent: user 1001: the agent has tokens in memory only, or does not answer: it is stopped, and they are lost\n"; !strings.HasSuffix(says, "--all\n"+want) {
			t.Errorf("said %s", says)
		}
	})
}

// An agent that its user has started is not touched, but not passed over either; nor is
// the link left of a socket that is masked.
func TestScriptsByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, link := filepath.Join(dir, "usr/bin/cwagent"), filepath.Join(dir, "etc/systemd/user/sockets.target.wants/cwagent.socket")
	shell, err := os.ReadFile("/bin/sh") // a program that stays, whatever it is called
	for _, path := range []string{program, link} {
		err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755))
	}
	err = errors.Join(err, os.WriteFile(program, shell, 0o755), os.WriteFile(filepath.Join(dir, "agent"), []byte("echo; read -r x"), 0o600),
		os.Symlink("/usr/lib/systemd/user/cwagent.socket", link))
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(program, "agent")
	agent.Dir = dir
	in, err := agent.StdinPipe()
	out, err2 := agent.StdoutPipe()
	if err := errors.Join(err, err2, agent.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(in.Close(), ignoreExit(agent.Wait())); err != nil {
			t.Error(err)
		}
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	says := func(line, want string, sure bool) {
		t.Helper()
		if _, got := runScript(t, dir, "0", line); strings.Contains(got, want) != sure {
			t.Errorf("%s: said %s", line, got)
		}
	}
	who := fmt.Sprintf("cwagent: user %d: an agent that was started by hand ", os.Getuid())
	says("prerm upgrade 0.2.0", who, false)
	says("postinst configure 0.1.0", who, false) // it is this one
	says("prerm remove", fmt.Sprintf("%sgoes on, and holds tokens in memory, until: kill %d\n", who, agent.Process.Pid), true)
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link is left: %v", err)
	}
	if err := os.Remove(program); err != nil { // as an upgrade does
		t.Fatal(err)
	}
	old := fmt.Sprintf("%s(pid %d) is still the one before; cwagent service start, or ending it, replaces it\n", who, agent.Process.Pid)
	says("postinst configure 0.1.0", old, true)
	says("postinst 2", old, true)
	says("postinst configure", who, false)
}

// ignoreExit is err, but for what a program returns.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// runScript runs a line of a script and its arguments, in the place of /, and returns what systemctl was
// asked and what a person was told. It has to end well.
func runScript(t *testing.T, root, refuses, line string) (calls, says string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"systemctl", "systemd-run", "id"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fakeSystemctl), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	args := strings.Fields(line)
	cmd := exec.Command("sh", append([]string{"scripts/" + args[0]}, args[1:]...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CALLS="+filepath.Join(dir, "calls"), "REFUSES="+refuses, "DPKG_ROOT="+root)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "calls"))
	return string(b), string(out)
}
