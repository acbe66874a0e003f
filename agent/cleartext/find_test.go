package cleartext

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// other is a token of another shape, api one of CoreWeave's.
const (
	other = "aB3dE5gH7jK9mN1pQ3sT5vX7"
	api   = "CW-SECRET-" + other
)

func TestFind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		kind Kind
		text string
		want string // line:variable, ...
	}{
		{"nothing", Env, "A=b\n", ""},
		{"env", Env, "# mine\nCOREWEAVE_API_TOKEN=" + api + "\n", "2:COREWEAVE_API_TOKEN"},
		{"another file", Other, "CW_TOKEN: " + other + "\ntoken: " + api, "2:token"},
		{"env, quoted, spaces", Env, `export  CW_TOKEN = "` + api + `" # note`, "1:CW_TOKEN"},
		{"env, any variable", Env, "MY_TOKEN='" + api + "'", "1:MY_TOKEN"},
		{"env, other shape", Env, "CW_API_TOKEN=" + other, "1:CW_API_TOKEN"},
		{"env, other shape, other variable", Env, "MY_TOKEN=" + other, ""},
		{"env, last character of another name", Env, "NOT_CW_TOKEN=" + other, ""},
		{"env, two in a line", Env, "CW_TOKEN=" + api + " CWSANDBOX_API_KEY=" + other, "1:CW_TOKEN 1:CWSANDBOX_API_KEY"},
		{"env, the same variable twice", Env, "CW_TOKEN=" + api + " CW_TOKEN=" + api, "1:CW_TOKEN"},
		{"env, without a line's end, in DOS", Env, "A=b\r\nCW_TOKEN=" + api + "\r\n", "2:CW_TOKEN"},
		{"env, with a byte order mark", Env, "\ufeffCW_TOKEN=" + api + "\nCW_API_TOKEN=" + other, "1:CW_TOKEN 2:CW_API_TOKEN"},
		{"a comment holds it as well", Env, "# CW_TOKEN=" + api, "1:CW_TOKEN"},
		{"JWT", Env, "CW_TOKEN=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "1:CW_TOKEN"},
		{"UUID", Env, "CW_TOKEN=0b9fd1e5-5a44-4a4e-8a53-41a5f3d3f2aa", "1:CW_TOKEN"},
		{"tfvars", Variables, `coreweave_token = "` + api + `"`, "1:coreweave_token"},
		{"tfvars, other shape, lower case", Variables, `coreweave_api_token = "` + other + `"`, "1:coreweave_api_token"},
		{"tfvars.json", Variables, "{\n \"coreweave_token\": \"" + api + "\"\n}", "2:coreweave_token"},
		{"tfstate, in one line", State, `{"attributes":{"token":"` + api + `","x":{"cw_token":"` + other + `"}}}`, "1:token 1:cw_token"},
		{"Pulumi", Pulumi, "config:\n  coreweave:token: " + api, "2:token"},
		{"Pulumi, encrypted", Pulumi, "config:\n  coreweave:token:\n    secure: AAABAC1m" + other, ""},
		{"Ansible", Ansible, "coreweave_api_token: " + other, "1:coreweave_api_token"},
		{"Ansible, vault", Ansible, "coreweave_api_token: !vault |\n  $ANSIBLE_VAULT;1.1;AES256", ""},
		{"Ansible, lookup", Ansible, "coreweave_api_token: \"{{ lookup('env', 'COREWEAVE_API_TOKEN') }}\"", ""},
		{"bash", Shell, "if x; then export COREWEAVE_API_TOKEN=" + api + "; fi", "1:COREWEAVE_API_TOKEN"},
		{"bash, before a command", Shell, "alias tf='CW_TOKEN=" + api + " terraform'", "1:CW_TOKEN"},
		{"fish", Shell, "set -gx COREWEAVE_API_TOKEN " + api, "1:COREWEAVE_API_TOKEN"},
		{"fish, any variable", Shell, "set -Ux MINE '" + api + "'", "1:MINE"},
		{"fish, other shape", Shell, "set -gx CW_TOKEN \"" + other + "\"", "1:CW_TOKEN"},
		{"fish_variables", Shell, `SETUVAR --export CW_TOKEN:CW\x2dSECRET\x2d` + other, "1:CW_TOKEN"},
		{"fish_variables, any variable", Shell, `SETUVAR MINE:CW\x2dSECRET\x2d` + other, "1:MINE"},
		{"csh", Shell, "setenv CW_TOKEN " + api, "1:CW_TOKEN"},
		{"pam", Shell, "CW_TOKEN DEFAULT=" + api + "\nCW_API_TOKEN DEFAULT=" + other, "1:CW_TOKEN 2:CW_API_TOKEN"},
		{"environment.d", Shell, "COREWEAVE_API_TOKEN=" + api, "1:COREWEAVE_API_TOKEN"},
		{"history", History, "ls\ncwic auth login " + api + " --name x\n", "2:"},
		{"history, header", History, "curl -H 'Authorization: Bearer " + api + "' https://api.coreweave.com", "1:Authorization"},
		{"history, flag", History, "x --token " + api + " --token=" + api, "1:--token"},
		{"history, URL", History, "curl 'https://x/?token=" + api + "&y'", "1:token"},
		{"history, zsh", History, ": 1760000000:0;export CW_TOKEN=" + api + "\n: 1760000001:0;ls \\\n" + api, "1:CW_TOKEN 3:"},
		{"history, bash with times", History, "#1760000000\nexport CW_TOKEN=" + other, "2:CW_TOKEN"},
		{"history, fish", History, "- cmd: set -gx A b\\nset -gx CW_TOKEN " + other + "\\necho\n  when: 1760000000\n", "1:CW_TOKEN"},
		{"history, searched for", History, "grep -r CW-SECRET- .\nsed -i '/CW-SECRET-/d' x\ngrep 'CW-SECRET-[A-Z]' x", ""},
		{"aws", S3, "[default]\nregion = x\n[profile train]\ncredential_process = sh -c \"curl -H 'Authorization: Bearer " + api + "'\"", "4:Authorization"},
		{"aws credentials", S3, "[ops]\naws_session_token=" + api, "2:aws_session_token"},
		{"aws, a token as a section", S3, "[" + api + "]\nx=" + api, "1: 2:x"},
		{"cwic", CWIC, "{\"token\": \"" + api + "\"}", "1:token"},
		{"netrc", Netrc, "machine api.coreweave.com login x password " + api, "1:password"},
		{"a variable called as a secret", Env, "x=hunter2=" + api + "\n" + api + "=" + api, "1: 2:"},
		{"a NUL, as after a crash", History, "\x00\x00export CW_TOKEN=" + api, "1:CW_TOKEN"},
		{"no UTF-8", History, "\xff\xc3export CW_TOKEN=" + other + "\xff", ""},
	}
	for _, tt := range tests {
		var got []string
		for _, p := range Find(tt.kind, []byte(tt.text)) {
			got = append(got, fmt.Sprintf("%d:%s", p.Line, p.Variable))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// What stands for a token is none.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"", "$CW", "${CW_SECRET_0123456789}", "$(cwagent token prod --raw)", "`cwagent token prod --raw`", "<token>", "<your-token-0123456789>",
		"xxx", "XXXXXXXXXXXXXXXXXXXX", "xxxx1234xxxx1234xxxx", "****************", "....................", "your-token-here-12345", "YOUR_API_TOKEN_1234567",
		"changeme-changeme-123", "op://vault/cks0123456789/token", "vault:secret/data/cks#token0", "ENC[AES256_GCM,data:0123456789]", "/run/secrets/token-0123456789",
		"./token-0123456789abc.txt", "~/token-0123456789abc.txt", "%COREWEAVE_API_TOKEN0%", "{{ token_0123456789 }}", "#{token_0123456789abc}", "a_function_of_the_shell", "1234567890123456", "short1",
	} {
		for _, text := range []string{"COREWEAVE_API_TOKEN=" + value, "COREWEAVE_API_TOKEN=\"" + value + "\"", "cw_token: '" + value + "'"} {
			if p := Find(Env, []byte(text)); len(p) > 0 {
				t.Errorf("%s is no token: %+v", text, p)
			}
		}
	}
	for _, rest := range []string{"", "<secret>", "$X", "${X}", "xxx", "XXXXXXXXXXXXX", "...", "*****", "{secret}", "your-secret", "YOUR_TOKEN", "[A-Z]", "token", "secret", "example", "REDACTED"} {
		if p := Find(Env, []byte("A=CW-SECRET-"+rest)); len(p) > 0 {
			t.Errorf("CW-SECRET-%s is no token: %+v", rest, p)
		}
	}
	for _, rest := range []string{"a", "0", "one", "Zk3v", other, "x1", "a/b+c=="} {
		if p := Find(Env, []byte("A=CW-SECRET-"+rest)); len(p) != 1 {
			t.Errorf("CW-SECRET-%s is a token", rest)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]Kind{
		"/h/.env": Env, "/h/p/.env.local": Env, "/h/p/prod.env": Env, "/h/.envrc": Env, "/h/p/.env.bak": Env, "/h/p/.env~": Env,
		"/h/terraform.tfvars": Variables, "/h/a.auto.tfvars.json": Variables, "/h/terraform.tfstate": State, "/h/terraform.tfstate.1760000000.backup": State,
		"/h/Pulumi.dev.yaml": Pulumi, "/h/inv/group_vars/all": Ansible, "/h/inv/group_vars/all/cks.yml": Ansible, "/h/host_vars/n.yml": Ansible,
		"/h/.bashrc": Shell, "/h/.zshenv": Shell, "/h/.config/fish/config.fish": Shell, "/h/.config/fish/fish_variables": Shell,
		"/h/.config/environment.d/cks.conf": Shell, "/h/.pam_environment": Shell, "/h/bin/deploy.sh": Shell, "/h/.profile.old": Shell,
		"/h/.bash_history": History, "/h/.zsh_history": History, "/h/.local/share/fish/fish_history": History, "/h/.zsh_sessions/X.history": History,
		"/h/.local/state/zsh/history": History, "/h/.local/state/bash/history": History, "/h/.config/nushell/history.txt": History, "/h/.config/powershell/profile.ps1": Shell,
		"/h/.aws/config": S3, "/h/.aws/credentials": S3, "/h/.s3cfg": S3, "/h/.config/rclone/rclone.conf": S3,
		"/h/.cwic/config.json": CWIC, "/h/.config/cwic/config.json": CWIC, "/h/.netrc": Netrc,
		"/h/.kube/config": Other, "/h/README.md": Other, "/h/env": Other, "/h/history": Other, "/h/p/history": Other, "/h/history.txt": Other, "/h/.environment": Other, "/h/.python_history": Other, "/h/.psql_history": Other, "/h/main.tf": Other, "/h/Pulumi.go": Other, "/h/cwic/config": Other,
	} {
		if got, known := KindOf(path); got != want || known != (want != Other) {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

// The law: whatever the text, no place holds a part of a token that is in it, and lines
// are those of the text.
func FuzzFind(f *testing.F) {
	f.Add("[", "]\nexport CW_TOKEN=", "\n", uint8(0))
	f.Add("A=", "=", ":", uint8(6))
	kinds := []Kind{Env, Shell, History, Variables, State, Pulumi, Ansible, S3, CWIC, Netrc}
	f.Fuzz(func(t *testing.T, a, b, c string, k uint8) {
		text := a + api + b + api + c + other
		for _, p := range Find(kinds[int(k)%len(kinds)], []byte(text)) {
			if strings.Contains(p.Variable, other) && !strings.Contains(a+b+c, other) {
				t.Errorf("%q: %+v", text, p)
			}
			if p.Line < 1 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%q has no line %d", text, p.Line)
			}
		}
	})
}

// The time is in proportion to the text, whatever is in it, one line or many: what goes
// with the square takes minutes for a MiB.
func TestFindSpeed(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"CW_TOKEN=", "CW-SECRET-", "a=", " ", "[", "coreweave:", "CW-SECRET-a ", "set -x ", "CW-SECRET-a\n", "CW_TOKEN=" + other + "\n"} {
		text := []byte(strings.Repeat(part, (1<<20)/len(part)))
		began := time.Now()
		Find(Shell, text)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q again and again: %v", part, took)
		}
	}
}
