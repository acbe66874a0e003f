package agent_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A dry run vouches, and what it has found alive need not be asked about again
// for a minute; whatever else it heard is asked again.
func TestDryRunVouches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dry := request("prod", "s3cr3t-1")
	dry.DryRun = true
	for _, v := range []agent.Verdict{{Life: agent.Rejected, Why: "whoami says 401"}, {Life: agent.Unknown, Why: "no answer"}} {
		w.oracle.says(v)
		for range 2 {
			if _, err := w.Add(t.Context(), dry); err == nil {
				t.Errorf("%s: taken", v.Life)
			}
		}
		r := dry
		r.DryRun = false
		if _, err := w.Add(t.Context(), r); err == nil {
			t.Errorf("%s: taken", v.Life)
		}
		if n := len(w.oracle.questions()); n != 3 {
			t.Errorf("%s: asked %d times", v.Life, n)
		}
	}
	w.oracle.says(alive(me))
	if c := w.add(dry).Credential; c.Identity != me || c.Verified == nil {
		t.Errorf("%+v", c)
	}
	w.oracle.questions()
	w.set(noon.Add(59 * time.Second))
	if c := w.add(request("prod", "s3cr3t-1")).Credential; c.Identity != me || c.Verified == nil {
		t.Errorf("%+v", c)
	}
	if n := len(w.oracle.questions()); n != 0 {
		t.Errorf("asked %d times about what was found alive just now", n)
	}
}

// Kept is the answer to one question, for a minute of a clock that may jump.
func TestVoucherLimits(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, r *ipc.AddRequest){
		"another token":     func(_ *world, r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t-2") },
		"another server":    func(_ *world, r *ipc.AddRequest) { r.Servers = []ipc.Server{{URL: "https://b.example.com"}} },
		"a minute later":    func(w *world, _ *ipc.AddRequest) { w.set(noon.Add(time.Minute)) },
		"the clock was set": func(w *world, _ *ipc.AddRequest) { w.set(noon.Add(-time.Hour)) },
		"another dry run":   func(_ *world, r *ipc.AddRequest) { r.DryRun = true },
		"more than is kept": func(_ *world, r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t-many-1099") },
	} {
		w := newWorld(t)
		r := request("prod", "s3cr3t-1")
		r.DryRun = true
		w.add(r)
		for i := range 1100 {
			many := r
			many.Secret = ipc.NewSecret("s3cr3t-many-" + strconv.Itoa(i))
			w.add(many)
		}
		w.oracle.questions()
		r.DryRun = false
		change(w, &r)
		w.add(r)
		if n := len(w.oracle.questions()); n != 1 {
			t.Errorf("%s: asked %d times", name, n)
		}
	}
}
