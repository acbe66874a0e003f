//go:build unix

package source

import (
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// Whoever may swap the file for a FIFO without a writer cannot have the agent
// wait for one.
func TestFileFIFO(t *testing.T) {
	t.Parallel()
	f := &File{Path: fifo(t)}
	type answer struct {
		m   agent.Minted
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		m, err := f.Next(t.Context(), agent.Occasion{})
		answered <- answer{m, err}
	}()
	select {
	case a := <-answered:
		wantError(t, a.m, a.err, agent.Broken, "it is not a regular file")
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a writer")
	}
}
