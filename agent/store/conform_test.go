package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	conform(t, func(*testing.T) agent.Store { return &Memory{} })
	if (&Memory{}).Durable() {
		t.Error("memory says that it outlives a reboot")
	}
}

// conform states what every body of agent.Store does. newStore returns one that
// holds nothing under the keys of the suite; it is called once a subtest.
func conform(t *testing.T, newStore func(t *testing.T) agent.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, agent.Store)
	}{
		{"says what it is", saysWhatItIs},
		{"absent", absent},
		{"put, get, delete", putGetDelete},
		{"put replaces", putReplaces},
		{"keys", keys},
		{"secrets of every kind", secretsOfEveryKind},
		{"many at once", manyAtOnce},
		{"context that has ended", endedContext},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newStore(t))
		})
	}
}

func wantSecret(t *testing.T, s agent.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || got.Reveal() != want {
		t.Fatalf("get %s: %d bytes, %v; want %d bytes", key, len(got.Reveal()), err, len(want))
	}
}

func wantAbsent(t *testing.T, s agent.Store, key string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if !errors.Is(err, agent.ErrNotFound) || !got.Empty() {
		t.Fatalf("get %s: %v, %v; want ErrNotFound", key, got, err)
	}
}

func put(t *testing.T, s agent.Store, key, secret string) {
	t.Helper()
	if err := s.Put(t.Context(), key, ipc.NewSecret(secret)); err != nil {
		if strings.Contains(err.Error(), secret) {
			t.Error("a secret in the error")
		}
		t.Fatalf("put %s: %v", key, err)
	}
}

func remove(t *testing.T, s agent.Store, key string) {
	t.Helper()
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatalf("delete %s: %v", key, err)
	}
}

func saysWhatItIs(t *testing.T, s agent.Store) {
	info := s.Info()
	if info.Kind == "" || info.Why == "" {
		t.Errorf("%+v", info)
	}
	put(t, s, "prod.00000001", "one")
	if s.Info() != info {
		t.Errorf("%+v became %+v", info, s.Info())
	}
}

func absent(t *testing.T, s agent.Store) {
	wantAbsent(t, s, "prod.00000001")
	remove(t, s, "prod.00000001")
	wantAbsent(t, s, "prod.00000001")
}

func putGetDelete(t *testing.T, s agent.Store) {
	put(t, s, "prod.00000001", "one")
	wantSecret(t, s, "prod.00000001", "one")
	wantSecret(t, s, "prod.00000001", "one")
	remove(t, s, "prod.00000001")
	wantAbsent(t, s, "prod.00000001")
	remove(t, s, "prod.00000001")
	put(t, s, "prod.00000001", "two")
	wantSecret(t, s, "prod.00000001", "two")
}

// Longer, shorter and equal: nothing of the one before stays.
func putReplaces(t *testing.T, s agent.Store) {
	for _, v := range []string{"one", strings.Repeat("long", 5000), "two", "two", "x", strings.Repeat("y", 3000)} {
		put(t, s, "prod.00000001", v)
		wantSecret(t, s, "prod.00000001", v)
	}
	remove(t, s, "prod.00000001")
	wantAbsent(t, s, "prod.00000001")
}

// One key is not another, however alike they look.
func keys(t *testing.T, s agent.Store) {
	all := []string{
		"prod.00000001", "prod.00000002", "Prod.00000001", "prod.0000000a", "prod", "prod.", "prod.00000001.00000001", "prod-00000001", "prod_00000001",
		strings.Repeat("x", 63) + ".00000001", strings.Repeat("x", 62) + ".00000001", "0.00000001",
		"prod cwtoken-3f9a1c7e #5f3a9c01", "prod cwtoken-3f9a1c7e #5f3a9c02",
	}
	for _, k := range all {
		wantAbsent(t, s, k)
		put(t, s, k, "secret of "+k)
	}
	for i, k := range all {
		wantSecret(t, s, k, "secret of "+k)
		remove(t, s, k)
		for j, other := range all {
			if j > i {
				wantSecret(t, s, other, "secret of "+other)
			} else {
				wantAbsent(t, s, other)
			}
		}
	}
}

// A store takes what the agent takes for a token, up to its cap; some keyrings
// hold 2.5 kB in an item.
func secretsOfEveryKind(t *testing.T, s agent.Store) {
	var ascii strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		ascii.WriteByte(c)
	}
	all := []string{"x", "CW-SECRET-0", ascii.String(), `a"b`, `\`, "%00", "$(id)", "base64==", "-", "{}"}
	for _, n := range []int{255, 2559, 2560, 2561, 2900, 4096, 20_001, 32_768, 60_000, ipc.MaxPart} {
		all = append(all, strings.Repeat("abcdefg", n/7+1)[:n])
	}
	for i, v := range all {
		if err := agent.CheckToken(ipc.NewSecret(v)); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("kind.%08x", i)
		put(t, s, key, v)
		wantSecret(t, s, key, v)
	}
	for i, v := range slices.Backward(all) { // a keyring rewrites all that is left
		key := fmt.Sprintf("kind.%08x", i)
		wantSecret(t, s, key, v)
		remove(t, s, key)
		wantAbsent(t, s, key)
	}
}

// manyAtOnce has all callers in the store at any time. A round is three writes a
// caller, and a keyring encrypts and syncs its whole file at each: rounds add nothing
// that more callers would not.
func manyAtOnce(t *testing.T, s agent.Store) {
	const callers, rounds = 8, 3
	var wg sync.WaitGroup
	for n := range callers {
		wg.Go(func() {
			key, ctx := fmt.Sprintf("own.%08x", n), t.Context()
			for i := range rounds {
				v := ipc.NewSecret(fmt.Sprintf("%d-%d", n, i))
				if err := s.Put(ctx, key, v); err != nil {
					t.Error(err)
				}
				if got, err := s.Get(ctx, key); err != nil || !got.Equal(v) {
					t.Errorf("%s: %v", key, err)
				}
				_ = s.Put(ctx, "shared.00000000", v)
				if got, err := s.Get(ctx, "shared.00000000"); err == nil && got.Empty() {
					t.Error("a shared key gives an empty secret")
				}
				if err := s.Delete(ctx, key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantAbsent(t, s, "own.00000000")
}

// A call whose time is over either does its work or fails, and the store works
// on. "Not there" is no answer for a store that could not look.
func endedContext(t *testing.T, s agent.Store) {
	put(t, s, "prod.00000001", "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.Get(ctx, "prod.00000001"); errors.Is(err, agent.ErrNotFound) || err == nil && got.Reveal() != "one" {
		t.Errorf("get: %v", err)
	}
	_ = s.Put(ctx, "prod.00000002", ipc.NewSecret("two"))
	wantSecret(t, s, "prod.00000001", "one")
	put(t, s, "prod.00000002", "three")
	wantSecret(t, s, "prod.00000002", "three")
	if err := s.Delete(ctx, "prod.00000001"); err == nil {
		wantAbsent(t, s, "prod.00000001")
	} else {
		wantSecret(t, s, "prod.00000001", "one")
	}
}
