package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// One rendering serves for a minute, and no longer than its
// token, its clock and its language.
func TestRenderingIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	get := func() []byte {
		t.Helper()
		reply, err := w.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: ask(home)})
		if err != nil || reply.Exit != 0 {
			t.Fatalf("%s, %v", reply.Stderr, err)
		}
		return reply.Stdout
	}
	first := get()
	w.set(noon.Add(59*time.Second + 999*time.Millisecond))
	if second := get(); !bytes.Equal(second, first) || w.codec.encoded.Load() != 1 {
		t.Errorf("rendered %d times within a minute", w.codec.encoded.Load())
	}
	w.set(noon.Add(time.Minute))
	if third := get(); bytes.Equal(third, first) || w.codec.encoded.Load() != 2 {
		t.Errorf("not rendered anew in the next minute: %s", third)
	}
	w.set(noon)
	if fourth := get(); !bytes.Equal(fourth, first) {
		t.Errorf("the clock was set back: %s", fourth)
	}
	w.add(replacing(request("prod", "s3cr3t-2")))
	if fifth := get(); !bytes.Contains(fifth, []byte("s3cr3t-2")) {
		t.Errorf("replaced, and still %s", fifth)
	}

	beta := bytes.Replace(ask(home), []byte("/v1"), []byte("/v1beta1"), 1)
	reply, err := w.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: beta})
	if err != nil || !bytes.Contains(reply.Stdout, []byte("/v1beta1")) {
		t.Errorf("%s, %v", reply.Stdout, err)
	}
	if sixth := get(); bytes.Contains(sixth, []byte("beta")) {
		t.Errorf("in the other's language: %s", sixth)
	}
}

// Not parallel, because the allocations of others would count.
func TestFetchAllocations(t *testing.T) {
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	r, ctx := ipc.FetchRequest{Name: "prod", ExecInfo: ask(home), Room: make([]byte, 0, 8<<10)}, t.Context()
	fetch := func() ipc.FetchReply {
		reply, err := w.Fetch(ctx, r)
		if err != nil {
			t.Error(err)
		}
		return reply
	}
	if out := fetch().Stdout; &out[0] != &r.Room[:1][0] || !bytes.Contains(out, []byte("s3cr3t-1")) {
		t.Error("the answer is not where there is room for it")
	}
	t.Logf("a cached fetch allocates %v times", testing.AllocsPerRun(200, func() { fetch() }))
}

// A short token is given out until two seconds before its end and never again,
// whichever way the clock goes.
func TestFetchNeverDead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request("brief", "s3cr3t-1")
	end := noon.Add(20 * time.Second)
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	w.add(r)
	for ms := range 25_000 {
		if ms%50 != 0 && ms/100 != 180 {
			continue
		}
		now := noon.Add(time.Duration(ms) * time.Millisecond)
		w.set(now)
		got, until, stderr := w.fetch("brief", home)
		alive := ms <= 18_000
		if (got != "") != alive || alive && (!until.After(now) || !until.Before(end)) {
			t.Fatalf("after %d ms: %q until %v, %s", ms, got, until, stderr)
		}
		if s, err := w.Token(t.Context(), ipc.TokenRequest{Name: "brief"}); (err == nil) != alive || alive && s.Reveal() != got {
			t.Fatalf("after %d ms: revealed, %v", ms, err)
		}
		if s, err := w.Token(t.Context(), ipc.TokenRequest{Name: "brief", Dead: true}); err != nil || s.Reveal() != "s3cr3t-1" {
			t.Fatalf("after %d ms: put back, %v", ms, err)
		}
		if !alive && (!strings.Contains(stderr, "expired") || !strings.Contains(stderr, "cwagent rotate brief")) {
			t.Fatalf("after %d ms: %s", ms, stderr)
		}
	}
	w.set(noon.Add(time.Second))
	w.serves("brief", "s3cr3t-1")
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	for _, tt := range []struct{ name, info, want string }{
		{"nobody", string(ask(home)), "no such credential"},
		{"", string(ask(home)), "no such credential"},
		{"../prod\x1b[2J", string(ask(home)), "no such credential"},
		{"prod", "", "KUBERNETES_EXEC_INFO: not set"},
		{"prod", "{", "not an ExecCredential"},
		{"prod", strings.Repeat("[", 100_000), "not an ExecCredential"},
		{"prod", `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v9"}`, "is unknown"},
	} {
		reply, err := w.Fetch(t.Context(), ipc.FetchRequest{Name: tt.name, ExecInfo: []byte(tt.info)})
		text := string(reply.Stderr)
		if err != nil || reply.Exit != 1 || len(reply.Stdout) != 0 || !strings.Contains(text, tt.want) {
			t.Errorf("%q, %.40q: exit %d, %s, %v", tt.name, tt.info, reply.Exit, text, err)
		}
		if !strings.HasPrefix(text, "cwagent: ") || !strings.Contains(text, "\nhint: ") || strings.Contains(text, "\x1b") {
			t.Errorf("%q", text)
		}
	}
}

// Callers come at any time of a change: each gets a token that its credential
// has or had, after a replacement the new one, and never another's.
func TestFetchDuringChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const names, rounds = 4, 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stop := make(chan struct{})
	var fetchers, changers sync.WaitGroup
	for n := range names {
		name := fmt.Sprintf("c%d", n)
		w.add(request(name, "s3cr3t-"+name+"-0"))
		changers.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(n)))
			for i := range rounds {
				next := replacing(request(name, fmt.Sprintf("s3cr3t-%s-%d", name, i+1)))
				if r.IntN(8) == 0 {
					_ = w.Forget(t.Context(), ipc.ForgetRequest{Name: name})
					next.Replace = false
				}
				_, _ = w.Servers(t.Context(), ipc.ServersRequest{Name: name, Add: []ipc.Server{{URL: fmt.Sprintf("https://%d", i)}}})
				if _, err := w.Add(t.Context(), next); err != nil {
					t.Error(err)
					return
				}
				if got, err := fetchToken(w, name); got != next.Secret.Reveal() {
					t.Errorf("replaced by %s, the next fetch got %q, %v", next.Secret.Reveal(), got, err)
				}
				w.set(noon.Add(time.Duration(r.IntN(300)) * time.Second))
			}
		})
		for range 2 {
			fetchers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if got, err := fetchToken(w, name); err != nil || got != "" && !strings.HasPrefix(got, "s3cr3t-"+name+"-") {
						t.Errorf("%s got %q, %v", name, got, err)
					}
					_, _ = w.Status(t.Context(), ipc.StatusRequest{})
				}
			})
		}
	}
	changers.Wait()
	close(stop)
	fetchers.Wait()
	// Forgotten ones have left nothing; of the others there is what is said.
	want := 0
	for n := range names {
		c := w.status(fmt.Sprintf("c%d", n))
		if len(c.Retiring) > 4 || !c.Saved {
			t.Errorf("%+v", c)
		}
		want += 1 + len(c.Retiring)
	}
	if got := w.disk.holds(); len(got) != want {
		t.Errorf("%d tokens; the store holds %q", want, got)
	}
}

// fetchToken is fetch for other goroutines than the test's own.
func fetchToken(w *world, name string) (string, error) {
	reply, err := w.Fetch(w.t.Context(), ipc.FetchRequest{Name: name, ExecInfo: ask(home)})
	if err != nil || reply.Exit != 0 {
		return "", err
	}
	_, rest, _ := bytes.Cut(reply.Stdout, []byte(`"token":"`))
	token, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(token), nil
}

// A binding that is taken away while a request waits for the store is gone for
// that request, too.
func TestUnboundWhileItWaits(t *testing.T) {
	loading(t, 1, func(w *world) {
		w.disk.item = func(context.Context, string) error { time.Sleep(time.Second); return nil }
		stop := w.run()
		defer stop()
		answer := make(chan string)
		go func() {
			token, _, stderr := w.fetch("c0", home)
			answer <- token + stderr
		}()
		synctest.Wait()
		if _, err := w.Servers(w.t.Context(), ipc.ServersRequest{Name: "c0", Remove: []string{home}}); err != nil {
			t.Fatal(err)
		}
		if got := <-answer; !strings.Contains(got, "not bound to") {
			t.Errorf("it got %s", got)
		}
	})
}
