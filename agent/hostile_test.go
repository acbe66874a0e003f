package agent

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

const goodHost = "cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com"

var good = ipc.Server{URL: "https://" + goodHost + ":443", CASHA256: Fingerprint([]byte("ca"))}

// hostile returns a server that somebody could hope to be taken for the good
// one, but that is another place or is reached in another way.
func hostile(r *rand.Rand) ipc.Server {
	s := good
	s.URL = "https://" + goodHost
	at := r.IntN(len(goodHost))
	evil := fmt.Sprintf("evil%d.example", r.IntN(1000))
	odd := func(all ...string) string { return all[r.IntN(len(all))] }
	insert := func(x string) string { return "https://" + goodHost[:at] + x + goodHost[at:] }
	switch r.IntN(14) {
	case 0: // a letter more, another, less
		s.URL = insert(odd("a", "-", ".", "0", "b.", "--"))
	case 1:
		c := goodHost[at] ^ 1
		s.URL = "https://" + goodHost[:at] + string(rune(c)) + goodHost[at+1:]
	case 2:
		s.URL = "https://" + goodHost[:at] + goodHost[at+1:]
	case 3: // the good name as part of another
		s.URL += odd(".", "", "-") + evil
	case 4:
		s.URL = "https://" + evil + odd("/", "?", "#", "/?", "/#", "/https://", ":443/", `\`, `/\`, ";") + goodHost
	case 5:
		s.URL = "https://" + goodHost + odd("@", ":443@", "%40", ":pw@", `\@`, "%00@", "\t@", " @") + evil
	case 6: // what looks or lowers like the good name
		s.URL = "https://" + strings.Replace(goodHost, "k", "\u212a", 1)
		if r.IntN(2) == 0 {
			s.URL = "https://" + strings.NewReplacer("c", odd("с", "ϲ"), "e", "е", ".", odd(".", "。", "．")).Replace(goodHost)
		}
	case 7:
		s.URL = insert(odd("\u200b", "\u00ad", "%00", "\x00", "\n", "\r\n", "\t", " ", "%20", "%2e", "\ufeff", "\xff"))
	case 8:
		s.URL = odd("http", "HTTP", "ftp", "wss", "httpss", "https+unix", " https", "https\n") + "://" + goodHost
	case 9:
		s.URL += fmt.Sprintf(":%d", 1+r.IntN(70000))
		if strings.HasSuffix(s.URL, ":443") {
			s.URL += "0"
		}
	case 10:
		s.URL += odd("/", "/./", "//") + odd("k8s", "%2e%2e", "..;", "api/v1", "%00", "\\..", "..%2f", evil)
	case 11:
		s.CASHA256 = odd("", Fingerprint([]byte(evil)), good.CASHA256[1:], good.CASHA256+"0")
	case 12:
		s.TLSServerName = odd(goodHost, evil, " ", strings.ToUpper(goodHost))
	case 13:
		s.ProxyURL = odd("http://", "https://", "socks5://") + evil
		s.Insecure = r.IntN(2) == 0
	}
	return s
}

func TestHostileServers(t *testing.T) {
	t.Parallel()
	r := random(t)
	c := &credential{name: "prod", servers: []ipc.Server{good}}
	seen := map[ipc.Server]bool{}
	for len(seen) < 200 {
		s := hostile(r)
		if seen[s] {
			continue
		}
		seen[s] = true
		c.refusal.Store(nil)
		q, err := c.understand(Ask{Server: &s}, noon)
		if err == nil {
			err = c.admit(q, noon)
		}
		if err == nil {
			t.Errorf("given out for %s", quote(fmt.Sprintf("%+v", s)))
			continue
		}
		if e := err.(*ipc.Error); !printable(e.What) || !printable(e.Hint) {
			t.Errorf("%s: unsafe to show: %+q", quote(s.URL), e.Text())
		}
		if last := c.refusal.Load(); last == nil || last.Server == nil || !printable(last.Server.URL) || last.Hint == "" {
			t.Errorf("%s: remembered as %+v", quote(s.URL), last)
		}
	}
	s := good
	s.URL = strings.ToUpper("https://"+goodHost) + "/./"
	q, err := c.understand(Ask{Server: &s}, noon)
	if err == nil {
		err = c.admit(q, noon)
	}
	if err != nil {
		t.Errorf("the good one in another spelling: %v", err)
	}
}

// nasty are strings that a shell or a terminal would rather interpret.
var nasty = []string{
	"", " ", "-rf", "--", "~", "~root", "~/x", "a=~/b", "=ls", "*", "?", "[a-z]", "{a,b}", "$HOME", "${HOME}", "$(id)", "`id`",
	"a b", "a\tb", "a\nb", "a\r\nb", "a;id", "a|id", "a&id", "a&&id", "a>/tmp/x", "<x", "a#b", "#", "!", "!!", "!$", "a\\", `\`, `\'`, `\\'`,
	"'", "''", "'\"'", `"`, `"$HOME"`, "it's", `';id;'`, `'\'';id;#`, `'$(id)'`, "\x1b[2J", "\x1b]0;x\a", "\x00", "a\x7f", "\u202e", "ä", "\xff",
	"%s%n", "https://h/'$(id)'", "https://h/;id", "(", ")", "a:b@c,d+e%41",
}

// shown is what a person sees of s in a line: what is not printable, and the
// backslash, is a question mark.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}

// arguments lets a real shell split lines; each is a call of cwagent.
func arguments(t *testing.T, lines []string) [][]string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		ipctest.Skip(t, "no sh to ask: "+err.Error())
	}
	script := `cwagent() { for a; do printf '%s\0' "$a"; done; printf '\0\0'; }` + "\n" + strings.Join(lines, "\n") + "\n"
	cmd := exec.Command(sh, "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=/nowhere"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sh: %v\n%.500s", err, out)
	}
	var calls [][]string
	for call := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00\x00\x00"), "\x00\x00\x00") {
		calls = append(calls, strings.Split(call, "\x00"))
	}
	return calls
}

// A person may paste the line: the shell must see the arguments that were meant,
// whatever a hostile kubeconfig put into them.
func TestServersLine(t *testing.T) {
	t.Parallel()
	r := random(t)
	strs := slices.Clone(nasty)
	const bits = "'\"\\$`(){}[]<>|&;!#~*?=%\n\t\x1b\x00 aä-/"
	for range 300 {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteByte(bits[r.IntN(len(bits))])
		}
		strs = append(strs, b.String())
	}
	var lines []string
	var want [][]string
	for i, s := range strs {
		srv := ipc.Server{URL: "https://h:443/" + s, CASHA256: s, TLSServerName: s, ProxyURL: s, Insecure: i%2 == 0}
		lines = append(lines, ServersLine("prod", srv))
		args := []string{"servers", "prod", "--add", shown(srv.URL)}
		if s != "" {
			args = append(args, "--ca-sha256", shown(s), "--tls-server-name", shown(s), "--proxy-url", shown(s))
		}
		if srv.Insecure {
			args = append(args, "--insecure-skip-tls-verify")
		}
		want = append(want, args)
		if line := lines[i]; !printable(line) || strings.Contains(line, `\`) && strings.Count(line, `\`) != strings.Count(line, `'\''`) {
			t.Errorf("%q: %q", s, line)
		}
	}
	got := arguments(t, lines)
	if len(got) != len(want) {
		t.Fatalf("%d lines became %d calls", len(want), len(got))
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%q: %q\nwant %q", lines[i], got[i], want[i])
		}
	}
}

// What the refusal of a server suggests binds to that very server.
func TestServersLineLeadsBack(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"https://a'b.example/x", "https://[fe80::1%25eth0]:6443/~me/=x", "https://h/a b", "https://h/$(id)"} {
		s, err := Canonical(ipc.Server{URL: raw})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		args := arguments(t, []string{ServersLine("prod", s)})[0]
		again, err := Canonical(ipc.Server{URL: args[3]})
		if err != nil || again != s {
			t.Errorf("%s: %s came back as %s, %v", raw, s.URL, again.URL, err)
		}
		if _, err := url.Parse(args[3]); err != nil {
			t.Error(err)
		}
	}
}
