package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// box is a vault that may forget.
type box struct {
	items   map[string]string
	forgets bool
}

func newBox() *box                                                 { return &box{items: map[string]string{}} }
func (b *box) enter(_ context.Context, do func(items) error) error { return do(b) }
func (b *box) limit() int                                          { return 100 }
func (b *box) known() nature                                       { return nature{is: "a box"} }
func (b *box) examine(context.Context) (nature, error)             { return b.known(), nil }
func (b *box) prompt(context.Context, time.Duration) error         { return nil }

func (b *box) read(_ context.Context, name string) (string, error) {
	v, ok := b.items[name]
	if !ok {
		return "", agent.ErrNotFound
	}
	return v, nil
}

func (b *box) write(_ context.Context, name, value string) error {
	if len(value) > b.limit() {
		return fmt.Errorf("%w: too long", agent.ErrRefused)
	}
	if !b.forgets {
		b.items[name] = value
	}
	return nil
}

func (b *box) remove(_ context.Context, name string) error {
	if _, ok := b.items[name]; !ok {
		return agent.ErrNotFound
	}
	delete(b.items, name)
	return nil
}

// mortal is a vault that dies, or whose user does, at one of its effects: before
// it, or after it but before anybody is told.
type mortal struct {
	vault
	left int  // effects until it dies; negative: never
	late bool // the one that it dies at comes about
}

var errDied = fmt.Errorf("%w: it died", agent.ErrAbsent)

func (m *mortal) enter(ctx context.Context, do func(items) error) error {
	return m.vault.enter(ctx, func(in items) error { return do(mortalItems{m, in}) })
}

type mortalItems struct {
	m  *mortal
	in items
}

func (i mortalItems) read(ctx context.Context, name string) (string, error) {
	if i.m.left == 0 {
		return "", errDied
	}
	return i.in.read(ctx, name)
}

func (i mortalItems) write(ctx context.Context, name, value string) error {
	return i.effect(func() error { return i.in.write(ctx, name, value) })
}

func (i mortalItems) remove(ctx context.Context, name string) error {
	return i.effect(func() error { return i.in.remove(ctx, name) })
}

func (i mortalItems) effect(do func() error) error {
	if i.m.left == 0 {
		return errDied
	}
	i.m.left--
	if i.m.left != 0 {
		return do()
	}
	if i.m.late {
		_ = do()
	}
	return errDied
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
			b := newBox()
			crashes(t, b, func() int { return len(b.items) }, old, next)
		}
	}
}

// crashes cuts a Put of next over old, and then a Delete, at each of its effects.
// v is empty before and after, and holds that many items.
func crashes(t *testing.T, v vault, items func() int, old, next string) {
	t.Helper()
	for n, whole := 1, false; !whole; n++ {
		for _, late := range []bool{false, true} {
			p := &parts{vault: &mortal{vault: v, left: -1, late: late}, limit: 100}
			whole = crashed(t, p, old, next, n)
			where := fmt.Sprintf("put %.20q over %.20q, dead at effect %d, late: %v", next, old, n, late)
			if got, want := items(), itemsOf(next); got != want {
				t.Fatalf("%s: then %d items, want %d", where, got, want)
			}
			cutDelete(t, p, next, n)
			if n := items(); n != 0 {
				t.Fatalf("%s, and a delete: %d items are left", where, n)
			}
		}
	}
}

// crashed cuts a Put at effect n, then one of another value elsewhere, and then lets
// one come through. It reports whether the first was not that long.
func crashed(t *testing.T, p *parts, old, next string, n int) (whole bool) {
	t.Helper()
	ctx, m := t.Context(), p.vault.(*mortal)
	if old != "" {
		put2(t, p, old)
	}
	m.left = n
	err := p.Put(ctx, "k", ipc.NewSecret(next))
	whole = m.left > 0
	m.left = -1
	got, gotErr := p.Get(ctx, "k")
	switch v := got.Reveal(); {
	case err == nil && v == next, err != nil && old == "" && errors.Is(gotErr, agent.ErrNotFound):
	case err != nil && gotErr == nil && (v == old || v == next):
	default:
		t.Fatalf("put %.20q over %.20q, dead at effect %d: put %v; get %.20q, %v", next, old, n, err, v, gotErr)
	}

	third := ofLength(550, "e")
	m.left = n/2 + 1
	_ = p.Put(ctx, "k", ipc.NewSecret(third))
	m.left = -1
	again, err := p.Get(ctx, "k")
	if v := again.Reveal(); v != got.Reveal() && v != third || errors.Is(err, agent.ErrNotFound) != again.Empty() {
		t.Fatalf("two crashes: %.20q, %v", v, err)
	}
	put2(t, p, next)
	return whole
}

// cutDelete cuts a Delete at effect n, and then lets one come through.
func cutDelete(t *testing.T, p *parts, value string, n int) {
	t.Helper()
	m := p.vault.(*mortal)
	m.left = n
	err := p.Delete(t.Context(), "k")
	m.left = -1
	if got, gotErr := p.Get(t.Context(), "k"); !errors.Is(gotErr, agent.ErrNotFound) && (err == nil || got.Reveal() != value) {
		t.Fatalf("delete, dead at effect %d: %v; get %.20q, %v", n, err, got.Reveal(), gotErr)
	}
	if err := p.Delete(t.Context(), "k"); err != nil {
		t.Fatalf("delete: %v", err)
	}
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

// itemsOf is how many items a value is, with parts of 100 bytes.
func itemsOf(value string) int {
	if len(value) <= 100 && !strings.HasPrefix(value, headMark) {
		return 1
	}
	return 1 + (len(value)+99)/100
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
