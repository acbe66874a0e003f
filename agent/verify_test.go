package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

var (
	me     = ipc.Identity{OrgUID: "org-1", UID: "user-1"}
	other  = ipc.Identity{OrgUID: "org-1", UID: "user-2"}
	nobody = ipc.Identity{}
)

func alive(i ipc.Identity) agent.Verdict {
	return agent.Verdict{Life: agent.Alive, Identity: i, At: noon.Add(time.Minute)}
}

func skewed(by time.Duration) agent.Verdict {
	v := alive(me)
	v.Skew = by
	return v
}

// verdicts are what a verifier may say about a new token of prod, and what is
// said then.
var verdicts = []struct {
	name    string
	old     ipc.Identity // of the token that prod has
	verdict agent.Verdict
	allow   bool     // AllowIdentityChange
	code    ipc.Code // CodeOK: taken
	want    []string // in the text
}{
	{"alive", me, alive(me), false, ipc.CodeOK, nil},
	{"refused", me, agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"}, false, ipc.CodeRefused, []string{"it is refused: whoami says 401", "console.coreweave.com", "nothing was changed"}},
	{"unknown", me, agent.Verdict{Life: agent.Unknown, Why: "no answer"}, false, ipc.CodeUnverified, []string{"nobody could say whether it is alive: no answer", "--no-verify", "nothing was changed"}},
	{"unknown, allowed another owner", me, agent.Verdict{Life: agent.Unknown, Why: "no answer"}, true, ipc.CodeUnverified, nil},
	{"no verdict at all", me, agent.Verdict{Life: "?"}, false, ipc.CodeUnverified, nil},
	{"clock a day behind", me, skewed(24 * time.Hour), false, ipc.CodeInvalid, []string{"this machine's clock is 24h0m0s behind", "set the clock", "--no-verify"}},
	{"clock a day ahead", me, skewed(-24 * time.Hour), false, ipc.CodeInvalid, []string{"this machine's clock is 24h0m0s ahead"}},
	{"clock too far off", me, skewed(agent.Tolerable + time.Second), false, ipc.CodeInvalid, nil},
	{"clock off, tolerably", me, skewed(-agent.Tolerable), false, ipc.CodeOK, nil},
	{"another user", me, alive(other), false, ipc.CodeIdentity, []string{`it belongs to uid "user-2"`, `the credential to uid "user-1"`, "--allow-identity-change", "nothing was changed"}},
	{"another organization", me, alive(ipc.Identity{OrgUID: "org-2", UID: "user-1"}), false, ipc.CodeIdentity, []string{`"org-2"`, `"org-1"`}},
	{"another user, allowed", me, alive(other), true, ipc.CodeOK, nil},
	{"the old one's owner is unknown", nobody, alive(other), false, ipc.CodeOK, nil},
	{"the new one's owner is unknown", me, alive(nobody), false, ipc.CodeUnverified, []string{`the credential belongs to uid "user-1"`, "nobody could say whose this one is: the answer does not tell", "--allow-identity-change", "when CoreWeave answers"}},
	{"the new one's owner is unknown, allowed", me, alive(nobody), true, ipc.CodeOK, nil},
	{"known to another kind of server", me, agent.Verdict{Life: agent.Alive, Identity: ipc.Identity{User: "ada"}, Why: "whoami is down"}, false, ipc.CodeUnverified, []string{"whose this one is: whoami is down"}},
	{"half known", me, alive(ipc.Identity{OrgUID: "org-1"}), false, ipc.CodeUnverified, nil},
	{"known to the same kind of server", ipc.Identity{User: "ada"}, alive(nobody), false, ipc.CodeOK, nil},
	{"another name", ipc.Identity{User: "eve"}, alive(ipc.Identity{User: "ada"}), false, ipc.CodeIdentity, []string{`user "ada"`, `user "eve"`}},
}

// Each verdict about a new token: what is said, and that nothing is changed
// unless the token is taken.
func TestVouch(t *testing.T) {
	t.Parallel()
	for _, tt := range verdicts {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.oracle.says(alive(tt.old))
			w.add(request("prod", "s3cr3t-1"))
			before, text := w.status("prod"), string(w.ledger.text)
			w.disk.took()
			w.oracle.questions()

			w.oracle.says(tt.verdict)
			r := replacing(request("prod", "s3cr3t-2"))
			r.AllowIdentityChange = tt.allow
			reply, err := w.Add(t.Context(), r)
			asked := w.oracle.questions()
			if len(asked) != 1 || asked[0].Token.Reveal() != "s3cr3t-2" || len(asked[0].Servers) != 1 || asked[0].Servers[0].URL != home {
				t.Errorf("asked about %d tokens: %+v", len(asked), asked)
			}
			if tt.code == ipc.CodeOK {
				c := reply.Credential
				if err != nil || c.Identity != tt.verdict.Identity || c.Verified == nil || !c.Verified.Equal(tt.verdict.At) {
					t.Fatalf("%+v, %v", c, err)
				}
				w.serves("prod", "s3cr3t-2")
				return
			}
			e := refused(t, err, tt.code)
			for _, want := range append(tt.want, `token for "prod": `) {
				if !strings.Contains(e.Text(), want) {
					t.Errorf("%q is not in %s", want, e.Text())
				}
			}
			w.serves("prod", "s3cr3t-1")
			after := w.status("prod")
			if calls := w.disk.took(); len(calls) != 0 || string(w.ledger.text) != text || after.Identity != before.Identity {
				t.Errorf("changed: store calls %v, %+v", calls, after)
			}
		})
	}
}

// NoVerify asks nobody, in a dry run neither.
func TestNoVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.oracle.says(agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"})
	r := request("prod", "s3cr3t-1")
	r.DryRun, r.NoVerify = true, true
	w.add(r)
	r.DryRun = false
	if c := w.add(r).Credential; c.Verified != nil || c.Identity != nobody || c.State != ipc.StateValid {
		t.Errorf("%+v", c)
	}
	r = replacing(request("prod", "s3cr3t-2"))
	r.NoVerify = true
	w.add(r)
	if asked := w.oracle.questions(); len(asked) != 0 {
		t.Errorf("asked %d times", len(asked))
	}
	w.serves("prod", "s3cr3t-2")
}

// The owner counts that the name has when the new token is put in its place, not
// the one that it had when the network was asked.
func TestVouchOwnerMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.oracle.says(alive(me))
	w.add(request("prod", "s3cr3t-1"))
	w.oracle.during = func() {
		w.oracle.during = nil
		w.oracle.says(alive(other))
		r := replacing(request("prod", "s3cr3t-2"))
		r.AllowIdentityChange = true
		w.add(r)
		w.oracle.says(alive(me))
	}
	_, err := w.Add(t.Context(), replacing(request("prod", "s3cr3t-3")))
	refused(t, err, ipc.CodeIdentity)
	w.serves("prod", "s3cr3t-2")
}

func (w *world) verify(name string) ipc.VerifyReply {
	w.t.Helper()
	reply, err := w.Verify(w.t.Context(), ipc.VerifyRequest{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return reply
}

// A token that is refused is not given out, not after a restart either, until it
// is found alive; what nobody could say changes nothing.
func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	unknown := agent.Verdict{Life: agent.Unknown, Why: "a proxy's page", Skew: time.Hour}
	w.oracle.says(unknown)
	if r := w.verify("prod"); r.Life != "unknown" || r.Why != "a proxy's page" || r.Skew != time.Hour || r.Credential.State != ipc.StateValid {
		t.Errorf("%+v", r)
	}
	w.serves("prod", "s3cr3t-1")

	w.oracle.says(agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"})
	if r := w.verify("prod"); r.Life != "rejected" || r.Credential.State != ipc.StateRefused {
		t.Errorf("%+v", r)
	}
	isRefused := func() {
		t.Helper()
		_, _, stderr := w.fetch("prod", home)
		for _, want := range []string{"the server refuses its token: whoami says 401", "cwagent rotate prod", "cwagent verify prod"} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%q is not in %s", want, stderr)
			}
		}
		_, err := w.Token(t.Context(), ipc.TokenRequest{Name: "prod"})
		refused(t, err, ipc.CodeRefused)
	}
	isRefused()
	w.oracle.says(unknown)
	w.verify("prod")
	isRefused()

	w = w.restart()
	w.oracle.says(unknown)
	stop := w.run()
	defer stop()
	isRefused()
	w.oracle.says(alive(me))
	if c := w.verify("prod").Credential; c.State != ipc.StateValid || c.Identity != me || c.Verified == nil {
		t.Errorf("%+v", c)
	}
	w.serves("prod", "s3cr3t-1")
	if c := w.restart().status("prod"); c.Identity != me || c.Verified == nil {
		t.Errorf("after a restart: %+v", c)
	}
	_, err := w.Verify(t.Context(), ipc.VerifyRequest{Name: "nobody"})
	refused(t, err, ipc.CodeNotFound)
}

// A verdict is about the token that was asked about and no other.
func TestVerifyMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	rejected := agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"}
	during := func(do func()) {
		w.oracle.says(rejected)
		w.oracle.during = func() { w.oracle.during = nil; do() }
	}
	during(func() {
		r := replacing(request("prod", "s3cr3t-2"))
		r.NoVerify = true
		w.add(r)
	})
	if r := w.verify("prod"); r.Life != "unknown" || !strings.Contains(r.Why, "replaced") || r.Credential.Name != "prod" || r.Credential.State != ipc.StateValid {
		t.Errorf("%+v", r)
	}
	w.serves("prod", "s3cr3t-2")

	during(func() { // bound to more: that is kept, and so is the verdict
		_, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: []ipc.Server{{URL: "https://b.example.com"}}})
		if err != nil {
			t.Error(err)
		}
	})
	if c := w.verify("prod").Credential; c.State != ipc.StateRefused || len(c.Servers) != 2 {
		t.Errorf("%+v", c)
	}
	during(func() { _ = w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}) })
	_, err := w.Verify(t.Context(), ipc.VerifyRequest{Name: "prod"})
	refused(t, err, ipc.CodeNotFound)
}

// A disk that is full keeps no verdict, and heeds it all the same.
func TestVerifyFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.ledger.full(errStore)
	w.oracle.says(agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"})
	if c := w.verify("prod").Credential; c.State != ipc.StateRefused {
		t.Errorf("%+v", c)
	}
	w.logged("verdict not written", 1)
	w.ledger.full(nil)
	w.oracle.says(alive(me))
	w.add(request("dev", "s3cr3t-2"))
	refusals := 0
	for _, r := range w.ledger.book(t).Credentials {
		if r.Token.Refused != "" {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("the next change kept %d verdicts", refusals)
	}
}
