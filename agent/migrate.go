package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A move takes all tokens from one store to another, in steps: each copies some,
// reads them back and compares; the one after which none is left switches, with one
// write of the book; those that follow remove from the old one. What a move that
// comes to no end leaves in either store stands in the book, and is swept.
type move struct {
	to     Store
	copied map[string]bool // keys; false: the old store does not have it either
	last   time.Time       // step
}

const (
	// stride is how many tokens a step takes: each holds up who wants to change.
	stride = 16

	// stalled is how long after its last step nobody will come back to a move.
	stalled = time.Minute
)

// Migrate implements ipc.Agent.
func (a *Agent) Migrate(ctx context.Context, r ipc.MigrateRequest) (ipc.MigrateReply, error) {
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.MigrateReply{}, err
	}
	defer done()
	reply := ipc.MigrateReply{From: a.book.Store, To: r.To, Total: len(a.inStore())}
	to, err := a.target(ctx, r)
	switch {
	case err != nil:
		return reply, err
	case a.move != nil && a.move.to != nil && a.move.to != to && !a.stalled():
		return reply, &ipc.Error{Code: ipc.CodeExists, What: "store " + r.To + ": the tokens are being moved to the " + a.move.to.Info().Kind, Hint: "let that come to its end, or a minute pass after its interruption"}
	case a.book.Store == r.To:
		return a.clear(ctx, reply)
	case r.DryRun:
		return reply, nil
	}
	if a.move == nil || a.move.to != to || a.stalled() || !a.move.stands(a.book.Elsewhere[a.place(r.To)]) {
		a.move = &move{to: to, copied: map[string]bool{}}
	}
	a.move.last = a.Now()
	if err := a.copySome(ctx, r.To); err != nil {
		return reply, err
	}
	for _, key := range a.inStore() {
		if there, done := a.move.copied[key]; done {
			reply.Copied++
			if !there {
				reply.Missing++
			}
		}
	}
	if reply.Total = len(a.inStore()); reply.Copied < reply.Total {
		return reply, nil
	}
	err = a.switchTo(to, r.To)
	reply.Left = len(a.book.Elsewhere[a.place(reply.From)])
	return reply, err
}

// target is the store that a move leads to, if there is nothing against it.
func (a *Agent) target(ctx context.Context, r ipc.MigrateRequest) (Store, error) {
	to := a.stores.of(r.To)
	switch {
	case to == nil || !to.Durable():
		return nil, invalid("store "+quote(r.To)+": tokens cannot rest there", "keyring or file")
	case a.book.Store == "":
		return nil, invalid("store "+r.To+": there is nothing to move: no token has been stored yet", "set store: "+r.To+" in the config, if the next one is to go there")
	case a.book.Store == r.To:
		return to, nil
	case !a.reached(ctx):
		return nil, errFar(a.book.Store, a.book.Host)
	case !a.Auto && a.stores.all[0] != to:
		return nil, invalid("store "+r.To+": the config names another one", "set store: "+r.To+" in the config, or auto")
	}
	ctx, cancel := context.WithTimeout(ctx, storeCall)
	defer cancel()
	for _, s := range []Store{to, a.stores.of(a.book.Store)} {
		if s == nil {
			return nil, invalid("store "+a.book.Store+": this cwagent does not have it", "")
		}
		if err := lookAt(ctx, s); errors.Is(err, ErrLocked) && s == to {
			return nil, &ipc.Error{Code: ipc.CodeLocked, What: "store " + r.To + ": " + err.Error(), Hint: "cwagent store migrate " + r.To + ", without --dry-run, has it opened"}
		} else if err != nil {
			return nil, &ipc.Error{Code: ipc.CodeStore, What: "store " + s.Info().Kind + ": " + err.Error(), Hint: storeHint(err)}
		}
	}
	if !r.AllowPlaintext && plaintext(ctx, to) {
		return nil, errPlaintext(r.To)
	}
	return to, nil
}

// inStore are the keys of all tokens that rest in the store, in order.
func (a *Agent) inStore() (keys []string) {
	b := a.page()
	for key := range b.keys() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (a *Agent) uncopied() []string {
	return slices.DeleteFunc(a.inStore(), func(key string) bool {
		_, done := a.move.copied[key]
		return done
	})
}

// copySome copies the next tokens. That they may be there is written down before.
func (a *Agent) copySome(ctx context.Context, kind string) error {
	left := a.uncopied()
	left = left[:min(len(left), stride)]
	if len(left) == 0 {
		return nil
	}
	b, at := a.page(), a.place(kind)
	b.leave(at, append(slices.Clone(b.Elsewhere[at]), left...))
	b.Moving = &Moving{a.Host, a.Now()}
	if err := a.write(b); err != nil {
		return err
	}
	from := a.stores.of(a.book.Store)
	for _, key := range left {
		get, cancel := context.WithTimeout(ctx, storeCall)
		secret, err := from.Get(get, key)
		cancel()
		if err != nil && !outage(err) {
			if mine := a.inMemory(key); !mine.Empty() {
				secret, err = mine, nil
			}
		}
		if errors.Is(err, ErrNotFound) {
			a.move.copied[key] = false
			continue
		}
		if err != nil {
			return &ipc.Error{Code: ipc.CodeStore, What: "store " + a.book.Store + ": " + err.Error(), Hint: "nothing was moved yet, and nothing is lost; a credential whose token cannot be read is in the way until it is forgotten"}
		}
		if err := save(ctx, a.move.to, key, secret); err != nil {
			return err
		}
		a.move.copied[key] = true
	}
	return nil
}

// inMemory is the secret of that key, where a credential has it.
func (a *Agent) inMemory(key string) (secret ipc.Secret) {
	for _, c := range a.all() {
		for _, t := range slices.Concat([]token{c.token}, c.standby, c.previous) {
			if t.key == key {
				secret = t.secret
			}
		}
	}
	return secret
}

// switchTo makes the new store the one in use: all tokens are there.
func (a *Agent) switchTo(to Store, kind string) error {
	from := a.book.Store
	b := a.page()
	b.Store, b.Host = kind, a.hostOf(to)
	used := a.inStore()
	b.leave(a.place(from), append(slices.Clone(used), b.Orphans...))
	b.Orphans = slices.DeleteFunc(slices.Clone(b.Elsewhere[a.place(kind)]), func(key string) bool {
		_, in := slices.BinarySearch(used, key)
		return in // what was copied and has been forgotten since is to go from there, too
	})
	b.leave(a.place(kind), nil)
	b.Moving = nil
	if err := a.write(b); err != nil {
		return err
	}
	a.move = &move{last: a.Now()} // whoever moves them removes the old ones, too
	a.stores.use(to)
	a.note(&a.trouble, nil)
	a.note(&a.silent, nil)
	a.overdue() // what the old one did not take
	a.look()
	a.Log.Info("tokens moved", "from", from, "to", kind, "tokens", len(b.Elsewhere[a.place(from)]))
	return nil
}

// clear removes the next tokens from the store that they were in before, and says
// whether any is left.
func (a *Agent) clear(ctx context.Context, reply ipc.MigrateReply) (ipc.MigrateReply, error) {
	reply.Copied = reply.Total
	a.move = &move{last: a.Now()}
	for at := range a.book.Elsewhere {
		kind, mine := a.here(at)
		if !mine {
			continue // its own agent sees to that
		}
		reply.From = kind
		if err := a.discardElsewhere(ctx, at, stride); err != nil {
			return reply, err
		}
		reply.Left += len(a.book.Elsewhere[at])
	}
	if reply.Done = reply.Left == 0; reply.Done {
		a.move = nil
	}
	return reply, nil
}

// sweepElsewhere removes what a move has left behind in a store that is not in use.
func (a *Agent) sweepElsewhere(ctx context.Context) {
	if a.barred != nil || a.move != nil && !a.stalled() {
		return
	}
	if m := a.book.Moving; m != nil && m.Host != a.Host && a.Now().Sub(m.At).Abs() < stalled {
		return // another machine's agent is at it
	}
	a.move = nil
	for at, keys := range a.book.Elsewhere {
		if err := a.discardElsewhere(ctx, at, len(keys)); err != nil {
			a.Log.Warn("moved tokens stay in the store that they were in", "store", at, "error", err)
		}
	}
}

// stalled reports whether nobody will come back to the move that is under way.
func (a *Agent) stalled() bool { return a.Now().Sub(a.move.last).Abs() >= stalled }

// stands reports whether all that was copied still is known to be there: another
// machine's agent, whose clock is another one, may have swept it.
func (m *move) stands(there []string) bool {
	for key := range m.copied {
		if !slices.Contains(there, key) {
			return false
		}
	}
	return true
}

func (a *Agent) discardElsewhere(ctx context.Context, at string, most int) error {
	kind, mine := a.here(at)
	s := a.stores.of(kind)
	if s == nil || kind == a.book.Store || !mine {
		return nil // nothing that is in use is lost, whatever the book says
	}
	keys := a.book.Elsewhere[at]
	var err error
	n := 0
	for n < min(most, len(keys)) && err == nil {
		if err = remove(ctx, s, keys[n]); err == nil {
			n++
		}
	}
	if n > 0 {
		b := a.page()
		b.leave(at, keys[n:])
		if failed := a.write(b); failed != nil {
			return failed
		}
	}
	if err != nil {
		return &ipc.Error{Code: ipc.CodeStore, What: "store " + kind + ": tokens that were moved are still there: " + err.Error(), Hint: "they are removed when it answers; nothing is lost"}
	}
	return nil
}

// leave notes what is to go from a store that is not in use.
func (b *Book) leave(kind string, keys []string) {
	next := map[string][]string{}
	for k, v := range b.Elsewhere {
		next[k] = v
	}
	if next[kind] = keys; len(keys) == 0 {
		delete(next, kind)
	}
	b.Elsewhere = next
}
