package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

var update = flag.Bool("update", false, "write testdata/screen anew")

// Pictures show times of day: everywhere the same ones.
func init() { time.Local = time.UTC }

var screenNow = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *time.Time { t := screenNow.Add(-d); return &t }
func after(d time.Duration) *time.Time  { return before(-d) }

const day = 24 * time.Hour

// cred is a credential that is well, but for what change says.
func cred(name string, change func(*ipc.Credential)) ipc.Credential {
	c := ipc.Credential{
		Name: name, ID: "cwtoken-3f9a1c7e", Label: "#5f3a9c01", State: ipc.StateValid, Expiry: ipc.ExpiryKnown,
		Expires: after(20 * day), Created: before(10 * day), Added: *before(10 * day), Saved: true, Verified: before(time.Hour),
		Identity: ipc.Identity{OrgUID: "cw7f2e", UID: "u-1"}, Source: "console",
		Servers: []ipc.Server{{URL: "https://cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com:443"}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func statusOf(creds ...ipc.Credential) ipc.Status {
	return ipc.Status{
		Agent:       ipc.AgentInfo{Version: "0.9.0", PID: 4711, Started: *before(76 * time.Hour), Start: ipc.StartManager, Socket: "/run/user/1000/cwagent/agent.sock"},
		Store:       ipc.StoreInfo{Kind: "keyring", Why: `gnome-keyring, collection "login"`, OneHost: true},
		Credentials: creds,
	}
}

// everyState has a credential in each state, and something to do of each kind.
func everyState() ipc.Status {
	hint := func(name string) string {
		return "make a new token at https://console.coreweave.com/tokens, then: cwagent rotate " + name
	}
	s := statusOf(
		cred("ci", func(c *ipc.Credential) {
			c.ID, c.Source, c.Expires, c.Created = "", "serviceAccount", after(50*time.Minute), before(10*time.Minute)
			c.Renewal = &ipc.Renewal{Next: after(30 * time.Minute)}
			c.LastUse = &ipc.Use{At: *before(4 * time.Second), Caller: "k9s <- zsh <- tmux", PID: 812}
		}),
		cred("empty", func(c *ipc.Credential) {
			c.State, c.Reason, c.Hint = ipc.StateEmpty, "its token is no longer in the keyring", hint("empty")
		}),
		cred("eval", func(c *ipc.Credential) {
			c.Expiry, c.Expires, c.Saved, c.Servers = ipc.ExpiryUnknown, nil, false, nil
		}),
		cred("lab", func(c *ipc.Credential) {
			c.State, c.Reason, c.Hint = ipc.StateLocked, "the keyring is locked", "cwagent unlock"
		}),
		cred("old", func(c *ipc.Credential) {
			c.State, c.Reason, c.Hint = ipc.StateExpired, "the token expired at 2026-11-25 09:00:00 UTC", hint("old")
			c.Expires = before(3 * time.Hour)
		}),
		cred("prod", func(c *ipc.Credential) {
			c.State, c.Reason, c.Hint = ipc.StateDue, "the token expires at 2026-11-28 12:00:00 UTC", hint("prod")
			c.Expires, c.Created, c.Added = after(3*day), before(27*day), *before(27 * day)
			c.LastUse = &ipc.Use{At: *before(2 * time.Minute), Caller: "kubectl <- zsh <- tmux", PID: 4712}
			c.Servers = append(c.Servers, ipc.Server{URL: "https://cw7f2e-0001.k8s.us-east-04a.coreweave.com:6443"})
			c.Refusal = &ipc.Refusal{At: *before(5 * time.Minute), Server: &ipc.Server{URL: "https://evil.example.com:443"}, Hint: "if that server is yours: cwagent servers prod --add https://evil.example.com"}
			c.Retiring = []ipc.Retiring{{Credential: "prod", ID: "cwtoken-0badcafe", Since: *before(27 * day), Expiry: ipc.ExpiryKnown, Expires: after(4 * day), Delete: true}}
		}),
		cred("revoked", func(c *ipc.Credential) {
			c.State, c.Reason = ipc.StateRefused, "the server refuses its token: CoreWeave says 401"
			c.Hint = hint("revoked") + "; cwagent verify revoked asks again"
		}),
		cred("train", func(c *ipc.Credential) {
			c.Expiry, c.Expires, c.Source = ipc.ExpiryNever, nil, "standby"
			c.Standby = []ipc.Standby{{ID: "cwtoken-00000003", Expiry: ipc.ExpiryNever, Saved: true}}
			c.Unsaved = "since 11:58:00: store keyring: no space left"
			c.Saved = false
		}),
	)
	s.Watched = []ipc.Watch{
		{Path: "/home/me/.kube/config", State: ipc.WatchFound, User: "me", Why: "nobody has agreed yet", Hint: "cwagent import /home/me/.kube/config"},
		{Path: "/home/me/kube/lab", State: ipc.WatchAbsorbed, User: "lab", At: *before(time.Hour), Why: "it is the token of the credential", Credential: "lab"},
		{Path: "/home/me/Downloads", State: ipc.WatchMissing},
	}
	return s
}

func fifty() ipc.Status {
	var creds []ipc.Credential
	for i := range 50 {
		creds = append(creds, cred(fmt.Sprintf("cluster-%02d", i), func(c *ipc.Credential) {
			c.ID, c.Expires = fmt.Sprintf("cwtoken-%08x", i), after(time.Duration(i+1)*day/2)
			if i < 3 {
				c.State, c.Reason, c.Hint = ipc.StateDue, "the token expires soon", "cwagent rotate "+c.Name
			}
		}))
	}
	return statusOf(creds...)
}

// hostile has names and words that would move a terminal's cursor, and long ones.
func hostile() ipc.Status {
	evil := "a\x1b[2J\x07\n\u202eb\x9b"
	s := statusOf(
		cred(strings.Repeat("n", 63), func(c *ipc.Credential) {
			c.Servers = []ipc.Server{{URL: "https://" + strings.Repeat("s", 200) + ".example.com:443"}}
		}),
		cred(evil, func(c *ipc.Credential) {
			c.ID, c.State, c.Reason, c.Hint, c.Source, c.Unsaved, c.Label = evil, ipc.State(evil), evil, evil, evil, evil, evil
			c.Identity = ipc.Identity{User: evil}
			c.LastUse = &ipc.Use{At: screenNow, Caller: evil + " <- " + evil}
			c.Renewal = &ipc.Renewal{Class: evil, Error: evil}
			c.Servers = []ipc.Server{{URL: "https://" + evil}}
			c.Standby = []ipc.Standby{{ID: evil, Refused: evil}}
			c.Retiring = []ipc.Retiring{{ID: evil, Delete: true, Since: screenNow}}
			c.Refusal = &ipc.Refusal{At: screenNow, Server: &ipc.Server{URL: evil}, Hint: evil}
		}),
		cred("日本", func(c *ipc.Credential) { c.Reason = "日本 が 無い" }),
	)
	s.Agent.Version, s.Agent.Start, s.Store.Kind, s.Store.Why, s.Store.Trouble, s.Config = evil, ipc.Start(evil), evil, evil, evil, evil
	s.Watched = []ipc.Watch{{Path: evil, State: ipc.WatchFound, User: evil, Why: evil, Hint: evil}, {Path: evil, State: ipc.WatchMissing}, {Path: evil, User: evil, State: ipc.WatchRestored}}
	return s
}

func manyStatuses() map[string]ipc.Status {
	locked, broken, silent := statusOf(cred("prod", nil)), statusOf(cred("prod", nil)), statusOf(cred("prod", nil))
	locked.Agent.Locked, locked.Agent.Guarded = before(12*time.Minute), true
	locked.Credentials[0].State, locked.Credentials[0].Reason = ipc.StateLocked, "the agent is locked since 11:48"
	broken.Store.Trouble, broken.Store.Plaintext = "since 11:50:00: no session bus", true
	broken.Config, broken.Agent.Version = "config /home/me/.config/cwagent/config.yaml: line 2: unknown key \"stroe\"; what was in force before still is", "0.8.2"
	silent.Store.Trouble, silent.Store.Silent = "since 11:58:00: it does not answer", before(2*time.Minute)
	return map[string]ipc.Status{
		"empty": statusOf(), "one": statusOf(cred("prod", nil)), "fifty": fifty(), "states": everyState(),
		"locked": locked, "broken": broken, "silent": silent, "hostile": hostile(),
	}
}

var looks = map[string]view{
	"pipe":  {},
	"80":    {width: 80, utf8: true},
	"160":   {width: 160, utf8: true},
	"40":    {width: 40, utf8: true},
	"color": {width: 80, utf8: true, color: true},
	"ascii": {width: 80},
	"wide":  {width: 80, utf8: true, wide: true},
	"frame": {width: 80, height: 24, utf8: true, color: true},
}

// TestScreens draws each status in each look. Read a change with git diff.
func TestScreens(t *testing.T) {
	t.Parallel()
	for name, s := range manyStatuses() {
		for look, v := range looks {
			v.now, v.version = screenNow, "0.9.0"
			golden(t, name+"."+look, v.draw(s))
		}
	}
	for look, v := range looks {
		v.now, v.version = screenNow, "0.9.0"
		s := everyState()
		for _, c := range s.Credentials {
			if c.Name == "prod" {
				golden(t, "details."+look, v.details(s, c))
			}
		}
	}
}

// readme is what the README shows.
func readme() string {
	s := everyState()
	s.Credentials = slices.DeleteFunc(s.Credentials, func(c ipc.Credential) bool {
		return !slices.Contains([]string{"ci", "old", "prod"}, c.Name)
	})
	s.Credentials[2].Refusal, s.Watched = nil, nil
	return view{now: screenNow, version: "0.9.0", width: 114, utf8: true}.draw(s)
}

// TestReadme keeps the picture in the README true.
func TestReadme(t *testing.T) {
	t.Parallel()
	golden(t, "readme", readme())
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	picture := strings.ReplaceAll("\n"+readme(), "\n", "\n    ")
	if picture = strings.TrimRight(strings.ReplaceAll(picture, "\n    \n", "\n\n"), " "); !strings.Contains(string(text), picture) {
		t.Errorf("the README does not show%s", picture)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "screen", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is (go test -run TestScreens -update writes it):\n%s", path, got)
	}
}

var colored = regexp.MustCompile("\x1b\\[[0-9]*m")

// Of whatever a status says nothing reaches the terminal but text; a table is as wide
// as the terminal, and what is drawn over and over is no larger than it.
func TestScreenLaws(t *testing.T) {
	t.Parallel()
	for name, s := range manyStatuses() {
		for width := 1; width <= 200; width++ {
			for _, height := range []int{0, 1, 5, 24} {
				v := view{now: screenNow, width: width, height: height, utf8: width%2 == 0, color: true}
				text := v.draw(s)
				if plain := v; name == "hostile" {
					plain.color = false
					if i := strings.IndexFunc(plain.draw(s), func(r rune) bool {
						return r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e)
					}); i >= 0 {
						t.Fatalf("%d, %d: a control character at %d", width, height, i)
					}
				}
				lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				if height > 0 && len(lines) > height {
					t.Fatalf("%s, %dx%d: %d lines", name, width, height, len(lines))
				}
				table := v.table(s.Credentials)
				if height > 0 {
					table = lines
				}
				for _, line := range table {
					if w := runes.StringWidth(colored.ReplaceAllString(line, "")); w > width && width > 24 {
						t.Fatalf("%s, %dx%d: a line of %d: %q", name, width, height, w, line)
					}
				}
			}
		}
	}
}
