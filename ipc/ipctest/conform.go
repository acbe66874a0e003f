package ipctest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Conform states what every body of ipc.Agent does. newAgent returns an agent
// without credentials that accepts ephemeral adds; it is called once a subtest.
func Conform(t *testing.T, newAgent func(t *testing.T) ipc.Agent) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, a ipc.Agent)
	}{
		{"add creates", addCreates},
		{"add extends", addExtends},
		{"add refuses another token", addExists},
		{"add replaces", addReplaces},
		{"add with nothing to replace", addReplacesNothing},
		{"add of nonsense", addInvalid},
		{"add as a dry run", addDryRun},
		{"add of a token twice", addSameAs},
		{"add all", addAll},
		{"add all or none", addAllOrNone},
		{"fetch", fetchBothVersions},
		{"fetch of an unknown name", fetchUnknown},
		{"fetch for a server that is not bound", fetchNotBound},
		{"fetch without cluster info", fetchNoClusterInfo},
		{"fetch with exec info that makes no sense", fetchMalformed},
		{"fetch after a replacement", fetchReplaced},
		{"fetch while tokens are replaced", fetchWhileReplaced},
		{"token", token},
		{"keys", keys},
		{"token for a program", tokenLasts},
		{"servers", servers},
		{"add says what it binds", addBound},
		{"servers unbinds exactly", unbind},
		{"revision", revision},
		{"forget", forget},
		{"forget what has changed", forgetIfRevision},
		{"status", status},
		{"verify", verify},
		{"unknown names", unknownNames},
		{"standby", addStandby},
		{"standby in order", addStandbyOrder},
		{"standby of nonsense", addStandbyRefused},
		{"a token is in one place", addMoves},
		{"rotate", rotate},
		{"rotate to what lasts longer", rotateOutlives},
		{"rotate back", rotateBack},
		{"fetch while tokens are rotated", fetchWhileRotated},
		{"add says what gave way", addRetires},
		{"a dry run tells of what gave way", addFormer},
		{"retired tokens of other vendors", retiredForeign},
		{"retired until done", retiredDone},
		{"retired and done under two names", retiredDoneTwice},
		{"forget all tokens", forgetRotated},
		{"leave", leave},
		{"stores", stores},
		{"lock", lock},
		{"metrics", metrics},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, watched{newAgent(t), t})
		})
	}
}

// The servers of the suite, in canonical spelling.
var (
	caOne     = []byte("-----BEGIN CERTIFICATE-----\none\n-----END CERTIFICATE-----\n")
	one       = ipc.Server{URL: "https://one.example.com:6443", CASHA256: fingerprint(caOne)}
	two       = ipc.Server{URL: "https://two.example.com:443"}
	elsewhere = ipc.Server{URL: "https://elsewhere.example.com:443"}
)

// request is an add of a token, bound to one, about which nobody is asked.
func request(name, token string) ipc.AddRequest {
	return ipc.AddRequest{
		Name: name, Secret: secret(token), Expiry: ipc.ExpiryUnknown,
		Servers: []ipc.Server{one}, Ephemeral: true, NoVerify: true,
	}
}

func secret(s string) ipc.Secret { return ipc.NewSecret(marker + "-" + s) }

func mustAdd(t *testing.T, a ipc.Agent, r ipc.AddRequest) ipc.AddReply {
	t.Helper()
	reply, err := a.Add(t.Context(), r)
	if err != nil {
		t.Fatalf("add %s: %v", r.Name, err)
	}
	return reply
}

// wantCode wants an error that a person can read, of that code.
func wantCode(t *testing.T, err error, code ipc.Code) {
	t.Helper()
	var e *ipc.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want an *ipc.Error of code %d", err, code)
	}
	if e.Code != code || e.What == "" {
		t.Errorf("error %q of code %d, want code %d", e.What, e.Code, code)
	}
}

// wantToken wants the current token of a credential to be that one.
func wantToken(t *testing.T, a ipc.Agent, name, token string) {
	t.Helper()
	got, err := a.Token(t.Context(), ipc.TokenRequest{Name: name})
	if err != nil {
		t.Fatalf("token %s: %v", name, err)
	}
	if !got.Equal(secret(token)) {
		t.Errorf("token of %s is not %q", name, token)
	}
}

func wantServers(t *testing.T, got ipc.Credential, want ...ipc.Server) {
	t.Helper()
	if !slices.Equal(got.Servers, want) {
		t.Errorf("servers of %s: %v, want %v", got.Name, got.Servers, want)
	}
}

// lookup returns the status of one credential.
func lookup(t *testing.T, a ipc.Agent, name string) ipc.Credential {
	t.Helper()
	s, err := a.Status(t.Context(), ipc.StatusRequest{Name: name})
	if err != nil {
		t.Fatalf("status %s: %v", name, err)
	}
	if len(s.Credentials) != 1 || s.Credentials[0].Name != name {
		t.Fatalf("status %s: %+v", name, s.Credentials)
	}
	return s.Credentials[0]
}

// names returns the names of all credentials, in the order of the status.
func names(t *testing.T, a ipc.Agent) []string {
	t.Helper()
	s, err := a.Status(t.Context(), ipc.StatusRequest{})
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	got := []string{}
	for _, c := range s.Credentials {
		got = append(got, c.Name)
	}
	return got
}

func wantNames(t *testing.T, a ipc.Agent, want ...string) {
	t.Helper()
	if got := names(t, a); !slices.Equal(got, want) {
		t.Errorf("credentials %q, want %q", got, want)
	}
}

// instant is a time of day without the parts that JSON loses.
func instant(d time.Duration) *time.Time {
	at := time.Now().Add(d).UTC().Truncate(time.Second)
	return &at
}
