package metrics

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A Meter measures what the agent does not see itself. Its fields must not change once
// it is used; the zero Meter is ready.
type Meter struct {
	GoVersion string // of the program

	took   distribution
	locked atomic.Uint64 // fetches that the agent gave nothing because it is locked
	other  atomic.Uint64 // and for another reason of its own
}

// Fetch notes that a fetch was answered, and what that took. It is on the request
// path: three atomic additions at most.
func (m *Meter) Fetch(code ipc.Code, took time.Duration) {
	switch code {
	case ipc.CodeOK: // of the agent, which knows what came of it
	case ipc.CodeLocked:
		m.locked.Add(1)
	default:
		m.other.Add(1)
	}
	m.took.add(took)
}

// barred are the fetches that did not come to a credential.
func (m *Meter) barred() []agent.Count {
	return []agent.Count{
		{Values: []string{"", "locked"}, N: m.locked.Load()},
		{Values: []string{"", "other"}, N: m.other.Load()},
	}
}

// bounds of a fetch: memory answers in tens of microseconds, and nobody waits for
// longer than the plugin, which is two seconds.
var bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
}

// A distribution counts durations.
type distribution struct {
	in  [len(bounds) + 1]atomic.Uint64 // each bucket, the ones before not included
	sum atomic.Int64                   // nanoseconds
}

func (d *distribution) add(took time.Duration) {
	i := 0
	for i < len(bounds) && took > bounds[i] {
		i++
	}
	d.sum.Add(int64(took))
	d.in[i].Add(1)
}

func (d *distribution) write(p *page, name, help string) {
	p.family(name, histogram, help)
	total := uint64(0)
	for i := range d.in {
		total += d.in[i].Load()
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(bounds[i].Seconds(), 'g', -1, 64) // as others write it: it is a label
		}
		p.sample("_bucket", float64(total), "le", le)
	}
	p.sample("_sum", time.Duration(d.sum.Load()).Seconds())
	p.sample("_count", float64(total))
}
