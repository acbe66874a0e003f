package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc"
)

// otherService is a Secret Service that is not gnome-keyring, and does what that
// one does not let itself be brought to.
type otherService struct {
	mu        sync.Mutex
	dflt      dbus.ObjectPath
	locked    bool
	items     []dbus.ObjectPath // what a search finds
	elsewhere []dbus.ObjectPath // the same, locked
	create    *dbus.Error       // the answer to CreateItem; nil: it wants to prompt
	said      []string          // what it was asked that matters here
	completes []any             // what its prompts end with at once; nil: they stay
	conn      *dbus.Conn
	looked    chan struct{} // told of each look at whether it is locked; may be nil
}

func (o *otherService) note(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, what)
}

func (o *otherService) told() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprint(o.said)
}

func (o *otherService) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) { return o.dflt, nil }
func (o *otherService) Get(string, string) (dbus.Variant, *dbus.Error) {
	select {
	case o.looked <- struct{}{}:
	default:
	}
	return dbus.MakeVariant(o.locked), nil
}
func (o *otherService) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	return dbus.MakeVariant(""), "/session", nil
}
func (o *otherService) SearchItems(map[string]string) (_, _ []dbus.ObjectPath, _ *dbus.Error) {
	return o.items, o.elsewhere, nil
}
func (o *otherService) GetSecret(dbus.ObjectPath) (wireSecret, *dbus.Error) {
	return wireSecret{"/session", []byte{}, []byte("kept"), ""}, nil
}
func (o *otherService) CreateItem(map[string]dbus.Variant, wireSecret, bool) (_, _ dbus.ObjectPath, _ *dbus.Error) {
	return "/", "/prompt", o.create
}
func (o *otherService) Unlock(p []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	o.note("Unlock")
	return nil, "/prompt", nil
}
func (o *otherService) Delete() (dbus.ObjectPath, *dbus.Error) { return "/prompt", nil }
func (o *otherService) Prompt(string) *dbus.Error {
	o.note("Prompt")
	if o.completes != nil {
		_ = o.conn.Emit("/prompt", promptIface+".Completed", o.completes...)
	}
	return nil
}
func (o *otherService) Dismiss() *dbus.Error { o.note("Dismiss"); return nil }

// serve puts o on a bus.
func (o *otherService) serve(t *testing.T) *Keyring {
	t.Helper()
	k, s := realKeyring(t, keyringtest.Options{BusOnly: true})
	conn, err := dbus.Connect(k.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	o.conn = conn
	for path, iface := range map[dbus.ObjectPath]string{
		secretsPath: serviceIface, "/c": collectionIface, "/c/1": itemIface, "/d/1": itemIface, "/prompt": promptIface,
	} {
		must(t, conn.Export(o, path, iface))
		must(t, conn.Export(o, path, "org.freedesktop.DBus.Properties"))
	}
	_, err = conn.RequestName(secrets, dbus.NameFlagDoNotQueue)
	must(t, err)
	return s
}

// What wants to ask a person is refused, and no window opens.
func TestOtherPrompts(t *testing.T) {
	t.Parallel()
	wantRefused := func(err error) {
		t.Helper()
		if err == nil || !strings.HasSuffix(err.Error(), "the store refused: it wants to ask a person first") {
			t.Errorf("%v", err)
		}
	}
	o := &otherService{dflt: "/c", items: []dbus.ObjectPath{"/d/1", "/c/1"}}
	s := o.serve(t)
	wantRefused(s.Put(t.Context(), "prod.00000001", ipc.NewSecret("one")))
	wantSecret(t, s, "prod.00000001", "kept")
	wantRefused(s.Delete(t.Context(), "prod.00000001"))
	if got := o.told(); got != "[]" {
		t.Errorf("it was told %v", got)
	}
	i := s.Info()
	if i.Plaintext || !strings.HasPrefix(i.Why, "the Secret Service of ") || !strings.HasSuffix(i.Why, "; how it keeps its files is not known here") {
		t.Errorf("%+v", i)
	}
}

func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service *otherService
		want    error
		words   string
	}{
		"locked":           {&otherService{dflt: "/c", locked: true}, agent.ErrLocked, `collection "c"`},
		"none is open":     {&otherService{dflt: "/"}, agent.ErrAbsent, "no default collection"},
		"lives in memory":  {&otherService{dflt: "/org/freedesktop/secrets/collection/session"}, agent.ErrAbsent, "memory only"},
		"no such default":  {&otherService{dflt: "/gone"}, agent.ErrAbsent, ""},
		"item locked":      {&otherService{dflt: "/c", elsewhere: []dbus.ObjectPath{"/d/1"}}, agent.ErrLocked, `collection "d"`},
		"item has no face": {&otherService{dflt: "/c", items: []dbus.ObjectPath{"/gone/1"}}, agent.ErrAbsent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.service.serve(t)
			wantAnswer(t, s, c.want, c.words)
			if got := c.service.told(); got != "[]" {
				t.Errorf("it was told %v", got)
			}
		})
	}
	o := &otherService{dflt: "/c", create: dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{"not for you"})}
	s := o.serve(t)
	err := s.Put(t.Context(), "prod.00000001", ipc.NewSecret("one"))
	if err == nil || err.Error() != `write keyring item "prod.00000001": the store refused: not for you` {
		t.Errorf("%v", err)
	}
}
