package agent_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A refusal that whoami confirms is the token's: its keys are gone, and everybody is
// told what kubectl is told. Another token takes over at once.
func TestKeysOfADeadToken(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		o.does(denied, 0)
		w.oracle.knows("CW-SECRET-s3cr3t-1", rejected)
		time.Sleep(12*time.Minute + time.Second)
		if text := w.keyless(ipc.CodeRefused); !strings.Contains(text, "the server refuses its token: whoami says 401") {
			w.t.Error(text)
		}
		for _, s := range w.AtRest() {
			if strings.Contains(s.Reveal(), "keys") {
				w.t.Error("keys of a dead token are kept")
			}
		}
		o.does(nil, 0)
		asked := o.times()
		w.add(replacing(request("prod", "CW-SECRET-s3cr3t-2")))
		w.has(fmt.Sprintf("s3cr3t-keys-%d", asked+1), time.Second)
		if o.asked[asked] != "CW-SECRET-s3cr3t-2" {
			w.t.Error("they are those of the dead token")
		}

		r := request("prod", "CW-SECRET-s3cr3t-3")
		r.Standby = true
		w.add(r)
		w.oracle.knows("CW-SECRET-s3cr3t-2", rejected)
		if _, err := w.Verify(w.t.Context(), ipc.VerifyRequest{Name: "prod"}); err != nil {
			w.t.Error(err)
		}
		o.does(cut, 0)
		w.keyless(ipc.CodeSource) // those of the token before were a refused one's
		time.Sleep(time.Minute)
		o.does(nil, 0)
		w.has(fmt.Sprintf("s3cr3t-keys-%d", o.times()+1), time.Second)
	})
}

// A refusal that whoami does not confirm is about the right to have keys. Those that
// there are serve to their end, and whoami is not asked at each attempt.
func TestKeysForbidden(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		o.does(denied, 0)
		// When it was said, and until when nobody asks anew, is drawn from 5 to 6 s.
		says := func(when string) {
			want := `^cwagent: credential "prod": no object storage keys: temporary-credentials says 403 ` + when + "\n" +
				"hint: its owner needs the role Object Storage Admin, or a policy that grants cwobject:CreateAccessKey; cwagent verify prod tells whether the token is alive\n$"
			if text := w.keyless(ipc.CodeSource); !regexp.MustCompile(want).MatchString(text) {
				w.t.Error(text)
			}
		}
		says(`\(asked again in [56]s\)`)
		time.Sleep(2 * time.Second)
		says(`\(2s ago; asked again in [34]s\)`)
		w.crowdWithout()
		o.wants(w, 1)
		w.asks("a crowd that is refused", 1)
		o.does(nil, 0)
		time.Sleep(keysPause) // a person has been given the role meanwhile
		w.has("s3cr3t-keys-2", time.Second)
		o.does(denied, 0)
		time.Sleep(13 * time.Minute)
		w.has("s3cr3t-keys-2", 1500*time.Millisecond)
	})
}

const keysPause = time.Minute

// Who forgets a credential, or locks the agent, gets no keys any more, whatever is under
// way.
func TestKeysForgotten(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.has("s3cr3t-keys-1", time.Second)
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
			w.t.Fatal(err)
		}
		w.keyless(ipc.CodeNotFound)
		o.does(cut, 0)
		w.add(request("prod", "CW-SECRET-s3cr3t-1"))
		w.keyless(ipc.CodeSource) // the same token; but the keys are gone
		o.does(nil, time.Second)
		time.Sleep(time.Minute)
		var waiting sync.WaitGroup
		waiting.Go(func() { w.keyless(ipc.CodeNotFound) })
		time.Sleep(time.Millisecond)
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
			w.t.Fatal(err)
		}
		waiting.Wait()

		o.does(nil, 0)
		w.add(request("prod", "CW-SECRET-s3cr3t-1"))
		w.has(fmt.Sprintf("s3cr3t-keys-%d", o.times()+1), time.Second)
		w.Latch = shut{noon}
		w.keyless(ipc.CodeLocked)
	})
}

// Only tokens of CoreWeave's are exchanged, and only while they would be given out.
func TestKeysRefused(t *testing.T) {
	o := &office{}
	withKeys(t, o, func(w *world) {
		w.add(replacing(request("prod", "s3cr3t-other")))
		if text := w.keyless(ipc.CodeInvalid); !strings.Contains(text, "its token is none of CoreWeave's API Access Tokens") {
			w.t.Error(text)
		}
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
			w.t.Fatal(err)
		}
		w.add(holding("CW-SECRET-s3cr3t-1", time.Minute))
		w.has("s3cr3t-keys-1", time.Second)
		time.Sleep(time.Minute)
		w.keyless(ipc.CodeExpired)
		o.wants(w, 1)
	})
}
