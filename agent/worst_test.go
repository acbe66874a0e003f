package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// What a prompt shows is the credential that needs a person most.
func TestWorst(t *testing.T) {
	t.Parallel()
	cred := func(name string, s ipc.State, ends time.Duration) ipc.Credential {
		at := noon.Add(ends)
		return ipc.Credential{Name: name, State: s, Expires: &at}
	}
	well := cred("well", ipc.StateValid, time.Minute)
	soon, later := cred("soon", ipc.StateDue, time.Hour), cred("later", ipc.StateDue, 3*time.Hour)
	dead, locked := cred("dead", ipc.StateExpired, -time.Hour), cred("locked", ipc.StateLocked, time.Second)
	never := ipc.Credential{Name: "never", State: ipc.StateDue, Expiry: ipc.ExpiryNever}
	unsaved := ipc.Credential{Name: "unsaved", State: ipc.StateValid, Unsaved: "since noon"}
	for want, all := range map[string][]ipc.Credential{
		"":        {well},
		"soon":    {later, never, soon, well},
		"dead":    {soon, locked, dead},
		"locked":  {locked, soon},
		"never":   {unsaved, never},
		"unsaved": {well, unsaved},
	} {
		got := ""
		for _, c := range agent.Worst(all) {
			got += c.Name
		}
		if got != want {
			t.Errorf("of %d: %q, want %q", len(all), got, want)
		}
	}
}

// A status for a prompt is small, however many credentials there are; each that is
// not well has something that a person can do.
func TestStatusWorst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, ends := range map[string]time.Duration{"a": 30 * 24 * time.Hour, "b": 2 * time.Hour, "c": time.Hour} {
		at := noon.Add(ends)
		r := ipc.AddRequest{Name: name, Secret: ipc.NewSecret("s3cr3t-" + name), Expiry: ipc.ExpiryKnown, Expires: &at, NoVerify: true}
		if _, err := w.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	w.Watched = func() []ipc.Watch { t.Error("nobody wants to know about files"); return nil }
	worst := func() []ipc.Credential {
		s, err := w.Status(t.Context(), ipc.StatusRequest{Worst: true})
		if err != nil {
			t.Fatal(err)
		}
		return s.Credentials
	}
	if got := worst(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	w.set(noon.Add(59 * time.Minute))
	if got := worst(); len(got) != 1 || got[0].Name != "c" || got[0].State != ipc.StateDue || !strings.HasSuffix(got[0].Hint, "then: cwagent rotate c") {
		t.Errorf("%+v", got)
	}
	w.set(noon.Add(90 * time.Minute))
	if got := worst(); len(got) != 1 || got[0].Name != "c" || got[0].State != ipc.StateExpired {
		t.Errorf("%+v", got)
	}
	w.Watched = nil
	if c := w.status("a"); c.State != ipc.StateValid || c.Hint != "" {
		t.Errorf("%+v", c)
	}
}
