//go:build linux

package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc"
)

func TestSpike(t *testing.T) {
	k := keyringtest.New(t, keyringtest.Options{})
	s := NewKeyring(KeyringConfig{Getenv: k.Getenv})
	t.Log(s.Plaintext(context.Background()), s.Info())
	for _, n := range []int{1500, 60_000, 128 << 10, 256<<10} {
		v := ipc.NewSecret(strings.Repeat("x", n))
		a := time.Now()
		err := s.Put(t.Context(), "prod.1", v)
		b := time.Now()
		got, err2 := s.Get(t.Context(), "prod.1")
		t.Log(n, b.Sub(a), time.Since(b), err, err2, got.Equal(v))
	}
	t.Log(s.Delete(t.Context(), "prod.1"))
	for _, n := range []int{1500} {
	a := time.Now()
	for i := range 500 {
		if err := s.Put(t.Context(), fmt.Sprintf("p%d.%d", n, i), ipc.NewSecret(strings.Repeat("y", n))); err != nil {
			t.Error(i, err)
			break
		}
	}
	t.Log("put", time.Since(a)/500)
	a = time.Now()
	for i := range 5 {
		if err := s.Put(t.Context(), fmt.Sprintf("p%d.%d", n, i), ipc.NewSecret(strings.Repeat("y", n))); err != nil {
			t.Error(i, err)
			break
		}
	}
	t.Log("overwrite", time.Since(a)/5)
	a = time.Now()
	for i := range 500 {
		if _, err := s.Get(t.Context(), fmt.Sprintf("p%d.%d",n, i)); err != nil {
			t.Error(i, err)
			break
		}
	}
	t.Log("get", time.Since(a)/500)
	}
}

func TestConformKeyring(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) agent.Store {
		k := keyringtest.New(t, keyringtest.Options{})
		s := NewKeyring(KeyringConfig{Getenv: k.Getenv})
		s.Plaintext(t.Context())
		return s
	})
}
