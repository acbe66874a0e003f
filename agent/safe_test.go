package agent_test

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// untouched wants neither the store nor the ledger to have been touched by f.
func (w *world) untouched(f func()) {
	w.t.Helper()
	w.disk.took()
	text := string(w.ledger.text)
	f()
	if calls := w.disk.took(); len(calls) != 0 || string(w.ledger.text) != text {
		w.t.Errorf("store calls %v, ledger:\n%s\nwas\n%s", calls, w.ledger.text, text)
	}
}

// A store in clear is refused before anything is touched, unless it is allowed.
func TestPlaintext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.disk.plaintext = true
	w.untouched(func() {
		for _, r := range []ipc.AddRequest{request("new", "s3cr3t-2"), replacing(request("prod", "s3cr3t-2"))} {
			for _, r.DryRun = range []bool{true, false} {
				_, err := w.Add(t.Context(), r)
				if e := refused(t, err, ipc.CodeStore); !strings.Contains(e.What, "no password") || !strings.Contains(e.Hint, "--allow-plaintext-keyring") {
					t.Error(e.Text())
				}
			}
		}
		brief := request("brief", "s3cr3t-3")
		brief.Ephemeral, brief.DryRun = true, true
		w.add(brief)
	})
	w.serves("prod", "s3cr3t-1")
	if got := w.add(request("prod", "s3cr3t-1")); got.Outcome != ipc.OutcomeExtended || !got.Credential.Saved {
		t.Errorf("what is there already: %+v", got)
	}
	r := replacing(request("prod", "s3cr3t-2"))
	r.AllowPlaintext = true
	if c := w.add(r).Credential; !c.Saved {
		t.Errorf("%+v", c)
	}
	w.serves("prod", "s3cr3t-2")
}

// Which store it is, is decided once.
func TestStoreDecidedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	brief := request("brief", "s3cr3t-b")
	brief.Ephemeral = true
	w.add(brief)
	if got := w.ledger.book(t).Store; got != "" {
		t.Errorf("nothing is stored, in %q", got)
	}
	w.disk.kind = "drawer"
	w.add(request("prod", "s3cr3t-1"))
	w.disk.kind = "disk"
	w.untouched(func() {
		_, err := w.Add(t.Context(), request("new", "s3cr3t-2"))
		if e := refused(t, err, ipc.CodeStore); e.What != "store disk: the tokens so far rest in the drawer" || !strings.Contains(e.Hint, "store: drawer") {
			t.Error(e.Text())
		}
	})
	w.add(replacing(brief)) // needs no store
	if got := w.ledger.book(t).Store; got != "drawer" {
		t.Errorf("the book says %q", got)
	}
}

// A full disk: nothing is changed, it is said why, and the store is as it was.
func TestLedgerFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-0"))
	w.add(replacing(request("prod", "s3cr3t-1")))
	old := w.gave("prod").Label
	full := errors.New("write state: no space left on device")
	brief := request("brief", "s3cr3t-b")
	brief.Ephemeral = true
	servers := []ipc.Server{{URL: "https://b.example.com"}}
	wider := request("prod", "s3cr3t-1")
	wider.Servers = servers
	changes := map[string]func(*world) error{
		"create":    adding(request("new", "s3cr3t-2")),
		"standby":   adding(waiting(request("prod", "s3cr3t-2"))),
		"extend":    adding(wider),
		"in memory": adding(brief),
		"forget":    func(w *world) error { return w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}) },
		"done": func(w *world) error {
			_, err := w.Retired(t.Context(), ipc.RetiredRequest{Done: old})
			return err
		},
		"bind": func(w *world) error {
			_, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: servers})
			return err
		},
	}
	w.ledger.full(full)
	for name, change := range changes {
		w.untouched(func() {
			if e := refused(t, change(w), ipc.CodeStore); e.What != full.Error() || !strings.Contains(e.Hint, "nothing was changed; look at the disk") {
				t.Errorf("%s: %s", name, e.Text())
			}
		})
	}
	s, _ := w.Status(t.Context(), ipc.StatusRequest{})
	if c := s.Credentials[0]; len(s.Credentials) != 1 || len(c.Servers) != 1 || len(c.Standby) != 0 || len(c.Retiring) != 1 || !c.Saved || c.Unsaved != "" {
		t.Errorf("%+v", s.Credentials)
	}
	w.serves("prod", "s3cr3t-1")
	w.ledger.full(nil)
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
	if b := w.ledger.book(t); len(b.Orphans) != 0 {
		t.Errorf("orphans %q", b.Orphans)
	}
	w.holdsOnly("s3cr3t-0", "s3cr3t-1", "s3cr3t-2")
}

// Whatever takes over while the disk is full, serves and is said not to be saved;
// the store is not touched, a restart goes back to the one before, and room on the
// disk is enough.
func TestLedgerFullTakeover(t *testing.T) {
	t.Parallel()
	rotate := func(r ipc.RotateRequest) func(*world) error {
		return func(w *world) error { _, err := w.Rotate(w.t.Context(), r); return err }
	}
	for name, tt := range map[string]struct {
		do   func(*world) error
		want string
	}{
		"replace":  {adding(replacing(request("prod", "s3cr3t-4"))), "s3cr3t-4"},
		"standby":  {rotate(ipc.RotateRequest{Name: "prod"}), "s3cr3t-3"},
		"rollback": {rotate(ipc.RotateRequest{Name: "prod", Rollback: true}), "s3cr3t-1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add(request("prod", "s3cr3t-1"))
			w.add(replacing(request("prod", "s3cr3t-2")))
			w.add(waiting(request("prod", "s3cr3t-3")))
			w.ledger.full(errors.New("write state: no space left on device"))
			w.untouched(func() {
				if err := tt.do(w); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			w.serves("prod", tt.want)
			if c := w.status("prod"); c.State != ipc.StateValid || !strings.HasSuffix(c.Unsaved, ": write state: no space left on device") {
				t.Errorf("%s: %+v", name, c)
			}
			again(t, w).serves("prod", "s3cr3t-2")

			w.ledger.full(nil)
			w.set(noon.Add(time.Minute))
			stop := w.run()
			synctest.Wait()
			stop()
			if c := w.status("prod"); !c.Saved || c.Unsaved != "" {
				t.Errorf("%s: %+v", name, c)
			}
			again(t, w).serves("prod", tt.want)
		})
	}
}

// The certificate authorities of bound servers are kept, over a restart too, and
// those of no other.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pemA, pemB := certificate("a"), certificate("b")
	caA, caB, stray := []byte(pemA), []byte(pemB), []byte(certificate("of nobody"))
	a := ipc.Server{URL: home, CASHA256: agent.Fingerprint(caA)}
	b := ipc.Server{URL: "https://b.example.com:443", CASHA256: agent.Fingerprint(caB)}
	r := request("prod", "s3cr3t-1")
	r.Servers, r.CAs = []ipc.Server{a}, [][]byte{caA, stray}
	w.add(r)
	if asked := w.oracle.questions(); len(asked) != 1 || string(asked[0].CAs[a.CASHA256]) != pemA {
		t.Errorf("asked before it was added: %+v", asked)
	}
	_, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: []ipc.Server{b}, CAs: [][]byte{caB}})
	if err != nil {
		t.Fatal(err)
	}
	r = request("dev", "s3cr3t-2")
	r.Servers = []ipc.Server{a}
	w.add(r)
	known := func(when string, want ...string) {
		t.Helper()
		cas := w.ledger.book(t).CAs
		w = w.restart()
		stop := w.run()
		defer stop()
		w.verify("dev")
		asked := w.oracle.questions()
		if len(cas) != len(want) || len(asked) != 1 || len(asked[0].CAs) != len(want) {
			t.Errorf("%s: kept %q, asked %+v", when, cas, asked)
		}
		for _, pem := range want {
			key := agent.Fingerprint([]byte(pem))
			if string(cas[key]) != pem || string(asked[0].CAs[key]) != pem {
				t.Errorf("%s: %q is not kept", when, pem)
			}
		}
	}
	known("both bound", pemA, pemB)
	if _, err := w.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Remove: []string{home}}); err != nil {
		t.Fatal(err)
	}
	known("one still needed by another", pemA, pemB)
	if err := w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatal(err)
	}
	known("forgotten", pemA)
}

// certificate is PEM of the right kind; what is in it does not matter here.
func certificate(body string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(body)}))
}

// A kubeconfig may name any file as its certificate authority: what is kept on
// disk is the certificates in it.
func TestOnlyCertificatesAreKept(t *testing.T) {
	t.Parallel()
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("s3cr3t-key")}))
	for name, file := range map[string]string{
		"a token before":         "token: s3cr3t-1\n" + certificate("a"),
		"a token after":          certificate("a") + "token: s3cr3t-1\n",
		"a key beside":           key + certificate("a") + key,
		"headers in the block":   "-----BEGIN CERTIFICATE-----\nnote: s3cr3t-1\n\nYQ==\n-----END CERTIFICATE-----\n",
		"nothing but that":       certificate("a"),
		"no certificate at all":  "token: s3cr3t-1\n",
		"half a certificate":     "-----BEGIN CERTIFICATE-----\ns3cr3t",
		"nothing":                "",
		"a certificate with CRs": strings.ReplaceAll(certificate("a"), "\n", "\r\n"),
	} {
		got := string(agent.Certificates([]byte(file)))
		if got != certificate("a") && got != "" || got == "" && strings.Contains(file, "END CERTIFICATE") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
