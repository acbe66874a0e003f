package ipctest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// ConformInTime states what time does to the tokens of an agent. newAgent is as
// for [Conform], but is called in a synctest bubble, whose clock is the agent's.
// So there is none of it for the wire, which adds nothing to the clock.
func ConformInTime(t *testing.T, newAgent func(t *testing.T) ipc.Agent) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, a ipc.Agent)
	}{
		{"a token that gave way ends", retiringEnds},
		{"a token that stands by ends", standbyEnds},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.test(t, watched{newAgent(t), t}) })
		})
	}
}

func retiringEnds(t *testing.T, a ipc.Agent) {
	r := identified("prod", "1")
	r.Expiry, r.Expires = ipc.ExpiryKnown, instant(2*time.Hour)
	mustAdd(t, a, r)
	for token, end := range map[string]*time.Time{"2": instant(time.Hour), "3": nil} {
		mustAdd(t, a, standby("prod", token, end))
	}
	r = identified("prod", "0")
	r.Replace = true
	mustAdd(t, a, r)
	mustRotate(t, a, next, "standby", "2", "0")
	mustRotate(t, a, next, "standby", "3", "2")
	wantRetiring(t, a, "prod", "2", "0", "1")

	time.Sleep(time.Hour)
	wantRetiring(t, a, "prod", "0", "1")
	_, err := a.Retired(t.Context(), ipc.RetiredRequest{Done: publicID("2")})
	wantCode(t, err, ipc.CodeNotFound)
	mustRotate(t, a, rollback, "rollback", "0", "3") // not to one that has ended
	wantRetiring(t, a, "prod", "3", "1")

	time.Sleep(time.Hour)
	wantRetiring(t, a, "prod", "3")
	retired(t, a, publicID("3"))
	wantNoRotation(t, a, rollback)
}

func standbyEnds(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, identified("prod", "1"))
	mustAdd(t, a, standby("prod", "2", instant(time.Hour)))
	mustAdd(t, a, standby("prod", "3", instant(2*time.Hour)))
	mustAdd(t, a, standby("prod", "4", instant(3*time.Hour)))
	time.Sleep(time.Hour)
	wantStandby(t, a, "prod", "3", "4")
	mustRotate(t, a, next, "standby", "3", "1")
	time.Sleep(2 * time.Hour)
	wantStandby(t, a, "prod")
	_, err := a.Rotate(t.Context(), next)
	wantCode(t, err, ipc.CodeSource)
}
