package ipctest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// fetch asks as the plugin does.
func fetch(t *testing.T, a ipc.Agent, name, version, url string, ca []byte) ipc.FetchReply {
	t.Helper()
	reply, err := a.Fetch(t.Context(), ipc.FetchRequest{Name: name, ExecInfo: ExecInfo(t, version, url, ca)})
	if err != nil {
		t.Fatalf("fetch %s: %v", name, err)
	}
	return reply
}

// wantGiven wants an ExecCredential with that token, and silence.
func wantGiven(t *testing.T, reply ipc.FetchReply, token string) execCredential {
	t.Helper()
	if reply.Exit != 0 || len(reply.Stderr) != 0 {
		t.Fatalf("exit %d: %s", reply.Exit, reply.Stderr)
	}
	var out execCredential
	if err := json.Unmarshal(reply.Stdout, &out); err != nil {
		t.Fatalf("stdout: %v", err)
	}
	if out.Status == nil || out.Status.Token != secret(token).Reveal() {
		t.Fatalf("the token given out is not %q", token)
	}
	// A timestamp that has passed makes client-go run the plugin again for each
	// request; ten minutes bound how long a replaced token stays in a kubectl.
	if now := time.Now(); !out.Status.Expires.After(now) || out.Status.Expires.After(now.Add(10*time.Minute)) {
		t.Errorf("expirationTimestamp %v at %v", out.Status.Expires, now)
	}
	return out
}

// wantRefusal wants lines for a person and nothing on stdout.
func wantRefusal(t *testing.T, reply ipc.FetchReply) {
	t.Helper()
	lines := strings.SplitAfter(string(reply.Stderr), "\n")
	if reply.Exit <= 0 || reply.Exit > 255 || len(reply.Stdout) != 0 {
		t.Errorf("exit %d with %d bytes on stdout", reply.Exit, len(reply.Stdout))
	}
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "cwagent: ") || !strings.HasPrefix(lines[1], "hint: ") || lines[2] != "" {
		t.Errorf("stderr %q", reply.Stderr)
	}
}

func fetchBothVersions(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.Servers = append(r.Servers, two)
	mustAdd(t, a, r)
	short := request("short", "2")
	short.Expiry, short.Expires = ipc.ExpiryKnown, instant(5*time.Minute)
	mustAdd(t, a, short)
	for range 2 { // an agent may keep its rendering: the second round is served from it
		for _, version := range []string{"v1", "v1beta1"} {
			out := wantGiven(t, fetch(t, a, "prod", version, one.URL, caOne), "1")
			if out.APIVersion != group+version || out.Kind != kind {
				t.Errorf("asked in %s, answered in %s, kind %s", version, out.APIVersion, out.Kind)
			}
			wantGiven(t, fetch(t, a, "prod", version, two.URL, nil), "1")
			out = wantGiven(t, fetch(t, a, "short", version, one.URL, caOne), "2")
			if out.Status.Expires.After(*short.Expires) {
				t.Error("kubectl would keep the token for longer than it lives")
			}
		}
	}
}

func fetchUnknown(t *testing.T, a ipc.Agent) {
	for _, name := range []string{"nobody", "", "../x"} {
		wantRefusal(t, fetch(t, a, name, "v1", one.URL, caOne))
	}
}

// Every field of a server counts, and a refusal is seen in the status.
func fetchNotBound(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	for what, ask := range map[string]struct {
		url string
		ca  []byte
	}{
		"another server":    {elsewhere.URL, caOne},
		"another authority": {one.URL, []byte("another")},
		"no authority":      {one.URL, nil},
		"another port":      {"https://one.example.com:443", caOne},
		"a longer name":     {"https://one.example.com.evil.example:6443", caOne},
	} {
		t.Log(what)
		wantRefusal(t, fetch(t, a, "prod", "v1", ask.url, ask.ca))
	}
	wantRefusal(t, fetch(t, a, "prod", "v1", elsewhere.URL, nil))
	c := lookup(t, a, "prod")
	if r := c.Refusal; r == nil || r.At.IsZero() || r.Hint == "" || r.Server == nil || *r.Server != elsewhere {
		t.Errorf("last refusal %+v", r)
	}
	if c.State != ipc.StateValid {
		t.Errorf("state %s: a stranger's request changed it", c.State)
	}
	wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
}

func fetchNoClusterInfo(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	wantRefusal(t, fetch(t, a, "prod", "v1", "", nil))
	if r := lookup(t, a, "prod").Refusal; r == nil || r.Server != nil || r.Hint == "" {
		t.Errorf("last refusal %+v", r)
	}
	r := request("open", "2")
	r.NoClusterInfo = true
	mustAdd(t, a, r)
	wantGiven(t, fetch(t, a, "open", "v1", "", nil), "2")
	wantGiven(t, fetch(t, a, "open", "v1", one.URL, caOne), "2")
	// It allows callers that name no server, not those that name another one.
	wantRefusal(t, fetch(t, a, "open", "v1", elsewhere.URL, nil))
}

func fetchMalformed(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.NoClusterInfo = true // what little they say must not pass for "no server"
	mustAdd(t, a, r)
	for _, info := range []string{
		"", "{}", "{", "null", "[]", `"x"`, "garbage\x00\xff", strings.Repeat("[", 10_000),
		`{"apiVersion":"client.authentication.k8s.io/v2","kind":"ExecCredential","spec":{}}`,
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"Pod","spec":{}}`,
		`{"apiVersion":"example.com/v1","kind":"ExecCredential","spec":{}}`,
	} {
		reply, err := a.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: []byte(info)})
		if err != nil {
			t.Errorf("%.40q: %v", info, err)
			continue
		}
		wantRefusal(t, reply)
	}
}

func fetchReplaced(t *testing.T, a ipc.Agent) {
	r := request("prod", "0")
	mustAdd(t, a, r)
	r.Replace = true
	for i := range 20 {
		wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), strconv.Itoa(i))
		r.Secret = secret(strconv.Itoa(i + 1))
		mustAdd(t, a, r)
	}
}

// fetchWhileReplaced wants whole answers at every moment of a replacement, and
// none from before one that was given already.
func fetchWhileReplaced(t *testing.T, a ipc.Agent) {
	r := request("prod", "0")
	mustAdd(t, a, r)
	const last = 20
	r.Replace = true
	for _, seen := range fetchDuring(t, a, func() {
		for i := range last {
			r.Secret = secret(strconv.Itoa(i + 1))
			if _, err := a.Add(t.Context(), r); err != nil {
				t.Errorf("replace: %v", err)
			}
		}
	}) {
		if !slices.IsSorted(seen) || seen[len(seen)-1] != last {
			t.Errorf("tokens %v", seen)
		}
	}
}

// fetchDuring has a few callers fetch from before change begins until after it
// has ended, and returns which numbers the tokens of each had. Every answer has
// to be a whole one.
func fetchDuring(t *testing.T, a ipc.Agent, change func()) [4][]int {
	t.Helper()
	var seen [4][]int
	var begun, ended sync.WaitGroup
	begun.Add(len(seen))
	done := make(chan struct{})
	info := ExecInfo(t, "v1", one.URL, caOne)
	get := func() int {
		reply, err := a.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: info})
		var out execCredential
		if err != nil || json.Unmarshal(reply.Stdout, &out) != nil || out.Status == nil {
			t.Errorf("fetch: %v, exit %d, %s", err, reply.Exit, reply.Stderr)
			return -1
		}
		i, err := strconv.Atoi(strings.TrimPrefix(out.Status.Token, marker+"-"))
		if err != nil {
			t.Errorf("a token of no number: %v", err)
		}
		return i
	}
	for i := range seen {
		ended.Go(func() {
			seen[i] = append(seen[i], get())
			begun.Done()
			for open := true; open; {
				select {
				case <-done:
					open = false // and once more: this one sees all of the change
				default:
				}
				seen[i] = append(seen[i], get())
			}
		})
	}
	begun.Wait()
	change()
	close(done)
	ended.Wait()
	return seen
}

func token(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	mustAdd(t, a, request("test", "2"))
	wantToken(t, a, "prod", "1")
	wantToken(t, a, "test", "2")
}

func status(t *testing.T, a ipc.Agent) {
	wantNames(t, a)
	for _, name := range []string{"c", "a", "b", "B", "a-1"} {
		mustAdd(t, a, request(name, name))
	}
	wantNames(t, a, "B", "a", "a-1", "b", "c")
	s, err := a.Status(t.Context(), ipc.StatusRequest{})
	if err != nil || s.Agent.Version == "" || s.Store.Kind == "" || s.Store.Why == "" {
		t.Errorf("status %+v: %v", s, err)
	}
	lookup(t, a, "b")
}

// verify leaves open what the outside says; a token that nobody knows about, or
// that is found alive, is given out as before.
func verify(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	reply, err := a.Verify(t.Context(), ipc.VerifyRequest{Name: "prod"})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if reply.Credential.Name != "prod" {
		t.Errorf("reply %+v", reply)
	}
	switch reply.Life {
	case "alive", "unknown":
		wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
	case "rejected":
	default:
		t.Errorf("life %q", reply.Life)
	}
}

func tokenLasts(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.Expiry, r.Expires = ipc.ExpiryKnown, instant(time.Hour)
	mustAdd(t, a, r)
	mustAdd(t, a, request("test", "2")) // nobody knows its end
	for _, tt := range []struct {
		r    ipc.TokenRequest
		want ipc.Secret
	}{
		{ipc.TokenRequest{Name: "prod", For: "helm", MinLeft: 30 * time.Minute}, secret("1")},
		{ipc.TokenRequest{Name: "prod", For: "helm", MinLeft: 30 * time.Minute, Keep: true}, ipc.Secret{}},
		{ipc.TokenRequest{Name: "test", For: "helm", MinLeft: 8 * time.Hour}, secret("2")},
	} {
		if got, err := a.Token(t.Context(), tt.r); err != nil || !got.Equal(tt.want) {
			t.Errorf("%+v: another token, or none; %v", tt.r, err)
		}
	}
	for _, keep := range []bool{false, true} {
		_, err := a.Token(t.Context(), ipc.TokenRequest{Name: "prod", For: "helm", MinLeft: 2 * time.Hour, Keep: keep})
		wantCode(t, err, ipc.CodeExpired)
	}
}
