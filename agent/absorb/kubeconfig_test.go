package absorb_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/ipc"
)

// What kubectl writes back from an older read is taken out again, also in place.
func TestComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.write(w.config, written("me", first, prod))
	t.Logf("by rename: %v", w.absorbed(w.config, "prod"))
	if text := read(w.config); !strings.Contains(text, "name: me\n") || !strings.Contains(text, "# theirs") {
		t.Errorf("more than the token has changed:\n%s", text)
	}
	must(t, os.WriteFile(w.config, []byte(written("token", first, prod)), 0o600))
	t.Logf("in place: %v", w.absorbed(w.config, "prod"))
	if text := read(w.config); !strings.Contains(text, "name: cw-prod\n") || !strings.Contains(text, "user: cw-prod\n") {
		t.Errorf("token has kept its name:\n%s", text)
	}
	files, err := w.state.Load()
	if err != nil || len(files) != 1 || len(files[0].Users) != 2 || files[0].Users[1].Label != w.credential("prod").Label {
		t.Errorf("noted: %+v, %v", files, err)
	}
	w.eventually("both told", func() bool { return strings.Count(w.log.String(), "static token absorbed") == 2 })
	w.token("prod", first)
	if n := w.oracle.count(first); n != 1 { // when it was added
		t.Errorf("asked %d times about a token that is known", n)
	}
}

// The next token of the same owner for the same servers takes over.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.write(w.config, written("me", second, prod+":443/"))
	t.Logf("%v", w.absorbed(w.config, "prod"))
	w.token("prod", second)
	x, _ := w.watch(w.config)
	if x.User != "me" || x.Credential != "prod" || x.Hint != "cwagent add prod --same --expires DATE says it" {
		t.Errorf("%+v", x)
	}
	if c := w.credential("prod"); len(c.Retiring) != 1 || !c.Saved || c.Expiry != ipc.ExpiryUnknown {
		t.Errorf("%+v", c)
	}
	// The one before is written back: the newer one stays.
	w.write(w.config, written("me", first, prod))
	w.eventually("the older one told", func() bool {
		x, _ := w.watch(w.config)
		return x.State == ipc.WatchAbsorbed && strings.Contains(x.Why, "newer token, which stays")
	})
	w.absorbed(w.config, "prod")
	w.token("prod", second)
}

// When a new token ends is asked for until somebody has said it, or it has given way.
func TestDated(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *world){
		"said":     func(w *world) { w.add("prod", second) },
		"gave way": func(w *world) { w.replace(third) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run()
			w.write(w.config, written("me", second, prod))
			w.absorbed(w.config, "prod")
			if x, _ := w.watch(w.config); !strings.HasSuffix(x.Why, "when it ends is not known") || x.Hint == "" {
				t.Errorf("%+v", x)
			}
			do(w)
			w.eventually("no longer asked for", func() bool {
				x, _ := w.watch(w.config)
				return x.State == ipc.WatchAbsorbed && x.Why == "it is the new token of the credential" && x.Hint == ""
			})
		})
	}
}

// After a restart the tokens that gave way are known from the store alone.
func TestFormerAfterRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace(second)
	w.restart()
	w.run()
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	w.token("prod", second)
	if n := w.oracle.count(first); n != 1 {
		t.Errorf("asked %d times about a token that gave way", n)
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	nobody := agent.Verdict{Life: agent.Unknown, Why: "no answer"}
	for name, tt := range map[string]struct {
		text    string
		prepare func(w *world)
		why     string
		hint    string
	}{
		"another uid": {written("me", second, prod), func(w *world) { w.oracle.set(second, alive("org", "you")) }, "belongs to", "import"},
		"another org": {written("me", second, prod), func(w *world) { w.oracle.set(second, alive("gro", "me")) }, "belongs to", "import"},
		"no owner":    {written("me", second, prod), func(w *world) { w.oracle.set(second, alive("", "")) }, "nobody could say whose", "import"},
		"no uid":      {written("me", second, prod), func(w *world) { w.oracle.set(second, alive("org", "")) }, "nobody could say whose", "import"},
		"no org":      {written("me", second, prod), func(w *world) { w.oracle.set(second, alive("", "me")) }, "nobody could say whose", "import"},
		"uid unknown": {written("me", second, dev), func(w *world) { w.half("dev", alive("org", "")) }, "has not said yet whose", "cwagent verify dev"},
		"org unknown": {written("me", second, dev), func(w *world) { w.half("dev", alive("", "me")) }, "has not said yet whose", "cwagent verify dev"},
		"no verdict":  {written("me", second, prod), func(w *world) { w.oracle.set(second, nobody) }, "nobody could say whether it is alive", "import"},
		"dead":        {written("me", "CW-SECRET-unknown-unknown", prod), nil, "it is refused", "remove it"},
		"nobody's servers": {written("me", second, "https://evil.example.com"), nil,
			"no credential is bound", "import"},
		"other servers too": {written("me", second, prod, dev), nil, "no credential is bound to all", "import"},
		"the same token, other servers too": {written("me", first, prod, dev), nil,
			"has this token, but is not bound", "import"},
		"no context": {written("me", second), nil, "no context", "import"},
		"two of its owner": {written("me", second, prod), func(w *world) { w.strangers(); w.add("prod-2", third, prod) },
			"2 credentials of its owner are bound to its servers: prod, prod-2", "cwagent rotate prod or cwagent rotate prod-2 gives"},
		"two of others": {written("me", second, prod), func(w *world) { w.strangers(); w.oracle.set(second, alive("org", "she")) },
			"2 credentials are bound to its servers, and none belongs to its owner", "cwagent import"},
		"two, and no verdict": {written("me", second, prod), func(w *world) { w.strangers(); w.oracle.set(second, nobody) },
			"nobody could say whether it is alive", "import"},
		"two, and dead": {written("me", "CW-SECRET-unknown-unknown", prod), (*world).strangers, "it is refused", "remove it"},
		"in memory":     {written("me", second, dev), func(w *world) { w.must(ephemeral("dev"), dev) }, "in the agent's memory only", "saved"},
		"never asked":   {written("me", second, dev), func(w *world) { w.must(unverified("dev"), dev) }, "has not said yet whose", "cwagent verify dev"},
		"shared":        {written("me", first, prod), func(w *world) { w.shared = "NFS" }, "lies on NFS", "import"},
		"only told":     {written("me", first, prod), func(w *world) { s := w.settings(); s.OnStaticToken = absorb.Warn; w.watcher.Configure(s) }, "told only", "import"},
		"exec beside":   {written("me", first, prod) + "    exec: {command: x}\n", nil, "beside its token", "remove"},
		"no plugin":     {written("me", first, prod), func(w *world) { w.plugin = errors.New("not found in PATH") }, "not found in PATH", ""},
		"read only":     {written("me", first, prod), nil, "it is read-only", "chmod"},
		"token as name": {written(second, second, dev), nil, "no credential", "import"},
		"http":          {written("me", first, "http://a.example.com"), nil, "only https", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if tt.prepare != nil {
				tt.prepare(w)
			}
			w.write(w.config, tt.text)
			if name == "read only" {
				must(t, os.Chmod(w.config, 0o400))
			}
			w.run()
			x := w.left(w.config, tt.why)
			if !strings.Contains(x.Hint, tt.hint) || strings.Contains(fmt.Sprintf("%+v", x), "CW-SECRET-s") {
				t.Errorf("%+v", x)
			}
			if text := read(w.config); text != tt.text {
				t.Errorf("changed:\n%s", text)
			}
			if name != "in memory" {
				w.token("prod", first)
			}
		})
	}
}

const theirs = "CW-SECRET-theirs-theirs-theirs"

// strangers adds a credential of somebody else for the servers of prod.
func (w *world) strangers() {
	w.oracle.set(theirs, alive("org", "you"))
	w.add("theirs", theirs, prod)
}

// Of several credentials that are bound to its servers the one of its owner gets it.
func TestOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.strangers()
	w.run()
	w.write(w.config, written("me", second, prod))
	w.absorbed(w.config, "prod")
	w.token("prod", second)
	w.oracle.set(third, alive("org", "you"))
	w.write(w.config, written("me", third, prod))
	w.absorbed(w.config, "theirs")
	w.token("theirs", third)
}

func ephemeral(name string) ipc.AddRequest {
	return ipc.AddRequest{Name: name, Secret: ipc.NewSecret(third), Expiry: ipc.ExpiryNever, Ephemeral: true}
}

// half adds a credential of whose owner not all is known.
func (w *world) half(name string, v agent.Verdict) {
	w.oracle.set(third, v)
	w.add(name, third, dev)
}

func unverified(name string) ipc.AddRequest {
	return ipc.AddRequest{Name: name, Secret: ipc.NewSecret(third), Expiry: ipc.ExpiryNever, NoVerify: true}
}

// Only the credential's own servers may see a token that nobody knows.
func TestNeverAskedThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.config, written("me", second, "https://evil.example.com"))
	w.run()
	w.left(w.config, "no credential")
	if n := w.oracle.count(second); n != 0 {
		t.Errorf("somebody was asked %d times", n)
	}
}

// A token that may be one of those that gave way and are not kept is not taken.
func TestForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 5 {
		token := fmt.Sprintf("CW-SECRET-number-%d-number", i)
		w.oracle.set(token, alive("org", "me"))
		w.replace(token)
	}
	w.run()
	w.write(w.config, written("me", first, prod))
	if x := w.left(w.config, "not kept any more"); !strings.Contains(x.Hint, "cwagent retired") || !strings.Contains(x.Hint, "cwagent rotate prod") {
		t.Errorf("%+v", x)
	}
	w.token("prod", "CW-SECRET-number-4-number")
}

// "kubectl config set-credentials --token" puts a token beside our block.
func TestBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("prod-2", third, prod) // so that the servers alone do not tell
	w.run()
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	clean := read(w.config)
	for _, token := range []string{first, second} {
		w.write(w.config, strings.Replace(clean, "    exec:", "    token: "+token+"\n    exec:", 1))
		w.absorbed(w.config, "prod")
		w.token("prod", token)
		if text := read(w.config); text != clean {
			t.Errorf("%s", text)
		}
	}
	w.token("prod-2", third)
	if files, err := w.state.Load(); err != nil || len(files) != 1 || len(files[0].Users) != 1 {
		t.Errorf("%+v, %v", files, err)
	}
}

// A file that other machines have is taken care of, too, where they reach the store.
func TestSharedWithItsStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shared, w.everywhere = "NFS", true
	w.run()
	w.write(w.config, written("me", second, prod))
	t.Logf("%v", w.absorbed(w.config, "prod"))
	w.token("prod", second)
}
