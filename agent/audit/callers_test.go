package audit

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc/peer"
)

// Who changes what it runs is seen to, a little later; one that has ended is what it
// was; and no more are remembered than there is room for.
func TestCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name, gone := "sh", false
		c := callers{map[peer.Process]*caller{}, func(p peer.Process) (peer.Program, error) {
			if gone {
				return peer.Program{}, os.ErrProcessDone
			}
			name := name
			if p.PID%2 == 1 {
				name = "bash"
			}
			return peer.Program{Name: name, Parent: peer.Process{PID: p.PID + 1, Start: 1}}, nil
		}}
		p := peer.Process{PID: 100, Start: 1}
		if is := c.of(p); is.words != "sh <- bash <- sh <- bash <- sh <- bash <- sh <- bash" {
			t.Errorf("%q", is.words)
		}
		name = "kubectl"
		if is := c.of(p); is.chain[0] != "sh" {
			t.Errorf("%q", is.words)
		}
		time.Sleep(fresh)
		if is := c.of(p); is.chain[0] != "kubectl" {
			t.Errorf("%q", is.words)
		}
		gone = true
		time.Sleep(fresh)
		if is := c.of(p); is.chain[0] != "kubectl" {
			t.Errorf("%q", is.words)
		}
		if is := c.of(peer.Process{PID: 100, Start: 2}); is.words != "" {
			t.Errorf("another process of that pid: %q", is.words)
		}
		gone = false
		for pid := range 10 * known {
			c.of(peer.Process{PID: 2 + pid, Start: 3})
		}
		if len(c.known) > known {
			t.Errorf("%d are remembered", len(c.known))
		}
	})
}
