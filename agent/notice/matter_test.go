package notice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) *time.Time { t := now.Add(d); return &t }

func with(c ipc.Credential, f func(c *ipc.Credential)) ipc.Credential { f(&c); return c }

func TestLook(t *testing.T) {
	t.Parallel()
	soon := cred("train", now.Add(-90*day), now.Add(2*day)) // two days are left
	for _, x := range []struct {
		name  string
		c     ipc.Credential
		want  string // titles
		next  time.Duration
		store string
	}{
		{"fresh", cred("train", now, now.Add(90*day)), "", 76 * day, ""},
		{"three days", soon, "train expires in 2 days", day, ""},
		{"no end known", with(soon, func(c *ipc.Credential) { c.Expiry, c.Expires = ipc.ExpiryUnknown, nil }), "", 0, ""},
		{"no token", with(soon, func(c *ipc.Credential) { c.State = ipc.StateEmpty }), "", 0, ""},
		{"brief, fresh", cred("train", now, now.Add(time.Minute)), "", 45 * time.Second, ""},
		{"brief", cred("train", now.Add(-time.Minute), now.Add(10*time.Second)), "train expires in 10 seconds", 10 * time.Second, ""},
		{"a standby token lives longer", with(soon, func(c *ipc.Credential) {
			c.Standby = []ipc.Standby{{Label: "#s", Expiry: ipc.ExpiryKnown, Expires: at(60 * day)}}
		}), "", 46 * day, ""},
		{"a standby token that is refused", with(soon, func(c *ipc.Credential) {
			c.Standby = []ipc.Standby{{Label: "#s", Expiry: ipc.ExpiryKnown, Expires: at(60 * day), Refused: "401"}}
		}), "train expires in 2 days", day, ""},
		{"a standby token without an end", with(soon, func(c *ipc.Credential) {
			c.Standby = []ipc.Standby{{Label: "#s", Expiry: ipc.ExpiryNever}}
		}), "", 0, ""},
		{"a source", with(soon, func(c *ipc.Credential) { c.Source, c.Renewal = "command", &ipc.Renewal{} }), "", 2 * day, ""},
		{"a source that fails, not for long", with(soon, func(c *ipc.Credential) {
			c.Source, c.Renewal = "command", &ipc.Renewal{Error: "exit 1"}
		}), "", 2 * day, ""},
		{"a source that fails", with(soon, func(c *ipc.Credential) {
			c.Source, c.Renewal, c.State = "command", &ipc.Renewal{Error: "exit 1"}, ipc.StateDue
		}), "train expires in 2 days", day, ""},
		{"expired, whatever the source", with(soon, func(c *ipc.Credential) {
			c.Source, c.Renewal, c.Expires, c.State = "command", &ipc.Renewal{}, at(-hour), ipc.StateExpired
		}), "train has expired", 0, ""},
		{"refused", with(soon, func(c *ipc.Credential) { c.State = ipc.StateRefused }), "train is refused", 0, ""},
		{"rotated", with(cred("train", now, now.Add(90*day)), func(c *ipc.Credential) {
			c.Retiring = []ipc.Retiring{{ID: "cwtoken-1", Since: now.Add(-hour), Delete: true}}
		}), "train has another token", 23 * hour, ""},
		{"rotated by itself, and nothing to do", with(cred("train", now, now.Add(90*day)), func(c *ipc.Credential) {
			c.Retiring = []ipc.Retiring{{Label: "#1", Since: now.Add(-hour)}}
		}), "", 76 * day, ""},
		{"rotated long ago", with(cred("train", now, now.Add(90*day)), func(c *ipc.Credential) {
			c.Retiring = []ipc.Retiring{{ID: "cwtoken-1", Since: now.Add(-2 * day), Delete: true}}
		}), "", 76 * day, ""},
		{"being read", with(cred("train", now, now.Add(90*day)), func(c *ipc.Credential) { c.State = ipc.StateLocked }), "", 76 * day, ""},
		{"locked", with(cred("train", now, now.Add(90*day)), func(c *ipc.Credential) { c.State = ipc.StateLocked }), "train cannot be given out", 76 * day, "it is locked"},
		{"locked, and nobody needs it", cred("train", now, now.Add(90*day)), "", 76 * day, "it is locked"},
	} {
		s := ipc.Status{Credentials: []ipc.Credential{x.c}, Store: ipc.StoreInfo{Trouble: x.store}}
		got, next := Look(s, steps, now)
		var titles []string
		for _, m := range got {
			titles = append(titles, m.Title)
		}
		if strings.Join(titles, ", ") != x.want {
			t.Errorf("%s: %q, want %q", x.name, titles, x.want)
		}
		if want := now.Add(x.next); x.next == 0 && !next.IsZero() || x.next != 0 && !next.Equal(want) {
			t.Errorf("%s: next %v, want in %v", x.name, next.Sub(now), x.next)
		}
	}
}

func TestLookNeverBefore(t *testing.T) {
	t.Parallel()
	s := ipc.Status{Credentials: []ipc.Credential{cred("train", now.Add(-90*day), now.Add(hour))}}
	if got, next := Look(s, []time.Duration{}, now); len(got) != 0 || !next.Equal(now.Add(hour)) {
		t.Errorf("%v, next %v", got, next)
	}
	if got, _ := Look(s, []time.Duration{}, now.Add(2*hour)); len(got) != 1 {
		t.Errorf("the end itself: %v", got)
	}
}

func TestLookAbsorbed(t *testing.T) {
	t.Parallel()
	w := ipc.Watch{Path: "/home/x/.kube/config", User: "u", Credential: "train", State: ipc.WatchAbsorbed, At: now.Add(-hour), Why: "it is the token of the credential"}
	s := ipc.Status{Watched: []ipc.Watch{w, {Path: "/other", State: ipc.WatchFound, At: now}}}
	got, next := Look(s, steps, now)
	const line = "A token was taken out of a file: /home/x/.kube/config held one in clear. It is kept for train now. It is the token of the credential."
	if len(got) != 1 || got[0].Line() != line || !next.Equal(now.Add(23*hour)) {
		t.Errorf("%v, next %v", got, next)
	}
	s.Watched[0].At = now.Add(-time.Minute) // again, into the same file
	if again, _ := Look(s, steps, now); again[0].Key() == got[0].Key() {
		t.Error("it is the same matter")
	}
}

// What a person has locked is nothing to tell them.
func TestLookAgentLocked(t *testing.T) {
	t.Parallel()
	s := ipc.Status{Agent: ipc.AgentInfo{Locked: at(-hour)}, Credentials: []ipc.Credential{cred("train", now.Add(-90*day), now.Add(hour))}}
	if got, _ := Look(s, steps, now); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	if got := unmarked(plain("<b>a & b</b>\n\x1b[31m\u202egnp")); got != "&lt;b&gt;a &amp; b&lt;/b&gt;??[31m?gnp" {
		t.Errorf("%q", got)
	}
	if got := plain(strings.Repeat("ä", 1000)); got != strings.Repeat("ä", longest)+"..." {
		t.Errorf("%d bytes", len(got))
	}
}

func TestSay(t *testing.T) {
	t.Parallel()
	f := File(t.TempDir())
	var matters []Matter
	for _, name := range names(5) {
		matters = append(matters, Matter{Kind: Refused, Credential: name, Title: name, Body: "body"})
	}
	want := "[c00: body c01: body c02: body and 2 more: cwagent status]"
	for _, x := range []struct {
		after time.Duration
		want  string
	}{{0, want}, {0, "[]"}, {23 * hour, "[]"}, {day, want}, {day + hour, "[]"}, {-day, want}, {-day + hour, "[]"}} {
		if got := fmt.Sprint(Say(f, matters, now.Add(x.after))); got != x.want {
			t.Errorf("after %v: %s, want %s", x.after, got, x.want)
		}
	}
	if err := change(f, func(is *form) { is.Shown[matters[0].Key()] = Shown{At: now} }); err != nil {
		t.Fatal(err)
	}
	if got := Say(f, matters[:1], now.Add(10*day)); len(got) != 0 {
		t.Errorf("a screen has shown it: %v", got)
	}
}
