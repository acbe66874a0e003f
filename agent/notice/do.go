package notice

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// do does what was planned. It is written down first: what ends us in between costs
// a notice, and shows none twice. again, if the server has not taken one.
func (t *Teller) do(ctx context.Context, p Step, now time.Time) (again bool) {
	session := t.Desktop.Session(ctx, len(p.Show)+len(p.Summed) > 0)
	if session != "" {
		t.serve(session)
	}
	before := maps.Clone(t.shown)
	for _, key := range p.Forget {
		delete(t.shown, key)
	}
	if session == "" { // whoever comes is news
		if len(p.Forget) > 0 {
			t.save()
		}
		return false
	}
	for _, m := range p.Show {
		t.shown[m.Key()] = Shown{At: now, Step: m.Step, Credential: m.Credential, ID: before[m.Key()].ID}
	}
	for _, m := range p.Summed {
		t.shown[m.Key()] = Shown{At: now, Step: m.Step, Credential: m.Credential, ID: before[m.Key()].ID, Summed: true}
	}
	t.save()
	for _, key := range p.Over {
		t.Desktop.Close(ctx, before[key].ID)
		t.number(key, 0)
	}
	again = t.show(ctx, p, before)
	t.save()
	return again
}

// doubts reports whether there is a notice that a server has shown or not.
func (t *Teller) doubts() bool {
	for _, s := range t.shown {
		if s.Unsure {
			return true
		}
	}
	return false
}

// serve forgets the numbers of another server, and what that one has perhaps not shown:
// it has gone with it.
func (t *Teller) serve(session string) {
	if session == t.server {
		return
	}
	for key, s := range t.shown {
		if s.Unsure {
			delete(t.shown, key)
		}
		t.number(key, 0)
	}
	t.server, t.sum = session, 0
}

// number notes which notice of the server is about a matter, if that is remembered.
func (t *Teller) number(key string, id uint32) {
	if s, ok := t.shown[key]; ok {
		s.ID = id
		t.shown[key] = s
	}
}

// show shows what was planned until the server does not take one: what is left then is
// as it was before.
func (t *Teller) show(ctx context.Context, p Step, before Memory) (again bool) {
	for i, m := range p.Show {
		id, err := t.Desktop.Show(ctx, m, before[m.Key()].ID)
		if errors.Is(err, ErrNotShown) {
			t.undo(slices.Concat(p.Show[i:], p.Summed), before, err)
			return true
		}
		t.number(m.Key(), id)
		t.doubt(m, err)
		t.record(m, "shown", err)
	}
	if len(p.Summed) > 0 {
		id, err := t.Desktop.Show(ctx, sum(p.More), t.sum)
		if errors.Is(err, ErrNotShown) {
			t.undo(p.Summed, before, err)
			return true
		}
		t.sum = id
		for _, m := range p.Summed {
			t.doubt(m, err)
			t.record(m, "counted", err)
		}
	}
	t.fails = 0
	return false
}

// doubt notes that a matter is shown or not, if there was an error.
func (t *Teller) doubt(m Matter, err error) {
	if s, ok := t.shown[m.Key()]; ok && err != nil {
		s.Unsure = true
		t.shown[m.Key()] = s
	}
}

// undo has matters be as if they had not been planned.
func (t *Teller) undo(matters []Matter, before Memory, err error) {
	t.Log.Debug("notices are not shown", "error", err)
	for _, m := range matters {
		delete(t.shown, m.Key())
		if was, ok := before[m.Key()]; ok {
			t.shown[m.Key()] = was
		}
	}
}
