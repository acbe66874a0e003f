package absorb_test

import (
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A change is acted on within a second: most of that is the wait for the end of a
// burst.
func TestSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.eventually("watched", func() bool { return w.stateOf(w.config) == ipc.WatchMissing })
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	for _, tt := range []struct{ what, path, token string }{
		{"a token that is known", w.config, first},
		{"the next one", w.config, second},
		{"a download", w.download("3f9a1c7e", "prod"), third},
	} {
		w.write(tt.path, written("me", tt.token, prod))
		took := w.absorbed(tt.path, "prod")
		t.Logf("%s: %v", tt.what, took)
		if took > time.Second {
			t.Errorf("%s: %v", tt.what, took)
		}
	}
}
