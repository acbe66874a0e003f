package agent

import (
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/peer"
)

// However many use a credential, only so many are remembered, those whose answer
// has not ended before the others.
func TestVigilIsBounded(t *testing.T) {
	t.Parallel()
	v := &vigil{}
	process := func(pid int) user { return user{peer.Process{PID: pid, Start: 1}, ""} }
	for pid := range 100 {
		v.gave(process(1+pid), "k", noon.Add(refresh), noon)
	}
	for pid := range mostUsers - 100 {
		v.gave(process(1000+pid), "k", noon.Add(time.Second), noon)
	}
	v.gave(process(1), "k", noon.Add(refresh), noon) // known: nobody has to go for it
	if len(v.given) != mostUsers {
		t.Errorf("%d are remembered", len(v.given))
	}
	v.gave(process(5000), "k", noon.Add(refresh), noon.Add(time.Minute))
	for pid := range 100 {
		if !v.again(process(1+pid), "k", noon.Add(time.Minute)) {
			t.Errorf("%d is forgotten", 1+pid)
		}
	}
	if len(v.given) != 101 {
		t.Errorf("%d are remembered", len(v.given))
	}
	for pid := range 5000 {
		v.gave(process(10_000+pid), "k", noon.Add(refresh), noon.Add(time.Minute))
		if len(v.given) > mostUsers {
			t.Fatalf("%d are remembered", len(v.given))
		}
	}
	v.gave(user{}, "k", noon.Add(refresh), noon)
	if v.again(user{}, "k", noon) {
		t.Error("nobody is somebody")
	}
}
