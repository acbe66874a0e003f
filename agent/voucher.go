package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	// voucherLife is how long a dry run's verdict serves: an import checks all
	// of its tokens first, and then changes quickly.
	voucherLife = time.Minute

	// maxVouchers is more than an import has tokens. What is over is asked again.
	maxVouchers = 1024
)

// vouchers are the tokens that dry runs found alive just now. A rejected one
// and an unknown one are asked about again: that may have been mended.
type vouchers struct {
	mu   sync.Mutex
	kept map[[sha256.Size]byte]voucher // by what was asked
}

type voucher struct {
	verdict Verdict
	at      time.Time // ours, by the wall
}

// ask asks the verifier, unless a dry run has just asked it the very same.
func (a *Agent) ask(ctx context.Context, r ipc.AddRequest, q VerifyRequest) Verdict {
	key := question(q)
	if !r.DryRun {
		if v, ok := a.vouched.get(key, a.Now()); ok {
			return v
		}
	}
	v := a.Verifier.Verify(ctx, q)
	if r.DryRun && v.Life == Alive {
		a.vouched.keep(key, v, a.Now())
	}
	return v
}

// question names what is asked: which token, and at which servers.
func question(q VerifyRequest) (key [sha256.Size]byte) {
	h := sha256.New()
	token := Sum(q.Token)
	h.Write(token[:])
	_ = json.NewEncoder(h).Encode(q.Servers) // a hash takes all, and a server always marshals
	h.Sum(key[:0])
	return key
}

func (v *vouchers) get(key [sha256.Size]byte, now time.Time) (Verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pruneLocked(now)
	found, ok := v.kept[key]
	return found.verdict, ok
}

func (v *vouchers) keep(key [sha256.Size]byte, verdict Verdict, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pruneLocked(now)
	if v.kept == nil {
		v.kept = map[[sha256.Size]byte]voucher{}
	}
	if len(v.kept) < maxVouchers {
		v.kept[key] = voucher{verdict, now}
	}
}

// pruneLocked drops what is too old, or from the future of a clock set back.
func (v *vouchers) pruneLocked(now time.Time) {
	for key, one := range v.kept {
		if now.Sub(one.at).Abs() >= voucherLife {
			delete(v.kept, key)
		}
	}
}
