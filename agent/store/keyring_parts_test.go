package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// box is a vault that dies after a number of operations, and may forget.
type box struct {
	items   map[string]string
	left    int // operations until it dies; negative: never
	forgets bool
}

var errDied = fmt.Errorf("%w: it died", agent.ErrAbsent)

func newBox() *box                                                 { return &box{items: map[string]string{}, left: -1} }
func (b *box) enter(_ context.Context, do func(items) error) error { return do(b) }
func (b *box) limit() int                                          { return 100 }
func (b *box) known() nature                                       { return nature{is: "a box"} }
func (b *box) examine(context.Context) (nature, error)             { return b.known(), nil }
func (b *box) prompt(context.Context, time.Duration) error         { return nil }

func (b *box) step() error {
	if b.left == 0 {
		return errDied
	}
	b.left--
	return nil
}

func (b *box) read(_ context.Context, name string) (string, error) {
	if err := b.step(); err != nil {
		return "", err
	}
	v, ok := b.items[name]
	if !ok {
		return "", agent.ErrNotFound
	}
	return v, nil
}

func (b *box) write(_ context.Context, name, value string) error {
	if err := b.step(); err != nil {
		return err
	}
	if len(value) > b.limit() {
		return fmt.Errorf("%w: too long", agent.ErrRefused)
	}
	if !b.forgets {
		b.items[name] = value
	}
	return nil
}

func (b *box) remove(_ context.Context, name string) error {
	if err := b.step(); err != nil {
		return err
	}
	if _, ok := b.items[name]; !ok {
		return agent.ErrNotFound
	}
	delete(b.items, name)
	return nil
}

// ofLength returns a value whose every stretch is its own.
func ofLength(n int, salt string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%s%d.", salt, i)
	}
	return b.String()[:n]
}

func TestPartsConform(t *testing.T) {
	t.Parallel()
	conform(t, func(*testing.T) agent.Store { return newKeyring(newBox(), KeyringConfig{}) })
}

// However a write or a removal is cut short, the old value or the new one is
// whole, and the next write and removal leave nothing behind.
func TestPartsCrash(t *testing.T) {
	t.Parallel()
	values := []string{
		"", "short", ofLength(100, "a"), ofLength(101, "b"), ofLength(350, "c"), ofLength(900, "d"),
		headMark + "a 1 3 0", headMark,
	}
	for _, old := range values {
		for _, next := range values[1:] {
			for n := 0; crashed(t, old, next, n); n++ {
			}
		}
	}
}

// crashed cuts a Put, and then a Delete, after n operations, and reports whether
// the Put was that long.
func crashed(t *testing.T, old, next string, n int) (cut bool) {
	t.Helper()
	ctx, b := t.Context(), newBox()
	p := &parts{vault: b, limit: b.limit()}
	if old != "" {
		put2(t, p, old)
	}
	b.left = n
	err := p.Put(ctx, "k", ipc.NewSecret(next))
	cut = b.left == 0
	b.left = -1
	got, gotErr := p.Get(ctx, "k")
	switch v := got.Reveal(); {
	case err == nil && v == next, err != nil && old == "" && errors.Is(gotErr, agent.ErrNotFound):
	case err != nil && gotErr == nil && (v == old || v == next):
	default:
		t.Fatalf("put %.20q over %.20q, dead after %d: put %v; get %.20q, %v", next, old, n, err, v, gotErr)
	}

	// A second one that is cut short as well, elsewhere.
	b.left = n / 2
	_ = p.Put(ctx, "k", ipc.NewSecret(ofLength(550, "e")))
	b.left = -1
	if got, err := p.Get(ctx, "k"); err != nil && !errors.Is(err, agent.ErrNotFound) {
		t.Fatalf("two crashes: %.20q, %v", got.Reveal(), err)
	}
	put2(t, p, next)
	if want := itemsOf(b, next); len(b.items) != want {
		t.Fatalf("put %.20q over %.20q, dead after %d: then %d items, want %d: %v", next, old, n, len(b.items), want, slices.Sorted(maps.Keys(b.items)))
	}

	b.left = n
	err = p.Delete(ctx, "k")
	b.left = -1
	if got, gotErr := p.Get(ctx, "k"); !errors.Is(gotErr, agent.ErrNotFound) && (err == nil || got.Reveal() != next) {
		t.Fatalf("delete, dead after %d: %v; get %.20q, %v", n, err, got.Reveal(), gotErr)
	}
	if err := p.Delete(ctx, "k"); err != nil || len(b.items) != 0 {
		t.Fatalf("delete: %v; %v is left", err, slices.Sorted(maps.Keys(b.items)))
	}
	return cut
}

func put2(t *testing.T, p *parts, value string) {
	t.Helper()
	if err := p.Put(t.Context(), "k", ipc.NewSecret(value)); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Get(t.Context(), "k"); err != nil || got.Reveal() != value {
		t.Fatalf("put %.20q: get %.20q, %v", value, got.Reveal(), err)
	}
}

func itemsOf(b *box, value string) int {
	if len(value) <= b.limit() && !strings.HasPrefix(value, headMark) {
		return 1
	}
	return 1 + (len(value)+b.limit()-1)/b.limit()
}

// A torn value is an error of its own, and never a wrong secret.
func TestPartsTorn(t *testing.T) {
	t.Parallel()
	value := ofLength(350, "x")
	for name, tear := range map[string]func(*box){
		"missing":    func(b *box) { delete(b.items, partName("k", "a", 2)) },
		"empty":      func(b *box) { b.items[partName("k", "a", 2)] = "" },
		"other":      func(b *box) { b.items[partName("k", "a", 2)] = ofLength(100, "y") },
		"swapped":    func(b *box) { b.items[partName("k", "a", 2)] = b.items[partName("k", "a", 1)] },
		"longer":     func(b *box) { b.items[partName("k", "a", 4)] += "z" },
		"generation": func(b *box) { b.items["k"] = strings.Replace(b.items["k"], " a ", " b ", 1) },
		"unknown":    func(b *box) { b.items["k"] = strings.Replace(b.items["k"], " a ", " c ", 1) },
		"count":      func(b *box) { b.items["k"] = strings.Replace(b.items["k"], " 4 ", " 3 ", 1) },
		"no count":   func(b *box) { b.items["k"] = strings.Replace(b.items["k"], " 4 ", " x ", 1) },
		"negative":   func(b *box) { b.items["k"] = strings.Replace(b.items["k"], " 4 ", " -4 ", 1) },
		"sum":        func(b *box) { b.items["k"] = b.items["k"][:len(b.items["k"])-1] + "g" },
		"cut":        func(b *box) { b.items["k"] = headMark },
		"line end":   func(b *box) { b.items["k"] += "\n" },
	} {
		b := newBox()
		k := newKeyring(b, KeyringConfig{})
		if err := k.Put(t.Context(), "k", ipc.NewSecret(value)); err != nil {
			t.Fatal(err)
		}
		tear(b)
		got, err := k.Get(t.Context(), "k")
		if !errors.Is(err, errTorn) || !got.Empty() || errors.Is(err, agent.ErrNotFound) || strings.Contains(err.Error(), value[:9]) {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
		if err := k.Put(t.Context(), "k", ipc.NewSecret("new")); err != nil {
			t.Errorf("%s: put: %v", name, err)
		}
		if err := k.Delete(t.Context(), "k"); err != nil || len(b.items) != 0 {
			t.Errorf("%s: delete: %v, %d left", name, err, len(b.items))
		}
	}
}

// A keyring that takes and forgets costs nobody the old value, if it is long.
func TestPartsForgetful(t *testing.T) {
	t.Parallel()
	b := newBox()
	k := newKeyring(b, KeyringConfig{})
	old, next := ofLength(350, "x"), ofLength(420, "y")
	put(t, k, "k", old)
	b.forgets = true
	if err := k.Put(t.Context(), "k", ipc.NewSecret(next)); !errors.Is(err, agent.ErrRefused) {
		t.Errorf("%v; want ErrRefused", err)
	}
	wantSecret(t, k, "k", old)
}
