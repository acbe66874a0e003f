package agent_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

func TestAddCreates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request("prod", "s3cr3t-1")
	r.ID = "cwtoken-3f9a1c7e"
	reply := w.add(r)
	if c := reply.Credential; reply.Outcome != ipc.OutcomeCreated || !c.Saved || c.State != ipc.StateValid || c.ID != r.ID || !c.Added.Equal(noon) {
		t.Errorf("%+v", reply)
	}
	w.serves("prod", "s3cr3t-1")
	if got := w.disk.took(); !slices.Equal(got, []string{"put", "get"}) {
		t.Errorf("store calls %v; want written and read back, and nothing for the fetch", got)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.disk.took()
	past := noon.Add(time.Second)
	tests := []struct {
		name   string
		change func(*ipc.AddRequest)
		code   ipc.Code
	}{
		{"another token", func(r *ipc.AddRequest) { r.Name = "prod" }, ipc.CodeExists},
		{"replace what is not there", func(r *ipc.AddRequest) { r.Replace = true }, ipc.CodeNotFound},
		{"no name", func(r *ipc.AddRequest) { r.Name = "" }, ipc.CodeInvalid},
		{"a flag for a name", func(r *ipc.AddRequest) { r.Name = "-o" }, ipc.CodeInvalid},
		{"a path for a name", func(r *ipc.AddRequest) { r.Name = "../x" }, ipc.CodeInvalid},
		{"a shell for a name", func(r *ipc.AddRequest) { r.Name = "x;id" }, ipc.CodeInvalid},
		{"a long name", func(r *ipc.AddRequest) { r.Name = strings.Repeat("x", 64) }, ipc.CodeInvalid},
		{"a name with a line break", func(r *ipc.AddRequest) { r.Name = "x\n" }, ipc.CodeInvalid},
		{"no token", func(r *ipc.AddRequest) { r.Secret = ipc.Secret{} }, ipc.CodeInvalid},
		{"empty token", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("") }, ipc.CodeInvalid},
		{"line break in it", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t\nX: y") }, ipc.CodeInvalid},
		{"line break after it", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t\r\n") }, ipc.CodeInvalid},
		{"blank in it", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t 2") }, ipc.CodeInvalid},
		{"control character", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3t\x7f") }, ipc.CodeInvalid},
		{"beyond ASCII", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret("s3cr3tä") }, ipc.CodeInvalid},
		{"huge token", func(r *ipc.AddRequest) { r.Secret = ipc.NewSecret(strings.Repeat("s3cr3t", 30_000)) }, ipc.CodeInvalid},
		{"expiry not said", func(r *ipc.AddRequest) { r.Expiry = "" }, ipc.CodeInvalid},
		{"expiry of another kind", func(r *ipc.AddRequest) { r.Expiry = "soon\x1b[2J" }, ipc.CodeInvalid},
		{"expiry missing", func(r *ipc.AddRequest) { r.Expiry = ipc.ExpiryKnown }, ipc.CodeInvalid},
		{"expired", func(r *ipc.AddRequest) { r.Expiry, r.Expires = ipc.ExpiryKnown, &past }, ipc.CodeInvalid},
		{"plain http", func(r *ipc.AddRequest) { r.Servers = []ipc.Server{{URL: home}, {URL: "http://x"}} }, ipc.CodeInvalid},
	}
	for _, tt := range tests {
		r := request("new", "s3cr3t-2")
		tt.change(&r)
		for _, r.DryRun = range []bool{true, false} {
			_, err := w.Add(t.Context(), r)
			if e := refused(t, err, tt.code); e.Hint == "" || strings.ContainsAny(e.Text(), "\x1b\r") || len(e.Text()) > 500 {
				t.Errorf("%s: %q", tt.name, e.Text())
			}
		}
	}
	if s, _ := w.Status(t.Context(), ipc.StatusRequest{}); len(s.Credentials) != 1 || len(w.disk.took()) != 0 {
		t.Errorf("something was changed: %+v", s.Credentials)
	}
	w.serves("prod", "s3cr3t-1")
}

func TestAddExtends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.fetch("prod", "https://b.example.com")
	w.disk.took()

	r := request("prod", "s3cr3t-1")
	end := noon.Add(time.Hour)
	r.ID, r.Expiry, r.Expires, r.Servers = "cwtoken-1", ipc.ExpiryKnown, &end, []ipc.Server{{URL: "https://B.example.com/"}}
	reply := w.add(r)
	c := reply.Credential
	if reply.Outcome != ipc.OutcomeExtended || len(c.Servers) != 2 || c.ID != "cwtoken-1" || c.Expires == nil || !c.Expires.Equal(end) {
		t.Errorf("%+v", reply)
	}
	if c.Refusal != nil {
		t.Errorf("still says that it refused what is allowed now: %+v", c.Refusal)
	}
	if got, _, stderr := w.fetch("prod", "https://b.example.com"); got == "" {
		t.Error(stderr)
	}
	w.serves("prod", "s3cr3t-1")

	// What nobody said does not wipe out what is known.
	r = request("prod", "s3cr3t-1")
	r.ID, r.Expiry = "cwtoken-2", ipc.ExpiryUnknown
	if c := w.add(r).Credential; c.Expiry != ipc.ExpiryKnown || c.ID != "cwtoken-1" {
		t.Errorf("%+v", c)
	}
	r.Expiry = ipc.ExpiryNever
	if c := w.add(r).Credential; c.Expiry != ipc.ExpiryNever || c.Expires != nil {
		t.Errorf("%+v", c)
	}
	if got := w.disk.took(); len(got) != 0 {
		t.Errorf("store calls %v for a token that is saved already", got)
	}
}

// The next fetch gets the new token, the one before stays in the store, and is
// named as what gave way.
func TestAddReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := []string{"s3cr3t-1", "s3cr3t-2", "s3cr3t-3"}
	for i, token := range tokens {
		r := request("prod", token)
		r.Replace, r.ID = i > 0, "cwtoken-"+token[7:]
		reply := w.add(r)
		w.serves("prod", token)
		w.holdsOnly(tokens[:i+1]...)
		if calls := w.disk.took(); !slices.Equal(calls, []string{"put", "get"}) {
			t.Errorf("store calls %v; want written, read back, and nothing taken away", calls)
		}
		c, gone := reply.Credential, reply.Retired
		if !c.Saved || c.Unsaved != "" || len(c.Servers) != 1 || len(c.Retiring) != i {
			t.Errorf("%+v", c)
		}
		if i == 0 {
			continue
		}
		if reply.Outcome != ipc.OutcomeReplaced || gone == nil || gone.ID != "cwtoken-"+tokens[i-1][7:] || !gone.Kept || !gone.Since.Equal(noon) {
			t.Fatalf("%+v gave way: %+v", gone, reply)
		}
		if w.gave("prod").ID != gone.ID {
			t.Errorf("not the newest first: %+v", c.Retiring)
		}
	}
}

func TestAddDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dry := func(r ipc.AddRequest) ipc.AddRequest { r.DryRun = true; return r }
	if got := w.add(dry(request("prod", "s3cr3t-1"))); got.Outcome != ipc.OutcomeCreated {
		t.Errorf("%+v", got)
	}
	refused(t, func() error { _, err := w.Token(t.Context(), ipc.TokenRequest{Name: "prod"}); return err }(), ipc.CodeNotFound)

	w.add(request("prod", "s3cr3t-1"))
	w.disk.took()
	r := dry(request("prod", "s3cr3t-1"))
	r.Servers = []ipc.Server{{URL: "https://b.example.com"}}
	if got := w.add(r); got.Outcome != ipc.OutcomeExtended || len(got.Credential.Servers) != 2 {
		t.Errorf("%+v", got)
	}
	if got := w.add(dry(replacing(request("prod", "s3cr3t-2")))); got.Outcome != ipc.OutcomeReplaced {
		t.Errorf("%+v", got)
	}
	if got := w.add(dry(request("twin", "s3cr3t-1"))); got.Outcome != ipc.OutcomeCreated || got.SameAs != "prod" {
		t.Errorf("%+v", got)
	}
	w.add(request("other", "s3cr3t-2"))
	if got := w.add(dry(request("other", "s3cr3t-1"))); got.Outcome != "" || got.SameAs != "prod" {
		t.Errorf("%+v", got) // the caller may take that name
	}
	if c := w.status("prod"); len(c.Servers) != 1 {
		t.Errorf("%+v", c)
	}
	w.serves("prod", "s3cr3t-1")
	if got := w.disk.took(); !slices.Equal(got, []string{"put", "get"}) { // those of "other"
		t.Errorf("store calls %v", got)
	}
}

// A token that is to be in memory only is not written anywhere; one that is to
// last is not taken by a store that forgets.
func TestEphemeral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request("prod", "s3cr3t-1")
	r.Ephemeral = true
	if c := w.add(r).Credential; c.Saved {
		t.Errorf("%+v", c)
	}
	w.add(r)
	w.serves("prod", "s3cr3t-1")
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
	if calls := w.disk.took(); len(calls) != 0 {
		t.Errorf("store calls %v", calls)
	}
	// The same token, asked for without --ephemeral: now it has to be saved.
	if got := w.add(request("prod", "s3cr3t-2")); got.Outcome != ipc.OutcomeExtended || !got.Credential.Saved {
		t.Errorf("%+v", got)
	}
	if got := w.disk.holds(); !slices.Equal(got, []string{"s3cr3t-2"}) {
		t.Errorf("the store holds %q", got)
	}
	w.serves("prod", "s3cr3t-2")

	w = newWorld(t)
	w.SetStore(&store.Memory{})
	for _, again := range []bool{false, true} {
		_, err := w.Add(t.Context(), request("prod", "s3cr3t-1"))
		if e := refused(t, err, ipc.CodeStore); !strings.Contains(e.Hint, "--ephemeral") {
			t.Error(e.Text())
		}
		if !again {
			w.add(r)
		}
	}
	if c := w.status("prod"); c.Saved {
		t.Errorf("%+v", c)
	}
}

// The id in the name of a file belongs to the token that was in it first: the one
// that took its place, and was put back into that file, is another.
func TestIDOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := request("prod", "s3cr3t-1")
	first.ID = "cwtoken-1"
	w.add(first)
	w.add(replacing(request("prod", "s3cr3t-2")))
	again := request("prod", "s3cr3t-2")
	again.ID = "cwtoken-1"
	if got := w.add(again); got.Outcome != ipc.OutcomeExtended || got.Credential.ID != "" {
		t.Errorf("%+v", got)
	}
	again.ID = "cwtoken-2"
	if got := w.add(again); got.Credential.ID != "cwtoken-2" {
		t.Errorf("%+v", got.Credential)
	}
}
