package ipctest_test

import (
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestFake(t *testing.T) {
	t.Parallel()
	ipctest.Conform(t, func(*testing.T) ipc.Agent { return &ipctest.Fake{} })
}

func TestFakeInTime(t *testing.T) {
	t.Parallel()
	ipctest.ConformInTime(t, func(*testing.T) ipc.Agent { return &ipctest.Fake{} })
}
