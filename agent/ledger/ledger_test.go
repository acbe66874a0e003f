package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	f := &File{Dir: filepath.Join(t.TempDir(), "a", "state")}
	if b, err := f.Load(); err != nil || len(b.Credentials) != 0 {
		t.Fatalf("Load of nothing = %v, %v", b, err)
	}
	at := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	want := agent.Book{
		Store: "keyring",
		Credentials: []agent.Record{{
			Name: "prod", Servers: []ipc.Server{{URL: "https://a.example.com:443", CASHA256: "ab"}},
			Token: agent.Token{Key: "k", ID: "cwtoken-1", Added: at, Expiry: ipc.ExpiryKnown, Expires: &at, Verified: &at,
				Identity: ipc.Identity{OrgUID: "o", UID: "u"}},
			Standby:  []agent.Token{{Key: "s", Added: at, Expiry: ipc.ExpiryNever}},
			Previous: []agent.Token{{Label: "#1", API: true, Added: at, Expiry: ipc.ExpiryUnknown, Retired: &at}},
			Held:     true,
		}},
		Orphans: []string{"old"},
		CAs:     map[string][]byte{"ab": []byte("pem")},
	}
	if err := f.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := f.Load()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v, %v\nwant %+v", got, err, want)
	}
	for path, mode := range map[string]os.FileMode{f.Dir: 0o700, f.path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode().Perm(), err, mode)
		}
	}
}

// TestVersions reads one sample of each form that was ever written, and refuses
// what it cannot read without touching it.
func TestVersions(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("testdata/v*.json")
	if err != nil || len(samples) != version {
		t.Fatalf("%d samples for %d forms: %v", len(samples), version, err)
	}
	for _, s := range samples {
		b, err := load(t, s)
		if err != nil || len(b.Credentials) != 2 || b.Credentials[0].Name != "dev" {
			t.Errorf("%s: %+v, %v", s, b, err)
		}
	}
	for sample, want := range map[string]string{
		"testdata/newer.json":  "written by a newer cwagent (form 1000",
		"testdata/broken.json": "it cannot be read",
		"testdata/other.json":  "it cannot be read",
	} {
		if _, err := load(t, sample); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", sample, err, want)
		}
	}
}

// Nor is one that was written by a newer agent replaced: not by an agent that has not
// read it, and not by one that has read another one before.
func TestNewerStays(t *testing.T) {
	t.Parallel()
	newer, err := os.ReadFile("testdata/newer.json")
	if err != nil {
		t.Fatal(err)
	}
	f := &File{Dir: t.TempDir()}
	for range 2 {
		if err := os.WriteFile(f.path(), newer, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Save(agent.Book{}); err == nil {
			t.Error("saved over it")
		}
		if now, _ := os.ReadFile(f.path()); string(now) != string(newer) {
			t.Errorf("it became %s", now)
		}
		if err := errors.Join(os.Remove(f.path()), f.Save(agent.Book{})); err != nil {
			t.Fatal(err)
		}
	}
}

// The sample of the form that is written now has every field and comes back as it
// was. Who adds one has to say what an older agent would make of it.
func TestEveryField(t *testing.T) {
	t.Parallel()
	sample := fmt.Sprintf("testdata/v%d.json", version)
	want, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	b, err := load(t, sample)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	fields(reflect.ValueOf(b), set)
	for name, ok := range set {
		if !ok {
			t.Errorf("%s has no %s", sample, name)
		}
	}
	f := &File{Dir: t.TempDir()}
	if err := f.Save(b); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(f.path()); string(got) != string(want) {
		t.Errorf("%s came back as\n%s", sample, got)
	}
}

// fields notes which fields of v, and of what is in it, are set anywhere.
func fields(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			fields(v.Index(i), set)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			name := v.Type().String() + "." + v.Type().Field(i).Name
			set[name] = set[name] || !v.Field(i).IsZero()
			fields(v.Field(i), set)
		}
	}
}

// load copies a sample into a state folder, loads it and makes sure that the
// file is as it was.
func load(t *testing.T, sample string) (agent.Book, error) {
	t.Helper()
	before, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	f := &File{Dir: t.TempDir()}
	if err := os.WriteFile(f.path(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	b, lerr := f.Load()
	if after, _ := os.ReadFile(f.path()); string(after) != string(before) {
		t.Errorf("%s was changed by loading it", sample)
	}
	return b, lerr
}

// Two agents never have one folder, and the one that leaves lets the next one in.
func TestOwn(t *testing.T) {
	t.Parallel()
	f := &File{Dir: filepath.Join(t.TempDir(), "state")}
	held, err := f.Own()
	if err != nil {
		t.Fatal(err)
	}
	var e *ipc.Error
	if _, err := f.Own(); !errors.As(err, &e) || e.Code != ipc.CodeExists {
		t.Errorf("%v", err)
	}
	held.Release()
	held, err = f.Own()
	if err != nil {
		t.Fatal(err)
	}
	held.Release()
}
